// Owns chains: making, cutting and forbidding them, and the list of what is chained to what (made on demand).

import HostKit

/// A way from a block that leads, or may lead, straight into another.
public struct Chain: Sendable {
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
  /// The number of the exit.
  let exit: UInt32

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
    for id in store.valid {
      for number in store.outgoing(id) {
        let exit = store.exit(number)
        let edge = ChainEdge(source: store[id].key.pc, target: exit.target)
        map.append(
          Chain(
            source: id, target: exit.staysInside ? id : store.target(of: number), targetPC: exit.target, isReturn: exit.isReturn,
            mayChain: exit.mayChain, isForbidden: forbiddenChains.contains(edge), exit: number))
      }
    }
    return map
  }

  /// How many chains there are.
  public var chainCount: Int { store.exitNumbers.count { store.exit($0).chained != 0 } }

  /// Lets an exit of valid code go on at a block of the same tier, if nothing speaks against it.
  func chain(_ vcpu: VCPU, _ number: UInt32, to id: BlockID) {
    let (exit, block) = (store.exit(number), store[id])
    guard exit.mayChain, exit.chained == 0, exit.target == block.key.pc, block.key.variant == .normal,
      store[exit.source].isValid, (store[exit.source].tier == .interpreted) == (block.tier == .interpreted),
      store.flags(behind: number) == block.key.flags,
      block.secondPage == .max || vcpu.mode.memoryMode != .tlb && block.tier != .interpreted,
      block.tier != .interpreted || kicks == nil && !log.isOn(.exec),
      forbiddenChains.isEmpty
        || !forbiddenChains.contains(ChainEdge(source: store[exit.source].key.pc, target: exit.target))
    else { return }
    chain(number, to: id)
    statistics.chainsMade &+= 1
  }

  /// Chains an exit to a block, or an entry into one.
  func chain(_ number: UInt32, to id: BlockID) {
    let (site, entry) = (store.exit(number).site, store[id].compiled.entry)
    if store[id].tier == .interpreted { interpreter?.chain(site, to: entry) } else { host.chain(site, to: entry) }
    store.chain(number, to: id)
  }

  /// Cuts a chain.
  /// - Returns: whether there was anything to cut: interpreted blocks cannot be cut within.
  @discardableResult
  public func cut(_ chain: Chain) -> Bool { unchain(exit: chain.exit) }

  /// Cuts the chains into and out of a block.
  func unchain(_ id: BlockID) {
    for exit in store.incoming(id) { unchain(exit: exit) }
    for exit in store.outgoing(id) { unchain(exit: exit) }
  }

  /// Cuts one chain.
  /// - Returns: whether there was one.
  @discardableResult
  func unchain(exit number: UInt32) -> Bool {
    let exit = store.exit(number)
    guard exit.chained != 0 else { return false }
    let source = store[exit.source]
    if source.tier == .interpreted {
      interpreter?.unchain(exit.site, of: source.compiled)
    } else {
      host.unchain(exit.site, of: source.compiled)
    }
    store.unchain(number)
    return true
  }

  /// Cuts all chains; returns how many there were.
  @discardableResult
  public func unchainAll() -> Int { store.exitNumbers.count { unchain(exit: $0) } }

  /// Lets interpreted code leave at every exit.
  func unchainInterpreted() {
    guard store.packedChainCount > 0 else { return }
    for number in store.exitNumbers where store[store.exit(number).source].tier == .interpreted {
      unchain(exit: number)
    }
  }

  /// Forbids or allows chaining from the block at one PC to another.
  public func setForbidden(_ edge: ChainEdge, _ isForbidden: Bool) {
    if isForbidden { forbiddenChains.insert(edge) } else { forbiddenChains.remove(edge) }
    guard isForbidden else { return }
    for id in store.valid where store[id].key.pc == edge.source {
      for number in store.outgoing(id) where store.exit(number).target == edge.target { unchain(exit: number) }
    }
  }
}
