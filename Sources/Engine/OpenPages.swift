// Owns pages that hold code and much-written data side by side.
//
// A page with translated code is write-protected, and every store to it is checked against the exact ranges of the code.
// Where nearly all of them hit data (`.data` in the page of `.text`), each would cost a fault, 2 µs. On guests whose
// architecture asks for a fence between writing code and executing it, such a page is opened: stores to it are not seen
// any more; instead the fence compares the code of its blocks with what they were translated from.

import Bus
import GuestKit

/// The open pages, and the pages on the way there.
struct OpenPages {
  /// What a block was translated from.
  struct Original {
    var block: BlockID
    var bytes: [UInt8]
  }

  /// Blocks of open pages, by page.
  private(set) var originals: [UInt64: [Original]] = [:]
  /// Stores beside the code of a page since it last changed.
  private var harmless: [UInt64: Int] = [:]
  /// How often a page was closed again; each time it takes twice as many stores to open it.
  private var closings: [UInt64: Int] = [:]

  /// Harmless stores that open a page.
  private static var threshold: Int { 256 }

  var isEmpty: Bool { originals.isEmpty }

  func contains(_ page: UInt64) -> Bool { !originals.isEmpty && originals[page] != nil }

  /// Notes a store that hit no code.
  /// - Returns: whether the page should be opened.
  mutating func noteHarmless(_ page: UInt64) -> Bool {
    harmless[page, default: 0] += 1
    return harmless[page, default: 0] >= Self.threshold << min(closings[page] ?? 0, 20)
  }

  mutating func open(_ page: UInt64, _ blocks: [Original]) { originals[page] = blocks }

  mutating func add(_ original: Original, to page: UInt64) { originals[page]?.append(original) }

  mutating func close(_ page: UInt64) {
    originals[page] = nil
    harmless[page] = nil
    closings[page, default: 0] += 1
  }

  /// Forgets the blocks; the pages are closed, but nothing speaks against opening them again.
  mutating func removeAll() {
    originals.removeAll()
    harmless.removeAll()
  }
}

extension Engine {
  /// A store hit `page`, which holds code, but none of it.
  func noteStoreBesideCode(_ page: UInt64) {
    guard guest.fencesCode, !openPages.contains(page), straddlers[page] == nil, openPages.noteHarmless(page) else {
      return
    }
    openPages.open(page, store.overlapping(page..<page + 0x1000).compactMap(original))
    protect(page)
  }

  /// Remembers what `id`, a block in an open page, was translated from.
  func noteOpenBlock(_ id: BlockID, _ page: UInt64) {
    if let original = original(id) { openPages.add(original, to: page) }
  }

  private func original(_ id: BlockID) -> OpenPages.Original? {
    let range = store[id].physicalRange
    return (try? space.copyOut(at: range.lowerBound, count: range.count)).map { .init(block: id, bytes: $0) }
  }

  /// The guest's fence between writing code and executing it: finds blocks whose code has changed unseen.
  func fenceCode() {
    guard !openPages.isEmpty else { return }
    for (page, originals) in openPages.originals {
      var hasChanged = false
      for original in originals where store[original.block].isValid {
        let range = store[original.block].physicalRange
        if (try? space.copyOut(at: range.lowerBound, count: range.count)) != original.bytes {
          invalidate(original.block)
          hasChanged = true
        }
      }
      if hasChanged {
        openPages.close(page)
        protect(page)
        denyWritesByTLB(page)
      }
    }
  }
}
