// Owns the debug server's start.

import Machine
import Monitor

enum Attachments {
  static func serveGDB(_ machine: Machine, _ monitor: Monitor, _ port: Port) throws(Failure) -> any AnyObject {
    throw .usage("-gdb: not implemented yet")
  }
}
