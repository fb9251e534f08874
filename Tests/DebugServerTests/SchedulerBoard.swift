// Owns the boards that the scheduler with FreeRTOS's structures runs on in the tests.

import DebugServer
import Foundation
import Machine
import Monitor
import TestSupport

extension SchedulerFirmware {
  /// Stopped before the first instruction.
  /// - Parameter isStripped: the machine does not know the program's symbols.
  func testBoard(harts: Int = 1, isStripped: Bool = false, monitor: MonitorBox = MonitorBox()) throws -> TestBoard {
    let image = isStripped ? try stripped() : path
    defer { if isStripped { try? FileManager.default.removeItem(atPath: image) } }
    var options = DebugServer.Options()
    options.monitor = { monitor.execute($0, $1) }
    let board = try TestBoard(harts: harts, options: options) {
      $0.loads = []
      switch self.guest {
      case .arm:
        $0.board = repository.appending(path: "boards/arm/mps2_an385.dts").path()
        $0.cpuModel = nil
        $0.cpuCount = nil
        $0.memorySize = nil
        $0.kernel = image
      case .riscv32, .riscv64:
        $0.cpuModel = self.guest == .riscv32 ? "rv32" : "rv64"
        $0.bios = image
      }
    }
    monitor.attach(board.machine)
    return board
  }
}
