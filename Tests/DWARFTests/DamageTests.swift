// Damaged files: nothing crashes or hangs, whatever is asked.

import DWARF
import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: CallProgram.canBuild, "clang is not installed")) struct DamageTests {
  private static var state: FrameState {
    FrameState(
      register: { UInt64($0) &* 16 &+ 0x8000_0000 }, memory: { address, _ in address & 0xFFFF < 0x8000 ? address : nil }
    )
  }

  private static func ask(_ bytes: [UInt8]) {
    guard let file = try? DebugInformation(bytes, name: "damaged.elf") else { return }
    _ = file.lines.line(at: 0x8000_0040)
    _ = file.lines.places(of: 10, in: "calls.c")
    for address in stride(from: UInt64(0x8000_0000), to: 0x8000_0400, by: 26) {
      _ = try? file.caller(ofCodeAt: address, registers: Array(0..<33), state)
      _ = try? file.caller(ofCodeAt: address & 0xFFFF, registers: Array(0..<16), state)
    }
    _ = file.lines.prologueEnd(ofFunctionAt: 0x8000_0010..<0x8000_0100)
  }

  @Test(arguments: [CallProgram.Guest.arm, .riscv64]) func anyDamage(_ guest: CallProgram.Guest) throws {
    let program = try CallProgram(guest, ["-O1", "-g"])
    let good = [UInt8](try Data(contentsOf: URL(filePath: program.path)))
    Self.ask(good)
    var random = Mutations.random
    for _ in 0..<Mutations.count(2000) {
      var bytes = good
      Mutations.damage(&bytes, &random)
      Self.ask(bytes)
    }
  }

  /// Damage where the debugging information is.
  @Test(arguments: [".debug_line", ".debug_frame", ".debug_info", ".debug_abbrev", ".debug_line_str", ".eh_frame"])
  func damagedSections(_ section: String) throws {
    let flags = section == ".eh_frame" ? ["-O1", "-g0", "-fasynchronous-unwind-tables"] : ["-O1", "-g"]
    let program = try CallProgram(.riscv64, flags)
    let good = [UInt8](try Data(contentsOf: URL(filePath: program.path)))
    let headers = try Toolchain.run("llvm-objdump", ["-h", program.path])
    let contents = program.path + ".section"
    defer { try? FileManager.default.removeItem(atPath: contents) }
    _ = try Toolchain.run("llvm-objcopy", ["--dump-section=\(section)=\(contents)", program.path, "/dev/null"])
    let part = [UInt8](try Data(contentsOf: URL(filePath: contents)))
    #expect(headers.contains(section) && part.count > 8)
    let start = try #require(
      good.indices.first { good[$0...].starts(with: part) }, "the section is not in the file as it is")
    var random = Mutations.random
    for _ in 0..<Mutations.count(1500) {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = start + Int.random(in: 0..<part.count, using: &random)
        bytes[place] =
          Bool.random(using: &random)
          ? bytes[place] ^ 1 << UInt8.random(in: 0..<8, using: &random)
          : UInt8.random(in: 0...255, using: &random)
      }
      Self.ask(bytes)
    }
  }
}
