// Owns breakpoints and watchpoints as the engine sees them: addresses it must stop at.

import GuestKit
import IR

/// A data access that hit a watchpoint; it has not been made.
public struct WatchHit: Equatable, Sendable {
  public var address: UInt64
  public var size: Int
  public var isWrite: Bool
  public var watchpoint: Watchpoint
}

/// `length` bytes at virtual `address`, watched for the given accesses.
public struct Watchpoint: Hashable, Sendable {
  public var address: UInt64
  public var length: UInt64
  public var onRead: Bool
  public var onWrite: Bool
  /// The guest's own comparator that asks for it; nil for a debugger.
  var comparator: Int?
  public init(address: UInt64, length: UInt64, onRead: Bool, onWrite: Bool) {
    self.address = address
    self.length = max(1, length)
    self.onRead = onRead
    self.onWrite = onWrite
  }
}

/// The addresses a debugger wants to stop at. With none set, translated code is what it would be without a debugger.
public final class DebugPoints {
  /// Sorted virtual PCs, each with how many users asked for it.
  public private(set) var breakpoints: [UInt64] = [] { didSet { hasBreakpoints.value = !breakpoints.isEmpty } }
  /// For the loop from block to block.
  let hasBreakpoints = RawCell(false)
  private var references: [UInt64: Int] = [:]
  public private(set) var watchpoints: [Watchpoint] = []
  /// What the guest's own debug unit compares; of breakpoints and watchpoints they are a part.
  var comparators: [Comparator] = []
  /// Whether single steps leave interrupts pending.
  public var masksInterruptsInSteps = false

  /// - Returns: whether the PC was not a breakpoint before.
  func insertBreakpoint(_ pc: UInt64) -> Bool {
    references[pc, default: 0] += 1
    guard references[pc] == 1 else { return false }
    let position = breakpoints.firstIndex { $0 > pc } ?? breakpoints.count
    breakpoints.insert(pc, at: position)
    return true
  }

  /// - Returns: whether the PC is no breakpoint any more.
  func removeBreakpoint(_ pc: UInt64) -> Bool {
    guard let count = references[pc] else { return false }
    references[pc] = count > 1 ? count - 1 : nil
    guard count == 1 else { return false }
    breakpoints.removeAll { $0 == pc }
    return true
  }

  func insert(_ watchpoint: Watchpoint) { watchpoints.append(watchpoint) }

  func remove(_ watchpoint: Watchpoint) -> Bool {
    guard let index = watchpoints.firstIndex(of: watchpoint) else { return false }
    watchpoints.remove(at: index)
    return true
  }

  func isBreakpoint(_ pc: UInt64) -> Bool {
    !breakpoints.isEmpty && references[pc] != nil
  }

  /// Whether a debugger asked for the breakpoint at `pc`.
  func isUserBreakpoint(_ pc: UInt64) -> Bool {
    references[pc, default: 0] > comparators.count { $0.isInstruction && $0.address == pc }
  }

  /// Whether a watchpoint touches the 4 KiB page at `page`.
  func watchesPage(_ page: UInt64) -> Bool {
    watchpoints.contains { $0.address <= page &+ 0xFFF && page <= $0.address &+ ($0.length &- 1) }
  }

  /// The watchpoint that an access hits: the first of a debugger, before those of the guest's comparators.
  func hit(_ address: UInt64, size: Int, isWrite: Bool) -> Watchpoint? {
    let hits = watchpoints.filter {
      (isWrite ? $0.onWrite : $0.onRead)
        && $0.address <= address &+ UInt64(size - 1) && address <= $0.address &+ ($0.length &- 1)
    }
    return hits.first { $0.comparator == nil } ?? hits.first
  }
}
