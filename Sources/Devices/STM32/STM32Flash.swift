// The flash controller of STM32: unlocking by keys, programming, erasing pages (F1) or sectors (F4, F7).
//
// Sources: PM0075 (F1), RM0090 chapter 3 (F4), RM0385 chapter 3 (F7). Operations take no time, so BSY is never seen.

import Bits
import Bus

public final class STM32FlashController: BankDevice, FlashController {
  public static var compatible: [String] {
    [
      "st,stm32-flash-controller", "st,stm32f1-flash-controller", "st,stm32f4-flash-controller",
      "st,stm32f7-flash-controller",
    ]
  }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// How many of the two keys of KEYR and of OPTKEYR were written; 3 after a wrong one, until the next reset.
    var keys = 0
    var optionKeys = 0
  }

  /// The bits that differ between F1 and the later ones.
  private struct Layout {
    var start, lock: Int
    /// Flags of SR.
    var done, sequenceError: UInt32
    var interruptDone, interruptError: Int
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<STM32FlashController>
  public var unimplemented = UnimplementedLog()
  private let isFirst: Bool
  private let layout: Layout

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    isFirst = STM32Family(context) == .f1
    layout =
      isFirst
      ? Layout(start: 6, lock: 7, done: 1 << 5, sequenceError: 1 << 2, interruptDone: 12, interruptError: 10)
      : Layout(start: 16, lock: 31, done: 1 << 0, sequenceError: 1 << 7, interruptDone: 24, interruptError: 25)
    table = RegisterTable(isFirst ? Self.first : Self.later)
    state = State(bank: RegisterBank(table))
  }

  private static let first: Registers = [
    Register("ACR", 0x00, reset: 0x30), Register("KEYR", 0x04, .writeOnly).onWrite { $0.unlock($1) },
    Register("OPTKEYR", 0x08, .writeOnly).onWrite { $0.unlockOptions($1, [0x4567_0123, 0xCDEF_89AB]) },
    Register("SR", 0x0C, [.field("BSY", 0), .field("PGERR", 2), .field("WRPRTERR", 4), .field("EOP", 5)])
      .onWrite { $0.bank[0x0C] &= ~$1 },
    Register(
      "CR", 0x10, reset: 0x80,
      [
        .field("PG", 0), .field("PER", 1), .field("MER", 2), .unimplemented("OPTPG", 4), .unimplemented("OPTER", 5),
        .field("STRT", 6), .field("LOCK", 7), .field("OPTWRE", 9), .field("ERRIE", 10), .field("EOPIE", 12),
      ]
    )
    .onRead { $0.control.setting(9, to: $0.state.optionKeys == 2) }
    .onWrite { $0.writeControl($1) },
    Register("AR", 0x14), Register("OBR", 0x1C, .readOnly, reset: 0x03FF_FFFC),
    Register("WRPR", 0x20, .readOnly, reset: 0xFFFF_FFFF),
  ]

  private static let later: Registers = [
    Register("ACR", 0x00), Register("KEYR", 0x04, .writeOnly).onWrite { $0.unlock($1) },
    Register("OPTKEYR", 0x08, .writeOnly).onWrite { device, key in
      if device.unlockOptions(key, [0x0819_2A3B, 0x4C5D_6E7F]) { device.bank[0x14] &= ~1 }
    },
    Register(
      "SR", 0x0C,
      [
        .field("EOP", 0), .field("OPERR", 1), .field("WRPERR", 4), .field("PGAERR", 5), .field("PGPERR", 6),
        .field("PGSERR", 7), .field("BSY", 16),
      ]
    ).onWrite { $0.bank[0x0C] &= ~$1 },
    Register(
      "CR", 0x10, reset: 0x8000_0000,
      [
        .field("PG", 0), .field("SER", 1), .field("MER", 2), .field("SNB", 3..<8), .field("PSIZE", 8..<10),
        .field("STRT", 16), .field("EOPIE", 24), .field("ERRIE", 25), .field("LOCK", 31),
      ]
    ).onWrite { $0.writeControl($1) },
    Register("OPTCR", 0x14, reset: 0x0FFF_AAED).onWrite { $0.writeOptions($1) },
    Register("OPTCR1", 0x18, reset: 0x0040_0080),
  ]

  // MARK: Registers

  private var control: UInt32 { bank[0x10] }

  public func performWrite(_ write: () -> Void) {
    write()
    updateInterrupt()
  }

  private func unlock(_ key: UInt32) {
    guard Self.take(key, &state.keys, [0x4567_0123, 0xCDEF_89AB]) else { return }
    bank[0x10] = control.setting(layout.lock, to: false)
  }

  @discardableResult
  private func unlockOptions(_ key: UInt32, _ keys: [UInt32]) -> Bool { Self.take(key, &state.optionKeys, keys) }

  /// OPTLOCK is bit 0, OPTSTRT bit 1.
  private func writeOptions(_ value: UInt32) {
    guard !bank[0x14].has(0) else { return }
    if value.has(1) { unimplemented.once("option bytes are kept, but have no effect", context) }
    bank[0x14] = value & ~2
    if value.has(0) { state.optionKeys = 0 }
  }

  /// One more key; whether both have come in order. A wrong one locks until the next reset.
  private static func take(_ value: UInt32, _ count: inout Int, _ keys: [UInt32]) -> Bool {
    guard count < 2 else { return false }
    count = value == keys[count] ? count + 1 : 3
    return count == 2
  }

  private func writeControl(_ value: UInt32) {
    guard !control.has(layout.lock) else { return }
    bank[0x10] = value & ~(1 << UInt32(layout.start))
    if value.has(layout.lock) {
      bank[0x10] = bank[0x10].setting(layout.lock, to: true)
      state.keys = 0
    }
    if value.has(layout.start) { erase(value) }
  }

  private func erase(_ value: UInt32) {
    guard let flash else { return context.log(.guestError, "an erase, but the board has no flash memory") }
    if value.has(2) {
      flash.eraseAll()
    } else if value.has(1) {
      let isThere = isFirst ? flash.erase(at: UInt64(bank[0x14])) : flash.erase(sector: Int(value.field(3, 5)))
      guard isThere else {
        bank[0x0C] |= layout.sequenceError
        return context.log(.guestError, "an erase of a page or sector that does not exist")
      }
    } else {
      return bank[0x0C] |= layout.sequenceError
    }
    finish()
  }

  private var flash: FlashMemory? {
    context.directory.all.lazy.compactMap { $0 as? FlashMemory }.first { $0.controller === self }
  }

  /// EOP comes only with its interrupt, except on F1, where it always does.
  private func finish() {
    if isFirst || control.has(layout.interruptDone) { bank[0x0C] |= layout.done }
  }

  /// F1 knows half-words only, any other store is a bus error (PM0075, 2.3.3).
  func refuses(size: Int) -> Bool { isFirst && size != 2 }

  func permits(_ store: FlashStore) -> Bool {
    defer { updateInterrupt() }
    guard !control.has(layout.lock), control.has(0) else {
      // F1 has no flag for a store while PG is clear.
      if !isFirst { bank[0x0C] |= layout.sequenceError }
      return false
    }
    let error = isFirst ? errorOfFirst(store) : errorOfLater(store)
    guard error == 0 else {
      bank[0x0C] |= error
      return false
    }
    finish()
    return true
  }

  /// PGERR: where the flash is not erased only 0 may be programmed.
  private func errorOfFirst(_ store: FlashStore) -> UInt32 {
    store.old == 0xFFFF || store.value == 0 ? 0 : layout.sequenceError
  }

  /// PGPERR where the size is not that of PSIZE, whose double words come as two words, PGAERR where the store does not lie
  /// within a row of 128 bits; OPERR besides, if errors interrupt.
  private func errorOfLater(_ store: FlashStore) -> UInt32 {
    let sizes: [[Int]] = [[1], [2], [4], [4, 8]]
    var error: UInt32 = sizes[Int(control.field(8, 2))].contains(store.size) ? 0 : 1 << 6
    if store.offset % 16 + UInt64(store.size) > 16 { error |= 1 << 5 }
    return error != 0 && control.has(layout.interruptError) ? error | 1 << 1 : error
  }

  private func updateInterrupt() {
    let flags = bank[0x0C]
    let isDone = control.has(layout.interruptDone) && flags & layout.done != 0
    let hasFailed = control.has(layout.interruptError) && flags & ~layout.done != 0
    context.interrupts.first?.line.set(isDone || hasFailed)
  }

  public func reset(_ cause: ResetCause) {
    state = State(bank: RegisterBank(table))
    updateInterrupt()
  }
}
