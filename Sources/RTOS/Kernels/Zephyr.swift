// Owns Zephyr: the table of offsets that a program built with CONFIG_DEBUG_THREAD_INFO has (subsys/debug/thread_info.c),
// and the structures that it leads to.

import Bits

extension Kernel {
  static let zephyr = Kernel(
    "Zephyr",
    needed: [["_kernel"], ["_kernel_thread_info_offsets", "_kernel_openocd_offsets"]],
    wanted: [
      "_kernel_thread_info_num_offsets", "_kernel_openocd_num_offsets", "_kernel_thread_info_size_t_size",
      "_kernel_openocd_size_t_size", "z_riscv_switch", "arm_m_cs_ptrs",
    ]
  ) { reader throws(KernelError) in try Zephyr(reader).list() }
}

/// One look at a Zephyr.
private struct Zephyr {
  /// Entries of the table, in its order. Those for the kernel are of `_kernel`, the others of a thread.
  private enum Offset: Int, CaseIterable {
    case version, current, threads, entry, nextThread, state, options, priority, stackPointer
    case name, architecture, preemptedFloat, cooperativeFloat, exceptionReturn
  }

  /// Bits of `thread_state` (kernel_structs.h), the one that says most first.
  private static let states: [(bit: Int, name: String)] = [
    (3, "dead"), (5, "aborting"), (4, "suspended"), (1, "pending"), (2, "sleeping"), (0, "dummy"),
  ]
  /// What new stacks are filled with (CONFIG_INIT_STACKS).
  private static let fill: UInt8 = 0xAA
  /// Where the stack's description can be behind the name, in bytes.
  private static let stackInfoSearch: UInt64 = 256

  private let reader: KernelReader
  private let kernel: UInt64
  private let offsets: [UInt64]

  init(_ reader: KernelReader) throws(KernelError) {
    self.reader = reader
    let guest = reader.guest
    func symbol(_ name: String) -> UInt64? {
      (guest.symbol("_kernel_thread_info_\(name)") ?? guest.symbol("_kernel_openocd_\(name)"))?.address
    }
    kernel = try reader.address("_kernel")
    guard let table = symbol("offsets") else { throw KernelError("there is no table of offsets") }
    var width = reader.wordSize
    if let place = symbol("size_t_size") {
      width = Int(try reader.number(place, size: 1))
      guard width == 4 || width == 8 else { throw KernelError("its table has entries of \(width) bytes") }
    }
    let version = try reader.number(table, size: width)
    guard version <= 1 else { throw KernelError("version \(version) of its table is not known") }
    var count = version == 0 ? Offset.stackPointer.rawValue + 1 : Offset.cooperativeFloat.rawValue + 1
    if let place = symbol("num_offsets") { count = Int(clamping: try reader.number(place, size: width)) }
    guard count > Offset.stackPointer.rawValue else { throw KernelError("its table has only \(count) entries") }
    offsets = try (0..<min(count, Offset.allCases.count)).map { index throws(KernelError) in
      try reader.number(table &+ UInt64(index * width), size: width)
    }
  }

  private func offset(_ entry: Offset) -> UInt64? {
    // What an architecture does not have is all ones, in 32 bits.
    guard offsets.indices.contains(entry.rawValue), offsets[entry.rawValue] & 0xFFFF_FFFF != 0xFFFF_FFFF else {
      return nil
    }
    return offsets[entry.rawValue]
  }

  private func place(_ entry: Offset, of thread: UInt64) throws(KernelError) -> UInt64 {
    guard let offset = offset(entry) else { throw KernelError("its table does not say where a thread's \(entry) is") }
    return thread &+ offset
  }

  func list() throws(KernelError) -> TaskList {
    var result = TaskList()
    let current = try reader.word(try place(.current, of: kernel))
    result.current = current == 0 ? nil : current
    result.isStarted = current != 0
    var next = try reader.word(try place(.threads, of: kernel))
    var seen: Set<UInt64> = []
    do throws(KernelError) {
      while next != 0 {
        guard seen.insert(next).inserted else { throw KernelError("it goes round in a circle") }
        guard seen.count <= KernelReader.mostTasks else { throw KernelError("it does not end") }
        result.tasks.append(try task(next, isCurrent: next == current))
        next = try reader.word(try place(.nextThread, of: next))
      }
    } catch { result.problems.append("its list of threads: \(error)") }
    findStacks(&result)
    if let current = result.current, result.task(current) == nil {
      // Before the first switch to a thread there is one in name only.
      (result.current, result.isStarted) = (nil, false)
    }
    return result
  }

  private func task(_ thread: UInt64, isCurrent: Bool) throws(KernelError) -> KernelTask {
    let bits = try reader.number(try place(.state, of: thread), size: 1)
    let priority = Int8(truncatingIfNeeded: Int(try reader.number(try place(.priority, of: thread), size: 1)))
    let entry = try reader.word(try place(.entry, of: thread))
    let name = try offset(.name).flatMap { offset throws(KernelError) -> String? in
      guard let name = reader.text(thread &+ offset, limit: 64) else {
        throw KernelError("the thread at \(thread.hex0x()) has no name that can be read")
      }
      return name.isEmpty ? nil : name
    }
    let state = Self.states.first { bits.bit($0.bit) }?.name ?? "ready"
    return KernelTask(
      id: thread, name: name ?? "thread \(entry.hex0x())", state: isCurrent ? "running" : state,
      priority: Int(priority),
      context: isCurrent ? .running : TaskContext { () throws(KernelError) in try savedContext(thread) })
  }

  /// `stack_info` (start, size) is not in the table: it is where, behind the name, all threads have two words that their
  /// stack pointers fit into.
  private func findStacks(_ result: inout TaskList) {
    guard let name = offset(.name) else { return }
    let word = UInt64(reader.wordSize)
    let pointers = result.tasks.map { task -> UInt64? in
      if case .saved(let context) = task.context { context.stackPointer } else { nil }
    }
    guard pointers.contains(where: { $0 != nil }) else { return }
    search: for distance in stride(from: word, to: Self.stackInfoSearch, by: Int(word)) {
      var stacks: [TaskStack] = []
      for (task, pointer) in zip(result.tasks, pointers) {
        let place = (task.id &+ name).alignedDown(to: word) &+ distance
        guard let start = try? reader.word(place), let size = try? reader.word(place &+ word), start % word == 0,
          size >= 64,
          size < 1 << 24, start >= 0x100, reader.isReadable(start)
        else { continue search }
        if let pointer, pointer < start || pointer - start > size { continue search }
        stacks.append(TaskStack(start: start, size: size, pointer: pointer ?? start + size))
      }
      for index in stacks.indices {
        if result.tasks[index].context == .running { stacks[index].takePointer(of: reader) }
        stacks[index].untouched = reader.untouched(
          stacks[index].start, stacks[index].free ?? 0, filledWith: Self.fill)
        result.tasks[index].stack = stacks[index]
      }
      return
    }
  }

  // MARK: Saved registers

  private func savedContext(_ thread: UInt64) throws(KernelError) -> SavedContext {
    let saved = try place(.stackPointer, of: thread)
    switch reader.guest.architecture {
    case let name where name.hasPrefix("armv"): return try cortexMContext(thread, saved)
    case "riscv32", "riscv64": return try riscvContext(saved)
    case let name: throw KernelError("how it saves registers on \(name) is not known")
    }
  }

  /// r4–r11 are in front of the stack pointer in the thread, s16–s31 in `arch`; the rest is what the CPU has stacked.
  private func cortexMContext(_ thread: UInt64, _ saved: UInt64) throws(KernelError) -> SavedContext {
    guard reader.guest.symbol("arm_m_cs_ptrs") == nil else {
      throw KernelError("how it saves registers with CONFIG_USE_SWITCH on Arm is not known")
    }
    var context = SavedContext()
    CortexMFrame.addPreserved(&context, at: saved &- 32)
    var hasFloat = false
    if let architecture = offset(.architecture), let float = offset(.preemptedFloat) {
      // The low byte of EXC_RETURN is the second of `mode`, behind the registers.
      let mode = thread &+ architecture &+ (offset(.exceptionReturn) ?? float &+ 65)
      hasFloat = CortexMFrame.hasFloat(try reader.number(mode, size: 1))
      if hasFloat { CortexMFrame.addPreservedFloat(&context, at: thread &+ architecture &+ float) }
    }
    try CortexMFrame.addStacked(&context, at: try reader.word(saved), hasFloat: hasFloat, reader)
    return context
  }

  /// Threads give the CPU up by a call: sp, ra and s0–s11 are in the thread.
  private func riscvContext(_ saved: UInt64) throws(KernelError) -> SavedContext {
    guard reader.guest.symbol("z_riscv_switch") != nil else {
      throw KernelError("how it saved registers on RISC-V before version 3.1 is not known")
    }
    let slot = reader.wordSize
    var context = RISCVFrame.shared()
    context.stackPointer = try reader.word(saved)
    context["sp"] = .memory(saved, size: slot)
    context["pc"] = .memory(saved &+ UInt64(slot), size: slot)
    RISCVFrame.add(&context, [1, 8, 9] + Array(18...27), at: saved &+ UInt64(slot), slot: slot)
    return context
  }
}
