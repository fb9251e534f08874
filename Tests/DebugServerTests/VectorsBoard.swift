// Owns the Cortex-M board of the session about handlers: a call of the supervisor, a breakpoint instruction, a fault.

import DebugServer
import Foundation
import Machine
import Monitor

/// The board with its program, stopped before the first instruction. Behind the vectors, from 0x40 on:
/// `movs r0, 1; svc 0; nop; bkpt 3; movs r0, 2; udf 1`, at 0x4c the handler of SVC, `movs r1, 7; bx lr`, and at 0x50 that
/// of HardFault, `b .`.
func vectorsBoard() throws -> TestBoard {
  let code: [UInt16] = [0x2001, 0xDF00, 0xBF00, 0xBE03, 0x2002, 0xDE01, 0x2107, 0x4770, 0xE7FE]
  var vectors = [UInt32](repeating: 0, count: 16)
  (vectors[0], vectors[1], vectors[3], vectors[11]) = (0x2000_8000, 0x41, 0x51, 0x4D)
  let image = try TemporaryFile(
    vectors.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
      + code.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] })
  let monitor = MonitorBox()
  var options = DebugServer.Options()
  options.monitor = { monitor.execute($0) }
  let board = try TestBoard(options: options) {
    $0.board = repository.appending(path: "boards/arm/mps2_an385.dts").path()
    $0.cpuModel = nil
    $0.cpuCount = nil
    $0.memorySize = nil
    $0.loads = []
    $0.kernel = image.path
  }
  monitor.attach(board.machine)
  return board
}
