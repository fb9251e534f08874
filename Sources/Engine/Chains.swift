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

extension CodeStore {
  /// What is chained to what now.
  public func chains() -> ChainMap {
    var map = ChainMap()
    var interpreted: [UInt32: UInt32] = [:]
    for number in blocks.exitNumbers where blocks.exit(number).isInterpreted && blocks.exit(number).chained != 0 {
      interpreted[blocks.exit(number).site] = number
    }
    for id in blocks.valid {
      func append(_ number: UInt32, _ site: ChainSite) {
        let target = site.staysInside ? id : number == 0 ? 0 : blocks.target(of: number)
        let edge = ChainEdge(source: blocks[id].key.pc, target: site.target)
        map.append(
          Chain(
            source: id, target: target, targetPC: site.target, isReturn: site.isReturn, mayChain: site.mayChain,
            isForbidden: forbiddenChains.contains(edge), exit: number))
      }
      if blocks[id].tier == .interpreted, let interpreter {
        for site in interpreter.exits(of: blocks[id].compiled) { append(interpreted[site.site] ?? 0, site) }
        continue
      }
      for number in blocks.outgoing(id) {
        let exit = blocks.exit(number)
        append(number, ChainSite(site: exit.site, mayChain: exit.mayChain, target: exit.target))
      }
    }
    return map
  }

  /// How many chains there are, those out of interpreted blocks that are no more included: what ``unchainAll()`` cuts.
  public var chainCount: Int { blocks.exitNumbers.count { blocks.exit($0).chained != 0 } }

  /// Lets an exit of compiled code go on at a block that it leads to, if nothing speaks against it.
  ///
  /// - Parameter isPaged: what holds for a page of the source's may not hold for another.
  /// - Returns: what does.
  func chain(_ number: UInt32, to id: BlockID, isPaged: Bool) -> ChainObstacle? {
    if let obstacle = obstacle(number, to: id, isPaged: isPaged) { return obstacle }
    chain(number, to: id)
    profile.statistics.chainsMade &+= 1
    return nil
  }

  private func obstacle(_ number: UInt32, to id: BlockID, isPaged: Bool) -> ChainObstacle? {
    let (exit, block) = (blocks.exit(number), blocks[id])
    guard mayChain else { return .switchedOff }
    guard exit.mayChain else { return .mayMove }
    guard exit.chained == 0, exit.target == block.key.pc, block.key.variant == .normal, blocks[exit.source].isValid
    else { return .replaced }
    guard block.tier != .interpreted else { return .interpreted }
    guard blocks.flags(behind: number) == block.key.flags else { return .otherFlags }
    guard block.secondPage == .max || !isPaged else { return .twoPages }
    guard
      forbiddenChains.isEmpty
        || !forbiddenChains.contains(ChainEdge(source: blocks[exit.source].key.pc, target: exit.target))
    else { return .forbidden }
    return nil
  }

  /// Chains an exit of compiled code to a block, or an entry into one.
  func chain(_ number: UInt32, to id: BlockID) {
    host.chain(blocks.exit(number).site, to: blocks[id].compiled.entry)
    blocks.chain(number, to: id)
    note(.chained(id), blocks.exit(number).source)
  }

  /// Lets interpreted code go on at a block that it leads to, if nothing speaks against it. Which block it is of is not known:
  /// a target that is forbidden for one is left alone by all.
  func chain(interpreted site: UInt32, to id: BlockID) {
    guard site != 0, mayChain, chainsInterpreted, let interpreter, blocks[id].tier == .interpreted,
      blocks[id].secondPage == .max,
      forbiddenChains.isEmpty || !forbiddenChains.contains(where: { $0.target == blocks[id].key.pc })
    else { return }
    guard let before = interpreter.chain(site, to: blocks[id].compiled.entry) else { return }
    blocks.chain(interpreted: site, to: id, before: before)
    profile.statistics.chainsMade &+= 1
  }

  /// Chains the exits of a block that lead to its own entries.
  func chainWithin(_ id: BlockID) {
    guard mayChain else { return }
    for number in blocks.outgoing(id) {
      let exit = blocks.exit(number)
      guard exit.mayChain else { continue }
      let entry = blocks.entry(id, at: exit.target)
      guard entry != 0, blocks[entry].key.flags == blocks.flags(behind: number),
        !forbiddenChains.contains(ChainEdge(source: blocks[id].key.pc, target: exit.target))
      else {
        continue
      }
      chain(number, to: entry)
    }
  }

  /// Cuts a chain.
  /// - Returns: whether there was anything to cut: interpreted blocks cannot be cut within.
  @discardableResult
  public func cut(_ chain: Chain) -> Bool {
    let exit = blocks.exit(chain.exit)
    guard chain.exit != 0, exit.chained == 0 || blocks.target(of: chain.exit) == chain.target else { return false }
    return unchain(exit: chain.exit, because: .command)
  }

  /// Cuts the chains into a block, and those out of a compiled one: nothing leads into what is interpreted then.
  func unchain(_ id: BlockID) {
    for exit in blocks.incoming(id) { unchain(exit: exit) }
    for exit in blocks.outgoing(id) { unchain(exit: exit) }
  }

  /// Cuts one chain.
  /// - Returns: whether there was one.
  @discardableResult
  func unchain(exit number: UInt32, because cause: CodeEvent.Cause = .block) -> Bool {
    let exit = blocks.exit(number)
    guard exit.chained != 0 else { return false }
    if !exit.isInterpreted { note(.cut(blocks.target(of: number)), exit.source, because: cause) }
    if exit.isInterpreted { interpreter?.unchain(exit.site, exit.before) } else { host.unchain(exit.site) }
    blocks.unchain(number)
    return true
  }

  /// Cuts all chains; returns how many there were.
  @discardableResult
  public func unchainAll(because cause: CodeEvent.Cause = .command) -> Int {
    blocks.exitNumbers.count { unchain(exit: $0, because: cause) }
  }

  /// Lets interpreted code leave at every exit.
  func unchainInterpreted() {
    guard blocks.interpretedChainCount > 0 else { return }
    for number in blocks.exitNumbers where blocks.exit(number).isInterpreted { unchain(exit: number) }
  }

  /// Forbids or allows chaining from the block at one PC to another.
  public func setForbidden(_ edge: ChainEdge, _ isForbidden: Bool) {
    if isForbidden { forbiddenChains.insert(edge) } else { forbiddenChains.remove(edge) }
    guard isForbidden else { return }
    for chain in chains().all where chain.isChained && chain.targetPC == edge.target {
      if blocks[chain.source].key.pc == edge.source { cut(chain) }
    }
  }
}
