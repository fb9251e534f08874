// Owns the machine's part in tracing: GDB's tracepoints, and its record of branches.

import GDBRemote
import GuestKit
import Machine

extension MachineTarget: TraceTarget {
  func withTrace<Answer: Sendable>(
    _ body: @escaping @Sendable (inout Trace) throws(TargetError) -> Answer
  ) throws(TargetError) -> Answer {
    let result: Result<Answer, TargetError> = machine.perform { [side] machine in
      defer { side.plantTracepoints(machine) }
      do throws(TargetError) {
        return .success(try body(&side.trace))
      } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// Virtual time.
  var traceTime: UInt64 { machine.perform { machine in machine.clock.now / 1000 } }

  var generalRegisters: [(number: Int, byteCount: Int)] { layout.general.map { ($0.number, $0.size) } }

  func programCounterRegister(_ value: UInt64) -> (number: Int, bytes: [UInt8]) {
    guard let entry = layout.programCounter else { return (-1, []) }
    let bytes = (0..<min(entry.size, 8)).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    return (entry.number, layout.ordered(bytes))
  }

  var isBigEndian: Bool { machine.guest.byteOrder == .big }
}

extension MachineTarget: BranchTraceTarget {
  func startBranchTrace(of thread: ThreadID, size: Int) throws(TargetError) {
    let hart = try hart(thread)
    machine.perform { [side] machine in side.traceBranches(BranchTrace(size: size), hart: hart, machine) }
  }

  func stopBranchTrace(of thread: ThreadID) throws(TargetError) {
    let hart = try hart(thread)
    machine.perform { [side] machine in side.traceBranches(nil, hart: hart, machine) }
  }

  func branchTraceSize(of thread: ThreadID) throws(TargetError) -> Int? {
    let hart = try hart(thread)
    return machine.perform { [side] _ in
      side.followers.indices.contains(hart) ? side.followers[hart].branches?.size : nil
    }
  }

  func readBranchTrace(of thread: ThreadID, _ part: BranchTrace.Part) throws(TargetError) -> [BranchTrace.Block]? {
    let hart = try hart(thread)
    guard try branchTraceSize(of: thread) != nil else { throw .invalid("branch tracing is off") }
    return machine.perform { [side] machine in
      side.followers[hart].readBranches(part, at: machine.engine.vcpus[hart].state.pc)
    }
  }
}
