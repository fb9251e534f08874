// Owns the guide of stores and the view of memory behind it; see `StoreGuide`.
//
// Pages are looked up when the first guided store comes to them, so the guide costs as much memory as is stored to.

import Bits
import Bus
import HostKit

@safe
final class GuideMap {
  private let view: MemoryWindow
  private var lines: UnsafeMutableRawPointer
  /// A guide without a view, in which no line is open.
  private let closed: MemoryWindow

  /// Host addresses that code finds its guide by: that of the view, and for code whose stores must all be seen that of the
  /// guide in which no line is open.
  var base: UInt { unsafe UInt(bitPattern: view.base) }
  var closedBase: UInt { unsafe UInt(bitPattern: closed.base) }

  init(_ space: FlatMap) throws(MemoryError) {
    view = try MemoryWindow()
    closed = try MemoryWindow(size: UInt64(pageSize))
    unsafe lines = try view.makeRoom(before: StoreGuide.size)
    _ = unsafe try closed.makeRoom(before: StoreGuide.size)
    try view.mapAll(of: space)
  }

  /// Shows a region of `space` that was changed, and forgets what is known of pages.
  func remap(_ region: Region, of space: FlatMap) throws(MemoryError) {
    try view.remap(region, of: space)
    unsafe lines = try view.makeRoom(before: StoreGuide.size)
  }

  /// Whether the lines of a page are known.
  func knows(page: UInt64) -> Bool {
    guard view.covers(page, count: UInt64(pageSize)) else { return false }
    return unsafe lines.load(fromByteOffset: offset(of: page), as: UInt8.self) != StoreGuide.unknown
  }

  /// Opens or closes all lines of a page.
  func set(page: UInt64, isOpen: Bool) {
    guard view.covers(page, count: UInt64(pageSize)) else { return }
    set(page, through: page + UInt64(pageSize) - 1, isOpen ? StoreGuide.open : StoreGuide.closed)
  }

  /// Closes, in known pages, the lines of `first...last` and those that answer for some of it.
  func close(_ first: UInt64, through last: UInt64) {
    guard first < view.size, first <= last else { return }
    var start = first &- min(first, StoreGuide.overrun)
    let last = min(last, view.size - 1)
    while start <= last {
      let page = start.alignedDown(to: UInt64(pageSize))
      let end = min(last, page + UInt64(pageSize) - 1)
      if knows(page: page) { set(start, through: end, StoreGuide.closed) }
      start = end + 1
    }
  }

  private func set(_ first: UInt64, through last: UInt64, _ state: UInt8) {
    let start = offset(of: first)
    unsafe (lines + start).initializeMemory(as: UInt8.self, repeating: state, count: offset(of: last) - start + 1)
  }

  private func offset(of address: UInt64) -> Int { Int(address >> StoreGuide.lineShift) }
}
