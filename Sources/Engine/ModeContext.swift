// Owns what a vCPU knows of one of its modes in one address space: the jump cache, the data TLB, where code pages lie.

import Bits
import GuestKit
import HostKit
import IR

/// What depends on the translation flags and the address space. A vCPU has one for each pair it has run with, and keeps
/// them when it changes over: coming back, it finds its translations as it left them.
@safe final class ModeContext {
  let flags: TranslationFlags
  let space: TranslationSpace
  let memoryMode: MemoryMode
  let jumpCache: UnsafeMutableRawPointer
  /// Two of them: the second holds watched pages too.
  private let dataTLB: UnsafeMutableRawPointer
  /// The parts of pages last accessed by slow accesses, ``OpenStretch/count`` of them, and which is replaced next.
  private let stretches: UnsafeMutablePointer<OpenStretch>
  private var nextStretch = 0
  /// Of the two, the last that has ever had an entry: what lies behind it need not be cleared.
  private var lastPart = 1
  /// By entry of the TLB, and behind them of the second: the physical page, `.max` where there is none.
  private var physicalPages = [UInt64](repeating: .max, count: 2 * SoftTLB.count)
  /// The entries in use of the TLB and of the jump cache, so that little is cleared where little was filled.
  private var filled = SlotSet(SoftTLB.count)
  private var jumps = SlotSet(JumpCache.count)
  /// Virtual page to physical page of executed code: tag and address, direct-mapped.
  private let codePages = RawTable<CodePage>(capacity: 64)
  /// By the low bits of the virtual page number.
  private let known = RawTable<KnownPage>(capacity: KnownPage.count)
  /// Addresses that large pages were found for: a fence for one address there is one for the whole large page.
  private var largePages: ClosedRange<UInt64>?

  /// Base of the window for this mode, as of the engine's generation of windows.
  var windowBase: UInt = 0
  var windowGeneration: UInt64 = 0

  init(flags: TranslationFlags, space: TranslationSpace, memoryMode: MemoryMode) {
    self.flags = flags
    self.space = space
    self.memoryMode = memoryMode
    unsafe jumpCache = .allocate(byteCount: JumpCache.count * JumpCache.entrySize, alignment: 64)
    unsafe dataTLB = .allocate(byteCount: 2 * SoftTLB.size, alignment: 64)
    unsafe stretches = .allocate(capacity: OpenStretch.count)
    clearStretches()
    codePages.fill(CodePage())
    known.fill(KnownPage())
    for index in 0..<JumpCache.count { store(index, pc: JumpCache.emptyPC, target: 0) }
    for index in 0..<SoftTLB.count { clear(index) }
    lastPart = 0
  }

  deinit {
    unsafe stretches.deallocate()
    unsafe jumpCache.deallocate()
    unsafe dataTLB.deallocate()
    codePages.deallocate()
    known.deallocate()
  }

  /// What translated code reaches data memory by.
  var dataBase: UInt { unsafe memoryMode == .tlb ? UInt(bitPattern: dataTLB) : windowBase }

  /// The data TLB; where addresses are not translated, for hosts that do not use the window.
  var softTLB: UInt { unsafe UInt(bitPattern: dataTLB) }

  // MARK: The jump cache

  func clearJumpCache() {
    jumps.forEach { store($0, pc: JumpCache.emptyPC, target: 0) }
    jumps.removeAll()
  }

  private func store(_ index: Int, pc: UInt64, target: UInt64) {
    unsafe jumpCache.storeBytes(of: pc, toByteOffset: index * JumpCache.entrySize, as: UInt64.self)
    unsafe jumpCache.storeBytes(of: target, toByteOffset: index * JumpCache.entrySize + 8, as: UInt64.self)
  }

  private func jumpPC(_ index: Int) -> UInt64 {
    unsafe jumpCache.load(fromByteOffset: index * JumpCache.entrySize, as: UInt64.self)
  }

  func setJump(to pc: UInt64, target: UInt64) {
    let index = JumpCache.index(pc)
    jumps.insert(index)
    store(index, pc: pc, target: target)
  }

  /// Forgets how to jump to `pc`.
  func forgetJump(to pc: UInt64) {
    let index = JumpCache.index(pc)
    if jumpPC(index) == pc { store(index, pc: JumpCache.emptyPC, target: 0) }
  }

  // MARK: Parts of pages

  func clearStretches() { unsafe stretches.initialize(repeating: OpenStretch(), count: OpenStretch.count) }

  func add(_ stretch: OpenStretch) {
    unsafe stretches[nextStretch] = stretch
    nextStretch = (nextStretch + 1) % OpenStretch.count
  }

  /// The host address of `size` bytes that lie in a known stretch for such an access.
  func openAddress(_ address: UInt64, _ size: Int, isWrite: Bool) -> UnsafeMutableRawPointer? {
    let (last, wraps) = address.addingReportingOverflow(UInt64(size &- 1))
    if wraps { return nil }
    for index in 0..<OpenStretch.count {
      let stretch = unsafe stretches[index]
      if stretch.first <= address, last <= stretch.last, stretch.isWrite == isWrite {
        return unsafe UnsafeMutableRawPointer(bitPattern: UInt(address &+ stretch.addend))
      }
    }
    return nil
  }

  // MARK: Pages that the TLB does not hold

  private static func place(_ page: UInt64) -> Int { Int(page >> 12) & (KnownPage.count - 1) }

  /// The physical address for such an access within one page, if that is known.
  @inline(__always)
  func knownAddress(_ address: UInt64, isWrite: Bool) -> UInt64? {
    let entry = known[Self.place(address)]
    guard entry.virtual == address & ~0xFFF, isWrite ? entry.writable : entry.readable else { return nil }
    return entry.physical | address & 0xFFF
  }

  func note(_ page: KnownPage) {
    var page = page
    let place = Self.place(page.virtual)
    if known[place].virtual == page.virtual, known[place].physical == page.physical {
      page.readable = page.readable || known[place].readable
      page.writable = page.writable || known[place].writable
    }
    known[place] = page
  }

  private func forgetKnown(_ page: UInt64) {
    if known[Self.place(page)].virtual == page { known[Self.place(page)] = KnownPage() }
  }

  // MARK: Translations

  /// Forgets the translations of the whole pages from `address` on that `size` bytes make; of all addresses for nil.
  func forgetTranslations(of address: UInt64?, size: UInt64) {
    let count = max(1, size >> 12)
    guard let first = address.map({ $0 & ~0xFFF }), count <= Self.fencedPages,
      largePages.map({ $0.contains(first) || (0..<count << 12).contains($0.lowerBound &- first) }) != true
    else {
      clearTLB()
      if memoryMode == .tlb { clearJumpCache() }
      return
    }
    clearStretches()
    for number in 0..<count { forgetTranslation(of: first &+ number << 12) }
  }

  /// Pages that are looked for one by one: more than that, and there is little in the TLB that they are not.
  private static var fencedPages: UInt64 { 32 }

  private func forgetTranslation(of page: UInt64) {
    forgetKnown(page)
    let index = SoftTLB.index(page)
    if (0...lastPart).contains(where: { readTag(index, $0) == page || writeTag(index, $0) == page }) { clear(index) }
    let slot = Int(page >> 12) & 63
    if codePages[slot].tag == page { codePages[slot].tag = .max }
    guard memoryMode == .tlb else { return }
    // A page's PCs have neighbouring entries.
    let first = JumpCache.index(page)
    jumps.forEach(in: first..<first + JumpCache.index(0x1000)) {
      if jumpPC($0) & ~0xFFF == page { store($0, pc: JumpCache.emptyPC, target: 0) }
    }
  }

  func clearTLB() {
    clearStretches()
    filled.forEach { clear($0) }
    filled.removeAll()
    codePages.fill(CodePage())
    known.fill(KnownPage())
    largePages = nil
  }

  private func clear(_ index: Int) {
    for part in 0...lastPart {
      setTags(index, part, read: SoftTLB.invalidTag(index), write: SoftTLB.invalidTag(index))
      physicalPages[index + part * SoftTLB.count] = .max
    }
  }

  /// - Parameter part: 0 for the TLB, 1 for the second.
  private func setTags(_ index: Int, _ part: Int, read: UInt64, write: UInt64) {
    put(read, index, part, SoftTLB.readTags)
    put(write, index, part, SoftTLB.writeTags)
  }

  private func put(_ value: UInt64, _ index: Int, _ part: Int, _ table: Int) {
    unsafe dataTLB.storeBytes(
      of: value, toByteOffset: part * SoftTLB.unwatched + table + index * 8, as: UInt64.self)
  }

  /// Enters a page.
  ///
  /// - Parameters:
  ///   - leafSize: bytes that the page table's entry stands for.
  ///   - host: address of the page in host memory.
  ///   - parts: 0 for the TLB, 1 for the second, which serves accesses that have been compared with what is watched.
  func fill(
    _ virtual: UInt64, physical: UInt64, leafSize: UInt64, host: UInt64, readable: Bool, writable: Bool,
    in parts: ClosedRange<Int> = 0...0
  ) {
    let index = SoftTLB.index(virtual)
    let invalid = SoftTLB.invalidTag(index)
    filled.insert(index)
    lastPart = max(lastPart, parts.upperBound)
    for part in parts {
      physicalPages[index + part * SoftTLB.count] = physical
      setTags(index, part, read: readable ? virtual : invalid, write: writable ? virtual : invalid)
      put(host &- virtual, index, part, SoftTLB.addends)
      put(host, index, part, SoftTLB.hostPages)
    }
    noteLeaf(virtual, leafSize)
  }

  private func noteLeaf(_ virtual: UInt64, _ size: UInt64) {
    guard size > 0x1000 else { return }
    let first = virtual & ~(size &- 1)
    let last = virtual | (size &- 1)
    largePages = largePages.map { min($0.lowerBound, first)...max($0.upperBound, last) } ?? first...last
  }

  private func readTag(_ index: Int, _ part: Int = 0) -> UInt64 {
    unsafe dataTLB.load(fromByteOffset: part * SoftTLB.unwatched + SoftTLB.readTags + index * 8, as: UInt64.self)
  }

  private func writeTag(_ index: Int, _ part: Int = 0) -> UInt64 {
    unsafe dataTLB.load(fromByteOffset: part * SoftTLB.unwatched + SoftTLB.writeTags + index * 8, as: UInt64.self)
  }

  /// Forgets what is known of accesses to a page that has its own address, but for what translation found.
  func forgetProtection(of page: UInt64) {
    clearStretches()
    guard memoryMode != .tlb else { return }
    let index = SoftTLB.index(page)
    if physicalPages[index] == page || physicalPages[index + SoftTLB.count] == page { clear(index) }
  }

  /// Whether the TLB for accesses that have been compared with watchpoints has the page of such an access.
  func comparesIn(_ address: UInt64, isWrite: Bool) -> Bool {
    let index = SoftTLB.index(address)
    return (isWrite ? writeTag(index, 1) : readTag(index, 1)) == address & ~0xFFF
  }

  /// Whether the TLB lets stores to a virtual page through.
  func maySkipWalk(toWrite virtual: UInt64) -> Bool {
    let index = SoftTLB.index(virtual)
    return writeTag(index) == virtual || writeTag(index, 1) == virtual
  }

  /// Makes stores to the physical page take the slow path from now on.
  func denyWrites(toPhysicalPage page: UInt64) {
    filled.forEach { index in
      for part in 0...lastPart where physicalPages[index + part * SoftTLB.count] == page {
        setTags(index, part, read: readTag(index, part), write: SoftTLB.invalidTag(index))
      }
    }
  }

  /// The page in entry `index` of the TLB.
  func tlbEntry(_ index: Int) -> Engine.TLBEntry? {
    guard physicalPages[index] != .max else { return nil }
    let (read, write, invalid) = (readTag(index), writeTag(index), SoftTLB.invalidTag(index))
    return Engine.TLBEntry(
      virtual: read == invalid ? write : read, physical: physicalPages[index], isReadable: read != invalid,
      isWritable: write != invalid)
  }

  // MARK: Code pages

  /// The physical page of a virtual page that code was executed in.
  func codePage(_ virtual: UInt64) -> UInt64? {
    let known = codePages[Int(virtual >> 12) & 63]
    return known.tag == virtual ? known.physical : nil
  }

  func setCodePage(_ virtual: UInt64, physical: UInt64, leafSize: UInt64) {
    codePages[Int(virtual >> 12) & 63] = CodePage(tag: virtual, physical: physical)
    noteLeaf(virtual, leafSize)
  }
}
