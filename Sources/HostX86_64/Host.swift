// The x86-64 host: its code cache, compiled blocks, exits, and the way in and out of translated code.

import Bits
import CHost
import HostKit
import IR

/// Translates IR to x86-64 machine code and runs it. Needs BMI1, BMI2, LZCNT and POPCNT.
@safe
public final class X86_64Host: CompilingHost {
  public static var name: String { "x86_64" }

  public let cache: CodeCache
  let slowAccess: SlowAccessFunction
  /// Translates blocks, and keeps what is known of those in the cache.
  public var lowering: Lowering<X86_64> {
    @inline(__always)
    _read { yield loweringCell.value }
    @inline(__always)
    _modify { yield &loweringCell.value }
  }
  private let loweringCell: RawCell<Lowering<X86_64>>
  let trampolines: Trampolines
  public let pollPage: PollPage
  /// The redirected memory sites, by number.
  var detours: [Int: Detour] = [:]
  public let loopChains: LoopChains
  /// Offset in the code cache of what code compares addresses with, see `WatchGuide`, and the base in it.
  private let watchGuide: Int
  private var unwatchedBase: UInt = 0
  public let permanent: Int
  public static var mayRun: Int { ABI.mayRun }

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
    let (pins, vectorPins) = Self.commonPins(configuration)
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
      vectorPins: vectorPins.map { configuration.registers[$0] },
      hasVectors: configuration.hasVectors, environment: configuration.floatEnvironment,
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
        configuration, pins: pins, vectorPins: vectorPins,
        target: X86_64(
          configuration, hasFMA: hasFMA, trampolines: trampolines, cacheBase: cache.base, watchGuide: watchGuide,
          pollPage: UInt32(cache.pollPage - cache.base), assembler: assembler)))
    let added = chost_faults_add(
      cache.base, cache.base + UInt64(cache.size), UInt32(StateOffset.faultPC), UInt32(StateOffset.faultTrampoline))
    guard added == 0 else { throw .setup("too many code caches in one process") }
  }

  deinit {
    chost_faults_remove(cache.base)
    lowering.deallocate()
  }

  // MARK: Compiling

  public var guidesStores: Bool { true }
  public func guideStores(at pc: UInt64) { lowering.guidedPCs.insert(pc) }
  public var watchedRangeLimit: Int { WatchGuide.count }
  public func compareWithWatchpoints(at pc: UInt64) { lowering.watchedPCs.insert(pc) }
  public func setWatched(_ ranges: [ClosedRange<UInt64>], compared count: Int) {
    lowering.target.watchRanges = count
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
    lowering.forgetBlocks()
    detours.removeAll()
    loopChains.removeAll()
  }

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
    lowering.target.sites[site].stub = UInt32(offset)
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
    noteExit(cpu, calledFrom: caller)
  }

  public func dataBaseChanged(_ cpu: VCPUState) { chost_set_gs_base(cpu.load(StateOffset.dataBase)) }

  private func prepareFloat(_ cpu: VCPUState) {
    let rounding: UInt8 = lowering.target.floatEnvironment.map { cpu.load($0.rounding) } ?? 0
    cpu.store(UInt32(1), at: ABI.floatInUse)
    cpu.store(ABI.mxcsr(rounding), at: ABI.guestMXCSR)
    cpu.store(ABI.plainMXCSR, at: ABI.defaultMXCSR)
  }

  // MARK: Looking at code

  public var roles: [(role: String, hostRegister: String)] {
    [("state", "\(ABI.state)"), ("spill", "rsp"), ("budget", "\(ABI.budget)"), ("memory", "gs")]
  }

  public var sharedEntries: [SharedEntry] {
    let guide = SharedEntry(
      address: cache.base + UInt64(watchGuide), name: "watch-guide",
      purpose: "what watched accesses compare their addresses with", isCode: false)
    return (trampolines.entries(at: cache.base) + [guide]).sorted { $0.address < $1.address }
  }

  public func listing(_ block: CompiledBlock, of ir: Block?, dataPath: DataPath) -> [HostLine] {
    guard let disassembler = try? HostDisassembler() else { return [] }
    let start = Int(block.entry.offset)
    let code = cache.bytes(start..<start + block.size)
    var lines = disassembler.lines(code.span, at: cache.base + UInt64(start))
    guard let ir else { return lines }
    let marks = lowering.opOffsets(
      ir, dataPath, runningAt: cache.base + UInt64(start), offset: start, size: block.size)
    var op = -1
    for index in lines.indices {
      let offset = UInt32(truncatingIfNeeded: lines[index].address &- cache.base) &- block.entry.offset
      while op + 1 < marks.count, marks[op + 1] <= offset { op += 1 }
      // What comes before the first op aligns it.
      lines[index].op = op >= marks.count - 1 ? nil : max(op, 0)
    }
    return lines
  }
}
