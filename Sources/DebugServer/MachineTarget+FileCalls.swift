// Owns the way of the guest's file calls to the client: semihosting with `target=gdb`.

import GDBRemote
import Machine

extension MachineTarget {
  /// Calls `request` on the event loop with each call of the guest from now on, and its number; it says whether the
  /// client takes it.
  func observeFileCalls(_ request: @escaping @Sendable (FileCall, _ number: UInt64) -> Bool) {
    machine.perform { [loop] machine in
      machine.fileCallHandler = { [unowned machine] call, number in
        loop.execute {
          let isTaken = request(call.packet, number)
          if !isTaken { machine.perform { $0.finishFileCall(.refused, number: number) } }
        }
        return true
      }
    }
  }

  func endFileCalls() {
    machine.perform { machine in
      machine.fileCallHandler = nil
      machine.finishFileCall(.refused)
    }
  }
}

extension MachineTarget: FileIOTarget {
  func fileCallFinished(_ result: FileCallResult) {
    machine.perform { [fileCallNumber] machine in
      machine.finishFileCall(
        .done(value: result.value, errorNumber: result.errorNumber, interrupted: result.interrupted),
        number: fileCallNumber)
    }
  }
}

extension RemoteFileCall {
  fileprivate var packet: FileCall {
    switch self {
    case .open(let path, let length, let flags, let mode):
      .open(path: GuestString(at: path, length: length), flags: flags, mode: mode)
    case .close(let file): .close(descriptor: file)
    case .read(let file, let buffer, let count): .read(descriptor: file, buffer: buffer, count: count)
    case .write(let file, let buffer, let count): .write(descriptor: file, buffer: buffer, count: count)
    case .seek(let file, let offset, let origin): .seek(descriptor: file, offset: offset, origin: origin)
    case .isTerminal(let file): .isTerminal(descriptor: file)
    case .unlink(let path, let length): .unlink(path: GuestString(at: path, length: length))
    case .rename(let from, let length, let to, let toLength):
      .rename(from: GuestString(at: from, length: length), to: GuestString(at: to, length: toLength))
    case .system(let command, let length):
      .system(command: command == 0 ? nil : GuestString(at: command, length: length))
    }
  }
}
