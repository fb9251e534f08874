// Owns `martlet demo`: the shipped firmware, and what its user is told.

import Boards
import Glibc

enum Demo {
  static func run(_ words: [String]) throws(Failure) -> Int32 {
    guard let firmware = Boards.file("riscv/demo/demo.elf") else {
      _ = try Listings.boardNames()
      throw Failure(
        code: .internalError,
        message: "the demo firmware was not found among the boards; set MARTLET_BOARDS to the folder of boards")
    }
    let vector = try ArgumentVector(words)
    let extra = vector.words
    var flags = ["-M", "virt", "--kernel", firmware]
    if !extra.contains("--gdb"), !extra.contains("-s") {
      if let port = freePort() { flags += ["--gdb", "tcp::\(port)"] }
    }
    let plan = try Martlet.plan(flags + extra, notes: vector.notes)
    if !extra.contains("--dry-run") { try introduce(plan, firmware) }
    return try Martlet.run(plan, extra)
  }

  private static func introduce(_ plan: Plan, _ firmware: String) throws(Failure) {
    var text = """
      Martlet demo: a bare-metal RISC-V firmware on the board 'virt'. It takes 100 timer interrupts a second, works
      on a buffer in memory, and prints a line each second. Its source is \(firmware.dropLast(4)).c

        Ctrl-A c   the monitor, and back    (try: info registers, blocks, help)
        Ctrl-A x   quit
        q          let the firmware switch itself off


      """
    if case .tcp(_, let port, _, _) = plan.gdb {
      text += """
        To debug it, in another terminal:

          gdb-multiarch -ex 'target extended-remote :\(port)' \(firmware)

        """
    }
    try StandardOutput.show(text)
  }

  /// The first port from GDB's usual one on that nobody listens at.
  private static func freePort() -> UInt16? {
    (1234..<1244).first { port in
      guard let socket = try? Descriptors.tcp("127.0.0.1", port, listens: true, of: "-gdb") else { return false }
      close(socket)
      return true
    }
  }
}
