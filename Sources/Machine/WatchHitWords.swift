// Owns what an access to watched memory is called, for all who tell a user.

import Bits
import Engine

extension WatchHit {
  /// `wrote 4 bytes at 0x80001000: 0x1 -> 0x2`, `is about to read 1 byte at 0x2000`.
  public var words: String {
    let amount = "\(size) \(size == 1 ? "byte" : "bytes") at \(address.hex0x())"
    let values: String
    switch (before, after) {
    case (let before?, let after?) where isWrite: values = ": \(before.hex0x()) -> \(after.hex0x())"
    case (_, let after?): values = ": \(after.hex0x())"
    default: values = ""
    }
    let access = "\(isWrite ? "wrote" : "read") \(amount)\(values)"
    switch timing {
    case .before: return "is about to \(isWrite ? "write" : "read") \(amount)"
    case .behind: return access
    case .event: return "\(access); no instruction did, but a device, the CPU's stacking or a host call"
    }
  }
}
