// Solomon Systech's SSD0323, the controller of an OLED display of 128 columns in 16 greys, written to over SPI.
//
// Source: SSD0323 data sheet (Solomon Systech), command table. `dc-gpios` is the pin that tells data from
// commands, `height` the rows of the display (64 unless given); `solomon,com-invdir` and `solomon,com-offset` say in which
// direction, and from which row of the memory on, the display's rows are wired to the controller.

import Bus

public final class SSD0323: SPIPeripheral {
  public static var compatible: [String] { ["solomon,ssd0323"] }

  public struct State: Codable, Sendable, Equatable {
    var isSelected = false
    /// Two pixels a byte, 64 bytes a row.
    var memory = [UInt8](repeating: 0, count: SSD0323.rows * SSD0323.columns)
    /// The command that is being sent, and what has come of its arguments.
    var command: [UInt8] = []
    /// The window that data goes into, and where the next byte goes. Columns are of two pixels.
    var firstColumn = 0
    var lastColumn = SSD0323.columns - 1
    var firstRow = 0
    var lastRow = SSD0323.rows - 1
    var column = 0
    var row = 0
    /// The argument of 0xA0.
    var remap: UInt8 = 0
    var startLine = 0
    var offset = 0
    /// 0xA4 to 0xA7: normal, all on, all off, inverse.
    var mode: UInt8 = 0xA4
    var isOn = false
  }

  static let columns = 64
  static let rows = 80

  /// Bits of the argument of 0xA0.
  private enum Remap {
    static let column: UInt8 = 0x01
    static let nibble: UInt8 = 0x02
    static let vertical: UInt8 = 0x04
    static let common: UInt8 = 0x10
  }

  public let context: DeviceContext
  public var state = State()
  public let regions: [AddressRange] = []
  private let height: Int
  private let wiredOffset: Int
  private let isWiredUpwards: Bool
  private lazy var isData = Pin.list("dc-gpios", of: context).first ?? nil
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    let rows = context.node.u32("height") ?? 64
    guard (1...UInt32(Self.rows)).contains(rows) else {
      throw .badProperty(device: context.node.name, property: "height", reason: "not 1 to \(Self.rows) rows")
    }
    height = Int(rows)
    wiredOffset = Int(context.node.u32("solomon,com-offset") ?? 0) % Self.rows
    isWiredUpwards = context.node.has("solomon,com-invdir")
  }

  // MARK: The bus

  public var isSelected: Bool { state.isSelected }

  public func select(_ isSelected: Bool) { state.isSelected = isSelected }

  public func exchange(_ byte: UInt8) -> UInt8 {
    if isData?.isActive ?? true { write(byte) } else { take(byte) }
    return 0xFF
  }

  /// A byte of data: two pixels.
  private func write(_ byte: UInt8) {
    state.memory[state.row * Self.columns + state.column] = byte
    if state.remap & Remap.vertical != 0 {
      if advance(&state.row, state.firstRow, state.lastRow, Self.rows) {
        _ = advance(&state.column, state.firstColumn, state.lastColumn, Self.columns)
      }
    } else if advance(&state.column, state.firstColumn, state.lastColumn, Self.columns) {
      _ = advance(&state.row, state.firstRow, state.lastRow, Self.rows)
    }
  }

  /// The next position of a window; returns whether it is at the start again.
  private func advance(_ position: inout Int, _ first: Int, _ last: Int, _ count: Int) -> Bool {
    position = position == last ? first : (position + 1) % count
    return position == first
  }

  /// A byte of a command.
  private func take(_ byte: UInt8) {
    state.command.append(byte)
    guard let count = Self.argumentCount(state.command[0]) else {
      unimplemented.once("command \(UInt64(state.command[0]).hex0x(digits: 2)) is not implemented", context)
      return state.command = []
    }
    guard state.command.count > count else { return }
    carryOut(state.command[0], state.command.dropFirst().map(Int.init))
    state.command = []
  }

  /// Nil for commands that are not known.
  private static func argumentCount(_ command: UInt8) -> Int? {
    switch command {
    case 0x15, 0x75: 2
    case 0x81, 0xA0...0xA2, 0xA8, 0xAD, 0xB0...0xB4, 0xBC, 0xBE, 0xBF: 1
    case 0x84...0x86, 0xA4...0xA7, 0xAE, 0xAF, 0xE3: 0
    case 0xB8: 8
    default: nil
    }
  }

  private func carryOut(_ command: UInt8, _ arguments: [Int]) {
    switch command {
    case 0x15:
      (state.firstColumn, state.lastColumn) = (arguments[0] % Self.columns, arguments[1] % Self.columns)
      state.column = state.firstColumn
    case 0x75:
      (state.firstRow, state.lastRow) = (arguments[0] % Self.rows, arguments[1] % Self.rows)
      state.row = state.firstRow
    case 0xA0: state.remap = UInt8(truncatingIfNeeded: arguments[0])
    case 0xA1: state.startLine = arguments[0] % Self.rows
    case 0xA2: state.offset = arguments[0] % Self.rows
    case 0xA4...0xA7: state.mode = command
    case 0xAE, 0xAF: state.isOn = command == 0xAF
    // Currents, times and voltages, by which no pixel is told from another.
    default: break
    }
  }

  // MARK: The picture

  /// What the display shows: rows from the top, of 128 greys from 0 to 15 each.
  public var picture: [[UInt8]] {
    (0..<height).map { line in
      let isUpwards = (state.remap & Remap.common != 0) != isWiredUpwards
      let position = (isUpwards ? height - 1 - line : line) + state.startLine + state.offset
      let row = (position + Self.rows - wiredOffset) % Self.rows
      return (0..<2 * Self.columns).map { grey(row, $0) }
    }
  }

  private func grey(_ row: Int, _ x: Int) -> UInt8 {
    guard state.isOn else { return 0 }
    let column = state.remap & Remap.column == 0 ? x / 2 : Self.columns - 1 - x / 2
    let byte = state.memory[row * Self.columns + column]
    let stored = (x % 2 == 0) == (state.remap & Remap.nibble != 0) ? byte >> 4 : byte & 15
    return switch state.mode {
    case 0xA5: 15
    case 0xA6: 0
    case 0xA7: 15 - stored
    default: stored
    }
  }

  /// Two rows of the display a line; lit is what is more than half as bright as the brightest pixel.
  public var view: [String] {
    let picture = picture
    let half = (picture.joined().max() ?? 0) / 2
    guard half > 0 || picture.joined().contains(where: { $0 > 0 }) else {
      return ["display \(2 * Self.columns)x\(height): \(state.isOn ? "nothing is lit" : "off")"]
    }
    return stride(from: 0, to: height, by: 2).map { line in
      let lower = line + 1 < height ? picture[line + 1] : Array(repeating: 0, count: 2 * Self.columns)
      return zip(picture[line], lower).map { pair in
        pair.0 > half ? (pair.1 > half ? "█" : "▀") : pair.1 > half ? "▄" : " "
      }.joined()
    }
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {}
  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? { nil }

  /// The board's reset is the display's; its memory keeps what it holds.
  public func reset(_ cause: ResetCause) { state = State(isSelected: state.isSelected, memory: state.memory) }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    let restored = try decodeSnapshot(State.self, from: bytes)
    let columns = [restored.firstColumn, restored.lastColumn, restored.column]
    let rows = [restored.firstRow, restored.lastRow, restored.row]
    guard restored.memory.count == Self.rows * Self.columns, columns.allSatisfy((0..<Self.columns).contains),
      rows.allSatisfy((0..<Self.rows).contains)
    else { throw .malformed(type: "SSD0323.State", offset: 0) }
    state = restored
  }
}
