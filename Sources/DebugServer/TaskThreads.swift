// Owns the threads of the protocol: harts, or the tasks of the guest's kernel in their place.

import GDBRemote
import Machine
import RTOS

/// Gives tasks numbers, and keeps what the kernel's structures said when the guest stopped. Used on the machine's thread
/// only.
///
/// The task that runs when tasks are first shown takes the number of the hart that it runs on, so that the client's thread
/// stays what it is; the others have numbers behind the harts'. Harts on which the kernel does not run stay threads.
final class TaskThreads {
  /// What a thread stands for.
  enum Subject: Sendable {
    case hart(Int)
    case task(KernelTask)
  }

  private struct View {
    let showsTasks: Bool
    var threads: [(id: ThreadID, subject: Subject)] = []
    /// Of the hart that the kernel runs on.
    var current: ThreadID
    /// What keeps tasks, or some of them, from being shown.
    var problem: String?
  }

  private static let hart = KernelAwareness.hart

  private var numbers: [UInt64: UInt32] = [:]
  private var view: View?

  /// What the client has been told of ``View/problem``.
  private var toldProblem: String?

  /// Forgets what the kernel's structures said.
  func invalidate() { view = nil }

  /// The client is gone.
  func forget() {
    view = nil
    numbers.removeAll()
    toldProblem = nil
  }

  func threads(_ machine: Machine) -> [ThreadID] { look(machine).threads.map(\.id) }

  func subject(of thread: ThreadID, _ machine: Machine) -> Subject? {
    look(machine).threads.first { $0.id == thread }?.subject
  }

  /// The thread that a hart executes.
  func thread(on hart: Int, _ machine: Machine) -> ThreadID {
    hart == Self.hart ? look(machine).current : ThreadID(hart: hart)
  }

  /// What keeps tasks, or some of them, from being shown, if that is news.
  func news(_ machine: Machine) -> String? {
    let problem = look(machine).problem
    defer { toldProblem = problem }
    return problem == toldProblem ? nil : problem
  }

  private func look(_ machine: Machine) -> View {
    if let view, view.showsTasks == machine.showsTasks { return view }
    let fresh = machine.showsTasks ? tasks(machine) : harts(machine, problem: nil)
    view = fresh
    return fresh
  }

  private func harts(_ machine: Machine, problem: String?) -> View {
    let all = machine.engine.vcpus.indices.map { (id: ThreadID(hart: $0), subject: Subject.hart($0)) }
    return View(
      showsTasks: machine.showsTasks, threads: all, current: ThreadID(hart: Self.hart), problem: problem)
  }

  private func tasks(_ machine: Machine) -> View {
    let kernel: Kernel
    let list: TaskList
    do throws(KernelError) {
      (kernel, list) = try machine.kernelTasks()
    } catch {
      return harts(machine, problem: "No tasks to be seen, CPUs are the threads: \(error).")
    }
    let current = list.current.flatMap { list.task($0) }
    var view = View(showsTasks: true, current: number(current?.id ?? 0, machine))
    if current == nil { view.threads.append((view.current, .hart(Self.hart))) }
    for task in list.tasks { view.threads.append((number(task.id, machine), .task(task))) }
    // The client takes the first one for the one that it knows.
    if let index = view.threads.firstIndex(where: { $0.id == view.current }) { view.threads.swapAt(0, index) }
    for hart in machine.engine.vcpus.indices where hart != Self.hart {
      view.threads.append((ThreadID(hart: hart), .hart(hart)))
    }
    if !list.problems.isEmpty { view.problem = "\(kernel.name): \(list.problems.joined(separator: "; "))." }
    return view
  }

  /// - Parameter block: the address of the task's control block; 0 for what runs outside of tasks.
  private func number(_ block: UInt64, _ machine: Machine) -> ThreadID {
    if let number = numbers[block] { return ThreadID(thread: number) }
    let harts = machine.engine.vcpus.count
    let number = numbers.isEmpty ? Self.hart + 1 : harts + numbers.count
    numbers[block] = UInt32(number)
    return ThreadID(thread: UInt32(number))
  }
}

extension ThreadID {
  init(hart: Int) { self.init(thread: UInt32(hart) + 1) }
}

extension Machine {
  /// Whether threads are the tasks of the guest's kernel. From any thread.
  var showsTasks: Bool { kernel.showsTasks.load(ordering: .sequentiallyConsistent) }
}
