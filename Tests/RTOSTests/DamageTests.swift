// Owns the tests that no content of memory makes a reader of kernels hang, trap or read without end.

import Bits
import RTOS
import TestSupport
import Testing

@Suite struct DamageTests {
  private static func papers() -> [PaperGuest] {
    let free = FreeRTOSTests.configurations.map { PaperFreeRTOS($0).guest }
    let zephyr = [("armv7e-m", 4), ("riscv64", 8)].map { OtherKernelTests.zephyr($0.0, word: $0.1) }
    let threadX = [("armv7-m", 4), ("riscv64", 8)].map { OtherKernelTests.threadX($0.0, word: $0.1) }
    let nuttX = [0, 1, 2, 3].map { OtherKernelTests.nuttX("armv7-m", version: $0, hasSizes: $0 != 3) }
    return free + zephyr + threadX + nuttX
  }

  /// Bytes of its structures, or words of them that point to other places of its memory.
  private static func damage(_ guest: PaperGuest, _ random: inout SplitMix) {
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      let place = Int.random(in: 0..<0x2000, using: &random) & ~3
      switch Int.random(in: 0..<4, using: &random) {
      case 0: guest.memory[place] = UInt8.random(in: 0...255, using: &random)
      case 1:
        guest.put(
          [0, 1, 2, .max, 0x7FFF_FFFF].randomElement(using: &random) ?? 0, PaperGuest.base + UInt64(place), size: 4)
      case 2:
        let target = PaperGuest.base + UInt64.random(in: 0..<0x2000, using: &random) & ~3
        guest.put(target, PaperGuest.base + UInt64(place), size: 4)
      default:
        let other = Int.random(in: 0..<0x2000, using: &random) & ~3
        for byte in 0..<8 { guest.memory[place + byte] = guest.memory[other + byte] }
      }
    }
  }

  @Test func damagedStructures() {
    var random = Mutations.random
    let papers = Self.papers()
    let originals = papers.map(\.memory)
    for round in 0..<Mutations.count(6000) {
      let guest = papers[round % papers.count]
      guest.memory = originals[round % papers.count]
      Self.damage(guest, &random)
      check(guest)
    }
  }

  @Test func randomMemory() {
    var random = Mutations.random
    let papers = Self.papers()
    for round in 0..<Mutations.count(400) {
      let guest = papers[round % papers.count]
      for place in guest.memory.indices { guest.memory[place] = UInt8.random(in: 0...255, using: &random) }
      check(guest)
    }
  }

  /// It says something, after a bounded effort.
  private func check(_ guest: PaperGuest) {
    guard let kernel = Kernel.recognised(in: guest) else {
      Issue.record("no kernel")
      return
    }
    let before = guest.effort
    do throws(KernelError) {
      let list = try kernel.tasks(of: guest)
      #expect(list.tasks.count <= 1024)
    } catch { #expect(!error.description.isEmpty) }
    #expect(guest.effort - before < 32 << 20)
  }
}
