// Owns what keeps translated code true to memory and to what debuggers want: how writes to code are noticed, and which blocks
// are thrown away for what reason.

import Bus
import GuestKit
import HostKit

/// Everything that new code, written code and watched memory need to have done about them.
final class CodeGuard {
  private let space: FlatMap
  private let code: CodeStore
  private let windows: Windows
  private let debug: DebugPoints
  private let runners: Runners
  let guides: StoreGuides
  let watched = WatchedAccesses()
  let obstacles = ObstacleCounts()

  init(_ space: FlatMap, _ code: CodeStore, _ windows: Windows, _ debug: DebugPoints, _ runners: Runners) {
    self.space = space
    self.code = code
    self.windows = windows
    self.debug = debug
    self.runners = runners
    guides = StoreGuides(space, code, debug)
  }

  /// Sees to it that writes to a new block's code are noticed.
  func add(_ id: BlockID) {
    let (block, second) = (code.blocks[id], code.blocks[id].secondPage)
    if block.nextInPage == 0 { denyWrites(block.key.physicalPC & ~0xFFF) } else { guides.close(block.physicalRange) }
    if second < TranslationBlock.unreachablePage {
      code.straddlers[second, default: []].append(id)
      denyWrites(second)
    }
  }

  private func denyWrites(_ page: UInt64) {
    protect(page)
    let pages = [page] + space.aliases(of: page, count: 0x1000).map { $0.address & ~0xFFF }
    runners.forEachMode { mode in for page in pages { mode.denyWrites(toPhysicalPage: page) } }
  }

  /// Sets the protection of a page, and of those that show the same memory, from what is known of it.
  func protect(_ page: UInt64) {
    guides.update(page)
    windows.protect(page)
  }

  /// Guest memory changed: throws away exactly the blocks whose code it was.
  func memoryChanged(_ address: UInt64, _ count: Int) {
    var start = address
    let end = address &+ UInt64(count)
    while start < end {
      let stop = min(end, (start & ~0xFFF) &+ 0x1000)
      if code.blocks.hasCode(inPage: start & ~0xFFF) {
        for id in code.blocks.overlapping(start..<stop) { invalidate(id, because: .written) }
        if !code.blocks.hasCode(inPage: start & ~0xFFF) { protect(start & ~0xFFF) }
      }
      if code.mayStraddle(start), let list = code.straddlers[start & ~0xFFF] {
        for id in list where code.blocks[id].isValid { invalidate(id, because: .written) }
        code.straddlers[start & ~0xFFF] = nil
        protect(start & ~0xFFF)
      }
      start = stop
    }
  }

  /// Throws one block away: nothing jumps to it any more. Its host code stays until the next flush, so that a block
  /// may invalidate itself.
  func invalidate(_ id: BlockID, because cause: CodeEvent.Cause) {
    let id = code.blocks.container(of: id)
    guard code.blocks[id].isValid else { return }
    code.note(.dropped, id, because: cause)
    code.blocks.noteInvalidation(of: id)
    remove(id)
    code.profile.statistics.invalidations &+= 1
  }

  /// Throws away the blocks with an instruction at a physical PC.
  /// - Returns: whether there were any.
  @discardableResult
  func invalidate(physical: UInt64, because cause: CodeEvent.Cause) -> Bool {
    let found = code.blocks.overlapping(physical..<physical + 1)
    for id in found { invalidate(id, because: cause) }
    return !found.isEmpty
  }

  /// Throws away the blocks that a breakpoint at `pc` splits, or that end before it for its sake.
  func invalidate(around pc: UInt64) {
    for id in code.blocks.valid where code.blocks[id].contains(pc) || pc == code.blocks[id].lastPC &+ 1 {
      invalidate(id, because: .breakpoint)
    }
  }

  /// Takes a block out of use.
  func remove(_ id: BlockID) {
    code.unchain(id)
    for entry in code.blocks.parts(id) {
      let pc = code.blocks[entry].key.pc
      runners.forEachMode { $0.forgetJump(to: pc) }
    }
    code.blocks.remove(id)
    guides.update(code.blocks[id].key.physicalPC & ~0xFFF)
    if !code.regions.isEmpty { code.regions[id] = nil }
  }

  /// Drops all translated code. Not while translated code runs.
  func flush(because cause: CodeEvent.Cause) {
    code.note(.flushed, 0, because: cause)
    let pages = code.guardedPages
    code.removeAll()
    for obstacle in Obstacle.allCases { obstacles.removeAll(obstacle) }
    watched.removeAll()
    for page in pages { protect(page) }
    runners.forEachMode { $0.clearJumpCache() }
    code.profile.statistics.flushes &+= 1
    for observer in code.observers { observer.didFlush() }
  }

  // MARK: Watched memory

  /// A watchpoint came or went.
  func watchesChanged(_ watchpoint: Watchpoint) {
    obstacles.removeAll(.watch)
    let limit = code.host.watchedRangeLimit
    let ranges = WatchedAccesses.ranges(of: debug.watchpoints, limit: limit)
    let isMore = watched.needs(ranges.count, of: limit)
    code.host.setWatched(ranges, compared: watched.rangeLimit)
    if isMore { recompileWatched() }
    for page in windows.watchedPages(watchpoint) { protect(page) }
    runners.forEachMode { $0.clearTLB() }
  }

  private func recompileWatched() {
    for physical in watched.instructions { invalidate(physical: physical, because: .watchpoint) }
  }

  /// As nothing is watched, compiles without comparisons what had them.
  func forgetWatchedAccesses() {
    guard !watched.isEmpty, !debug.watchesMemory else { return }
    code.host.forgetWatchpoints()
    recompileWatched()
    watched.removeAll()
    windows.removeTwins()
    runners.publishGuides()
  }
}
