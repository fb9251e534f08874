// Owns the boards that the firmware in Embedded Swift runs on in the tests.

import DebugServer
import Foundation
import Machine
import Monitor
import Synchronization
import TestSupport

extension EmbeddedFirmware {
  /// The board it is for, stopped before its first instruction; or another board, with nothing loaded.
  func testBoard(emptyBoard: String? = nil, console: Console? = nil) throws -> TestBoard {
    var options = DebugServer.Options()
    let monitor = MonitorBox()
    options.monitor = { monitor.execute($0, $1) }
    let board = try TestBoard(options: options, console: console) {
      $0.loads = []
      if let emptyBoard {
        $0.board = repository.appending(path: "boards/arm/\(emptyBoard).dts").path()
        $0.cpuModel = nil
        $0.memorySize = nil
        return
      }
      switch self.board {
      case "virt":
        $0.cpuModel = "rv32"
        $0.bios = self.path
      default:
        $0.board = repository.appending(path: "boards/arm/mps2_an386.dts").path()
        $0.cpuModel = nil
        $0.memorySize = nil
        $0.kernel = self.path
      }
    }
    monitor.attach(board.machine)
    return board
  }
}

/// The monitor of a machine that is made after the server's options.
final class MonitorBox: Sendable {
  private let monitor = Mutex<Monitor?>(nil)
  func attach(_ machine: Machine) { monitor.withLock { $0 = Monitor(machine) } }
  func execute(_ line: String, _ run: CommandRun) -> String {
    let text = monitor.withLock { $0 }?.execute(line, run).text ?? ""
    return text.isEmpty ? "" : text + "\n"
  }
}
