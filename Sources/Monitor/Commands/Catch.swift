// Owns vector catch and the masking of interrupts in single steps, in words of our own and in OpenOCD's.

import Engine
import Machine

extension Command {
  static let catchVectors = Command(
    "catch", aliases: ["vector_catch"], [.text("all|none|EXCEPTION").many.optional], .breaks,
    "Stop as the handlers of these exceptions begin; without words, show which.",
    .look { context throws(MonitorError) in try setCatches(context) })

  static let maskInterrupts = Command(
    "maskisr", [.words("STATE", "on", "off").optional], .run, "Whether single steps leave interrupts pending.",
    .look { context throws(MonitorError) in try setMask(context) })

  /// `cortex_m vector_catch …` and `cortex_m maskisr …`, as scripts for OpenOCD have them.
  static let cortexCatch = Command(
    "cortex_m vector_catch", [.text("all|none|EXCEPTION").many.optional], .breaks, "The same as 'catch'.",
    .look { context throws(MonitorError) in try setCatches(context) })

  static let cortexMask = Command(
    "cortex_m maskisr", [.words("STATE", "auto", "on", "off", "steponly").optional], .run,
    "The same as 'maskisr'; auto and steponly are on.",
    .look { context throws(MonitorError) in try setMask(context) })

  private static func setCatches(_ context: Context) throws(MonitorError) -> Listing {
    let words = context.arguments.all("all|none|EXCEPTION")
    let machine = context.machine
    let known = machine.catchWords
    guard !known.isEmpty else { throw .refused("this guest has no vector catch; use 'break' at the handler") }
    switch words {
    case []: break
    case ["all"]: machine.setCatches(known)
    case ["none"]: machine.setCatches([])
    default:
      if let word = words.first(where: { !known.contains($0) }) {
        throw .refused("no exception is called '\(word)'; there are: all, none, \(known.joined(separator: ", "))")
      }
      machine.setCatches(words)
    }
    let caught = machine.catches
    return .table(
      [.left("exception"), .left("state")], known.map { [.text($0), .text(caught.contains($0) ? "catch" : "ignore")] })
  }

  private static func setMask(_ context: Context) throws(MonitorError) -> Listing {
    let debug = context.machine.engine.debug
    if let state = context.arguments["STATE"] { debug.masksInterruptsInSteps = state != "off" }
    return .fields([
      NamedValue("interrupts in single steps", .text(debug.masksInterruptsInSteps ? "stay pending" : "are taken"))
    ])
  }
}
