// Owns what all hosts that compile do alike with the code they have: chaining its exits, making it come back, telling what is
// kept where.

import Bits
import CHost
import IR

/// A host with a code cache, which lowers blocks by ``Lowering``.
public protocol CompilingHost: Host {
  associatedtype Architecture: Target
  var cache: CodeCache { get }
  var lowering: Lowering<Architecture> { get set }
  var pollPage: PollPage { get }
  var loopChains: LoopChains { get }
  /// Bytes of the code cache that blocks share.
  var permanent: Int { get }
  /// Where the state says whether the vCPU may run (u32, 0 while it is kicked), for `InterruptStrategy.flag`.
  static var mayRun: Int { get }
}

extension CompilingHost {
  /// Of the guest registers that may be pinned, the first ones that fit.
  @inlinable public static func commonPins(_ configuration: HostConfiguration) -> (integers: [Int], vectors: [Int]) {
    let (order, registers) = (configuration.pinOrder, configuration.registers)
    return (
      Array(order.filter { registers[$0].type.isInteger }.prefix(Architecture.ABI.pinnedCount)),
      Array(order.filter { registers[$0].type.usesVectorRegister }.prefix(Architecture.ABI.vectorPinnedCount))
    )
  }

  @inlinable public func compile(
    _ block: BlockView, dataPath: DataPath, isHot: Bool, _ outline: inout BlockOutline
  ) throws(HostError) -> CompiledBlock {
    let compiled = try unsafe lowering.lower(
      block, dataPath, isHot: isHot, into: cache.free.memory, runningAt: cache.base + UInt64(cache.used),
      offset: cache.used)
    cache.commit(compiled.size)
    lowering.tell(&outline)
    return compiled
  }

  // MARK: Exits

  @inlinable public func chain(_ site: UInt32, to entry: CodeAddress) {
    let exit = lowering.exits[Int(site)]
    let target = exit.inner == 0 ? entry.offset : exit.inner
    guard exit.closesLoop, lowering.interrupts == .unchain, exit.displacement != 0 else {
      return lead(exit, to: target)
    }
    loopChains.chain(
      site, place: exit.displacement, chained: Architecture.chainedWord(at: exit.displacement, to: target),
      stub: Architecture.chainedWord(at: exit.displacement, to: exit.stub))
  }

  @inlinable public func unchain(_ site: UInt32) {
    let exit = lowering.exits[Int(site)]
    if exit.closesLoop, lowering.interrupts == .unchain { return loopChains.unchain(site) }
    lead(exit, to: exit.stub)
  }

  public func chainWord(_ site: UInt32) -> (address: UInt64, bytes: [UInt8])? {
    let place = Int(lowering.exits[Int(site)].displacement)
    return place == 0 ? nil : (cache.base + UInt64(place), cache.bytes(place..<place + 4))
  }

  @inlinable func lead(_ exit: ExitCode, to target: UInt32) {
    guard exit.displacement != 0 else { return }
    cache.patch(Architecture.chainedWord(at: exit.displacement, to: target), at: Int(exit.displacement))
  }

  /// After code was left by a stub that made a call which returns to `offset`: says which exit that is.
  @inlinable public func noteExit(_ cpu: VCPUState, calledFrom offset: UInt32) {
    let exit = lowering.exit(calledFrom: offset)
    cpu.exitSite = exit
    cpu.pc = lowering.exits[Int(exit)].pc
  }

  @inlinable public func jumpTarget(_ entry: CodeAddress) -> UInt64 { cache.base + UInt64(entry.offset) }

  // MARK: Kicks

  @inlinable public func kick(_ cpu: VCPUState) {
    switch lowering.interrupts {
    case .budget: break
    case .flag: unsafe chost_exchange32(cpu.base + Self.mayRun, 0)
    case .page: pollPage.set(closed: true)
    case .unchain: loopChains.cut(cpu)
    }
  }

  @inlinable public func endKick(_ cpu: VCPUState) {
    switch lowering.interrupts {
    case .budget: break
    case .flag: unsafe chost_exchange32(cpu.base + Self.mayRun, 1)
    case .page: pollPage.set(closed: false)
    case .unchain: loopChains.mend()
    }
  }

  @inlinable public func publish(jumpCache: UInt, _ cpu: VCPUState) {
    if lowering.interrupts == .unchain {
      loopChains.publish(jumpCache, cpu)
    } else {
      cpu.store(jumpCache, at: StateOffset.jumpCache)
    }
  }

  public var loopChainCount: Int { loopChains.count }

  // MARK: Looking at code

  public var codeBytesUsed: Int { cache.used }
  public var sharedCode: CompiledBlock? { CompiledBlock(entry: CodeAddress(0), size: permanent) }

  public func machineCode(_ block: CompiledBlock) -> (address: UInt64, bytes: [UInt8])? {
    let start = Int(block.entry.offset)
    return (cache.base + UInt64(start), cache.bytes(start..<start + block.size))
  }

  public var pinnedRegisters: [(register: Int, hostRegister: String)] { assignment([]) }

  public func pinnedRegisters(of block: CompiledBlock) -> [(register: Int, hostRegister: String)] {
    guard let hot = lowering.hotBlock(at: block.entry.offset) else { return pinnedRegisters }
    return assignment((0..<Int(hot.moveCount)).map { lowering.hotMoves[Int(hot.firstMove) + $0] })
  }

  /// The common assignment with some registers in other places.
  private func assignment(_ moves: [PinMove]) -> [(register: Int, hostRegister: String)] {
    let count = Architecture.ABI.pinnedCount
    var integers = lowering.pins
    var vectors = lowering.vectorPins
    func assign(_ place: UInt8, _ guest: UInt16) {
      let index = Int(place)
      if index < count { integers[index] = Int(guest) } else { vectors[index - count] = Int(guest) }
    }
    // The tables are those of the block compiled last.
    for index in 0..<lowering.moves.count { assign(lowering.moves[index].place, lowering.moves[index].outside) }
    for move in moves { assign(move.place, move.inside) }
    return integers.enumerated().map { ($1, "\(Architecture.ABI.pinned($0))") }
      + vectors.enumerated().map { ($1, "\(Architecture.ABI.pinnedVector($0))") }
  }
}
