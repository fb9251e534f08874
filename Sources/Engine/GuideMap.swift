// Owns the guide of stores and the view of memory behind it; see `StoreGuide`.

import Bits
import Bus
import HostKit

@safe
final class GuideMap {
  private let view: MemoryWindow
  private let lines: UnsafeMutableRawPointer
  /// A guide without a view, in which all lines are closed.
  private let closed: MemoryWindow

  /// Host addresses of the view, and of what code uses for which no store may go unseen.
  var base: UInt { unsafe UInt(bitPattern: view.base) }
  var closedBase: UInt { unsafe UInt(bitPattern: closed.base) }

  /// Opens all lines of the writable whole pages of `space`.
  init(_ space: AddressSpace) throws(MemoryError) {
    view = try MemoryWindow()
    closed = try MemoryWindow(size: UInt64(pageSize))
    unsafe lines = try view.makeRoom(before: StoreGuide.size)
    _ = unsafe try closed.makeRoom(before: StoreGuide.size)
    try view.mapAll(of: space)
    openWritable(of: space, from: 0, through: view.size - 1)
  }

  /// Shows a region of `space` that was changed, and opens its lines if it can be written.
  func remap(_ region: Region, of space: AddressSpace) throws(MemoryError) {
    try view.remap(region, of: space)
    guard region.base < view.size else { return }
    let first = region.base.alignedDown(to: UInt64(pageSize))
    let last = min(region.last, view.size - 1) | UInt64(pageSize - 1)
    set(first, through: last, isOpen: false)
    openWritable(of: space, from: first, through: last)
  }

  /// Opens the lines of a writable page of memory, but for those whose bits are set in `closed`; bit 0 is the first line's.
  func set(page: UInt64, closed: UInt64) {
    guard view.covers(page, count: UInt64(pageSize)) else { return }
    let first = Int(page >> StoreGuide.lineShift)
    for line in 0..<pageSize >> Int(StoreGuide.lineShift) {
      unsafe lines.storeBytes(of: closed >> UInt64(line) & 1 == 0 ? 1 : 0, toByteOffset: first + line, as: UInt8.self)
    }
  }

  /// Closes the lines of `first...last` and those that answer for some of it.
  func close(_ first: UInt64, through last: UInt64) {
    guard first < view.size, first <= last else { return }
    set(first &- min(first, StoreGuide.overrun), through: min(last, view.size - 1), isOpen: false)
  }

  /// Whether stores that start in the line at `address` go unseen.
  func isOpen(_ address: UInt64) -> Bool {
    guard address < view.size else { return false }
    return unsafe lines.load(fromByteOffset: Int(address >> StoreGuide.lineShift), as: UInt8.self) != 0
  }

  private func openWritable(of space: AddressSpace, from first: UInt64, through last: UInt64) {
    let page = UInt64(pageSize)
    for stretch in space.layout where stretch.first <= last && first <= stretch.last {
      let start = max(first, stretch.first.alignedUp(to: page))
      let (end, overflows) = min(last, stretch.last).addingReportingOverflow(1)
      guard !overflows, start < end.alignedDown(to: page), space.directPage(at: start)?.isWritable == true else {
        continue
      }
      set(start, through: end.alignedDown(to: page) - 1, isOpen: true)
    }
  }

  private func set(_ first: UInt64, through last: UInt64, isOpen: Bool) {
    let start = Int(first >> StoreGuide.lineShift)
    let count = Int(last >> StoreGuide.lineShift) - start + 1
    unsafe (lines + start).initializeMemory(as: UInt8.self, repeating: isOpen ? 1 : 0, count: count)
  }
}
