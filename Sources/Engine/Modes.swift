// Owns what a vCPU keeps of all the modes it has run in, and which of them it is in.

import Bits
import GuestKit
import IR

/// The contexts of a vCPU's modes. What is asked for at each access is kept in cells.
final class Modes {
  private let list = RawCell([ModeContext]())
  private let currentCell: RawCell<ModeContext>
  private let memoryModeCell: RawCell<MemoryMode>
  private let flagsCell = RawCell(TranslationFlags(0))
  /// One whose jump cache stays empty, for single-stepping.
  let empty: ModeContext

  init(_ guest: any Guest) {
    empty = ModeContext(flags: 0, space: TranslationSpace(), memoryMode: guest.memoryMode(0))
    currentCell = RawCell(empty)
    memoryModeCell = RawCell(empty.memoryMode)
  }

  /// Those run with most often stand in front.
  var all: [ModeContext] {
    @inline(__always)
    _read { yield list.value }
  }

  var current: ModeContext {
    @inline(__always)
    get { currentCell.value }
  }

  /// That of ``current``.
  var memoryMode: MemoryMode {
    @inline(__always)
    get { memoryModeCell.value }
  }

  /// The translation flags, those that follow code included, as of the last look at them.
  var flags: TranslationFlags {
    @inline(__always)
    get { flagsCell.value }
    @inline(__always)
    set { flagsCell.value = newValue }
  }

  /// Makes the mode of flags, without those that follow code, and an address space the current one.
  /// - Returns: whether it was another before.
  func select(_ flags: TranslationFlags, _ space: TranslationSpace, _ guest: any Guest) -> Bool {
    if current.flags == flags, current.space == space, !list.value.isEmpty { return false }
    let mode = context(flags, space, guest)
    currentCell.value = mode
    memoryModeCell.value = mode.memoryMode
    return true
  }

  /// The context of flags and an address space, found or made.
  private func context(_ flags: TranslationFlags, _ space: TranslationSpace, _ guest: any Guest) -> ModeContext {
    for index in list.value.indices {
      let known = list.value[index]
      guard known.flags == flags, known.space == space else { continue }
      // Those in use come to stand in front, but for the first two, which often take turns.
      if index > 1 { list.value.swapAt(index, index - 1) }
      return known
    }
    if list.value.count == Self.limit { list.value.removeLast() }
    let made = ModeContext(flags: flags, space: space, memoryMode: guest.memoryMode(flags))
    list.value.append(made)
    return made
  }

  private static var limit: Int { 64 }
}
