// Owns the socket behind which the article "A target in an hour" of GDBRemote puts its machine.

import GDBRemote
import Glibc

/// Serves a toy to one client, who is connected already, until that client leaves.
func serve(_ toy: Toy, to connection: Int32) {
  let session = Session(target: toy) { bytes in
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count <= 0 { return }
      rest = rest.dropFirst(count)
    }
  }
  toy.session = session
  var buffer = [UInt8](repeating: 0, count: 4096)
  while true {
    // Between slices of the guest's work and of the session's, whatever has come; else wait for it.
    var poller = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
    let isBusy = toy.action != nil || session.hasWork
    if unsafe poll(&poller, 1, isBusy ? 0 : -1) > 0 {
      let count = unsafe recv(connection, &buffer, buffer.count, 0)
      if count <= 0 { return }
      session.receive(buffer.prefix(count))
    }
    session.work()
    toy.work()
  }
}
