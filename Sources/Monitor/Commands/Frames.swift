// Owns `frame`, `up` and `down`: whose registers commands show.

import Bits
import Engine
import Machine

/// A frame that was chosen, for as long as its hart stands where it stood then.
struct ChosenFrame: Sendable {
  var frame: StackFrame
  var hart: Int
  var pc: UInt64
  var instructions: UInt64

  init(_ frame: StackFrame, of vcpu: VCPU) {
    self.frame = frame
    (hart, pc, instructions) = (vcpu.number, vcpu.state.pc, vcpu.retiredInstructions)
  }

  func isCurrent(_ vcpu: VCPU) -> Bool {
    hart == vcpu.number && pc == vcpu.state.pc && instructions == vcpu.retiredInstructions
  }
}

extension Command {
  static let frame = Command(
    "frame", aliases: ["f"], [.number("NUMBER").optional], .look,
    "Show a frame of 'backtrace', and take registers from there in what follows.",
    .look { context throws(MonitorError) in
      try context.choose(context.arguments.number("NUMBER").map { Int(clamping: $0) } ?? context.chosenNumber)
    })

  static let up = Command(
    "up", [.count.optional], .look, "Choose the frame of the caller, or COUNT frames out.",
    .look { context throws(MonitorError) in
      try context.choose(context.chosenNumber + min(context.arguments.count(else: 1), Context.mostFrames))
    })

  static let down = Command(
    "down", [.count.optional], .look, "Choose the frame that was called, or COUNT frames in.",
    .look { context throws(MonitorError) in
      try context.choose(context.chosenNumber - min(context.arguments.count(else: 1), Context.mostFrames))
    })
}

extension Context {
  fileprivate var chosenNumber: Int { memory.frame?.number ?? 0 }

  fileprivate func choose(_ number: Int) throws(MonitorError) -> Listing {
    guard number >= 0 else { throw .refused("frame 0 is the innermost") }
    let trace = try unwinder().backtrace(limit: min(number, Self.mostFrames) + 1)
    guard let frame = trace.frames.last, frame.number == number else {
      throw .refused(
        "there is no frame \(number): the last one is \(trace.frames.count - 1)" + (trace.end.map { ", \($0)" } ?? ""))
    }
    let chosen = number == 0 ? nil : ChosenFrame(frame, of: vcpu)
    monitor.state.withLock { $0.chosenFrame = chosen }
    return listing([frame], end: nil)
  }
}

extension Monitor {
  /// The frame that was chosen with the hart where it stands; nil: the innermost.
  func chosenFrame(of vcpu: VCPU) -> StackFrame? {
    guard let chosen = state.withLock({ $0.chosenFrame }), chosen.isCurrent(vcpu) else { return nil }
    return chosen.frame
  }
}
