// Owns what a machine knows of the guest's kernel: which it is, its tasks, and whether debuggers see tasks or CPUs.

import Bits
import Engine
import GuestKit
import IR
import RTOS
import Synchronization

/// What debuggers are shown, and what they have told. Used on the machine's thread only, but for ``showsTasks``.
public final class KernelAwareness: @unchecked Sendable {
  /// Threads are the kernel's tasks, and not CPUs.
  public let showsTasks: Atomic<Bool>
  /// Addresses of symbols that the loaded images do not have, from a debugger's own file.
  public var symbols: [String: UInt64] = [:]
  /// Number of the CPU that a kernel is taken to run on.
  public static let hart = 0

  init(showsTasks: Bool) { self.showsTasks = Atomic(showsTasks) }
}

extension Machine {
  /// The kernel whose symbols are known. On the machine's thread.
  public var recognisedKernel: Kernel? { Kernel.recognised(in: MachineKernelGuest(self)) }

  /// Whether the loaded images alone say which kernel it is.
  public var imagesNameKernel: Bool { Kernel.recognised(in: MachineKernelGuest(self, knowsClient: false)) != nil }

  /// The same.
  /// - Throws: if there is none.
  public func requireKernel() throws(KernelError) -> Kernel {
    if let kernel = recognisedKernel { return kernel }
    let known = Kernel.all.map(\.name).joined(separator: ", ")
    throw KernelError(
      symbols.symbols.isEmpty && kernel.symbols.isEmpty
        ? "no symbols are known: load an ELF file that has them, or give it to GDB"
        : "no kernel is recognised by its symbols (\(known) are known)")
  }

  /// What the kernel's structures say at this moment. On the machine's thread.
  /// - Throws: if no kernel is recognised, or nothing can be said of its tasks.
  public func kernelTasks() throws(KernelError) -> (kernel: Kernel, tasks: TaskList) {
    let kernel = try requireKernel()
    return (kernel, try kernel.tasks(of: MachineKernelGuest(self)))
  }

  /// A register of a task's saved ones, the lowest byte first.
  /// - Returns: nil if it was not saved, or cannot be read.
  public func savedRegister(_ register: Int, of context: SavedContext) -> [UInt8]? {
    let description = guest.registerFile.registers[register]
    let vcpu = engine.vcpus[KernelAwareness.hart]
    switch place(of: register, in: context) {
    case nil: return nil
    case .shared: return guest.registerBytes(vcpu.state, register)
    case .value(let value): return Endianness.little.bytes(value, count: description.size)
    case .memory(let address, let size):
      let bytes = GuestMemory(self, vcpu).read(address, size)
      guard bytes.count == size else { return nil }
      // Kernels leave the Thumb bit in frames that they make themselves.
      if register == guest.programCounter {
        let value = guest.instructionAddress(guest.byteOrder.number(bytes))
        return Endianness.little.bytes(value, count: description.size)
      }
      let ordered = guest.byteOrder == .big ? bytes.reversed() : bytes
      return Array((ordered + [UInt8](repeating: 0, count: description.size)).prefix(description.size))
    }
  }

  /// Changes a register of a task's saved ones where it is saved.
  /// - Parameter bytes: the lowest first; of fewer the rest is 0.
  /// - Returns: false if it has no place, or that cannot be written.
  public func setSavedRegister(_ register: Int, of context: SavedContext, bytes: [UInt8]) -> Bool {
    let vcpu = engine.vcpus[KernelAwareness.hart]
    switch place(of: register, in: context) {
    case nil, .value: return false
    case .shared:
      setRegister(vcpu, register, bytes: bytes)
      return true
    case .memory(let address, let size):
      let all = Array((bytes + [UInt8](repeating: 0, count: size)).prefix(size))
      return GuestMemory(self, vcpu).write(guest.byteOrder == .big ? all.reversed() : all, at: address) == nil
    }
  }

  /// A system register that is not in the frame is the CPU's, whatever the task.
  private func place(of register: Int, in context: SavedContext) -> SavedContext.Place? {
    let description = guest.registerFile.registers[register]
    if let place = ([description.name] + description.aliases).lazy.compactMap({ context.registers[$0] }).first {
      return place
    }
    return ["general", "float", "vector"].contains(description.group) ? nil : .shared
  }
}

/// A machine as readers of kernels see it.
struct MachineKernelGuest: KernelGuest {
  private let machine: Machine
  private let memory: GuestMemory
  /// What a debugger has told counts too.
  private let knowsClient: Bool

  init(_ machine: Machine, knowsClient: Bool = true) {
    self.machine = machine
    self.knowsClient = knowsClient
    memory = GuestMemory(machine, machine.engine.vcpus[KernelAwareness.hart])
  }

  var architecture: String { machine.guest.architecture }
  var pointerSize: Int { machine.guest.addressBits / 8 }
  var byteOrder: Endianness { machine.guest.byteOrder }

  func symbol(_ name: String) -> (address: UInt64, size: UInt64)? {
    if let found = machine.symbols.named(name).first { return (found.address, found.size) }
    return knowsClient ? machine.kernel.symbols[name].map { ($0, 0) } : nil
  }

  func object(covering address: UInt64) -> (start: UInt64, size: UInt64)? {
    guard let (symbol, offset) = machine.symbols.covering(address), offset < symbol.size else { return nil }
    return (symbol.address, symbol.size)
  }

  func read(_ address: UInt64, _ count: Int) -> [UInt8] { count > 0 ? memory.read(address, count) : [] }

  func register(_ name: String) -> UInt64? {
    guard let number = machine.guest.registerFile.index(of: name) else { return nil }
    return machine.guest.readRegister(machine.engine.vcpus[KernelAwareness.hart].state, number)
  }
}
