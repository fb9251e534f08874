// Owns FreeRTOS's lists (include/list.h): how their structures are laid out in the configuration at hand, and the walk
// along one.

import Bits

/// Offsets in `List_t` and `ListItem_t`, in bytes.
struct FreeRTOSListLayout {
  /// Of `List_t`.
  let size: Int
  let itemSize: Int
  private let count: Int
  private let end: Int
  private let value: Int
  private let next: Int
  private let previous: Int
  private let owner: Int
  let container: Int
  private let tick: Int
  /// `configUSE_LIST_DATA_INTEGRITY_CHECK_BYTES`: where the words are that never change.
  private let checks: [Int]

  /// - Parameters:
  ///   - tick: bytes of `TickType_t`.
  ///   - isShort: the list's end lacks owner and container (`configUSE_MINI_LIST_ITEM`).
  private init(word: Int, tick: Int, isChecked: Bool, isShort: Bool) {
    var item = StructureLayout()
    if isChecked { _ = item.add(tick) }
    value = item.add(tick)
    next = item.add(word)
    previous = item.add(word)
    let short = item.padded
    owner = item.add(word)
    container = item.add(word)
    if isChecked { _ = item.add(tick) }
    itemSize = item.padded
    var list = StructureLayout()
    var checks = isChecked ? [list.add(tick)] : []
    count = list.add(word)
    _ = list.add(word)
    end = list.add(isShort ? short : itemSize, alignment: word)
    if isChecked { checks += [end, list.add(tick)] }
    size = list.padded
    self.tick = tick
    self.checks = checks
  }

  /// The layout that the initialised list at `address` has.
  /// - Parameters:
  ///   - size: of `List_t`, if known.
  ///   - second: another list, `size` bytes behind.
  static func found(at address: UInt64, size: UInt64, _ reader: KernelReader) -> FreeRTOSListLayout? {
    let word = reader.wordSize
    for tick in [word, 4, 8, 2] {
      for (isChecked, isShort) in [(false, true), (false, false), (true, true), (true, false)] {
        let layout = FreeRTOSListLayout(word: word, tick: tick, isChecked: isChecked, isShort: isShort)
        guard size == 0 || layout.size == Int(clamping: size), layout.isList(address, reader) else { continue }
        if size != 0 || layout.isList(address &+ UInt64(layout.size), reader) { return layout }
      }
    }
    return nil
  }

  /// Whether an initialised list is at `address`.
  func isList(_ address: UInt64, _ reader: KernelReader) -> Bool {
    let end = address &+ UInt64(end)
    do throws(KernelError) {
      for check in checks {
        let word = try reader.number(address &+ UInt64(check), size: tick)
        guard word == 0x5A5A_5A5A_5A5A_5A5A & .mask(8 * tick) else { return false }
      }
      let next = try reader.word(end &+ UInt64(next))
      let back = try reader.word(next &+ UInt64(previous))
      let isEmpty = try reader.word(address &+ UInt64(count)) == 0
      let last = try reader.number(end &+ UInt64(value), size: tick)
      return last == .mask(8 * tick) && back == end && isEmpty == (next == end)
    } catch { return false }
  }

  /// An item that is on a list, and what it belongs to.
  typealias Entry = (item: UInt64, owner: UInt64)

  /// What is on a list; with `problem` only up to where it breaks off.
  func entries(of list: UInt64, _ reader: KernelReader) -> (entries: [Entry], problem: KernelError?) {
    let end = list &+ UInt64(end)
    var entries: [Entry] = []
    var seen: Set<UInt64> = []
    do throws(KernelError) {
      let count = try reader.word(list &+ UInt64(count))
      guard count <= UInt64(KernelReader.mostTasks) else { throw KernelError("it would have \(count) entries") }
      var item = try reader.word(end &+ UInt64(next))
      while item != end {
        guard seen.insert(item).inserted, entries.count < Int(count) else {
          throw KernelError("it goes round in a circle")
        }
        guard try reader.word(item &+ UInt64(container)) == list else {
          throw KernelError("its entry at \(item.hex0x()) belongs to another list")
        }
        entries.append((item, try reader.word(item &+ UInt64(owner))))
        item = try reader.word(item &+ UInt64(next))
      }
      guard entries.count == Int(count) else { throw KernelError("it has \(entries.count) entries, not \(count)") }
      return (entries, nil)
    } catch { return (entries, error) }
  }
}

/// Lays out a C structure: each member at a multiple of its alignment.
struct StructureLayout {
  private var offset = 0
  private var alignment = 1

  /// - Returns: the member's offset.
  mutating func add(_ size: Int, alignment: Int? = nil) -> Int {
    let own = alignment ?? size
    self.alignment = max(self.alignment, own)
    let place = (offset + own - 1) / own * own
    offset = place + size
    return place
  }

  /// Bytes of the whole.
  var padded: Int { (offset + alignment - 1) / alignment * alignment }
}
