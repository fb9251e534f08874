// Owns ThreadX: the ring of its threads, and their control blocks (tx_api.h, `TX_THREAD`).

import Bits

extension Kernel {
  static let threadX = Kernel(
    "ThreadX", needed: [["_tx_thread_created_ptr"], ["_tx_thread_current_ptr"]], wanted: ["_tx_thread_created_count"]
  ) { reader throws(KernelError) in try ThreadX(reader).list() }
}

/// One look at a ThreadX.
private struct ThreadX {
  /// `tx_thread_state`
  private static let states = [
    "ready", "completed", "terminated", "suspended", "sleeping", "waits for a queue", "waits for a semaphore",
    "waits for event flags", "waits for a block of memory", "waits for memory", "waits for a device",
    "waits for a file", "waits for the network", "waits for a mutex", "changes its priority",
  ]
  /// `tx_thread_id` of a thread that has been created: THRD.
  private static let mark: UInt64 = 0x5448_5244
  /// What new stacks are filled with (`TX_STACK_FILL`).
  private static let fill: UInt8 = 0xEF

  private let reader: KernelReader
  private let word: UInt64
  /// Of members of the control block, in bytes. A port may put some of its own in front of those of `laterMembers`.
  private let name: UInt64
  private let created: UInt64

  init(_ reader: KernelReader) {
    self.reader = reader
    word = UInt64(reader.wordSize)
    // Ten words, ULONG and pointers alike, then the name; UINT has four bytes.
    name = 10 * word
    created = word == 4 ? 136 : 248
  }

  func list() throws(KernelError) -> TaskList {
    var result = TaskList()
    let current = try reader.word(try reader.address("_tx_thread_current_ptr"))
    let first = try reader.word(try reader.address("_tx_thread_created_ptr"))
    result.current = current == 0 ? nil : current
    guard first != 0 else { throw KernelError("no thread has been created yet") }
    let ring = try ring(first)
    var thread = first
    var seen: Set<UInt64> = []
    do throws(KernelError) {
      repeat {
        guard seen.insert(thread).inserted else { throw KernelError("it does not come back to its start") }
        guard seen.count <= KernelReader.mostTasks else { throw KernelError("it does not end") }
        result.tasks.append(try task(thread, isCurrent: thread == current))
        thread = try reader.word(thread &+ ring)
      } while thread != first
    } catch { result.problems.append("its list of threads: \(error)") }
    if let current = result.current, result.task(current) == nil {
      result.problems.append("the running thread, at \(current.hex0x()), is not on the list of threads")
    }
    return result
  }

  /// Where the pointers to the next and the previous thread are.
  private func ring(_ thread: UInt64) throws(KernelError) -> UInt64 {
    guard try reader.word(thread) & 0xFFFF_FFFF == Self.mark else {
      throw KernelError("there is no thread at \(thread.hex0x())")
    }
    // A port's members in front of them are of few words.
    for offset in stride(from: created, through: created + 16 * word, by: Int(word)) {
      guard let next = try? reader.word(thread &+ offset), let previous = try? reader.word(thread &+ offset &+ word),
        (try? reader.word(next)).map({ $0 & 0xFFFF_FFFF }) == Self.mark,
        (try? reader.word(next &+ offset &+ word)) == thread, (try? reader.word(previous &+ offset)) == thread
      else { continue }
      return offset
    }
    throw KernelError("the thread at \(thread.hex0x()) is laid out in a way that is not understood")
  }

  private func task(_ thread: UInt64, isCurrent: Bool) throws(KernelError) -> KernelTask {
    guard try reader.word(thread) & 0xFFFF_FFFF == Self.mark else {
      throw KernelError("there is no thread at \(thread.hex0x())")
    }
    let pointer = try reader.word(thread &+ 2 * word)
    let start = try reader.word(thread &+ 3 * word)
    let size = try reader.word(thread &+ 5 * word)
    let priority = try reader.number(thread &+ name &+ word, size: 4)
    let state = try reader.number(thread &+ name &+ word &+ 4, size: 4)
    guard let text = reader.text(try reader.word(thread &+ name), limit: 64) else {
      throw KernelError("the thread at \(thread.hex0x()) has no name that can be read")
    }
    let words = Self.states.indices.contains(Int(state)) ? Self.states[Int(state)] : "state \(state)"
    var task = KernelTask(
      id: thread, name: text, state: isCurrent ? "running" : words, priority: Int(priority),
      context: isCurrent ? .running : TaskContext { () throws(KernelError) in try savedContext(pointer) })
    var stack = TaskStack(start: start, size: size, pointer: pointer)
    if isCurrent { stack.takePointer(of: reader) }
    stack.untouched = reader.untouched(start, min(stack.free ?? 0, size), filledWith: Self.fill)
    task.stack = stack
    return task
  }

  // MARK: Saved registers

  private func savedContext(_ pointer: UInt64) throws(KernelError) -> SavedContext {
    switch reader.guest.architecture {
    case let name where name.hasPrefix("armv"): return try cortexMContext(pointer)
    case "riscv32", "riscv64": return try riscvContext(pointer)
    case let name: throw KernelError("how its ports for \(name) save registers is not known")
    }
  }

  /// EXC_RETURN (not before version 6), s16–s31 if that says so, r4–r11 (ARMv6-M: r8–r11, r4–r7), then what the CPU has
  /// stacked.
  private func cortexMContext(_ pointer: UInt64) throws(KernelError) -> SavedContext {
    let first = try reader.number(pointer, size: 4)
    let hasReturn = CortexMFrame.isExceptionReturn(first)
    let hasFloat = hasReturn && CortexMFrame.hasFloat(first)
    var context = SavedContext()
    var place = pointer &+ (hasReturn ? 4 : 0)
    if hasFloat {
      CortexMFrame.addPreservedFloat(&context, at: place)
      place = place &+ 64
    }
    CortexMFrame.addPreserved(&context, at: place)
    if ["armv6-m", "armv8-m.base"].contains(reader.guest.architecture) {
      for (index, number) in [8, 9, 10, 11, 4, 5, 6, 7].enumerated() {
        context["r\(number)"] = .memory(place &+ UInt64(4 * index), size: 4)
      }
    }
    try CortexMFrame.addStacked(&context, at: place &+ 32, hasFloat: hasFloat, reader)
    return context
  }

  /// The first word is 1 for a thread that was interrupted, 0 for one that has called the kernel, which has saved only what
  /// calls preserve.
  private func riscvContext(_ pointer: UInt64) throws(KernelError) -> SavedContext {
    let slot = reader.wordSize
    func place(_ index: Int) -> UInt64 { pointer &+ UInt64(index * slot) }
    var context = RISCVFrame.shared()
    let kind = try reader.word(pointer)
    let preserved = [27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 9, 8]
    // With a floating-point ABI there are 13 or 33 words more: stacks are aligned to 16 bytes, which shows.
    let hasFloat = pointer % 16 != 0
    switch kind {
    case 0:
      RISCVFrame.add(&context, preserved + [1], at: place(1), slot: slot)
      context["pc"] = context["x1"]
      context["mstatus"] = .memory(place(14), size: slot)
      context.stackPointer = place(hasFloat ? 29 : 16)
      if hasFloat { RISCVFrame.add(&context, [8, 9] + Array(18...27), at: place(15), slot: slot, prefix: "f") }
    case 1:
      let rest = [31, 30, 29, 28, 7, 6, 5, 17, 16, 15, 14, 13, 12, 11, 10, 1]
      RISCVFrame.add(&context, preserved + rest, at: place(1), slot: slot)
      context["pc"] = .memory(place(30), size: slot)
      context.stackPointer = place(hasFloat ? 65 : 32)
      if hasFloat { RISCVFrame.add(&context, 0..<32, at: place(31), slot: slot, prefix: "f") }
    default: throw KernelError("no thread's registers are saved at \(pointer.hex0x())")
    }
    return context
  }
}
