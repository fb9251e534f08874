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
    var interpreted: [UInt32: UInt32] = [:]
    for number in store.exitNumbers where store.exit(number).isInterpreted && store.exit(number).chained != 0 {
      interpreted[store.exit(number).site] = number
    }
    for id in store.valid {
      func append(_ number: UInt32, _ site: ChainSite) {
        let target = site.staysInside ? id : number == 0 ? 0 : store.target(of: number)
        let edge = ChainEdge(source: store[id].key.pc, target: site.target)
        map.append(
          Chain(
            source: id, target: target, targetPC: site.target, isReturn: site.isReturn, mayChain: site.mayChain,
            isForbidden: forbiddenChains.contains(edge), exit: number))
      }
      if store[id].tier == .interpreted, let interpreter {
        for site in interpreter.exits(of: store[id].compiled) { append(interpreted[site.site] ?? 0, site) }
        continue
      }
      for number in store.outgoing(id) {
        let exit = store.exit(number)
        append(number, ChainSite(site: exit.site, mayChain: exit.mayChain, target: exit.target))
      }
    }
    return map
  }

  /// How many chains there are, those out of interpreted blocks that are no more included: what ``unchainAll()`` cuts.
  public var chainCount: Int { store.exitNumbers.count { store.exit($0).chained != 0 } }

  /// Lets an exit of compiled code go on at a block that it leads to, if nothing speaks against it.
  func chain(_ vcpu: VCPU, _ number: UInt32, to id: BlockID) {
    let (exit, block) = (store.exit(number), store[id])
    guard exit.mayChain, exit.chained == 0, exit.target == block.key.pc, block.key.variant == .normal,
      block.tier != .interpreted, store[exit.source].isValid, store.flags(behind: number) == block.key.flags,
      block.secondPage == .max || vcpu.mode.memoryMode != .tlb,
      forbiddenChains.isEmpty
        || !forbiddenChains.contains(ChainEdge(source: store[exit.source].key.pc, target: exit.target))
    else { return }
    chain(number, to: id)
    statistics.chainsMade &+= 1
  }

  /// Chains an exit of compiled code to a block, or an entry into one.
  func chain(_ number: UInt32, to id: BlockID) {
    host.chain(store.exit(number).site, to: store[id].compiled.entry)
    store.chain(number, to: id)
  }

  /// Lets interpreted code go on at a block that it leads to, if nothing speaks against it. Which block it is of is not known:
  /// a target that is forbidden for one is left alone by all.
  func chain(interpreted site: UInt32, to id: BlockID) {
    guard site != 0, kicks == nil, !log.showsEntries, let interpreter, store[id].tier == .interpreted,
      store[id].secondPage == .max,
      forbiddenChains.isEmpty || !forbiddenChains.contains(where: { $0.target == store[id].key.pc })
    else { return }
    guard let before = interpreter.chain(site, to: store[id].compiled.entry) else { return }
    store.chain(interpreted: site, to: id, before: before)
    statistics.chainsMade &+= 1
  }

  /// Cuts a chain.
  /// - Returns: whether there was anything to cut: interpreted blocks cannot be cut within.
  @discardableResult
  public func cut(_ chain: Chain) -> Bool {
    let exit = store.exit(chain.exit)
    guard chain.exit != 0, exit.chained == 0 || store.target(of: chain.exit) == chain.target else { return false }
    return unchain(exit: chain.exit)
  }

  /// Cuts the chains into a block, and those out of a compiled one: nothing leads into what is interpreted then.
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
    if exit.isInterpreted { interpreter?.unchain(exit.site, exit.before) } else { host.unchain(exit.site) }
    store.unchain(number)
    return true
  }

  /// Cuts all chains; returns how many there were.
  @discardableResult
  public func unchainAll() -> Int { store.exitNumbers.count { unchain(exit: $0) } }

  /// Lets interpreted code leave at every exit.
  func unchainInterpreted() {
    guard store.interpretedChainCount > 0 else { return }
    for number in store.exitNumbers where store.exit(number).isInterpreted { unchain(exit: number) }
  }

  /// Forbids or allows chaining from the block at one PC to another.
  public func setForbidden(_ edge: ChainEdge, _ isForbidden: Bool) {
    if isForbidden { forbiddenChains.insert(edge) } else { forbiddenChains.remove(edge) }
    guard isForbidden else { return }
    for chain in chains().all where chain.isChained && chain.targetPC == edge.target {
      if store[chain.source].key.pc == edge.source { cut(chain) }
    }
  }
}
