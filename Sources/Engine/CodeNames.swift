// Owns the names of places in host code, for listings.

import HostKit

extension Engine {
  /// The bytes of host code that lead where a chain leads, as they are, and where; nil for one out of interpreted code.
  public func chainWord(_ chain: Chain) -> (address: UInt64, bytes: [UInt8])? {
    chain.exit == 0 || store.exit(chain.exit).isInterpreted ? nil : host.chainWord(store.exit(chain.exit).site)
  }

  /// Where a host address lies in translated code.
  public enum CodePlace: Equatable, Sendable {
    case block(BlockID, offset: Int)
    case shared(name: String, offset: Int)
  }

  /// Nil for an address outside the code cache, or in code that was dropped.
  public func codePlace(_ address: UInt64) -> CodePlace? {
    guard let shared = host.sharedCode else { return nil }
    let start = host.jumpTarget(CodeAddress(0))
    guard address >= start, address - start < UInt64(max(host.codeBytesUsed, 1)) else { return nil }
    let offset = Int(address - start)
    for id in store.valid where store[id].tier != .interpreted {
      let code = store[id].compiled
      let first = Int(code.entry.offset)
      if offset >= first, offset < first + code.size { return .block(id, offset: offset - first) }
    }
    guard offset < shared.size, let entry = host.sharedEntries.last(where: { $0.address <= address })
    else { return nil }
    return .shared(name: entry.name, offset: Int(address - entry.address))
  }
}
