// Owns `backtrace`: the calls and exceptions that led to where a hart stands.

import Bits
import DWARF
import Machine

extension Command {
  static let backtrace = Command(
    "backtrace", aliases: ["bt", "where"], [.count.optional], .look,
    "The calls that led here, COUNT of them at most, and how each was found.",
    .look { context throws(MonitorError) in
      let limit = min(context.arguments.count(else: Context.mostFrames), 100 * Context.mostFrames)
      let trace = try context.unwinder().backtrace(limit: limit)
      return context.listing(trace.frames, end: trace.end)
    })
}

extension Context {
  /// Frames of a backtrace that nobody has limited.
  static var mostFrames: Int { 1000 }

  func unwinder() throws(MonitorError) -> Unwinder {
    guard let unwinder = Unwinder(machine, vcpu) else {
      throw .refused("nothing is known of the stack frames of \(machine.guest.architecture)")
    }
    return unwinder
  }

  func listing(_ frames: [StackFrame], end: String?) -> Listing {
    let cells = frames.map { frame in
      (
        number: "#\(frame.number)", pc: memory.addressText(frame.pc), place: memory.place(frame),
        by: frame.method.rawValue
      )
    }
    let width = cells.map(\.number.count).max() ?? 0
    let placeWidth = cells.map(\.place.count).max() ?? 0
    let lines = cells.map { cell in
      padded(cell.number, width) + "  " + cell.pc + "  " + padded(cell.place, placeWidth) + "  by " + cell.by
    }
    let values = frames.map { frame in
      let source = memory.source(frame)
      return Value.object([
        NamedValue("number", .count(frame.number)), NamedValue("pc", memory.address(frame.pc)),
        NamedValue("symbol", memory.symbol(frame.pc)),
        NamedValue("exception", frame.exception.map { .text($0) } ?? .nothing),
        NamedValue("file", source.map { .text($0.file) } ?? .nothing),
        NamedValue("line", source.map { .count($0.line) } ?? .nothing),
        NamedValue("stack", memory.address(frame.stackPointer)), NamedValue("by", .text(frame.method.rawValue)),
      ])
    }
    return .custom(
      lines + (end.map { ["(\($0))"] } ?? []),
      .object([
        NamedValue("frames", .list(values)), NamedValue("end", end.map { .text($0) } ?? .nothing),
      ]))
  }
}

extension StackFrame {
  /// The exception that it is, if it is one.
  var exception: String? { if case .exception(let name) = kind { name } else { nil } }
}

extension DebugMemory {
  /// The source line that a frame has come to.
  func source(_ frame: StackFrame) -> SourceLine? {
    frame.isMarker ? nil : machine.sources.line(at: frame.codeAddress)?.source
  }

  /// `main+0x4 at main.c:12`, `<exception: SysTick>`.
  func place(_ frame: StackFrame) -> String {
    if frame.isMarker { return "<exception: \(frame.exception ?? "")>" }
    let name = machine.symbols.describe(frame.pc)
    let source = source(frame).map { " at " + $0.short } ?? ""
    return (frame.exception.map { "<exception: \($0)> in " } ?? "") + (name ?? "?") + source
  }
}
