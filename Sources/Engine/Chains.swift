// Owns chains once they are made, whether they are a host's links or connections of packed code: what is chained to what
// (made on demand), cutting and forbidding.

import HostKit

/// A way from a block that leads, or may lead, straight into another.
public struct Chain: Sendable {
  /// How it is cut.
  enum Site: Sendable {
    /// A chainable exit, by number.
    case exit(UInt32)
    /// A place in packed code.
    case packed(UInt32)
  }

  public var source: BlockID
  /// The block at the other end; 0 if it is not chained.
  public var target: BlockID
  /// Where it leads.
  public var targetPC: UInt64
  /// Whether it is a return to behind a call, of packed code.
  public var isReturn: Bool
  /// False where the target may be mapped elsewhere (another page of a paged guest).
  public var mayChain: Bool
  /// Forbidden by the user.
  public var isForbidden: Bool
  let site: Site

  public var isChained: Bool { target != 0 }
}

/// A chain from one block to another, by guest PC.
public struct ChainEdge: Hashable, Sendable {
  public var source: UInt64
  public var target: UInt64
  public init(source: UInt64, target: UInt64) {
    self.source = source
    self.target = target
  }
}

/// All chains of the valid blocks, those not made included.
public struct ChainMap: Sendable {
  public internal(set) var all: [Chain] = []
  private var bySource: [BlockID: [Int]] = [:]
  private var byTarget: [BlockID: [Int]] = [:]

  /// Ways out of a block, chained or not.
  public func outgoing(_ id: BlockID) -> [Chain] { bySource[id, default: []].map { all[$0] } }
  /// What is chained to a block.
  public func incoming(_ id: BlockID) -> [Chain] { byTarget[id, default: []].map { all[$0] } }

  mutating func append(_ chain: Chain) {
    bySource[chain.source, default: []].append(all.count)
    if chain.isChained { byTarget[chain.target, default: []].append(all.count) }
    all.append(chain)
  }
}

extension Engine {
  /// What is chained to what now.
  public func chains() -> ChainMap {
    var map = ChainMap()
    let blocks = store.valid
    var interpreted: [UInt32: BlockID] = [:]
    for id in blocks where store[id].tier == .interpreted {
      for part in store.parts(id) { interpreted[store[part].compiled.entry.offset] = id }
    }
    for id in blocks {
      let block = store[id]
      func append(_ site: Chain.Site, to target: BlockID, at pc: UInt64, isReturn: Bool = false, mayChain: Bool) {
        map.append(
          Chain(
            source: id, target: target, targetPC: pc, isReturn: isReturn, mayChain: mayChain,
            isForbidden: forbiddenChains.contains(ChainEdge(source: block.key.pc, target: pc)), site: site))
      }
      guard block.tier == .interpreted, let interpreter else {
        for number in store.outgoing(id) {
          let exit = store.exits[Int(number)]
          append(.exit(number), to: store.target(of: number), at: exit.target, mayChain: exit.mayChain)
        }
        continue
      }
      for exit in interpreter.exits(of: block.compiled) {
        let target = exit.entry.flatMap { interpreted[$0.offset] } ?? 0
        append(
          .packed(exit.site), to: target, at: exit.target, isReturn: exit.isReturn, mayChain: exit.mayConnect)
      }
    }
    return map
  }

  /// How many chains there are, without those within interpreted blocks.
  public var chainCount: Int { store.exits.count { $0.linked != 0 } + (interpreter?.connectionCount ?? 0) }

  /// Cuts a chain.
  /// - Returns: whether there was anything to cut: interpreted blocks cannot be cut within.
  @discardableResult
  public func cut(_ chain: Chain) -> Bool {
    switch chain.site {
    case .exit(let number): unchain(exit: number)
    case .packed(let site): interpreter?.disconnect(site) ?? false
    }
  }

  /// Cuts the host's chains into and out of a block.
  func unchain(_ id: BlockID) {
    for exit in store.incoming(id) { unchain(exit: exit) }
    for exit in store.outgoing(id) { unchain(exit: exit) }
  }

  /// Cuts one chain of the host.
  /// - Returns: whether there was one.
  @discardableResult
  func unchain(exit: UInt32) -> Bool {
    guard store.exits[Int(exit)].linked != 0 else { return false }
    host.unlink(exit: exit)
    store.unlink(exit: exit)
    return true
  }

  /// Cuts all chains; returns how many there were.
  @discardableResult
  public func unchainAll() -> Int {
    var count = disconnectInterpreted()
    for exit in 1..<UInt32(max(1, store.exits.count)) where unchain(exit: exit) { count += 1 }
    return count
  }

  /// Forbids or allows chaining from the block at one PC to another.
  public func setForbidden(_ edge: ChainEdge, _ isForbidden: Bool) {
    if isForbidden { forbiddenChains.insert(edge) } else { forbiddenChains.remove(edge) }
    guard isForbidden else { return }
    disconnectInterpreted()
    for id in store.valid where store[id].key.pc == edge.source {
      for exit in store.outgoing(id) where store.exits[Int(exit)].target == edge.target { unchain(exit: exit) }
    }
  }
}
