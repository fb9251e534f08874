// Owns the way from a guest PC to a block in the code cache: fetch, decode, optimise, compile, register.

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

extension Engine {
  /// The physical address of `pc` for execution, whether that holds for its page, and for which part of it if not.
  func physicalPC(
    _ vcpu: VCPU, _ pc: UInt64
  ) throws(GuestException) -> (address: UInt64, wholePage: Bool, stretch: Range<UInt64>?) {
    let page = pc & ~0xFFF
    if let known = vcpu.mode.codePage(page) { return (known | pc & 0xFFF, true, nil) }
    let found = try guest.translateAddress(vcpu.state, pc, .execute, size: 2, space: .current, memory: vcpu)
    if found.wholePage { vcpu.mode.setCodePage(page, physical: found.physical & ~0xFFF, leafSize: found.leafSize) }
    return (found.physical, found.wholePage, found.stretch)
  }

  /// The block at the vCPU's PC, translated if need be.
  func block(_ vcpu: VCPU, at pc: UInt64, _ variant: BlockVariant) throws(TranslationFailure) -> BlockID {
    let (physical, wholePage, stretch): (UInt64, Bool, Range<UInt64>?)
    do { (physical, wholePage, stretch) = try physicalPC(vcpu, pc) } catch { throw .guest(error) }
    let key = BlockKey(pc: pc, physicalPC: physical, flags: vcpu.flags, variant: variant)
    let known = store.find(key)
    /// Whether all of a block may be executed. Changes of that cut chains, so the way over a chain need not be checked.
    func isWithin(_ id: BlockID) -> Bool {
      guard !wholePage else { return true }
      let code = store.code(id)
      return stretch.map { $0.contains(code.lowerBound) && $0.contains(code.upperBound) } ?? false
    }
    if known != 0, isWithin(known), isCurrent(vcpu, known) {
      return store[known].tier == .interpreted ? try warm(vcpu, known, pc) : known
    }
    if known != 0 { invalidate(known) }
    let tier: Tier = options.tiers == .thorough ? .thorough : .quick
    if variant == .normal, !wholePage, let stretch {
      let id = try translate(vcpu, key, tier, single: false, end: stretch.upperBound)
      if isWithin(id) { return id }
      // An instruction of it reaches beyond.
      invalidate(id)
    }
    if variant == .normal, wholePage, let id = try translatePacked(vcpu, key) { return id }
    let id = try translate(vcpu, key, tier, single: variant == .step || !wholePage)
    if let stretch, !wholePage, store.code(id).upperBound >= stretch.upperBound {
      do { _ = try physicalPC(vcpu, stretch.upperBound) } catch {
        invalidate(id)
        throw .guest(error)
      }
    }
    return id
  }

  /// Whether a block that straddles pages still sees the second page where it was.
  private func isCurrent(_ vcpu: VCPU, _ id: BlockID) -> Bool {
    let second = store[id].secondPage
    guard second != .max else { return true }
    let next = (store[id].key.pc & ~0xFFF) &+ 0x1000
    return (try? physicalPC(vcpu, next))?.address == second
  }

  func translate(
    _ vcpu: VCPU, _ key: BlockKey, _ tier: Tier, single: Bool, _ region: CodeRegion? = nil, end: UInt64? = nil
  ) throws(TranslationFailure) -> BlockID {
    let isTimed = statistics[tier].isTimed
    let start = isTimed ? HostClock.nanoseconds : 0
    let limit = single ? 1 : region == nil ? options.maximumInstructions : Int.max
    let isCounted = options.countsExecutions && key.variant == .normal
    // What passes or counters change, or the log shows, is copied out of the builder first.
    let isCopied = tier == .thorough || isCounted || log.showsTranslation
    do { try build(vcpu, key, limit, region: region?.shape, end: end, &builder) } catch { throw .guest(error) }
    let decoded = isTimed ? HostClock.nanoseconds : 0
    let built = builder.view
    let extent = GuestExtent(built)
    var block = isCopied ? builder.block : Block(pc: key.pc)
    let original = log.showsTranslation ? block : nil
    if tier == .thorough { optimizer.run(&block) }
    if isCounted { addCounters(&block) }
    let ready = isTimed ? HostClock.nanoseconds : 0
    let id =
      if isCopied {
        try block.withView { (view) throws(TranslationFailure) in try add(view, key, tier, extent, vcpu) }
      } else {
        try add(built, key, tier, extent, vcpu)
      }
    if let region { regions[id] = region }
    statistics[tier].add(
      extent, opsAfterPasses: isCopied ? block.ops.count : built.opCount, hostBytes: store[id].compiled.size,
      times: (start, decoded, ready, isTimed ? HostClock.nanoseconds : 0))
    for observer in observers { observer.didTranslate(id, in: self) }
    if let original { logTranslation(id, original, block) }
    return id
  }

  /// Compiles and registers a block.
  private func add(
    _ block: BlockView, _ key: BlockKey, _ tier: Tier, _ extent: GuestExtent, _ vcpu: VCPU
  ) throws(TranslationFailure) -> BlockID {
    let compiled = try compile(block, dataPath(key.flags), tier)
    let id = store.insert(
      record(vcpu, key, tier, extent, compiled, opCount: block.opCount), block, outline)
    if !outline.labels.isEmpty { chainWithin(id) }
    guardCode(of: id)
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
    let code =
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
    var stops = key.variant == .normal && debug.hasBreakpoints.value ? debug.breakpoints : []
    if let end { stops.insert(end, at: stops.firstIndex { $0 > end } ?? stops.count) }
    let request = TranslationRequest(
      pc: key.pc, flags: key.flags, code: consume code, maximumInstructions: maximumInstructions,
      stopBefore: consume stops,
      region: region)
    guest.translate(request, into: &builder)
  }

  /// The memory from `physical` to the end of its page, and whether all of the page is memory.
  private func codeBytes(at physical: UInt64) -> (bytes: UnsafeRawBufferPointer, whole: Bool)? {
    let page = physical & ~0xFFF
    let offset = Int(physical & 0xFFF)
    if page != codeSource.value.address, let direct = space.directPage(at: page) {
      unsafe codeSource.value = CodeSource(address: page, bytes: UnsafeRawPointer(direct.memory.alias + direct.offset))
    }
    if page == codeSource.value.address, let bytes = unsafe codeSource.value.bytes {
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
    let pc = pc & addressMask
    do throws(GuestException) {
      guard whole else { throw guest.accessFault(.execute, pc) }
      let physical = try physicalPC(vcpu, pc).address
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
        flush()
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
      second = (try? physicalPC(vcpu, (key.pc & ~0xFFF) &+ 0x1000))?.address ?? TranslationBlock.unreachablePage
    }
    return TranslationBlock(
      key: key, guestSize: UInt16(min(max(extent.size, 1), room)),
      instructionCount: UInt16(clamping: extent.instructions),
      irOpCount: UInt32(opCount), compiled: compiled, isValid: true, tier: tier,
      secondPage: second)
  }

  /// Sees to it that writes to a new block's code are noticed.
  func guardCode(of id: BlockID) {
    let (page, second) = (store[id].key.physicalPC & ~0xFFF, store[id].secondPage)
    if store[id].nextInPage == 0 { denyWrites(page) } else { closeLines(id) }
    if second < TranslationBlock.unreachablePage {
      straddlers[second, default: []].append(id)
      denyWrites(second)
    }
  }

  /// Chains the exits of a block that lead to its own entries.
  private func chainWithin(_ id: BlockID) {
    for number in store.outgoing(id) {
      let exit = store.exit(number)
      guard exit.mayChain else { continue }
      let entry = store.entry(id, at: exit.target)
      guard entry != 0, store[entry].key.flags == store.flags(behind: number),
        !forbiddenChains.contains(ChainEdge(source: store[id].key.pc, target: exit.target))
      else {
        continue
      }
      chain(number, to: entry)
    }
  }

  private func denyWrites(_ page: UInt64) {
    protect(page)
    denyWritesByTLB(page)
  }

  /// Makes stores to a physical page, and to those that show the same memory, take the slow path from now on.
  func denyWritesByTLB(_ page: UInt64) {
    let pages = [page] + space.aliases(of: page, count: 0x1000).map { $0.address & ~0xFFF }
    for vcpu in vcpus { for mode in vcpu.modes { for page in pages { mode.denyWrites(toPhysicalPage: page) } } }
  }
}

/// The page of memory that code was last translated from, until the layout of memory changes.
@safe struct CodeSource {
  var address = UInt64.max
  var bytes: UnsafeRawPointer?
}
