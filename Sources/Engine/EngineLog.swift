// Owns the log that `-d` selects from: which items are on, and where lines go.

import GuestKit

/// The log of what the translator and the guests do. Lines of items that are off cost a test of a bit.
public final class EngineLog {
  private var mask: UInt32 = 0
  private var repeated: Set<String> = []
  /// Receives each line, without a newline.
  public var sink: (LogItem, String) -> Void = { _, _ in }
  /// Where code is whose translation and entries are shown; everywhere if there are none.
  public var ranges: [ClosedRange<UInt64>] = []
  /// Called when other items are on than before.
  var itemsChanged: () -> Void = {}

  public init() {}

  public var items: [LogItem] {
    get { LogItem.allCases.filter(isOn) }
    set {
      mask = newValue.reduce(0) { $0 | Self.bit($1) }
      showsEntries = isOn(.exec)
      showsTranslation = [.inAsm, .op, .opOpt, .outAsm].contains(where: isOn)
      itemsChanged()
    }
  }

  /// Whether each entry into a block is shown.
  private(set) var showsEntries = false

  /// Whether an item is on that shows what is translated.
  private(set) var showsTranslation = false

  private static func bit(_ item: LogItem) -> UInt32 {
    1 << UInt32(LogItem.allCases.firstIndex(of: item) ?? 0)
  }

  public func isOn(_ item: LogItem) -> Bool { mask != 0 && mask & Self.bit(item) != 0 }

  /// Whether what happens to the code at `pc` is shown.
  func covers(_ pc: UInt64) -> Bool { ranges.isEmpty || ranges.contains { $0.contains(pc) } }

  public func write(_ item: LogItem, _ message: @autoclosure () -> String) {
    if isOn(item) { sink(item, message()) }
  }

  /// Writes a message the first time it comes.
  public func writeOnce(_ item: LogItem, _ message: @autoclosure () -> String) {
    guard isOn(item) else { return }
    let text = message()
    if repeated.insert(text).inserted { sink(item, text) }
  }
}
