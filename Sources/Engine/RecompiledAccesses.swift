// Owns the giving up of blocks whose accesses keep taking the slow path only because of what else is in the page: code beside
// which they store, or watched bytes beside which they access memory.
//
// Such an instruction is compiled anew, to compare its addresses with that itself and access memory directly where nothing
// is in the way; see `StoreGuides.swift` and `WatchedAccesses.swift`. It does the same either way, so nothing of this shows in
// a run.

import Bits
import Bus
import GuestKit
import HostKit
import IR

/// What an access passes close by that keeps its page from being accessed directly.
enum Obstacle: Int, CaseIterable {
  /// A store beside code.
  case code
  /// Any access beside watched bytes.
  case watch
}

/// How often instructions have made such accesses.
final class ObstacleCounts {
  private struct Count: BitwiseCopyable {
    var pc = UInt64.max
    var accesses = 0
  }
  /// By obstacle and the low bits of the PC: those that make them often get through.
  private let counts = RawTable<Count>(capacity: 256 * Obstacle.allCases.count)

  init() { counts.fill(Count()) }

  deinit { counts.deallocate() }

  /// Accesses that make an instruction worth compiling anew: about what that costs.
  static var threshold: Int { 16 }

  /// Counts an access by the instruction at `pc`.
  /// - Returns: how many there are.
  @inline(__always)
  func add(_ pc: UInt64, _ obstacle: Obstacle) -> Int {
    let place = obstacle.rawValue &* 256 &+ Int(truncatingIfNeeded: pc >> 1) & 255
    if counts[place].pc != pc { counts[place] = Count(pc: pc) }
    counts[place].accesses &+= 1
    return counts[place].accesses
  }

  func removeAll(_ obstacle: Obstacle) {
    for place in 0..<256 { counts[obstacle.rawValue * 256 + place] = Count() }
  }
}

extension VCPU {
  /// An access to `physical` is about to be made past an obstacle in its page.
  ///
  /// - Returns: whether the block that makes it was given up, to be compiled anew. It must not run on: what it stored to its
  ///   own code would go unseen.
  @inline(__always)
  func givesUpBlock(past obstacle: Obstacle, _ physical: UInt64) -> Bool {
    switch obstacle {
    case .code: guard host.guidesStores, runsInWholeWindow else { return false }
    case .watch: guard host.watchedRangeLimit > 0 else { return false }
    }
    guard !isStepping, opSession == nil else { return false }
    let pc: UInt64 = state.load(StateOffset.currentPC)
    let count = guardian.obstacles.add(pc, obstacle)
    if count == ObstacleCounts.threshold { return recompile(pc, past: obstacle) }
    if count > ObstacleCounts.threshold, obstacle == .code { learnLines(physical) }
    return false
  }

  /// Has the instruction at `pc` compiled anew; returns whether it was part of a block.
  private func recompile(_ pc: UInt64, past obstacle: Obstacle) -> Bool {
    guard let place = try? physicalPC(pc).address else { return false }
    do throws(MemoryError) {
      switch obstacle {
      case .code:
        if try guardian.guides.open() { runners.publishGuides() }
        host.guideStores(at: pc)
      case .watch:
        if memoryMode != .tlb {
          try windows.makeTwin(of: mode.windowBase)
          publishWatchGuide()
        }
        guardian.watched.insert(physical: place)
        host.compareWithWatchpoints(at: pc)
      }
    } catch {
      engineLog.write(.guestErrors, "accesses beside \(obstacle): \(error)")
      return false
    }
    return guardian.invalidate(physical: place, because: .access)
  }

  /// Whether code runs in the window that has all of memory.
  @inline(__always)
  var runsInWholeWindow: Bool { memoryMode != .tlb && mode.windowBase == windows.base }

  /// Learns the lines of the page that a guided store came to, where they are not known yet.
  func learnLines(_ physical: UInt64) {
    if mode.windowBase == windows.base { guardian.guides.learn(physical & ~0xFFF) }
  }

  /// Lets code use the guide of stores if it runs in the window that the guide stands for.
  func publishGuide() {
    guard let bases = guardian.guides.bases else { return }
    state.store(runsInWholeWindow ? bases.open : bases.closed, at: StateOffset.storeGuide)
  }

  /// Lets code find the twin of the window that it runs in; that window itself if it has none.
  func publishWatchGuide() {
    if memoryMode != .tlb { host.setUnwatchedBase(windows.unwatchedBase(mode.windowBase)) }
  }
}
