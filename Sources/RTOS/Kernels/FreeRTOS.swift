// Owns FreeRTOS: the lists its tasks are on, and its control blocks (tasks.c, `tskTaskControlBlock`).

import Bits

extension Kernel {
  static let freeRTOS = Kernel(
    "FreeRTOS", needed: [["pxReadyTasksLists"], ["pxCurrentTCB", "pxCurrentTCBs"]],
    wanted: FreeRTOS.lists.map(\.symbol) + ["uxCurrentNumberOfTasks", "uxTopUsedPriority", "xSchedulerRunning"]
  ) { reader throws(KernelError) in try FreeRTOS(reader).list() }
}

/// One look at a FreeRTOS.
private struct FreeRTOS {
  /// Beside the lists of tasks that are ready, one for each priority. Those that a configuration has no use for it lacks.
  static let lists: [(symbol: String, state: String)] = [
    ("xDelayedTaskList1", "blocked"), ("xDelayedTaskList2", "blocked"), ("xSuspendedTaskList", "suspended"),
    ("xTasksWaitingTermination", "deleted"), ("xPendingReadyList", "ready"),
  ]
  /// More priorities than this nobody has.
  private static let mostPriorities = 256
  /// What new stacks are filled with (`tskSTACK_FILL_BYTE`).
  private static let fill: UInt8 = 0xA5

  private let reader: KernelReader
  private let layout: FreeRTOSListLayout
  private var result = TaskList()
  /// Of `xStateListItem` in the control block.
  private var stateItem: UInt64 = 0

  init(_ reader: KernelReader) throws(KernelError) {
    self.reader = reader
    let guest = reader.guest
    guard guest.symbol("pxCurrentTCB") != nil else {
      throw KernelError("a kernel that runs tasks on several cores (pxCurrentTCBs) is not supported")
    }
    let count = try guest.symbol("uxCurrentNumberOfTasks").map { found throws(KernelError) in
      try reader.word(found.address)
    }
    let isRunning = try guest.symbol("xSchedulerRunning").map { found throws(KernelError) in
      try reader.word(found.address) != 0
    }
    result.isStarted = isRunning ?? (count != 0)
    let ready = try reader.address("pxReadyTasksLists")
    let size = guest.symbol("xDelayedTaskList1")?.size ?? 0
    if let layout = FreeRTOSListLayout.found(at: ready, size: size, reader) {
      self.layout = layout
      return
    }
    guard count == 0 || count == nil else {
      throw KernelError(
        "its lists (pxReadyTasksLists at \(ready.hex0x())) are laid out in a way that is not understood")
    }
    throw KernelError("no task has been created yet")
  }

  consuming func list() throws(KernelError) -> TaskList {
    let guest = reader.guest
    let current = try reader.word(try reader.address("pxCurrentTCB"))
    if result.isStarted, current != 0 { result.current = current }
    for list in readyLists { try add(list, "pxReadyTasksLists", "ready") }
    for (name, state) in Self.lists {
      guard let list = guest.symbol(name)?.address else { continue }
      try add(list, name, state)
    }
    if let current = result.current, result.task(current) == nil {
      result.problems.append("the running task, at \(current.hex0x()), is on no list")
    }
    shareArrays()
    return result
  }

  /// An object in which several tasks' stacks begin is an array of stacks: of equal ones, if they fill it. Else what each has is
  /// not known.
  private mutating func shareArrays() {
    var members: [UInt64: (size: UInt64, tasks: [Int])] = [:]
    for (index, task) in result.tasks.enumerated() {
      guard let start = task.stack?.start, let object = reader.guest.object(covering: start) else { continue }
      members[object.start, default: (object.size, [])].tasks.append(index)
    }
    for (base, array) in members where array.tasks.count > 1 {
      let each = array.size / UInt64(array.tasks.count)
      let starts = array.tasks.compactMap { result.tasks[$0].stack?.start }.sorted()
      let isFilled = starts == starts.indices.map { base &+ UInt64($0) &* each }
      for index in array.tasks {
        // Others know their own from the heap.
        guard var stack = result.tasks[index].stack, stack.size == nil || stack.size == array.size else { continue }
        stack.size = isFilled ? each : nil
        stack.untouched = reader.untouched(stack.start, stack.free ?? 0, filledWith: Self.fill)
        result.tasks[index].stack = stack
      }
    }
  }

  private var readyLists: [UInt64] {
    let guest = reader.guest
    guard let (first, size) = guest.symbol("pxReadyTasksLists") else { return [] }
    let others = Set(Self.lists.compactMap { guest.symbol($0.symbol)?.address })
    let top = guest.symbol("uxTopUsedPriority").flatMap { try? reader.word($0.address) }
    var count = size > 0 ? Int(clamping: size) / layout.size : Self.mostPriorities
    if size == 0, let top, top < UInt64(Self.mostPriorities) { count = Int(top) + 1 }
    let all = (0..<min(count, Self.mostPriorities)).map { first &+ UInt64($0 * layout.size) }
    return Array(all.prefix { !others.contains($0) && layout.isList($0, reader) })
  }

  private mutating func add(_ list: UInt64, _ name: String, _ state: String) throws(KernelError) {
    let (entries, problem) = layout.entries(of: list, reader)
    if let problem { result.problems.append("\(name) at \(list.hex0x()): \(problem)") }
    for (item, owner) in entries {
      if name == "xPendingReadyList" {
        if let index = result.tasks.firstIndex(where: { $0.id == owner }) { result.tasks[index].state = state }
        continue
      }
      guard result.task(owner) == nil, result.tasks.count < KernelReader.mostTasks else { continue }
      if stateItem == 0 { stateItem = item &- owner }
      guard item &- owner == stateItem, (UInt64(reader.wordSize)..<1024).contains(stateItem) else {
        throw KernelError("the task at \(owner.hex0x()) is laid out in a way that is not understood")
      }
      do throws(KernelError) {
        result.tasks.append(try task(owner, state))
      } catch { result.problems.append("the task at \(owner.hex0x()): \(error)") }
    }
  }

  /// Behind the two list items there are priority, stack and name.
  private func task(_ block: UInt64, _ state: String) throws(KernelError) -> KernelTask {
    let word = UInt64(reader.wordSize)
    let eventItem = block &+ stateItem &+ UInt64(layout.itemSize)
    let fields = eventItem &+ UInt64(layout.itemSize)
    let priority = try reader.word(fields)
    let start = try reader.word(fields &+ word)
    let top = try reader.word(block)
    guard priority < UInt64(Self.mostPriorities), let name = reader.text(fields &+ 2 * word, limit: 32),
      reader.isReadable(start), reader.isReadable(top)
    else { throw KernelError("its control block is laid out in a way that is not understood") }
    var state = state
    // Who waits for something without a limit is on the list of suspended tasks, too.
    if state == "suspended", try reader.word(eventItem &+ UInt64(layout.container)) != 0 { state = "blocked" }
    let isCurrent = block == result.current
    var task = KernelTask(
      id: block, name: name, state: isCurrent ? "running" : state, priority: Int(priority),
      context: isCurrent ? .running : TaskContext { () throws(KernelError) in try savedContext(top) })
    let size = stackSize(start, top)
    var stack = TaskStack(start: start, size: size, pointer: top)
    if isCurrent { stack.takePointer(of: reader) }
    stack.untouched = reader.untouched(start, stack.free ?? 0, filledWith: Self.fill)
    task.stack = stack
    return task
  }

  /// Of an object of its own, or of a block of the kernel's heap (heap_4.c, heap_5.c): it begins with a null pointer, and
  /// its size with the highest bit set, in as many bytes as the port aligns to.
  private func stackSize(_ start: UInt64, _ top: UInt64) -> UInt64? {
    let word = UInt64(reader.wordSize)
    func plausible(_ size: UInt64) -> UInt64? { top >= start && top - start < size && size < 1 << 24 ? size : nil }
    if let object = reader.guest.object(covering: start), object.start == start, let size = plausible(object.size) {
      return size
    }
    let allocated: UInt64 = 1 << (8 * word - 1)
    for header in [2 * word, 16, 32] {
      guard let link = try? reader.word(start &- header), link == 0,
        let size = try? reader.word(start &- header &+ word), size & allocated != 0, size ^ allocated > header,
        let size = plausible((size ^ allocated) - header)
      else { continue }
      return size
    }
    return nil
  }

  // MARK: Saved registers

  private func savedContext(_ top: UInt64) throws(KernelError) -> SavedContext {
    switch reader.guest.architecture {
    case let name where name.hasPrefix("armv"): return try cortexMContext(top)
    case "riscv32": return try riscvContext(top, xlen: 32)
    case "riscv64": return try riscvContext(top, xlen: 64)
    case let name: throw KernelError("how its ports for \(name) save registers is not known")
    }
  }

  /// ARM_CM4F and CM7: r4–r11, EXC_RETURN, s16–s31 if that says so. ARM_CM23 to CM85 have the stack's limit and
  /// EXC_RETURN first. ARM_CM0 and CM3: r4–r11. Then what the CPU has stacked.
  private func cortexMContext(_ top: UInt64) throws(KernelError) -> SavedContext {
    let second = try reader.number(top &+ 4, size: 4)
    let ninth = try reader.number(top &+ 32, size: 4)
    if CortexMFrame.isExceptionReturn(ninth), let context = try? cortexMContext(top, preserved: 0, size: 36, ninth) {
      return context
    }
    if CortexMFrame.isExceptionReturn(second), let context = try? cortexMContext(top, preserved: 8, size: 40, second) {
      return context
    }
    return try cortexMContext(top, preserved: 0, size: 32, 0xFFFF_FFFD)
  }

  private func cortexMContext(
    _ top: UInt64, preserved: UInt64, size: UInt64, _ exceptionReturn: UInt64
  ) throws(KernelError) -> SavedContext {
    var context = SavedContext()
    let hasFloat = CortexMFrame.hasFloat(exceptionReturn)
    CortexMFrame.addPreserved(&context, at: top &+ preserved)
    if hasFloat { CortexMFrame.addPreservedFloat(&context, at: top &+ size) }
    try CortexMFrame.addStacked(&context, at: top &+ size &+ (hasFloat ? 64 : 0), hasFloat: hasFloat, reader)
    return context
  }

  /// portable/GCC/RISC-V: mepc, mstatus, (f0–f31, fcsr if they were in use,) x1, x5–x31 and the depth of critical
  /// sections. Up to version 11.2 mstatus was last, before 10.5 there was no depth.
  private func riscvContext(_ top: UInt64, xlen: Int) throws(KernelError) -> SavedContext {
    let slot = xlen / 8
    func place(_ index: Int) -> UInt64 { top &+ UInt64(slot * index) }
    let layouts: [(status: Int, first: Int, size: Int)] = [(1, 2, 31), (30, 1, 31), (29, 1, 30)]
    for layout in layouts {
      let status = try reader.word(place(layout.status))
      guard RISCVFrame.isTrapStatus(status, xlen: xlen) else { continue }
      var context = RISCVFrame.shared()
      context["pc"] = .memory(top, size: slot)
      context["mstatus"] = .memory(place(layout.status), size: slot)
      var first = place(layout.first)
      var size = slot * layout.size
      // Ports with configENABLE_FPU save them if they were in use; which ones do shows in the stack's alignment.
      if layout.status == 1, status.bits(13..<15) == 3,
        let width = [8, 4].first(where: { (top &+ UInt64(size + 33 * $0)) % 16 == 0 })
      {
        RISCVFrame.add(&context, 0..<32, at: first, slot: width, prefix: "f")
        context["fcsr"] = .memory(first &+ UInt64(32 * width), size: 4)
        first = first &+ UInt64(33 * width)
        size += 33 * width
      }
      RISCVFrame.add(&context, [1] + Array(5...31), at: first, slot: slot)
      context.stackPointer = top &+ UInt64(size)
      return context
    }
    throw KernelError("no task's registers are saved at \(top.hex0x())")
  }
}

extension TaskStack {
  /// The pointer that the CPU has, if it is on this stack: a handler may have one of its own.
  mutating func takePointer(of reader: KernelReader) {
    guard let value = reader.guest.register("psp") ?? reader.guest.register("sp"), value >= start,
      value - start <= size ?? 1 << 20
    else { return }
    pointer = value
  }
}
