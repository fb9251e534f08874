// Owns stores into pages that hold code and much-written data side by side.
//
// A page with translated code is write-protected, and what is stored to it is compared with the exact ranges of the code: a
// store is seen by the very next instruction, so that a run is the same however its code is cut into blocks. Where nearly
// all stores hit data (`.data` in the page of `.text`), each would cost a slow access. So instructions that keep storing
// beside code are compiled anew as guided stores, which look for code in their line themselves (`StoreGuide`). In modes with
// page tables, without compiled code, and in lines with code they take the slow path, the short way (`QuickAccess.swift`).

import Bus
import GuestKit
import HostKit
import IR

/// Which instructions store beside code.
struct StoresBesideCode: ~Copyable {
  private struct Count: BitwiseCopyable {
    var pc = UInt64.max
    var stores = 0
  }
  /// The stores so far of instructions, by the low bits of the PC: those that store often get through.
  private let counts = RawTable<Count>(capacity: 256)
  /// Nil until a store is guided.
  var guide: GuideMap?

  init() { removeAll() }

  deinit { counts.deallocate() }

  /// Forgets which instructions they are.
  func removeAll() { counts.fill(Count()) }

  /// Stores that make an instruction a guided store: about what compiling it costs.
  private static var threshold: Int { 16 }

  enum Verdict { case wait, guide, isGuided }

  /// What to do about the instruction at `pc`, which stored beside code once more.
  @inline(__always)
  func note(_ pc: UInt64) -> Verdict {
    let place = Int(truncatingIfNeeded: pc >> 1) & 255
    guard counts[place].pc == pc else {
      counts[place] = Count(pc: pc, stores: 1)
      return .wait
    }
    counts[place].stores &+= 1
    return counts[place].stores < Self.threshold ? .wait : counts[place].stores == Self.threshold ? .guide : .isGuided
  }
}

extension Engine {
  /// A store is about to hit a page that holds code, but none of it.
  ///
  /// - Returns: whether the block that makes it was given up, to be compiled anew. It must not run on: what it stored to
  ///   its own code would go unseen.
  @inline(__always)
  func givesUpBlock(storingBesideCode vcpu: VCPU, _ physical: UInt64) -> Bool {
    guard host.guidesStores, vcpu.memoryMode != .tlb, vcpu.mode.windowBase == base(of: window), !vcpu.isStepping,
      vcpu.opSession == nil
    else { return false }
    let pc: UInt64 = vcpu.state.load(StateOffset.currentPC)
    switch besideCode.note(pc) {
    case .wait: return false
    case .guide: return guideStores(at: pc)
    case .isGuided:
      learnLines(physical, vcpu)
      return false
    }
  }

  /// Has an instruction compiled anew, as a guided store; returns whether it was part of a block.
  private func guideStores(at pc: UInt64) -> Bool {
    if besideCode.guide == nil {
      do throws(MemoryError) {
        besideCode.guide = try GuideMap(space)
        for vcpu in vcpus { publishGuide(vcpu) }
      } catch {
        log.write(.guestErrors, "guide of stores: \(error)")
        return false
      }
    }
    host.guideStores(at: pc)
    let blocks = store.overlapping(pc..<pc + 1)
    for id in blocks { invalidate(id) }
    return !blocks.isEmpty
  }

  /// Lets a vCPU's code use the guide if it runs in the window that the guide stands for.
  func publishGuide(_ vcpu: VCPU) {
    guard let guide = besideCode.guide else { return }
    let isUnrestricted = vcpu.mode.memoryMode != .tlb && vcpu.mode.windowBase == base(of: window)
    vcpu.state.store(isUnrestricted ? guide.base : guide.closedBase, at: StateOffset.storeGuide)
  }

  /// Learns the lines of the page that a guided store came to, where they are not known yet.
  func learnLines(_ physical: UInt64, _ vcpu: VCPU) {
    let page = physical & ~0xFFF
    guard let guide = besideCode.guide, vcpu.mode.windowBase == base(of: window), !guide.knows(page: page) else {
      return
    }
    setLines(ofPage: page, guide)
  }

  /// Sees to it that what is known of a page's lines is so, wherever the memory appears.
  func guide(_ page: UInt64) {
    guard let guide = besideCode.guide else { return }
    for page in [page] + space.aliases(of: page, count: 0x1000).map({ $0.address & ~0xFFF }) {
      if guide.knows(page: page) { setLines(ofPage: page, guide) }
      // The last lines of the page before answer for the first bytes.
      if page >= 0x1000, guide.knows(page: page - 0x1000) { setLines(ofPage: page - 0x1000, guide) }
    }
  }

  /// Opens the lines of a page that have no code in them or in the bytes that they answer for, and closes the others.
  private func setLines(ofPage page: UInt64, _ guide: GuideMap) {
    let aliases = space.aliases(of: page, count: 0x1000)
    guard space.directPage(at: page)?.isWritable == true, !debug.watchesPage(page),
      aliases.allSatisfy({ $0.address & 0xFFF == 0 })
    else { return guide.set(page: page, isOpen: false) }
    guide.set(page: page, isOpen: true)
    for shown in [page] + aliases.map(\.address) {
      if straddlers[shown] != nil { guide.close(page, through: page + 15) }
      store.forEachBlock(inPage: shown) { block in
        let code = block.physicalRange
        let first = code.lowerBound > shown ? code.lowerBound - shown : 0
        let last = min(code.upperBound &- 1 &- shown, 0xFFF)
        guide.close(page + first, through: page + last)
      }
    }
    let next = page &+ 0x1000
    let isBeforeCode =
      straddlers[next] != nil || debug.watchesPage(next)
      || !store.overlapping(next..<next &+ StoreGuide.overrun).isEmpty
    if isBeforeCode { guide.close(next, through: next) }
  }

  /// Sees to it that guided stores to new code in a page that had some are noticed.
  func closeLines(_ id: BlockID) {
    guard let guide = besideCode.guide else { return }
    let code = store[id].physicalRange
    guide.close(code.lowerBound, through: code.upperBound &- 1)
    for alias in space.aliases(of: code.lowerBound, count: code.count) {
      guide.close(alias.address, through: alias.address &+ UInt64(alias.count - 1))
    }
  }
}
