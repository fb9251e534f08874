// The x86-64 host: its code cache, compiled blocks, exits, and the way in and out of translated code.

import CHost
import HostKit
import IR

/// Translates IR to x86-64 machine code and runs it. Needs BMI1, BMI2, LZCNT and POPCNT.
@safe
public final class X86_64Host: Host {
  public static var name: String { "x86_64" }

  let cache: CodeCache
  let slowAccess: SlowAccessFunction
  /// Translates blocks, and keeps what is known of those in the cache.
  var lowering: Lowering {
    @inline(__always)
    _read { yield loweringCell.value }
    @inline(__always)
    _modify { yield &loweringCell.value }
  }
  private let loweringCell: RawCell<Lowering>
  let trampolines: Trampolines
  let pollPage: PollPage
  /// The redirected memory sites, by number.
  var detours: [Int: Detour] = [:]
  let loopChains: LoopChains
  /// Offset in the code cache of what code compares addresses with, see `WatchGuide`, and the base in it.
  private let watchGuide: Int
  private var unwatchedBase: UInt = 0
  /// Bytes of the code cache that `reset` keeps.
  private let permanent: Int

  public convenience init(_ configuration: HostConfiguration) throws(HostError) {
    try self.init(configuration, hasFMA: chost_cpu_has_fma() != 0)
  }

  /// - Parameter hasFMA: whether to use AVX and FMA.
  package init(_ configuration: HostConfiguration, hasFMA: Bool) throws(HostError) {
    guard chost_cpu_has_bit_instructions() != 0 else {
      throw .setup("the x86_64 host needs a CPU with BMI1, BMI2, LZCNT and POPCNT")
    }
    let error = chost_faults_install()
    guard error == 0 else { throw .setup("installing the handler of memory faults: error \(-error)") }
    cache = try CodeCache(size: configuration.codeCacheSize)
    pollPage = PollPage(at: cache.pollPage)
    loopChains = unsafe LoopChains(patching: cache.writableMemory)
    unsafe slowAccess = configuration.slowAccess
    let pins = Array(
      configuration.pinOrder.filter { configuration.registers[$0].type.isInteger }.prefix(ABI.pinnedCount))
    let vectorPins = Array(
      configuration.pinOrder.filter { configuration.registers[$0].type.isFloat }.prefix(ABI.vectorPinnedCount))
    let (memory, address) = unsafe cache.free
    var assembler = unsafe Assembler(memory, runningAt: address)
    // The first bytes stay unused: no code has address 0.
    assembler.nop(16)
    let function: @convention(c) (UnsafeMutableRawPointer, UnsafeMutablePointer<UInt64>) -> UInt64 =
      unsafe completeSlowAccess
    let floatFunction: @convention(c) (UnsafeMutableRawPointer, UnsafeMutablePointer<UInt64>) -> UInt64 =
      unsafe completeSlowFloat
    trampolines = Trampolines(
      &assembler, pins: pins.map { configuration.registers[$0] },
      vectorPins: vectorPins.map { configuration.registers[$0] }, environment: configuration.floatEnvironment,
      slowFunction: unsafe UInt64(unsafeBitCast(function, to: UInt.self)),
      slowFloatFunction: unsafe UInt64(unsafeBitCast(floatFunction, to: UInt.self)))
    guard assembler.failure == .none else { throw .setup("the code cache is too small") }
    cache.commit(assembler.count)
    watchGuide = cache.used
    guard unsafe cache.free.memory.count > WatchGuide.size else { throw .setup("the code cache is too small") }
    cache.commit(WatchGuide.size)
    permanent = cache.used
    loweringCell = RawCell(
      Lowering(
        configuration, pins: pins, vectorPins: vectorPins, hasFMA: hasFMA, trampolines: trampolines,
        cacheBase: cache.base, watchGuide: watchGuide,
        pollPage: UInt32(cache.pollPage - cache.base), assembler: assembler))
    let added = chost_faults_add(
      cache.base, cache.base + UInt64(cache.size), UInt32(StateOffset.faultPC), UInt32(StateOffset.faultTrampoline))
    guard added == 0 else { throw .setup("too many code caches in one process") }
  }

  deinit {
    chost_faults_remove(cache.base)
    lowering.deallocate()
  }

  // MARK: Compiling

  public func compile(
    _ block: BlockView, dataPath: DataPath, isHot: Bool, _ outline: inout BlockOutline
  ) throws(HostError) -> CompiledBlock {
    let compiled = try unsafe lowering.lower(
      block, dataPath, isHot: isHot, into: cache.free.memory, offset: cache.used)
    cache.commit(compiled.size)
    lowering.tell(&outline)
    return compiled
  }

  public var guidesStores: Bool { true }
  public func guideStores(at pc: UInt64) { lowering.guidedPCs.insert(pc) }
  public var watchedRangeLimit: Int { WatchGuide.count }
  public func compareWithWatchpoints(at pc: UInt64) { lowering.watchedPCs.insert(pc) }
  public func setWatched(_ ranges: [ClosedRange<UInt64>], compared count: Int) {
    lowering.watchRanges = count
    for index in 0..<WatchGuide.count {
      let range = ranges.indices.contains(index) ? ranges[index] : WatchGuide.nothing
      setWatchGuide(range.lowerBound, at: WatchGuide.first(index))
      for (place, extent) in WatchGuide.extents.enumerated() {
        // A range up to the last address is compared with whole.
        let span = (range.upperBound - range.lowerBound).addingReportingOverflow(extent)
        setWatchGuide(span.overflow ? .max : span.partialValue, at: WatchGuide.span(index, place))
      }
    }
  }
  public func setUnwatchedBase(_ base: UInt) {
    if unwatchedBase == base { return }
    unwatchedBase = base
    setWatchGuide(UInt64(base), at: WatchGuide.base)
  }
  private func setWatchGuide(_ value: UInt64, at offset: Int) {
    cache.patchBytes((0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }, at: watchGuide + offset)
  }
  public func forgetWatchpoints() { lowering.watchedPCs.removeAll() }

  public func reset() {
    cache.rewind(to: permanent)
    lowering.guidedPCs.removeAll()
    lowering.watchedPCs.removeAll()
    lowering.forgetBlocks()
    detours.removeAll()
    loopChains.removeAll()
  }

  public var codeBytesUsed: Int { cache.used }

  /// Adds the code that sends memory access `site` the slow way; nil if there is no room.
  func makeSlowStub(_ site: Int) -> Int? {
    let (memory, address) = unsafe cache.free
    guard memory.count > 32 else { return nil }
    var assembler = unsafe Assembler(memory, runningAt: address)
    let offset = cache.used
    assembler.push(Int32(truncatingIfNeeded: site))
    assembler.jmp(toAddress: cache.base + UInt64(trampolines.slow))
    guard assembler.failure == .none else { return nil }
    cache.commit(assembler.count)
    lowering.sites[site].stub = UInt32(offset)
    return offset
  }

  // MARK: Running

  public func run(_ entry: CodeAddress, _ cpu: VCPUState) {
    unsafe cpu.store(UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()), at: ABI.hostPointer)
    cpu.store(cache.base + UInt64(trampolines.fault), at: StateOffset.faultTrampoline)
    cpu.store(ABI.noSite, at: StateOffset.exitSite)
    cpu.exitReason = nil
    chost_set_gs_base(cpu.load(StateOffset.dataBase))
    if lowering.usesFloat { prepareFloat(cpu) }
    let enter = unsafe unsafeBitCast(
      UInt(cache.base) + UInt(lowering.usesFloat ? trampolines.floats.enter : trampolines.enter),
      to: (@convention(c) (UnsafeMutableRawPointer, UInt64) -> Void).self)
    unsafe enter(cpu.base, cache.base + UInt64(entry.offset))
    let caller = cpu.exitSite
    guard caller != ABI.noSite else { return }
    let exit = lowering.exit(calledFrom: caller)
    cpu.exitSite = exit
    cpu.pc = lowering.exits[Int(exit)].pc
  }

  public func dataBaseChanged(_ cpu: VCPUState) { chost_set_gs_base(cpu.load(StateOffset.dataBase)) }

  private func prepareFloat(_ cpu: VCPUState) {
    let rounding: UInt8 = lowering.floatEnvironment.map { cpu.load($0.rounding) } ?? 0
    cpu.store(UInt32(1), at: ABI.floatInUse)
    cpu.store(ABI.mxcsr(rounding), at: ABI.guestMXCSR)
    cpu.store(ABI.plainMXCSR, at: ABI.defaultMXCSR)
  }

  public func chain(_ site: UInt32, to entry: CodeAddress) {
    let exit = lowering.exits[Int(site)]
    guard exit.closesLoop, lowering.interrupts == .unchain, exit.displacement != 0 else {
      return setTarget(of: exit, exit.inner == 0 ? entry.offset : exit.inner)
    }
    loopChains.chain(
      site, displacement: exit.displacement,
      chained: Self.displacement(from: exit, to: exit.inner == 0 ? entry.offset : exit.inner),
      stub: Self.displacement(from: exit, to: exit.stub))
  }

  public func unchain(_ site: UInt32) {
    let exit = lowering.exits[Int(site)]
    if exit.closesLoop, lowering.interrupts == .unchain { return loopChains.unchain(site) }
    setTarget(of: exit, exit.stub)
  }

  private func setTarget(of exit: ExitCode, _ target: UInt32) {
    guard exit.displacement != 0 else { return }
    cache.patch(Self.displacement(from: exit, to: target), at: Int(exit.displacement))
  }

  private static func displacement(from exit: ExitCode, to target: UInt32) -> Int32 {
    Int32(truncatingIfNeeded: Int(target) - Int(exit.displacement) - 4)
  }

  public func jumpTarget(_ entry: CodeAddress) -> UInt64 { cache.base + UInt64(entry.offset) }

  // MARK: Looking at code

  public func listing(_ block: CompiledBlock, of ir: Block?, dataPath: DataPath) -> [HostLine] {
    guard let disassembler = try? HostDisassembler() else { return [] }
    let start = Int(block.entry.offset)
    let code = cache.bytes(start..<start + block.size)
    var lines = disassembler.lines(code.span, at: cache.base + UInt64(start))
    guard let ir else { return lines }
    let marks = lowering.opOffsets(ir, dataPath, offset: start, limit: block.size)
    var op = -1
    for index in lines.indices {
      let offset = UInt32(truncatingIfNeeded: lines[index].address &- cache.base) &- block.entry.offset
      while op + 1 < marks.count, marks[op + 1] <= offset { op += 1 }
      // What comes before the first op aligns it.
      lines[index].op = op >= marks.count - 1 ? nil : max(op, 0)
    }
    return lines
  }

  public func machineCode(_ block: CompiledBlock) -> (address: UInt64, bytes: [UInt8])? {
    let start = Int(block.entry.offset)
    return (cache.base + UInt64(start), cache.bytes(start..<start + block.size))
  }

  public var sharedCode: CompiledBlock? { CompiledBlock(entry: CodeAddress(0), size: permanent) }
}

extension Lowering {
  /// The site of the exit whose stub made a call that returns to `offset`.
  func exit(calledFrom offset: UInt32) -> UInt32 {
    // Mostly it is an exit of one of the newest blocks.
    var (low, high) = (0, exits.count)
    var step = 8
    while step < high, exits[high - step].stub >= offset {
      high -= step
      step *= 2
    }
    if step < high { low = high - step }
    while low < high {
      let middle = (low + high) / 2
      if exits[middle].stub < offset { low = middle + 1 } else { high = middle }
    }
    return UInt32(low - 1)
  }

  mutating func forgetBlocks() {
    sites.removeAll()
    floatSites.removeAll()
    hotBlocks.removeAll()
    hotMoves.removeAll()
    forgetExits()
    polls.removeAll()
  }

  /// Lowers a block once more, away from the code cache, to see where each op's code starts.
  ///
  /// - Returns: offsets in the block's code, by op, and that of the cold parts; nothing if `ir` is not what was compiled.
  fileprivate mutating func opOffsets(_ ir: Block, _ dataPath: DataPath, offset: Int, limit: Int) -> [UInt32] {
    let (oldSites, oldFloatSites, oldExits, oldPolls) = (sites.count, floatSites.count, exits.count, polls.count)
    let (oldHotBlocks, oldHotMoves) = (hotBlocks.count, hotMoves.count)
    let isHot = hotBlock(at: UInt32(offset)) != nil
    defer {
      hotBlocks.truncate(to: oldHotBlocks)
      hotMoves.truncate(to: oldHotMoves)
      sites.truncate(to: oldSites)
      floatSites.truncate(to: oldFloatSites)
      exits.truncate(to: oldExits)
      polls.truncate(to: oldPolls)
      takesMarks = false
      marks.removeAll()
    }
    takesMarks = true
    // Room for branches and numbers that take more bytes than in their own place.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: limit * 2 + 256, alignment: 16)
    defer { unsafe memory.deallocate() }
    let lowered = try? ir.withView { (view) throws(HostError) in
      try unsafe lower(view, dataPath, isHot: isHot, into: memory, offset: offset)
    }
    return lowered == nil ? [] : (0..<marks.count).map { marks[$0] }
  }
}
