// Owns a program that does what breakpoints of all kinds wait for, for two guests, and its machine: it counts in memory, prints
// a line, writes a system register and makes a call to its own handler, twenty times over.

import Bus
import Devices
import Engine
import Foundation
import GuestARM
import GuestRISCV
import HostInterpreter
import HostX86_64
import Machine
import Monitor
import Synchronization
import TestSupport
import Testing

/// A guest and a host that programs are tried on.
struct Setup: Sendable, CustomTestStringConvertible {
  var guest: String
  var host: String
  var testDescription: String { "\(guest) on \(host)" }

  static let all = ["riscv", "arm"].flatMap { guest in UnharmedTests.hosts.map { Setup(guest: guest, host: $0) } }
  static var canAssemble: Bool { Toolchain.find("clang") != nil && Toolchain.find("ld.lld") != nil }

  var isARM: Bool { guest == "arm" }
  /// Names of the same things.
  var register: String { isARM ? "msr basepri" : "csr mscratch" }
  var callName: String { isARM ? "SVCall" : "environment call from M-mode" }
  var uart: String { isARM ? "uart@40004000" : "serial@10000000" }
  var data: String { isARM ? "DATA" : "THR" }
  var a0: String { isARM ? "$r0" : "$a0" }
  var turnRegister: String { isARM ? "$r4" : "$s0" }
}

private let riscvSource = """
    .globl _start, turn, uart_putc, uart_line, trap, last, counter, call
    .type turn, @function
    .type uart_putc, @function
    .type uart_line, @function
    .type trap, @function
    .type counter, @object
    .option norvc
  _start:
    la sp, stack
    la t0, trap
    csrw mtvec, t0
    li s0, 0
    la s1, counter
  turn:
    addi s0, s0, 1
    sw s0, 0(s1)
    jal uart_line
    csrw mscratch, s0
  call:
    ecall
    li t1, 20
    bne s0, t1, turn
  last:
    j last
  uart_line:
    mv s2, ra
    li a0, 't'
    jal uart_putc
    li a0, '='
    jal uart_putc
    addi a0, s0, 'A'
    jal uart_putc
    li a0, 10
    jal uart_putc
    mv ra, s2
    ret
  uart_putc:
    li t2, 0x10000000
    sb a0, 0(t2)
    ret
    .balign 4
  trap:
    csrr t3, mcause
    bltz t3, interrupt
    csrr t3, mepc
    addi t3, t3, 4
    csrw mepc, t3
    mret
  interrupt:
    li t3, 0x80
    csrc mie, t3
    mret
    .bss
    .balign 16
  counter: .space 4
    .space 1024
  stack:
  """

private let armSource = """
    .syntax unified
    .cpu cortex-m4
    .thumb
    .globl _start, turn, uart_putc, uart_line, trap, last, counter, call
    .section .vectors, "a"
    .word 0x20008000, _start
    .rept 9
    .word trap
    .endr
    .word trap
    .rept 36
    .word interrupt
    .endr
    .text
    .thumb_func
  _start:
    ldr r0, =0x40004000
    movs r1, 1
    str r1, [r0, 8]
    movs r4, 0
    ldr r5, =counter
    cpsid i
    cpsie i
    b turn
    .type turn, %function
  turn:
    adds r4, 1
    str r4, [r5]
    bl uart_line
    lsl.w r7, r4, 5
    msr basepri, r7
  call:
    svc 0
    cmp r4, 20
    bne turn
    .type last, %function
  last:
    b last
    .type uart_line, %function
  uart_line:
    push {lr}
    movs r0, 't'
    bl uart_putc
    movs r0, '='
    bl uart_putc
    add r0, r4, 'A'
    bl uart_putc
    movs r0, 10
    bl uart_putc
    pop {pc}
    .type uart_putc, %function
  uart_putc:
    ldr r2, =0x40004000
    str r0, [r2]
    bx lr
    .type trap, %function
  trap:
    bx lr
    .type interrupt, %function
  interrupt:
    bx lr
    .ltorg
    .bss
    .balign 4
    .type counter, %object
  counter: .space 4
  """

/// What the guest has printed.
final class ConsoleText: CharacterBackend, Sendable {
  private let state = Mutex("")
  func write(_ bytes: [UInt8]) { state.withLock { $0 += String(decoding: bytes, as: UTF8.self) } }
  var text: String { state.withLock { $0 } }
}

/// The machine, stopped at `_start`, and its monitor.
final class FirmwareBench {
  let setup: Setup
  let machine: Machine
  let monitor: Monitor
  let console = ConsoleText()

  private static let images = Mutex<[String: [UInt8]]>([:])

  /// The ELF file for a guest.
  private static func image(_ setup: Setup) throws -> [UInt8] {
    if let known = images.withLock({ $0[setup.guest] }) { return known }
    let base = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)").path()
    let (source, object, elf, script) = (base + ".s", base + ".o", base + ".elf", base + ".ld")
    defer { for path in [source, object, elf, script] { try? FileManager.default.removeItem(atPath: path) } }
    try (setup.isARM ? armSource : riscvSource).write(toFile: source, atomically: true, encoding: .utf8)
    let target =
      setup.isARM
      ? ["--target=thumbv7em-none-eabi", "-mcpu=cortex-m4"] : ["--target=riscv64", "-march=rv64g", "-mno-relax"]
    let problems = try Toolchain.run("clang", target + ["-c", source, "-o", object])
    let layout =
      setup.isARM
      ? "SECTIONS { .text 0 : { *(.vectors) *(.text) } .bss 0x20000000 : { *(.bss) } }"
      : "SECTIONS { .text 0x80000000 : { *(.text) } .bss 0x80010000 : { *(.bss) } }"
    try layout.write(toFile: script, atomically: true, encoding: .utf8)
    _ = try Toolchain.run("ld.lld", ["-T", script, "-e", "_start", object, "-o", elf])
    guard let data = FileManager.default.contents(atPath: elf) else { throw FirmwareFailure(text: problems) }
    images.withLock { $0[setup.guest] = Array(data) }
    return Array(data)
  }

  struct FirmwareFailure: Error { var text: String }

  init(_ setup: Setup, tiers: TierPolicy = .adaptive, harts: Int? = nil) throws {
    self.setup = setup
    let path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString).elf").path()
    try Data(try Self.image(setup)).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let root = String(#filePath.dropLast("Tests/MonitorTests/Firmware.swift".count))
    var configuration = MachineConfiguration(
      board: root + (setup.isARM ? "boards/arm/mps2_an386.dts" : "boards/riscv/virt.dts"))
    configuration.kernel = path
    configuration.host = setup.host
    configuration.engine.tiers = tiers
    configuration.cpuCount = harts
    machine = try Machine.make(configuration, registry: registry, backends: [console]) { _, _ in }
    machine.start()
    monitor = Monitor(machine)
  }

  deinit { machine.shutDown() }

  func callAsFunction(_ line: String) -> String {
    let result = monitor.execute(line)
    return result.isError ? "ERROR: " + result.text : result.text
  }

  /// Lets the guest run to its next stop, which it is expected to come to.
  func run() -> String { self("until last") }

  /// Lets the guest run on, and waits for its stop.
  func goOn() -> String {
    _ = self("cont")
    for _ in 0..<3000 where machine.perform({ $0.isRunning }) { usleep(2000) }
    return self("info status")
  }

  /// What an expression is worth.
  func value(_ expression: String) -> UInt64? {
    let text = self("p " + expression).split(separator: " ").first.map { $0.dropFirst(2) }
    return text.flatMap { UInt64($0, radix: 16) }
  }

  /// The turn that the guest is in, from 1 on.
  var turn: UInt64? { value(setup.turnRegister) }

  /// What is left of a whole run: registers, instructions, time, text.
  struct Outcome: Equatable {
    var registers: [UInt64]
    var instructions: UInt64
    var ticks: UInt64
    var text: String
  }

  var outcome: Outcome {
    machine.perform { [console] machine in
      let vcpu = machine.engine.vcpus[0]
      return Outcome(
        registers: (0..<16).map { machine.guest.readRegister(vcpu.state, $0) }, instructions: vcpu.retiredInstructions,
        ticks: vcpu.ticks, text: console.text)
    }
  }
}
