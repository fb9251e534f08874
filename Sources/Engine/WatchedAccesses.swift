// Owns what makes accesses beside watched bytes cheap: instructions that keep making them are compiled anew, so that they
// compare their addresses themselves (`Host.compareWithWatchpoints`), and then access memory as if nothing were watched.
//
// A watched page takes every access to the slow path, since code does not know what is watched. Recompiled instructions
// reach memory by the twin of their window, which protects pages for all other reasons but not for being watched, or by
// the second half of the TLB. What they do is the same either way, so nothing of this shows in a run.

import Bus
import GuestKit
import HostKit
import IR

/// Which instructions access watched pages.
final class WatchedAccesses {
  private struct Count: BitwiseCopyable {
    var pc = UInt64.max
    var accesses = 0
  }
  /// The accesses so far of instructions, by the low bits of the PC.
  private let counts = RawTable<Count>(capacity: 256)
  /// The instructions that compare, by physical PC.
  private(set) var instructions: Set<UInt64> = []
  private(set) var pcs: Set<UInt64> = []
  /// Ranges that they compare with, at most.
  private(set) var rangeLimit = 1

  init() { forgetCounts() }

  deinit { counts.deallocate() }

  func forgetCounts() { counts.fill(Count()) }

  func removeAll() {
    instructions.removeAll()
    pcs.removeAll()
    forgetCounts()
  }

  /// Accesses that make an instruction compare: about what compiling it costs.
  private static var threshold: Int { 16 }

  /// The instruction at `pc` accessed a watched page, but nothing watched, once more.
  /// - Returns: whether it is to compare from now on.
  @inline(__always)
  func note(_ pc: UInt64) -> Bool {
    let place = Int(truncatingIfNeeded: pc >> 1) & 255
    guard counts[place].pc == pc else {
      counts[place] = Count(pc: pc, accesses: 1)
      return false
    }
    counts[place].accesses &+= 1
    return counts[place].accesses == Self.threshold
  }

  func insert(_ pc: UInt64, physical: UInt64) {
    pcs.insert(pc)
    instructions.insert(physical)
  }

  /// Takes ascending ranges that do not overlap together until they are at most `limit`, those that lie closest first.
  static func merge(_ ranges: [ClosedRange<UInt64>], to limit: Int) -> [ClosedRange<UInt64>] {
    var ranges = ranges
    while ranges.count > max(1, limit) {
      let gaps = ranges.indices.dropLast().map { ranges[$0 + 1].lowerBound - ranges[$0].upperBound }
      let closest = gaps.indices.min { gaps[$0] < gaps[$1] } ?? 0
      ranges[closest] = ranges[closest].lowerBound...ranges[closest + 1].upperBound
      ranges.remove(at: closest + 1)
    }
    return ranges
  }

  /// - Returns: whether instructions have to be compiled anew, since they compare with fewer ranges than `count`.
  func needs(_ count: Int, of limit: Int) -> Bool {
    guard count > rangeLimit else { return false }
    rangeLimit = count == 2 ? 2 : limit
    return true
  }
}

extension Engine {
  /// An access to a watched page is about to be made, and hits nothing.
  ///
  /// - Returns: whether the block that makes it was given up, to be compiled anew, and must not run on.
  @inline(__always)
  func givesUpBlock(accessingBesideWatch vcpu: VCPU) -> Bool {
    guard host.watchedRangeLimit > 0, !vcpu.isStepping, vcpu.opSession == nil else { return false }
    let pc: UInt64 = vcpu.state.load(StateOffset.currentPC)
    return watchedAccesses.note(pc) && compareWithWatchpoints(vcpu, at: pc)
  }

  /// Has an instruction compiled anew, to compare with what is watched; returns whether it was part of a block.
  private func compareWithWatchpoints(_ vcpu: VCPU, at pc: UInt64) -> Bool {
    guard let physical = try? physicalPC(vcpu, pc).address else { return false }
    if vcpu.mode.memoryMode != .tlb {
      do throws(MemoryError) { try makeTwin(of: vcpu.mode.windowBase) } catch {
        log.write(.guestErrors, "window without watchpoints: \(error)")
        return false
      }
      publishWatchGuide(vcpu)
    }
    watchedAccesses.insert(pc, physical: physical)
    host.compareWithWatchpoints(at: pc)
    let blocks = store.overlapping(physical..<physical + 1)
    for id in blocks { invalidate(id) }
    return !blocks.isEmpty
  }

  /// Tells code that compares what is watched.
  func watchedRangesChanged() {
    var ranges: [ClosedRange<UInt64>] = []
    for point in debug.watchpoints.sorted(by: { $0.address < $1.address }) {
      if let last = ranges.last, point.address <= last.upperBound {
        ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, point.last)
      } else {
        ranges.append(point.address...point.last)
      }
    }
    watchedAccesses.forgetCounts()
    let limit = host.watchedRangeLimit
    let merged = WatchedAccesses.merge(ranges, to: limit)
    let isMore = watchedAccesses.needs(merged.count, of: limit)
    host.setWatched(merged, compared: watchedAccesses.rangeLimit)
    if isMore { recompileWatched() }
  }

  private func recompileWatched() {
    for physical in watchedAccesses.instructions {
      for id in store.overlapping(physical..<physical + 1) { invalidate(id) }
    }
  }

  /// As nothing is watched, compiles without comparisons what had them.
  func forgetWatchedAccesses() {
    guard !watchedAccesses.pcs.isEmpty, !debug.watchesMemory else { return }
    host.forgetWatchpoints()
    recompileWatched()
    watchedAccesses.removeAll()
    twins.removeAll()
    for vcpu in vcpus { publishWatchGuide(vcpu) }
  }

  /// Lets code find the twin of the window that a vCPU runs in; that window itself if it has none.
  func publishWatchGuide(_ vcpu: VCPU) {
    guard vcpu.mode.memoryMode != .tlb else { return }
    let twin = twins.first { $0.base == vcpu.mode.windowBase }?.window
    host.setUnwatchedBase(twin.map(base(of:)) ?? vcpu.mode.windowBase)
  }
}

// MARK: Twins of windows

/// A window in which pages are not protected for being watched, for the code of the window at `base`.
struct WindowTwin {
  var base: UInt
  var window: MemoryWindow
}

extension Engine {
  private func makeTwin(of base: UInt) throws(MemoryError) {
    guard !twins.contains(where: { $0.base == base }) else { return }
    let window = try MemoryWindow()
    try window.mapAll(of: space)
    let view = restrictedWindows.first { self.base(of: $0.window) == base }
    if let view { try restrict(window, view.restrictions, 0, window.size - 1) }
    for page in protectedPages {
      guard let access = access(to: page, seesWatchpoints: false) else { continue }
      try window.protect(page, count: 0x1000, min(access, view?.limit(page) ?? .readWrite))
    }
    twins.append(WindowTwin(base: base, window: window))
  }
}
