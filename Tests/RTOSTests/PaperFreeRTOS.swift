// Owns a FreeRTOS on paper, in the configurations that change its structures.

import Bits

struct PaperFreeRTOS {
  struct Options: CustomStringConvertible {
    var architecture = "armv7-m"
    var word = 4
    var tick = 4
    var hasChecks = false
    var hasShortEnds = true
    /// Symbols have sizes: they are from an ELF file, not from GDB.
    var hasSizes = true
    /// Bytes in the control block in front of the list items (MPU settings).
    var extra = 0
    var byteOrder = Endianness.little
    var description: String {
      "\(architecture) tick \(tick) checks \(hasChecks) short \(hasShortEnds) sizes \(hasSizes) extra \(extra) \(byteOrder)"
    }
  }

  let guest: PaperGuest
  private let options: Options
  private let word: Int
  private let itemSize: Int
  private let endSize: Int
  private let listSize: Int
  private let linkOffset: Int
  private let endOffset: Int
  private(set) var blocks: [String: UInt64] = [:]
  static let priorities = 5
  private static let names = [
    "xDelayedTaskList1", "xDelayedTaskList2", "xSuspendedTaskList", "xTasksWaitingTermination", "xPendingReadyList",
  ]

  /// Two tasks are ready, of which `one` runs; `two` is delayed, `three` waits without limit, `four` is suspended, `five`
  /// is about to be deleted.
  init(_ options: Options = Options()) {
    self.options = options
    word = options.word
    guest = PaperGuest(options.architecture, pointerSize: word, byteOrder: options.byteOrder)
    func up(_ value: Int, _ to: Int) -> Int { (value + to - 1) / to * to }
    let check = options.hasChecks ? options.tick : 0
    linkOffset = up(check + options.tick, word)
    let unit = max(word, options.tick)
    itemSize = up(linkOffset + 4 * word + check, unit)
    endSize = options.hasShortEnds ? up(linkOffset + 2 * word, unit) : itemSize
    endOffset = up(check, word) + 2 * word
    listSize = up(up(endOffset, unit) + endSize + check, unit)
    let ready = guest.place(listSize * Self.priorities, symbol: "pxReadyTasksLists", hasSize: options.hasSizes)
    for priority in 0..<Self.priorities { makeList(ready + UInt64(priority * listSize)) }
    for name in Self.names { makeList(guest.place(listSize, symbol: name, hasSize: options.hasSizes)) }
    let current = guest.place(word, symbol: "pxCurrentTCB", hasSize: options.hasSizes)
    addTask("one", 2, list: ready + UInt64(2 * listSize))
    addTask("idle", 0, list: ready)
    addTask("two", 2, list: address("xDelayedTaskList1"))
    addTask("three", 3, list: address("xSuspendedTaskList"), waitsFor: address("xPendingReadyList"))
    addTask("four", 4, list: address("xSuspendedTaskList"))
    addTask("five", 1, list: address("xTasksWaitingTermination"))
    guest.put(blocks["one"] ?? 0, current)
    guest.put(6, guest.place(word, symbol: "uxCurrentNumberOfTasks"))
    guest.put(1, guest.place(word, symbol: "xSchedulerRunning"))
  }

  private func address(_ symbol: String) -> UInt64 { guest.symbols[symbol]?.address ?? 0 }
  private func end(_ list: UInt64) -> UInt64 {
    list + UInt64((endOffset + max(word, options.tick) - 1) / max(word, options.tick) * max(word, options.tick))
  }

  private func putCheck(_ address: UInt64) {
    if options.hasChecks { guest.put(0x5A5A_5A5A_5A5A_5A5A, address, size: options.tick) }
  }

  private func makeList(_ list: UInt64) {
    let end = end(list)
    putCheck(list)
    putCheck(end)
    guest.put(end, list + UInt64(endOffset - word))
    guest.put(.max, end + UInt64(options.hasChecks ? options.tick : 0), size: options.tick)
    guest.put(end, end + UInt64(linkOffset))
    guest.put(end, end + UInt64(linkOffset + word))
    putCheck(end + UInt64(endSize))
  }

  private mutating func addTask(_ name: String, _ priority: UInt64, list: UInt64, waitsFor: UInt64 = 0) {
    let stackSize: UInt64 = 0x400
    // heap_4's block in front of the stack.
    let heap = guest.place(2 * word + Int(stackSize) + 16)
    let stack = (heap + UInt64(2 * word)).alignedUp(to: 8)
    guest.put(0, stack - UInt64(2 * word))
    guest.put(stackSize + UInt64(2 * word) | 1 << UInt64(8 * word - 1), stack - UInt64(word))
    guest.fill(0xA5, stack, stackSize)
    let top = stack + stackSize - 0x180
    let block = guest.place(word + options.extra + 2 * itemSize + 2 * word + 32)
    blocks[name] = block
    guest.put(top, block)
    let item = block + UInt64(max(word, options.extra + word)).alignedUp(to: UInt64(max(word, options.tick)))
    let fields = item + UInt64(2 * itemSize)
    putCheck(item)
    let container = item + UInt64(linkOffset + 3 * word)
    guest.put(block, container - UInt64(word))
    guest.put(list, container)
    guest.put(block, container - UInt64(word) + UInt64(itemSize))
    guest.put(waitsFor, container + UInt64(itemSize))
    guest.put(priority, fields)
    guest.put(stack, fields + UInt64(word))
    guest.put(name, fields + UInt64(2 * word))
    link(item, list)
    putFrame(top)
  }

  /// At the end of the list.
  private func link(_ item: UInt64, _ list: UInt64) {
    let end = end(list)
    let count = list + UInt64(endOffset - 2 * word)
    let last = number(end + UInt64(linkOffset + word))
    guest.put(number(count) + 1, count)
    guest.put(item, last + UInt64(linkOffset))
    guest.put(last, item + UInt64(linkOffset + word))
    guest.put(end, item + UInt64(linkOffset))
    guest.put(item, end + UInt64(linkOffset + word))
  }

  private func number(_ address: UInt64) -> UInt64 { guest.byteOrder.number(guest.read(address, word)) }

  private func putFrame(_ top: UInt64) {
    if options.architecture.hasPrefix("armv") {
      for number in 4...11 { guest.put(UInt64(number), top + UInt64(4 * (number - 4)), size: 4) }
      guest.putException(at: top + 32, pc: 0x2000_0100)
    } else {
      guest.put(0x2000_0100, top)
      guest.put(word == 8 ? 0xA_0000_1880 : 0x1880, top + UInt64(word))
      for (index, number) in ([1] + Array(5...31)).enumerated() {
        guest.put(UInt64(number) << 4, top + UInt64((2 + index) * word))
      }
    }
  }
}
