// Owns the facet of guests whose callers can be found: what their code does to stack frames, and what exceptions leave
// behind.

import IR

/// A guest whose calls can be followed back from a function to its caller.
public protocol Unwinding: AnyObject {
  /// The register with the address to return to, as a function begins.
  var linkRegister: Int { get }
  /// Registers that functions leave as they found them, the stack pointer not among them.
  var preservedRegisters: [Int] { get }
  /// Registers that compilers use for chains of frames.
  var framePointers: [FramePointer] { get }
  /// What the instruction in `bytes`, at `pc`, does; nil if it is none.
  func frameInstruction(_ bytes: [UInt8], pc: UInt64) -> FrameInstruction?
  /// What an exception has interrupted, where its handler's return address says so (Arm M-profile: EXC_RETURN).
  /// - Parameters:
  ///   - target: the handler's return address.
  ///   - registers: those of the handler as it would return.
  func interrupted(returningTo target: UInt64, _ registers: RegisterValues, memory: any StackMemory)
    -> InterruptedContext?
  /// The register with the address that the exception handler at `entry` returns to (RISC-V: `mepc` or `sepc`); nil if no
  /// handler begins there.
  func exceptionReturn(ofHandlerAt entry: UInt64, _ registers: RegisterValues, memory: any StackMemory) -> Int?
  /// What an exception has interrupted, where its handler returns by a register.
  /// - Parameter registers: those of the handler as it returns.
  func interrupted(returningBy register: Int, _ registers: RegisterValues) -> InterruptedContext?
}

extension Unwinding {
  public func interrupted(returningTo target: UInt64, _ registers: RegisterValues, memory: any StackMemory)
    -> InterruptedContext?
  { nil }
  public func exceptionReturn(ofHandlerAt entry: UInt64, _ registers: RegisterValues, memory: any StackMemory) -> Int? {
    nil
  }
  public func interrupted(returningBy register: Int, _ registers: RegisterValues) -> InterruptedContext? { nil }
}

/// Memory as unwinding reads it: without side effects.
public protocol StackMemory {
  /// 1, 2, 4 or 8 bytes; nil if one of them cannot be read.
  func value(at address: UInt64, size: Int) -> UInt64?
}

/// Values of registers by their numbers in the register file, as far as they are known.
public struct RegisterValues: Sendable, Equatable {
  private var values: [UInt64?]

  /// - Parameter count: of the registers of the register file.
  public init(count: Int) { values = Array(repeating: nil, count: count) }

  public subscript(register: Int) -> UInt64? {
    get { values.indices.contains(register) ? values[register] : nil }
    set { if values.indices.contains(register) { values[register] = newValue } }
  }
}

/// A register that holds the address of a frame which begins a chain.
public struct FramePointer: Sendable {
  public var register: Int
  /// Bytes from where it points to: the caller's frame pointer, the return address, the caller's stack.
  public var saved: Int
  public var returnAddress: Int
  public var callersStack: Int

  public init(register: Int, saved: Int, returnAddress: Int, callersStack: Int) {
    self.register = register
    self.saved = saved
    self.returnAddress = returnAddress
    self.callersStack = callersStack
  }
}

/// What ran before an exception.
public struct InterruptedContext: Sendable {
  /// Its registers, the program counter and the stack pointer among them.
  public var registers: RegisterValues
  public var exception: String

  public init(registers: RegisterValues, exception: String) {
    self.registers = registers
    self.exception = exception
  }
}

/// What of an instruction matters to who looks for a function's caller.
public struct FrameInstruction: Sendable, Equatable {
  /// In bytes.
  public var length: Int
  /// In the order they take place.
  public var effects: [FrameEffect]
  public var flow: FrameFlow

  public init(length: Int, effects: [FrameEffect] = [], flow: FrameFlow = .next) {
    self.length = length
    self.effects = effects
    self.flow = flow
  }
}

/// A change of a register or of a word on the stack. Registers are numbers of the register file.
public enum FrameEffect: Sendable, Equatable {
  /// `register = base + offset`; without a base the offset alone.
  case set(Int, base: Int?, offset: Int)
  /// `register = left + right`, or `left - right`.
  case sum(Int, left: Int, right: Int, isDifference: Bool)
  /// The word at `base + offset` becomes the register's value.
  case store(Int, base: Int, offset: Int)
  /// `register` becomes the word at `base + offset`; without a base that at the offset alone.
  case load(Int, base: Int?, offset: Int)
  /// `register = second`, and `second = third` at once.
  case exchange(Int, Int, Int)
  /// The register has another value that does not matter.
  case forget(Int)
}

/// Where the code goes on.
public enum FrameFlow: Sendable, Equatable {
  case next
  /// Perhaps.
  case branch(UInt64)
  case jump(UInt64)
  /// A function, which comes back.
  case call
  /// Part of the function itself that is called by a register of its own, and comes back (RISC-V's `__riscv_save_0`).
  case ownCall(link: Int, UInt64)
  /// To the caller, whose address is in a register.
  case returns(Int)
  /// To what an exception interrupted, by a register.
  case exceptionReturn(Int)
  /// So many of the instructions that follow depend on conditions (Arm's IT).
  case conditional(Int)
  /// Elsewhere.
  case unknown
}
