// Owns `info tasks` and `threads`: the tasks of the guest's kernel, and whether debuggers take them for threads.

import Bits
import GuestKit
import Machine
import RTOS

extension Command {
  static let infoTasks = Command(
    "info tasks", aliases: ["info threads"], [], .look,
    "The tasks of the guest's kernel: state, priority, stack, where they go on.",
    .look { context throws(MonitorError) in
      do throws(KernelError) {
        let (kernel, tasks) = try context.machine.kernelTasks()
        return TaskView(context, kernel, tasks).listing
      } catch { throw .refused(error.description) }
    })

  static let threads = Command(
    "threads", [.words("VIEW", "rtos", "cpu").optional], .look,
    "What GDB's threads are: tasks of the guest's kernel, or CPUs ('cpu' at the start).",
    .look { context throws(MonitorError) in
      let kernel = context.machine.kernel
      switch context.arguments["VIEW"] {
      case "cpu": kernel.showsTasks.store(false, ordering: .sequentiallyConsistent)
      case "rtos":
        do throws(KernelError) { _ = try context.machine.requireKernel() } catch { throw .refused(error.description) }
        kernel.showsTasks.store(true, ordering: .sequentiallyConsistent)
      default: break
      }
      let showsTasks = kernel.showsTasks.load(ordering: .sequentiallyConsistent)
      let name = context.machine.recognisedKernel?.name
      return .fields([
        NamedValue("threads", .text(showsTasks ? "tasks" : "CPUs")),
        NamedValue("kernel", name.map { .text($0) } ?? .nothing),
      ])
    })
}

/// A kernel's tasks as a listing.
private struct TaskView {
  let memory: DebugMemory
  let kernel: Kernel
  let tasks: TaskList

  init(_ context: Context, _ kernel: Kernel, _ tasks: TaskList) {
    memory = DebugMemory(
      machine: context.machine, vcpu: context.machine.engine.vcpus[KernelAwareness.hart])
    self.kernel = kernel
    self.tasks = tasks
  }

  private static let columns: [Column] = [
    .left(""), .left("task"), .left("name"), .left("state"), .right("priority"), .right("used"), .right("free"),
    .right("size"), .right("never used"), .left("pc"), .left("symbol"),
  ]

  var listing: Listing {
    let rows = tasks.tasks.map(row)
    let table = Listing.table(Self.columns, rows)
    let notes = (tasks.isStarted ? [] : ["the scheduler has not started"]) + tasks.problems
    let lines = ["\(kernel.name), \(rows.count) tasks"] + table.textLines + notes
    return .custom(
      lines,
      .object([
        NamedValue("kernel", .text(kernel.name)), NamedValue("started", .truth(tasks.isStarted)),
        NamedValue("tasks", table.value), NamedValue("problems", .list(tasks.problems.map(Value.text))),
      ]))
  }

  private func row(_ task: KernelTask) -> [Value] {
    func count(_ bytes: UInt64?) -> Value { bytes.map { .number($0) } ?? .nothing }
    let pc = programCounter(task)
    return [
      .text(task.id == tasks.current ? "*" : ""), memory.address(task.id), .text(task.name), .text(task.state),
      task.priority.map { .text(String($0)) } ?? .nothing, count(task.stack?.used), count(task.stack?.free),
      count(task.stack?.size), count(task.stack?.untouched), pc.map(memory.address) ?? .nothing,
      pc.map(memory.symbol) ?? .nothing,
    ]
  }

  private func programCounter(_ task: KernelTask) -> UInt64? {
    switch task.context {
    case .running: memory.vcpu.state.pc
    case .saved(let context):
      memory.machine.savedRegister(memory.guest.programCounter, of: context).map(Endianness.little.number)
    case .unknown: nil
    }
  }
}
