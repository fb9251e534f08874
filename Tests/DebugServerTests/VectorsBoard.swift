// Owns the Cortex-M boards of sessions about handlers and about floating point, with their programs.

import DebugServer
import Foundation
import Machine
import Monitor

/// The board of the session about handlers, stopped before the first instruction. Behind the vectors, from 0x40 on:
/// `movs r0, 1; svc 0; nop; bkpt 3; movs r0, 2; udf 1`, at 0x4c the handler of SVC, `movs r1, 7; bx lr`, and at 0x50 that
/// of HardFault, `b .`.
func vectorsBoard() throws -> TestBoard {
  let code: [UInt16] = [0x2001, 0xDF00, 0xBF00, 0xBE03, 0x2002, 0xDE01, 0x2107, 0x4770, 0xE7FE]
  return try cortexBoard("mps2_an385", code, handlers: [3: 0x51, 11: 0x4D])
}

/// A board whose program, at 0x40, locks the CPU up: `udf 1` without any handler. At 0x42 `adds r0, r0, 1; b .-2`.
func lockingBoard() throws -> TestBoard {
  try cortexBoard("mps2_an385", [0xDE01, 0x1C40, 0xE7FD], handlers: [:])
}

/// A board that has a UART whose data register cannot be looked at without taking from it (PL011), running `b .`.
func serialBoard() throws -> TestBoard {
  try cortexBoard("lm3s6965evb", [0xE7FE], handlers: [:])
}

/// A board with a floating-point unit. From 0x40 on: `ldr r0, =0xe000ed88; movs r1, 15; lsls r1, r1, 20; str r1, [r0]; isb`,
/// at 0x4c `vmov.f32 s0, 1.5; vadd.f32 s2, s0, s3; vcmp.f32 s0, s2; b .`.
func floatBoard(_ name: String) throws -> TestBoard {
  let code: [UInt16] = [
    0x4806, 0x210F, 0x0509, 0x6001, 0xF3BF, 0x8F6F, 0xEEB7, 0x0A08, 0xEE30, 0x1A21, 0xEEB4, 0x0A41, 0xE7FE, 0xBF00,
    0xED88, 0xE000,
  ]
  return try cortexBoard(name, code, handlers: [3: 0x59])
}

private func cortexBoard(_ name: String, _ code: [UInt16], handlers: [Int: UInt32]) throws -> TestBoard {
  var vectors = [UInt32](repeating: 0, count: 16)
  (vectors[0], vectors[1]) = (0x2000_8000, 0x41)
  for (number, address) in handlers { vectors[number] = address }
  let image = try TemporaryFile(
    vectors.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
      + code.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] })
  let monitor = MonitorBox()
  var options = DebugServer.Options()
  options.monitor = { monitor.execute($0, $1) }
  let board = try TestBoard(options: options) {
    $0.board = repository.appending(path: "boards/arm/\(name).dts").path()
    $0.cpuModel = nil
    $0.cpuCount = nil
    $0.memorySize = nil
    $0.loads = []
    $0.kernel = image.path
  }
  monitor.attach(board.machine)
  return board
}
