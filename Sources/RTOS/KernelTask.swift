// Owns what is known of a task: its name, state, stack, and where its registers are while it does not run.

import Bits

/// A task (FreeRTOS, NuttX) or thread (Zephyr, ThreadX).
public struct KernelTask: Sendable, Equatable {
  /// The address of its control block.
  public var id: UInt64
  public var name: String
  /// A word or two: `running`, `ready`, `blocked`, …
  public var state: String
  /// As the kernel numbers them.
  public var priority: Int?
  public var stack: TaskStack?
  public var context: TaskContext

  init(id: UInt64, name: String, state: String, priority: Int? = nil, context: TaskContext) {
    self.id = id
    self.name = name
    self.state = state
    self.priority = priority
    self.context = context
  }
}

/// Where a task's registers are.
public enum TaskContext: Sendable, Equatable {
  /// It runs: they are the CPU's.
  case running
  case saved(SavedContext)
  case unknown(KernelError)

  init(_ read: () throws(KernelError) -> SavedContext) {
    do throws(KernelError) { self = .saved(try read()) } catch { self = .unknown(error) }
  }
}

/// The registers of a task that does not run, by the guest's names for them. What is not in it was not saved.
public struct SavedContext: Sendable, Equatable {
  public enum Place: Sendable, Equatable {
    /// In guest memory, of so many bytes in the guest's order.
    case memory(UInt64, size: Int)
    /// Follows from where the frame is.
    case value(UInt64)
    /// All tasks have the CPU's.
    case shared
  }

  public var registers: [String: Place] = [:]
  /// Its value; a kernel that has a place for it says so after this.
  public var stackPointer: UInt64? {
    didSet { registers["sp"] = stackPointer.map(Place.value) }
  }

  public init() {}

  subscript(name: String) -> Place? {
    get { registers[name] }
    set { registers[name] = newValue }
  }
}

/// A stack that grows downwards.
public struct TaskStack: Sendable, Equatable {
  /// The lowest address.
  public var start: UInt64
  /// In bytes; nil if the kernel does not keep it.
  public var size: UInt64?
  public var pointer: UInt64
  /// Bytes at its low end that were never written, where the kernel fills new stacks with a pattern.
  public var untouched: UInt64?

  init(start: UInt64, size: UInt64?, pointer: UInt64) {
    self.start = start
    self.size = size
    self.pointer = pointer
  }

  public var used: UInt64? {
    guard let size, pointer >= start, pointer - start <= size else { return nil }
    return size - (pointer - start)
  }

  /// Nil if the pointer is below the stack.
  public var free: UInt64? { pointer >= start ? pointer - start : nil }
}

/// What a kernel's structures say.
public struct TaskList: Sendable, Equatable {
  /// In the order in which the kernel has them.
  public var tasks: [KernelTask] = []
  /// The control block of the task that runs; nil if none does, or the scheduler has not started.
  public var current: UInt64?
  public var isStarted = true
  /// What could not be understood, in words for the user.
  public var problems: [String] = []

  public init() {}

  public func task(_ id: UInt64) -> KernelTask? { tasks.first { $0.id == id } }
}
