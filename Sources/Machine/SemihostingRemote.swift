// Owns semihosting with the debugger's files: calls that the client of a debug server carries out, while the guest waits.
//
// Source: GDB manual, appendix "File-I/O Remote Protocol Extension", for flags, modes and descriptors.

import Bits
import Engine
import GuestKit

/// Who serves a guest's calls for files and the console.
public enum SemihostingTarget: String, Sendable, CaseIterable {
  /// This program.
  case native
  /// The debugger; this program while none lets the guest run.
  case gdb
  /// The debugger if one is attached when the guest first calls, else this program.
  case auto
}

/// A call for the debugger. Strings are in guest memory, their length counts the final zero.
public enum RemoteFileCall: Equatable, Sendable {
  case open(path: UInt64, length: UInt64, flags: UInt32, mode: UInt32)
  case close(Int32)
  case read(Int32, buffer: UInt64, count: UInt64)
  case write(Int32, buffer: UInt64, count: UInt64)
  /// `origin` 0: from the start, 1: from the position, 2: from the end.
  case seek(Int32, offset: Int64, origin: UInt32)
  case isTerminal(Int32)
  case unlink(path: UInt64, length: UInt64)
  case rename(from: UInt64, length: UInt64, to: UInt64, toLength: UInt64)
  case system(command: UInt64, length: UInt64)
}

public enum RemoteFileAnswer: Equatable, Sendable {
  case done(value: Int64, errorNumber: UInt32, interrupted: Bool)
  /// Nobody can carry the call out.
  case refused
}

/// What follows an answer.
enum RemoteStep {
  case call(RemoteFileCall, then: (Int64) -> RemoteStep)
  case value(Int64)

  /// What is left of `count` bytes, after an answer that may be any number.
  static func rest(of count: UInt64, after done: Int64) -> RemoteStep {
    .value(Int64(truncatingIfNeeded: count - min(UInt64(max(0, done)), count)))
  }
}

/// A vCPU that waits for the debugger.
struct RemoteWait {
  var vcpu: VCPU
  var then: (Int64) -> RemoteStep
  /// Of the call under way.
  var number: UInt64 = 0
  /// No call of the operation has been answered yet, so that it can still be served here.
  var isFirst = true
  /// The machine is to stop when the operation is done.
  var isToStop = false
}

extension Semihosting {
  /// Descriptors of the debugger as the guest sees them.
  private static let handleBase: UInt64 = 0x1000
  /// Bytes moved by one call; the guest asks again for the rest. GDB takes as much memory as a call asks for.
  private static let longestTransfer: UInt64 = 16 << 20

  /// The calls that an operation comes to; nil if it is served here.
  func remote(_ operation: Int64, _ parameter: UInt64, _ memory: SemihostingMemory) throws(SemihostingFault)
    -> RemoteStep?
  {
    let block = SemihostingBlock(memory: memory, address: parameter)
    func descriptor(_ handle: UInt64) -> Int32? {
      handle >= Self.handleBase ? Int32(exactly: handle - Self.handleBase) : nil
    }
    /// The length of the text that a word describes, with its final zero.
    func length(_ index: Int) throws(SemihostingFault) -> UInt64 {
      let count = try block[index]
      guard count < 4096 else { throw SemihostingFault() }
      return count + 1
    }
    switch operation {
    case 0x01: return try open(block)
    case 0x03: return .call(.write(1, buffer: parameter, count: 1)) { _ in .value(0) }
    case 0x04:
      let count = UInt64(try memory.string(parameter).count)
      return .call(.write(1, buffer: parameter, count: count)) { _ in .value(0) }
    case 0x12:
      return .call(.system(command: try block[0], length: try length(1))) { .value($0) }
    case 0x0E:
      return .call(.unlink(path: try block[0], length: try length(1))) { .value($0) }
    case 0x0F:
      return .call(
        .rename(from: try block[0], length: try length(1), to: try block[2], toLength: try length(3))
      ) { .value($0) }
    case 0x02, 0x05, 0x06, 0x09, 0x0A, 0x0C: break
    default: return nil
    }
    guard let file = descriptor(try block[0]) else { return nil }
    switch operation {
    case 0x02: return .call(.close(file)) { .value($0) }
    case 0x05:
      let count = try block[2]
      return .call(.write(file, buffer: try block[1], count: min(count, Self.longestTransfer))) {
        .rest(of: count, after: $0)
      }
    case 0x06:
      let count = try block[2]
      return .call(.read(file, buffer: try block[1], count: min(count, Self.longestTransfer))) {
        .rest(of: count, after: $0)
      }
    case 0x09: return .call(.isTerminal(file)) { .value($0) }
    case 0x0A:
      return .call(.seek(file, offset: Int64(bitPattern: try block[1]), origin: 0)) { .value($0 < 0 ? -1 : 0) }
    default:
      // The length: to the end, and back to where the file stood.
      return .call(.seek(file, offset: 0, origin: 1)) { position in
        position < 0
          ? .value(-1)
          : .call(.seek(file, offset: 0, origin: 2)) { length in
            .call(.seek(file, offset: position, origin: 0)) { _ in .value(length) }
          }
      }
    }
  }

  private func open(_ block: SemihostingBlock) throws(SemihostingFault) -> RemoteStep? {
    let mode = try block[1]
    guard mode < 12 else { return nil }
    switch try block.string(0, length: 2) {
    case ":semihosting-features": return nil
    case ":tt": return .value(Int64(Self.handleBase + mode / 4))
    default: break
    }
    let access: UInt32 = mode & 2 != 0 ? 2 : mode < 4 ? 0 : 1
    let creation: UInt32 = mode < 4 ? 0 : mode < 8 ? 0x600 : 0x208
    return .call(.open(path: try block[0], length: try block[2] + 1, flags: access | creation, mode: 0o644)) {
      .value((0...Int64(Int32.max)).contains($0) ? $0 + Int64(Self.handleBase) : -1)
    }
  }
}

extension Machine {
  /// Whether the guest waits for the debugger to carry out a call; it counts as running.
  public var waitsForDebugger: Bool { remoteWait != nil }

  /// Begins an operation at the debugger's. Returns whether the vCPU waits now, or has its result already.
  func startRemote(_ vcpu: VCPU) -> Bool {
    guard configuration.semihostingTarget != .native, fileCallHandler != nil, !isInKnownPast,
      let convention = semihosting.convention
    else { return false }
    let memory = SemihostingMemory(vcpu, self)
    let number = guest.readRegister(vcpu.state, convention.operation)
    let parameter = guest.readRegister(vcpu.state, convention.parameter) & memory.addressMask
    guard let step = try? semihosting.remote(Int64(number & 0xFFFF_FFFF), parameter, memory) else { return false }
    remoteWait = RemoteWait(vcpu: vcpu, then: { _ in .value(-1) })
    advance(to: step)
    if remoteWait != nil { isRunning = false }
    return true
  }

  /// The debugger's answer to the call under way, if that is the one with this number. On the machine's thread.
  public func finishFileCall(_ answer: RemoteFileAnswer, number: UInt64? = nil) {
    guard let wait = remoteWait, number == nil || number == wait.number else { return }
    switch answer {
    case .refused where wait.isFirst:
      isServedHere = true
      end(wait)
    case .refused: complete(wait, -1)
    case .done(let value, let error, let interrupted):
      if value < 0 { semihosting.lastError = Int32(truncatingIfNeeded: error) }
      remoteWait?.isFirst = false
      if interrupted { remoteWait?.isToStop = true }
      advance(to: wait.then(value))
    }
  }

  private func advance(to step: RemoteStep) {
    guard let wait = remoteWait else { return }
    switch step {
    case .value(let value): complete(wait, value)
    case .call(let call, let then):
      fileCallCount += 1
      remoteWait?.then = then
      remoteWait?.number = fileCallCount
      if fileCallHandler?(call, fileCallCount) != true { finishFileCall(.refused) }
    }
  }

  private func complete(_ wait: RemoteWait, _ value: Int64) {
    noteChange()
    semihosting.finish(wait.vcpu, value, machine: self)
    // A step over the call is done with it.
    if case .step(let hart, let count) = stepRequest, !wait.isToStop {
      remoteWait = nil
      isRunning = true
      if count > 1 { stepRequest = .step(hart: hart, count: count - 1) } else { halt(.stepped(hart: hart)) }
    } else {
      end(wait)
    }
  }

  private func end(_ wait: RemoteWait) {
    remoteWait = nil
    isRunning = true
    if wait.isToStop { halt(.requested) }
  }

  /// Sets a register as debuggers do. A hart that is sent elsewhere has nothing to wait for there.
  public func setRegister(_ vcpu: VCPU, _ number: Int, _ value: UInt64) {
    setRegister(vcpu, number, bytes: Endianness.little.bytes(value, count: 8))
  }

  /// Likewise, the lowest byte first.
  public func setRegister(_ vcpu: VCPU, _ number: Int, bytes: [UInt8]) {
    noteChange()
    guest.setRegister(vcpu.state, number, bytes: bytes)
    guard number == guest.programCounter else { return }
    vcpu.wasReset()
    inputWaiters.remove(vcpu.number)
  }

  /// Gives up what harts wait for in calls of semihosting: they are elsewhere now, or make the call again. A machine
  /// that waited for its debugger runs on.
  func cutCalls() {
    inputWaiters.removeAll()
    isServedHere = false
    if let wait = remoteWait { end(wait) }
  }
}
