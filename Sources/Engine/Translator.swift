// Owns the way from guest code to host code: fetch, decode, optimise, compile, register. It keeps the memory that each
// translation uses again.

import Bits
import Bus
import GuestKit
import HostKit
import IR
import Optimizer

/// Why there is no block: the guest cannot fetch there, or the host cannot compile it.
enum TranslationFailure: Error {
  case guest(GuestException)
  case host(HostError)
}

/// Makes blocks.
final class Translator {
  let guest: any Guest
  let space: FlatMap
  let code: CodeStore
  let guardian: CodeGuard
  let debug: DebugPoints
  let profile: Profile
  let log: EngineLog
  private var host: any Host { code.host }
  var interpreter: (any PackedTier)? { code.interpreter }
  /// By guest register: where packed code finds it.
  let operandPlaces: [Place]
  /// Longest block, in guest instructions.
  let maximumInstructions: Int
  let passes: PassSelection
  private let builderCell: RawCell<Builder>
  private let outlineCell = RawCell(BlockOutline())
  private let source = RawCell(CodeSource())

  init(
    _ guest: any Guest, _ space: FlatMap, _ code: CodeStore, _ guardian: CodeGuard, _ debug: DebugPoints,
    _ log: EngineLog, _ options: EngineOptions
  ) {
    self.guest = guest
    self.space = space
    self.code = code
    self.guardian = guardian
    self.debug = debug
    profile = code.profile
    self.log = log
    maximumInstructions = options.maximumInstructions
    passes = PassSelection(
      options.customPasses, disabled: options.disabledPasses, helpers: guest.helpers.map(\.effects))
    operandPlaces = guest.registerFile.registers.map { $0.size > 16 ? .none : .register(at: $0.offset) }
    builderCell = RawCell(Builder(pc: 0, places: operandPlaces))
  }

  /// Builds one block after the other in the same memory.
  var builder: Builder {
    @inline(__always)
    _read { yield builderCell.value }
    @inline(__always)
    _modify { yield &builderCell.value }
  }

  /// What was told of the block that was translated last.
  private var outline: BlockOutline {
    @inline(__always)
    _read { yield outlineCell.value }
    @inline(__always)
    _modify { yield &outlineCell.value }
  }

  /// The layout of memory has changed.
  func forgetSource() { source.value = CodeSource() }

  func translate(
    _ vcpu: VCPU, _ key: BlockKey, _ tier: Tier, single: Bool, _ region: CodeRegion? = nil, end: UInt64? = nil
  ) throws(TranslationFailure) -> BlockID {
    let isTimed = profile.statistics[tier].isTimed
    let start = isTimed ? HostClock.nanoseconds : 0
    let limit = single ? 1 : region == nil ? maximumInstructions : Int.max
    let isCounted = profile.countsExecutions && key.variant == .normal
    // Mostly the host compiles what stands in the builder's memory. Passes, counters and the log need a block of their own.
    let isCopied = tier == .thorough || isCounted || log.showsTranslation
    do { try build(vcpu, key, limit, region: region?.shape, end: end, &builder) } catch { throw .guest(error) }
    let decoded = isTimed ? HostClock.nanoseconds : 0
    let built = builder.view
    let extent = GuestExtent(built)
    var block = isCopied ? builder.block : Block(pc: key.pc)
    let original = log.showsTranslation ? block : nil
    if tier == .thorough { passes.optimizer(for: block).run(&block) }
    if isCounted { profile.addCounters(&block, key.flags) }
    let ready = isTimed ? HostClock.nanoseconds : 0
    let id =
      if isCopied {
        try block.withView { (view) throws(TranslationFailure) in try add(view, key, tier, extent, vcpu) }
      } else {
        try add(built, key, tier, extent, vcpu)
      }
    if let region { code.regions[id] = region }
    profile.statistics[tier].add(
      extent, opsAfterPasses: isCopied ? block.ops.count : built.opCount, hostBytes: code.blocks[id].compiled.size,
      times: (start, decoded, ready, isTimed ? HostClock.nanoseconds : 0))
    code.note(.translated(tier), id)
    for observer in code.observers { observer.didTranslate(id, in: vcpu.engine) }
    if let original { logTranslation(id, original, block) }
    return id
  }

  /// Compiles and registers a block.
  private func add(
    _ block: BlockView, _ key: BlockKey, _ tier: Tier, _ extent: GuestExtent, _ vcpu: VCPU
  ) throws(TranslationFailure) -> BlockID {
    let compiled = try compile(block, dataPath(key.flags), tier)
    let id = code.blocks.insert(
      record(vcpu, key, tier, extent, compiled, opCount: block.opCount), block, outline)
    if !outline.labels.isEmpty { code.chainWithin(id) }
    guardian.add(id)
    return id
  }

  /// Decodes the guest code at `key` into IR, before any pass.
  ///
  /// - Parameter secondPage: where the code goes on beyond the page, if that is known; else it is looked up.
  func decode(
    _ vcpu: VCPU, _ key: BlockKey, maximumInstructions: Int, secondPage: UInt64? = nil, region: RegionShape? = nil
  ) throws(GuestException) -> Block {
    var builder = Builder(pc: key.pc)
    try build(vcpu, key, maximumInstructions, secondPage: secondPage, region: region, &builder)
    return builder.block
  }

  func build(
    _ vcpu: VCPU, _ key: BlockKey, _ maximumInstructions: Int, secondPage: UInt64? = nil, region: RegionShape?,
    end: UInt64? = nil, packs: Bool = false, _ builder: inout Builder
  ) throws(GuestException) {
    guard let (bytes, whole) = unsafe codeBytes(at: key.physicalPC) else { throw guest.accessFault(.execute, key.pc) }
    // Far from the page's end the next one is out of reach, and nothing need be remembered for it.
    let isFar =
      whole && maximumInstructions <= 0x1000 && maximumInstructions &* guest.longestInstruction < bytes.count
    let fetched =
      unsafe isFar
      ? CodeBytes(bytes, nextPage: Self.noNextPage)
      : CodeBytes(bytes) { [self] count in
        if let secondPage, let next = space.ram(at: secondPage, count: count) {
          return .success(next.memory.bytes(at: next.offset, count: count))
        }
        return nextPageBytes(vcpu, at: key.pc &+ UInt64(bytes.count), count, whole: whole)
      }
    if packs {
      builder.restartPacked(pc: key.pc, isPaged: dataPath(key.flags) == .tlb)
    } else {
      builder.restart(pc: key.pc)
    }
    var stops = key.variant == .normal && debug.hasBreakpoints ? debug.breakpoints : []
    if let end { stops.insert(end, at: stops.firstIndex { $0 > end } ?? stops.count) }
    var request = TranslationRequest(
      pc: key.pc, flags: key.flags, code: consume fetched, maximumInstructions: maximumInstructions,
      stopBefore: consume stops,
      region: region)
    request.holdsSystemBack = key.variant == .normal && debug.events.watchesSystem
    guest.translate(request, into: &builder)
  }

  /// The memory from `physical` to the end of its page, and whether all of the page is memory.
  private func codeBytes(at physical: UInt64) -> (bytes: UnsafeRawBufferPointer, whole: Bool)? {
    let page = physical & ~0xFFF
    let offset = Int(physical & 0xFFF)
    if page != source.value.address, let direct = space.directPage(at: page) {
      unsafe source.value = CodeSource(address: page, bytes: UnsafeRawPointer(direct.memory.alias + direct.offset))
    }
    if page == source.value.address, let bytes = unsafe source.value.bytes {
      return unsafe (UnsafeRawBufferPointer(start: bytes + offset, count: 0x1000 - offset), true)
    }
    guard let direct = space.ram(at: physical, count: 1) else { return nil }
    var count = 0x1000 - offset
    while space.ram(at: physical, count: count) == nil { count -= 1 }
    return unsafe (UnsafeRawBufferPointer(start: direct.memory.alias + direct.offset, count: count), false)
  }

  private static let noNextPage: @Sendable (Int) -> Result<[UInt8], GuestException> = { _ in
    preconditionFailure("the block was to end in its page")
  }

  /// Code that goes on at `pc`, the start of a page if memory filled the one before.
  private func nextPageBytes(
    _ vcpu: VCPU, at pc: UInt64, _ count: Int, whole: Bool
  ) -> Result<[UInt8], GuestException> {
    let pc = pc & vcpu.addressMask
    do throws(GuestException) {
      guard whole else { throw guest.accessFault(.execute, pc) }
      let physical = try vcpu.physicalPC(pc).address
      guard let found = space.ram(at: physical, count: count) else { throw guest.accessFault(.execute, pc) }
      return .success(found.memory.bytes(at: found.offset, count: count))
    } catch {
      return .failure(error)
    }
  }

  func dataPath(_ flags: TranslationFlags) -> DataPath { guest.memoryMode(flags) == .tlb ? .tlb : .window }

  private func compile(_ block: BlockView, _ path: DataPath, _ tier: Tier) throws(TranslationFailure) -> CompiledBlock {
    func attempt() throws(HostError) -> CompiledBlock {
      try host.compile(block, dataPath: path, isHot: tier == .thorough, &outline)
    }
    do throws(HostError) {
      do throws(HostError) {
        return try attempt()
      } catch {
        guard case .codeCacheFull = error else { throw error }
        guardian.flush(because: .full)
        return try attempt()
      }
    } catch { throw .host(error) }
  }

  /// What is kept of a block.
  func record(
    _ vcpu: VCPU, _ key: BlockKey, _ tier: Tier, _ extent: GuestExtent, _ compiled: CompiledBlock, opCount: Int
  ) -> TranslationBlock {
    let room = 0x1000 - (key.physicalPC & 0xFFF)
    var second = UInt64.max
    if extent.size > room {
      second = (try? vcpu.physicalPC((key.pc & ~0xFFF) &+ 0x1000))?.address ?? TranslationBlock.unreachablePage
    }
    return TranslationBlock(
      key: key, guestSize: UInt16(min(max(extent.size, 1), room)),
      instructionCount: UInt16(clamping: extent.instructions),
      irOpCount: UInt32(opCount), compiled: compiled, isValid: true, tier: tier,
      secondPage: second)
  }
}

/// The page of memory that code was last translated from, until the layout of memory changes.
@safe struct CodeSource {
  var address = UInt64.max
  var bytes: UnsafeRawPointer?
}
