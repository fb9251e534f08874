// Owns what guided stores look at, where code and much-written data lie side by side in a page.
//
// A page with translated code is write-protected, and what is stored to it is compared with the exact ranges of the code: a
// store is seen by the very next instruction, so that a run is the same however its code is cut into blocks. Where nearly
// all stores hit data (`.data` in the page of `.text`), each would cost a slow access. So instructions that keep storing
// beside code are compiled anew as guided stores, which look for code in their line themselves (`StoreGuide`). In modes with
// page tables, without compiled code, and in lines with code they take the slow path, the short way (`QuickAccess.swift`).

import Bits
import Bus
import GuestKit
import HostKit
import IR

/// The lines of memory that guided stores may store to. There is a guide once a store is guided.
final class StoreGuides {
  private let space: FlatMap
  private let code: CodeStore
  private let debug: DebugPoints
  private let map = RawCell<GuideMap?>(nil)

  init(_ space: FlatMap, _ code: CodeStore, _ debug: DebugPoints) {
    self.space = space
    self.code = code
    self.debug = debug
  }

  /// Host addresses of the guide, and of one in which no line is open; nil until there is one.
  @inline(__always)
  var bases: (open: UInt, closed: UInt)? { map.value.map { ($0.base, $0.closedBase) } }

  /// Makes the guide.
  /// - Returns: whether there was none before.
  func open() throws(MemoryError) -> Bool {
    guard map.value == nil else { return false }
    map.value = try GuideMap(space)
    return true
  }

  /// Shows a region that was changed.
  func remap(_ region: Region) throws(MemoryError) { try map.value?.remap(region, of: space) }

  /// Learns the lines of a page, where they are not known yet.
  func learn(_ page: UInt64) {
    guard let map = map.value, !map.knows(page: page) else { return }
    setLines(ofPage: page, map)
  }

  /// Sees to it that what is known of a page's lines is so, wherever the memory appears.
  func update(_ page: UInt64) {
    guard let map = map.value else { return }
    for page in [page] + space.aliases(of: page, count: 0x1000).map({ $0.address & ~0xFFF }) {
      if map.knows(page: page) { setLines(ofPage: page, map) }
      // The last lines of the page before answer for the first bytes.
      if page >= 0x1000, map.knows(page: page - 0x1000) { setLines(ofPage: page - 0x1000, map) }
    }
  }

  /// Opens the lines of a page that have no code in them or in the bytes that they answer for, and closes the others.
  private func setLines(ofPage page: UInt64, _ map: GuideMap) {
    let aliases = space.aliases(of: page, count: 0x1000)
    guard space.directPage(at: page)?.isWritable == true, !debug.watchesPage(page),
      aliases.allSatisfy({ $0.address & 0xFFF == 0 })
    else { return map.set(page: page, isOpen: false) }
    map.set(page: page, isOpen: true)
    for shown in [page] + aliases.map(\.address) {
      if code.straddlers[shown] != nil { map.close(page, through: page + 15) }
      code.blocks.forEachBlock(inPage: shown) { block in
        let range = block.physicalRange
        let first = range.lowerBound > shown ? range.lowerBound - shown : 0
        let last = min(range.upperBound &- 1 &- shown, 0xFFF)
        map.close(page + first, through: page + last)
      }
    }
    let next = page &+ 0x1000
    let isBeforeCode =
      code.straddlers[next] != nil || debug.watchesPage(next)
      || !code.blocks.overlapping(next..<next &+ StoreGuide.overrun).isEmpty
    if isBeforeCode { map.close(next, through: next) }
  }

  /// Sees to it that guided stores to new code in a page that had some are noticed.
  func close(_ range: Range<UInt64>) {
    guard let map = map.value else { return }
    map.close(range.lowerBound, through: range.upperBound &- 1)
    for alias in space.aliases(of: range.lowerBound, count: range.count) {
      map.close(alias.address, through: alias.address &+ UInt64(alias.count - 1))
    }
  }
}
