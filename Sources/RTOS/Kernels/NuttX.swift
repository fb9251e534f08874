// Owns NuttX: its table of tasks by number, and the offsets in control blocks that `g_tcbinfo` has (include/nuttx/sched.h,
// `struct tcbinfo_s`; CONFIG_DEBUG_TCBINFO in older versions).

import Bits

extension Kernel {
  static let nuttX = Kernel(
    "NuttX", needed: [["g_pidhash"], ["g_npidhash"], ["g_tcbinfo"], ["g_running_tasks", "g_readytorun"]],
    wanted: ["g_reg_offs"]
  ) { reader throws(KernelError) in try NuttX(reader).list() }
}

/// One look at a NuttX.
private struct NuttX {
  /// `enum tstate_e`, as far as it is the same in all configurations.
  private static let states = [
    "invalid", "pending", "ready", "running", "inactive", "waits for a semaphore", "waits for a signal",
  ]

  /// Offsets in control blocks, and where the offsets of registers are.
  private struct Information {
    var pid: UInt64, state: UInt64, priority: UInt64, name: UInt64
    var stack: UInt64?, stackSize: UInt64?
    var registers: UInt64
    var registerCount: Int
    var registerOffsets: UInt64
  }

  private let reader: KernelReader
  private let information: Information

  init(_ reader: KernelReader) throws(KernelError) {
    self.reader = reader
    information = try Self.information(reader)
  }

  /// Three versions, of 16-bit numbers and a pointer: pid, state, priority, name, registers, two counts; then with stack
  /// and its size in front of the registers; then with one count only.
  private static func information(_ reader: KernelReader) throws(KernelError) -> Information {
    let (place, size) = (try reader.address("g_tcbinfo"), reader.guest.symbol("g_tcbinfo")?.size ?? 0)
    func field(_ index: Int) throws(KernelError) -> UInt64 { try reader.number(place &+ UInt64(2 * index), size: 2) }
    // How many 16-bit numbers, of which the first of `registers` on are offset and counts.
    for (count, registers) in [(8, 6), (9, 6), (7, 4)] {
      guard size == 0 || size == UInt64(2 * count + 8) else { continue }
      let pointer = try reader.word(place &+ UInt64(2 * count))
      let number = try field(count - 1)
      guard (17...512).contains(number), pointer != 0, reader.isReadable(pointer) else { continue }
      if let known = reader.guest.symbol("g_reg_offs"), known.address != pointer { continue }
      let hasStack = registers == 6
      return Information(
        pid: try field(0), state: try field(1), priority: try field(2), name: try field(3),
        stack: hasStack ? try field(4) : nil, stackSize: hasStack ? try field(5) : nil,
        registers: try field(registers), registerCount: Int(number), registerOffsets: pointer)
    }
    throw KernelError("its table g_tcbinfo is laid out in a way that is not understood")
  }

  func list() throws(KernelError) -> TaskList {
    var result = TaskList()
    let guest = reader.guest
    let count = try reader.number(try reader.address("g_npidhash"), size: 4)
    let table = try reader.word(try reader.address("g_pidhash"))
    guard table != 0 else { throw KernelError("no task has been created yet") }
    guard count <= UInt64(KernelReader.mostTasks) else { throw KernelError("its table would have \(count) entries") }
    if let running = guest.symbol("g_running_tasks") {
      guard running.size <= UInt64(reader.wordSize) else {
        throw KernelError("a kernel that runs tasks on several cores is not supported")
      }
      result.current = try reader.word(running.address)
    } else {
      result.current = try reader.word(try reader.address("g_readytorun"))
    }
    if result.current == 0 { result.current = nil }
    for index in 0..<count {
      let block = try reader.word(table &+ index * UInt64(reader.wordSize))
      guard block != 0, result.task(block) == nil else { continue }
      do throws(KernelError) {
        result.tasks.append(try task(block, isCurrent: block == result.current))
      } catch { result.problems.append("the task at \(block.hex0x()): \(error)") }
    }
    if let current = result.current, result.task(current) == nil {
      result.problems.append("the running task, at \(current.hex0x()), is not in the table of tasks")
    }
    return result
  }

  private func task(_ block: UInt64, isCurrent: Bool) throws(KernelError) -> KernelTask {
    let pid = try reader.number(block &+ information.pid, size: 2)
    let state = Int(try reader.number(block &+ information.state, size: 1))
    let priority = try reader.number(block &+ information.priority, size: 1)
    var name = "pid \(pid)"
    if information.name != 0 {
      guard let text = reader.text(block &+ information.name, limit: 64) else {
        throw KernelError("its name cannot be read")
      }
      if !text.isEmpty { name = text }
    }
    let words = Self.states.indices.contains(state) ? Self.states[state] : "waits (state \(state))"
    var task = KernelTask(
      id: block, name: name, state: isCurrent ? "running" : words, priority: Int(priority),
      context: isCurrent ? .running : TaskContext { () throws(KernelError) in try savedContext(block) })
    task.stack = try stack(block, task.context)
    return task
  }

  private func stack(_ block: UInt64, _ context: TaskContext) throws(KernelError) -> TaskStack? {
    guard let start = information.stack, let size = information.stackSize else { return nil }
    var stack = TaskStack(
      start: try reader.word(block &+ start), size: try reader.word(block &+ size), pointer: 0)
    switch context {
    case .running: stack.takePointer(of: reader)
    case .saved(let saved): stack.pointer = saved.stackPointer ?? 0
    case .unknown: break
    }
    return stack.pointer == 0 ? nil : stack
  }

  // MARK: Saved registers

  /// Where registers are from the address in the control block on, in the order of GDB's features.
  private func savedContext(_ block: UInt64) throws(KernelError) -> SavedContext {
    let frame = try reader.word(block &+ information.registers)
    switch reader.guest.architecture {
    case let name where name.hasPrefix("armv"):
      var context = try savedContext(frame, (0..<13).map { "r\($0)" } + ["sp", "lr", "pc", "xpsr"])
      guard case .memory(let place, _)? = context["sp"], case .memory(let status, _)? = context["xpsr"] else { break }
      // It is that from before the CPU stacked, but for the word by which that was aligned.
      let xpsr = try reader.number(status, size: 4)
      guard xpsr.bit(24) else { throw KernelError("no task's registers are saved at \(frame.hex0x())") }
      context.stackPointer = try reader.number(place, size: 4) &+ (xpsr.bit(9) ? 4 : 0)
      context["psp"] = context["sp"]
      for name in ["msp", "primask", "basepri", "faultmask", "control"] { context[name] = .shared }
      return context
    case "riscv32", "riscv64":
      var context = try savedContext(frame, (0..<32).map { $0 == 2 ? "sp" : "x\($0)" } + ["pc"])
      guard case .memory(let place, let size)? = context["sp"] else { break }
      context.stackPointer = try reader.number(place, size: size)
      context["sp"] = .memory(place, size: size)
      context["x0"] = .shared
      return context
    case let name: throw KernelError("how it saves registers on \(name) is not known")
    }
    throw KernelError("g_tcbinfo does not say where the stack pointer is saved")
  }

  private func savedContext(_ frame: UInt64, _ names: [String]) throws(KernelError) -> SavedContext {
    guard reader.isReadable(frame) else { throw KernelError("\(frame.hex0x()) cannot be read") }
    var context = SavedContext()
    for (index, name) in names.prefix(information.registerCount).enumerated() {
      let offset = try reader.number(information.registerOffsets &+ UInt64(2 * index), size: 2)
      if offset != 0xFFFF { context[name] = .memory(frame &+ offset, size: reader.wordSize) }
    }
    return context
  }
}
