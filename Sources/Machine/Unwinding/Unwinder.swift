// Owns the way from frame to frame: which method finds a caller, and where the frames end.

import Bits
import DWARF
import Engine
import GuestKit

/// Finds the callers of what a hart does. On the machine's thread, between instructions.
///
/// Call frame information goes first, unless the code that is about to run does something else. Where there is none, the code
/// itself tells: ahead to the return, or else behind from the prologue. Chains of frame pointers come last, since nothing says whether code keeps them.
public final class Unwinder {
  private let machine: Machine
  private let vcpu: VCPU
  private let guest: any Guest & Unwinding
  private let memory: GuestMemory
  private let code: GuestCode
  /// DWARF's numbers of registers, and back.
  private let dwarfNumbers: [(register: Int, dwarf: Int)]

  /// Nil for a guest of whose frames nothing is known.
  public init?(_ machine: Machine, _ vcpu: VCPU) {
    guard let guest = machine.guest as? any Guest & Unwinding else { return nil }
    self.machine = machine
    self.vcpu = vcpu
    self.guest = guest
    memory = GuestMemory(machine, vcpu)
    code = GuestCode(guest, memory)
    dwarfNumbers = guest.registerFile.registers.indices.compactMap { register in
      guest.registerFile.registers[register].dwarfNumber.map { (register, $0) }
    }
  }

  /// The frames of the hart, the innermost first, at most `limit`.
  public func backtrace(limit: Int) -> Backtrace {
    var values = RegisterValues(count: guest.registerFile.registers.count)
    for register in guest.registerFile.registers.indices { values[register] = guest.readRegister(vcpu.state, register) }
    guard let first = frame(values, .innermost, isExact: true) else { return Backtrace(frames: [], end: nil) }
    var frames: [StackFrame] = []
    var coming: [StackFrame] = [first]
    var seen: Set<[UInt64]> = []
    while frames.count < limit {
      if coming.isEmpty, let last = frames.last {
        switch callers(of: last) {
        case .success(let step):
          if let name = step.isException { frames[frames.count - 1].kind = .exception(name) }
          coming = step.frames
        case .failure(let end): return Backtrace(frames: frames, end: end.text)
        }
      }
      var next = coming.removeFirst()
      next.number = frames.count
      if next.kind == .function, !seen.insert([next.pc, next.stackPointer]).inserted {
        return Backtrace(frames: frames, end: "the next frame would be one of these again: the stack is damaged")
      }
      frames.append(next)
    }
    return Backtrace(frames: frames, end: nil)
  }

  /// Why there is no caller.
  private struct End: Error {
    var text: String
  }
  private struct Step {
    /// The frames that follow, an exception's and what it interrupted if there was one.
    var frames: [StackFrame]
    /// The frame at hand turns out to be that of an exception.
    var isException: String?
  }

  private func frame(_ values: RegisterValues, _ method: StackFrame.Method, isExact: Bool) -> StackFrame? {
    guard let target = values[guest.programCounter], let stack = values[guest.stackPointer] else { return nil }
    let pc = guest.instructionAddress(target)
    var values = values
    values[guest.programCounter] = pc
    return StackFrame(
      number: 0, kind: .function, method: method, registers: values, pc: pc, stackPointer: stack, isExact: isExact)
  }

  private func callers(of frame: StackFrame) -> Result<Step, End> {
    guard frame.pc != 0 else { return .failure(End(text: "the outermost frame")) }
    let handlerReturn = functionStart(frame.codeAddress).flatMap {
      guest.exceptionReturn(ofHandlerAt: $0, frame.registers, memory: memory)
    }
    var described: RegisterValues?
    switch byCallFrames(frame, isHandler: handlerReturn != nil) {
    // Compilers describe handlers in assembly as if they were called.
    case .failure(let end): if handlerReturn == nil { return .failure(end) }
    case .success(let found?):
      if found.isSignalFrame { return signalFrame(found.values, frame, returningBy: handlerReturn) }
      described = found.values
      if handlerReturn != nil, case .exceptionReturn(let values, let register)? = codeAhead(frame) {
        return finish(values, .codeAhead, frame, returningBy: register)
      }
      let leadsBack = handlerReturn != nil || isReturnAddress(frame)(found.values[guest.programCounter] ?? 0)
      if leadsBack, !frame.isExact || agrees(found.values, codeAhead(frame)) {
        return finish(found.values, .callFrameInformation, frame, returningBy: handlerReturn)
      }
    case .success(nil): break
    }
    switch codeAhead(frame) {
    case .returned(let values): return finish(values, .codeAhead, frame)
    case .exceptionReturn(let values, let register):
      return finish(values, .codeAhead, frame, returningBy: register)
    case nil: break
    }
    if let values = byPrologue(frame, isHandler: handlerReturn != nil) {
      return finish(values, .prologue, frame, returningBy: handlerReturn)
    }
    if let values = byFramePointer(frame) { return finish(values, .framePointer, frame) }
    // Compilers do not describe each prologue and epilogue rightly, so it comes last where it leads behind no call.
    if let described { return finish(described, .callFrameInformation, frame, returningBy: handlerReturn) }
    return .failure(
      End(text: "no caller of \(frame.pc.hex0x()) is found: this is the outermost frame, or the code is odd"))
  }

  // MARK: What a return leads to

  private func finish(
    _ values: RegisterValues, _ method: StackFrame.Method, _ before: StackFrame, returningBy register: Int? = nil
  ) -> Result<Step, End> {
    if let register {
      guard let context = guest.interrupted(returningBy: register, values) else {
        return .failure(
          End(text: "what the exception interrupted is not known: its handler has not saved where it returns to"))
      }
      var values = values
      values[guest.programCounter] = context.registers[guest.programCounter]
      return step(context, values, method, before)
    }
    guard let target = values[guest.programCounter] else {
      return .failure(End(text: "the return address of \(before.pc.hex0x()) is lost"))
    }
    if let context = guest.interrupted(returningTo: target, values, memory: memory) {
      return step(context, values, method, before)
    }
    return step(values, method, before, isExact: false)
  }

  /// A handler whose call frame information says itself what was interrupted.
  private func signalFrame(
    _ values: RegisterValues, _ before: StackFrame, returningBy register: Int?
  ) -> Result<Step, End> {
    let context = register.flatMap { guest.interrupted(returningBy: $0, values) }
    var interrupted = context?.registers ?? values
    interrupted[guest.programCounter] = values[guest.programCounter]
    return step(
      interrupted, .callFrameInformation, before, isExact: true, isException: context?.exception ?? "exception")
  }

  /// An exception's frame, and that of what it interrupted.
  private func step(
    _ context: InterruptedContext, _ values: RegisterValues, _ method: StackFrame.Method, _ before: StackFrame
  ) -> Result<Step, End> {
    guard var exception = frame(values, method, isExact: true) else { return .failure(Self.lost) }
    exception.kind = .exception(context.exception)
    exception.isMarker = true
    exception.pc = values[guest.programCounter] ?? exception.pc
    return step(context.registers, .exception, before, isExact: true).map { following in
      Step(frames: [exception] + following.frames)
    }
  }

  private static var lost: End { End(text: "the stack pointer of the caller is lost") }

  private func step(
    _ values: RegisterValues, _ method: StackFrame.Method, _ before: StackFrame, isExact: Bool,
    isException: String? = nil
  ) -> Result<Step, End> {
    guard let next = frame(values, method, isExact: isExact) else { return .failure(Self.lost) }
    if next.pc == 0 { return .failure(End(text: "the outermost frame: its return address is 0")) }
    guard code.instruction(at: next.pc) != nil || code.followsCall(next.pc) else {
      return .failure(End(text: "the outermost frame: at its return address \(next.pc.hex0x()) there is no code"))
    }
    guard isExact || next.stackPointer >= before.stackPointer else {
      return .failure(End(text: "the caller's stack would lie below: the stack is damaged"))
    }
    return .success(Step(frames: [next], isException: isException))
  }

  private func isReturnAddress(_ frame: StackFrame) -> (UInt64) -> Bool {
    { [self] target in
      code.followsCall(guest.instructionAddress(target))
        || guest.interrupted(returningTo: target, frame.registers, memory: memory) != nil
    }
  }

  // MARK: Methods

  private func codeAhead(_ frame: StackFrame) -> CodeEnd? {
    CodeAhead(guest: guest, code: code, isReturnAddress: isReturnAddress(frame)).end(from: frame.pc, frame.registers)
  }

  /// Whether call frame information says what the code does. Compilers do not describe all of their epilogues.
  private func agrees(_ values: RegisterValues, _ end: CodeEnd?) -> Bool {
    guard case .returned(let ahead)? = end else { return true }
    return values[guest.programCounter] == ahead[guest.programCounter]
      && values[guest.stackPointer] == ahead[guest.stackPointer]
  }

  /// - Parameter isHandler: the link register has its value of before an exception.
  private func byCallFrames(
    _ frame: StackFrame, isHandler: Bool
  ) -> Result<(values: RegisterValues, isSignalFrame: Bool)?, End> {
    let state = FrameState(
      register: { [dwarfNumbers] number in
        dwarfNumbers.first { $0.dwarf == number }.flatMap { frame.registers[$0.register] }
      }, memory: { [memory] in memory.value(at: $0, size: $1) })
    for file in machine.sources.information {
      guard
        let caller = try? file.caller(
          ofCodeAt: frame.codeAddress, registers: dwarfNumbers.map(\.dwarf), state)
      else { continue }
      // Control registers, of which the information says nothing, are as they were.
      var values = frame.registers
      for (register, number) in dwarfNumbers {
        let isControl = guest.registerFile.registers[register].group == "csr"
        values[register] = caller.registers[number] ?? (isControl ? frame.registers[register] : nil)
      }
      values[guest.stackPointer] = caller.registers[dwarf(guest.stackPointer)] ?? caller.frameAddress
      if caller.registers[dwarf(guest.stackPointer)] == frame.registers[guest.stackPointer] {
        values[guest.stackPointer] = caller.frameAddress
      }
      let column = dwarfNumbers.first { $0.dwarf == caller.returnColumn }?.register
      let target = caller.registers[caller.returnColumn] ?? column.flatMap { values[$0] }
      guard let target else { return .failure(End(text: "the outermost frame")) }
      values[guest.programCounter] = target
      if column == guest.linkRegister, !isHandler { values[guest.linkRegister] = nil }
      return .success((values, caller.isSignalFrame))
    }
    return .success(nil)
  }

  private func dwarf(_ register: Int) -> Int { guest.registerFile.registers[register].dwarfNumber ?? -1 }

  /// Where the function around an address begins, by the symbols.
  private func functionStart(_ address: UInt64) -> UInt64? {
    guard let (symbol, _) = machine.symbols.covering(address), symbol.isTyped else { return nil }
    return symbol.address
  }

  private func byPrologue(_ frame: StackFrame, isHandler: Bool) -> RegisterValues? {
    let reader = CodeBehind(guest: guest, code: code)
    let isReturn = isReturnAddress(frame)
    if let start = functionStart(frame.codeAddress), let state = reader.state(from: start, to: frame.pc),
      let values = reader.caller(state, frame.registers, isHandler: isHandler)
    {
      return isHandler || isReturn(values[guest.programCounter] ?? 0) ? values : nil
    }
    for start in reader.likelyStarts(upTo: frame.pc) {
      guard let state = reader.state(from: start, to: frame.pc),
        reader.savesLink(state) || frame.isExact && reader.keepsLink(state),
        let values = reader.caller(state, frame.registers), isReturn(values[guest.programCounter] ?? 0)
      else { continue }
      return values
    }
    return nil
  }

  private func byFramePointer(_ frame: StackFrame) -> RegisterValues? {
    let word = guest.addressBits / 8
    func load(_ base: UInt64, _ offset: Int) -> UInt64? {
      memory.value(at: base &+ UInt64(bitPattern: Int64(offset)), size: word)
    }
    for pointer in guest.framePointers {
      guard let base = frame.registers[pointer.register], base >= frame.stackPointer, base % UInt64(word) == 0,
        let target = load(base, pointer.returnAddress), isReturnAddress(frame)(target),
        let saved = load(base, pointer.saved)
      else { continue }
      var values = frame.registers
      for register in guest.registerFile.registers.indices {
        let description = guest.registerFile.registers[register]
        if description.group == "general", description.role != "flags" { values[register] = nil }
      }
      values[guest.programCounter] = target
      values[pointer.register] = saved
      values[guest.stackPointer] = base &+ UInt64(bitPattern: Int64(pointer.callersStack))
      return values
    }
    return nil
  }
}
