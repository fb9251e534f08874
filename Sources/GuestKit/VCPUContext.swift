// Owns what a guest may ask of the engine about the vCPU its helpers run on.

import IR

/// What the engine offers a guest's helpers about the vCPU they run on, reached through `StateOffset.context`.
open class VCPUContext: PhysicalMemoryPort {
  public init() {}
  /// Those of the exception that is being raised; zero again once it has been taken.
  public final var exceptionDetails = SIMD2<UInt64>.zero
  /// A handler is about to be entered for an exception or interrupt; PC is still where it is entered from. To be called
  /// if ``IR/VCPUState/reportsHandlers`` asks for it.
  open func handlerBegins(_ cause: UInt64) {}
  /// Guest instructions retired so far by this vCPU, exact at the calling instruction.
  open var retiredInstructions: UInt64 { 0 }
  /// The platform timer's value (RISC-V `time`), in its own ticks.
  open var platformTime: UInt64 { 0 }
  /// Forget cached translations.
  open func flushTLB(_ fence: TranslationFence) {}
  /// Have ``TimerHardware/timeReached(_:)`` called when ``platformTime`` has come to `time`, in place of what was asked for
  /// before; `.max` for never.
  open func schedule(at time: UInt64) {}
  /// What physical memory may be accessed or executed has changed (PMP, MPU), whatever the translation flags say.
  open func protectionChanged() {}
  /// Any state the translation flags are made of, or that decides about interrupts, has changed: translated code is to be
  /// left at the next exit that checks the budget.
  open func stateChanged() {}
  /// The translation flags or the address space may have changed. The calling instruction is the last of its block, and
  /// goes on by an exit that looks its target up (`ExitFlags.unchainable`, or an indirect one): from there on the new mode's
  /// code runs, without a way through the engine.
  open func modeChanged() {}
  /// Enters the handler of an exception that the calling instruction raises, which does not retire; it goes on at the PC by
  /// an indirect exit that checks the budget.
  /// - Returns: false if the engine has to see the exception: then the helper raises it, and nothing was done.
  open func enterHandler(of exception: GuestException) -> Bool { false }
  /// Note something once in the log of what guests do wrong or what is not implemented.
  open func log(_ category: LogItem, _ message: @autoclosure () -> String) {}
  /// Forget the reservation of load-reserved (Arm: clear the local monitor).
  open func clearReservation() {}
  /// What loads and stores may reach has changed, but not what may be executed: translated code need not know before
  /// the next point where interrupts are taken.
  open func dataProtectionChanged() { protectionChanged() }
  /// The calling instruction, a taken branch, closes a loop of `length` instructions that does the same each time as long as
  /// nothing else runs: the engine may let it have run as often as the budget allows. An exit that checks the budget follows.
  open func spins(_ length: UInt64) {}
  /// Wait for an interrupt before the next instruction; from an exception return.
  open func waitForInterrupt() {}
  /// Execute the next instruction by itself, and then ask for a transition (``ExceptionHardware/pendingTransition(_:)``).
  open func stepNext() {}
  /// What the CPU's own debug unit compares, in place of what it did before.
  open func setComparators(_ comparators: [Comparator]) {}
  @usableFromInline final var companion: AnyObject?
  @usableFromInline final var companionType: ObjectIdentifier?

  /// Makes a device of the guest's own part of this CPU.
  public final func attach<Companion: AnyObject>(_ device: Companion) {
    companion = device
    companionType = ObjectIdentifier(Companion.self)
  }

  /// The device that was attached as one of this type, if one was.
  @inlinable public final func companion<Companion: AnyObject>(_ type: Companion.Type) -> Companion? {
    guard companionType == ObjectIdentifier(type) else { return nil }
    return unsafe unsafeDowncast(companion!, to: type)
  }

  /// The CPU is about to access physical memory, but not as an instruction's load or store: it stacks registers. What is
  /// watched there stops the machine behind it.
  open func willTransfer(_ address: UInt64, size: Int, isWrite: Bool) {}
  open func readPhysical(_ address: UInt64, size: Int) -> UInt64? { nil }
  open func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool { false }
}

extension VCPUState {
  /// The vCPU's context object, set by the engine before anything runs.
  @inlinable public var context: VCPUContext {
    unsafe Unmanaged<VCPUContext>.fromOpaque(load(StateOffset.context, as: UnsafeRawPointer.self))
      .takeUnretainedValue()
  }

  /// The context's platform time, without counting references to it: guests poll the time.
  @inlinable public var platformTime: UInt64 {
    unsafe Unmanaged<VCPUContext>.fromOpaque(load(StateOffset.context, as: UnsafeRawPointer.self))
      ._withUnsafeGuaranteedRef { $0.platformTime }
  }
}

/// The categories of `-d` that guests and the engine write to.
public enum LogItem: String, Sendable, CaseIterable {
  case inAsm = "in_asm", op, opOpt = "op_opt", outAsm = "out_asm", exec, int, unimp, guestErrors = "guest_errors"
  /// No line of its own: blocks are not chained, so that ``exec`` shows every one.
  case noChain = "nochain"
}

/// A device of the board that is part of a CPU (Arm's NVIC with its system control space).
public protocol CoreDevice: AnyObject {
  /// Told once which vCPU it is part of, before anything runs.
  func attach(to cpu: VCPUState)
}
