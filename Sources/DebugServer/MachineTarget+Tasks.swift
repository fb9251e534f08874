// Owns tasks of the guest's kernel as threads: what they are called, and the symbols that the client's program has for them.

import GDBRemote
import Machine
import RTOS

extension TaskThreads.Subject {
  /// Where a thread's registers are.
  enum Registers {
    case cpu(Int)
    case saved(SavedContext)
    case unknown
  }

  var registers: Registers {
    switch self {
    case .hart(let hart): .cpu(hart)
    case .task(let task):
      switch task.context {
      case .running: .cpu(KernelAwareness.hart)
      case .saved(let context): .saved(context)
      case .unknown: .unknown
      }
    }
  }

  var hart: Int {
    switch self {
    case .hart(let hart): hart
    case .task: KernelAwareness.hart
    }
  }
}

extension MachineTarget {
  func describe(_ task: KernelTask) -> ThreadDescription {
    var words = [task.state]
    if let priority = task.priority { words.append("priority \(priority)") }
    if let stack = task.stack {
      let used = stack.used.map { "\($0) used" }
      let free = stack.free.map { "\($0) free" }
      words.append("stack \([used, free].compactMap { $0 }.joined(separator: " "))")
    }
    if case .unknown(let error) = task.context { words.append(error.description) }
    return ThreadDescription(
      name: task.name, state: words.joined(separator: ", "),
      core: task.context == .running ? KernelAwareness.hart : nil)
  }
}

extension MachineTarget: SymbolSeeking {
  /// First those by which kernels are recognised, unless the loaded images have them.
  func firstSymbol() -> String? {
    let isKnown = machine.perform { machine in
      machine.kernel.symbols = [:]
      return machine.imagesNameKernel
    }
    soughtSymbols = isKnown ? [] : Kernel.all.flatMap { $0.needed.joined() }[...]
    return soughtSymbols.popFirst()
  }

  /// Then what else is of use to the kernel that was recognised.
  func symbol(_ name: String, isAt address: UInt64?) -> String? {
    let isLast = soughtSymbols.isEmpty
    let wanted = machine.perform { [side] machine in
      side.threads.invalidate()
      machine.kernel.symbols[name] = address
      return isLast ? machine.recognisedKernel?.wanted ?? [] : []
    }
    if isLast, !wanted.contains(name) { soughtSymbols = wanted[...] }
    return soughtSymbols.popFirst()
  }
}
