// Owns the threads of the protocol: harts, or the tasks of the guest's kernel in their place.

import GDBRemote
import Machine
import RTOS
import Synchronization

/// Gives tasks numbers, and keeps what the kernel's structures said when the guest stopped. Used on the machine's thread
/// only, but for ``harts``.
///
/// The thread of the hart that the kernel runs on has one number for both views at the moment that they change, so that the
/// client's thread stays what it is: the task that runs takes that of the hart, and later the hart that of the task that ran
/// last. The other tasks have numbers behind the harts', which stay threads if the kernel does not run on them.
final class TaskThreads: @unchecked Sendable {
  /// What a thread stands for.
  enum Subject: Sendable {
    case hart(Int)
    case task(KernelTask)
  }

  private struct View: Sendable {
    var threads: [(id: ThreadID, subject: Subject)] = []
    /// What keeps tasks, or some of them, from being shown.
    var problem: String?
  }

  private struct State {
    /// By the address of the control block; 0 stands for what runs outside of tasks.
    var numbers: [UInt64: UInt32] = [:]
    /// Of tasks, since the guest stopped.
    var view: View?
    /// Tasks were threads when the guest stopped before.
    var hasShownTasks = false
    /// What the client has been told of ``View/problem``.
    var toldProblem: String?
  }

  private static let hart = KernelAwareness.hart
  /// By hart; its cluster is the process of its threads.
  let clusters: [Int]
  private var hartCount: Int { clusters.count }
  /// The number of the thread that the kernel's hart executes.
  private let current = Atomic(UInt32(TaskThreads.hart) + 1)
  /// Harts are the threads, whatever the user has chosen.
  private let areTasksHidden = Atomic(false)
  private var state = State()

  init(clusters: [Int]) { self.clusters = clusters }

  /// The threads of the view of CPUs. From any thread.
  var harts: [ThreadID] { (0..<hartCount).map(thread(ofHart:)) }

  /// Whether threads are the tasks of the guest's kernel. From any thread.
  func areTasks(_ machine: Machine) -> Bool {
    !areTasksHidden.load(ordering: .sequentiallyConsistent)
      && machine.kernel.showsTasks.load(ordering: .sequentiallyConsistent)
  }

  /// In non-stop harts halt one by one, tasks all at once.
  func hideTasks(_ areHidden: Bool) {
    areTasksHidden.store(areHidden, ordering: .sequentiallyConsistent)
    invalidate()
  }

  private func thread(ofHart hart: Int) -> ThreadID {
    let number = hart == Self.hart ? current.load(ordering: .sequentiallyConsistent) : UInt32(hart) + 1
    return ThreadID(process: process(ofHart: hart), thread: number)
  }

  private func process(ofHart hart: Int) -> UInt32 { UInt32(clusters[hart]) + 1 }

  /// The harts of a process.
  func harts(ofProcess process: UInt32) -> [Int] { clusters.indices.filter { self.process(ofHart: $0) == process } }

  /// Forgets what the kernel's structures said.
  func invalidate() { state.view = nil }

  /// The client is gone.
  func forget() {
    state = State()
    current.store(UInt32(Self.hart) + 1, ordering: .sequentiallyConsistent)
  }

  func threads(_ machine: Machine) -> [ThreadID] { look(machine).threads.map(\.id) }

  func subject(of thread: ThreadID, _ machine: Machine) -> Subject? {
    look(machine).threads.first { $0.id == thread }?.subject
  }

  /// The thread that a hart executes.
  func thread(on hart: Int, _ machine: Machine) -> ThreadID {
    if areTasks(machine) { _ = look(machine) } else { state.hasShownTasks = false }
    return thread(ofHart: hart)
  }

  /// What keeps tasks, or some of them, from being shown, if that is news.
  func news(_ machine: Machine) -> String? {
    let problem = look(machine).problem
    defer { state.toldProblem = problem }
    return problem == state.toldProblem ? nil : problem
  }

  private func look(_ machine: Machine) -> View {
    guard areTasks(machine) else { return View(threads: allHarts, problem: nil) }
    if let view = state.view { return view }
    let fresh = tasks(machine)
    state.view = fresh
    return fresh
  }

  private var allHarts: [(id: ThreadID, subject: Subject)] { harts.enumerated().map { ($1, .hart($0)) } }

  private func tasks(_ machine: Machine) -> View {
    let kernel: Kernel
    let list: TaskList
    do throws(KernelError) {
      (kernel, list) = try machine.kernelTasks()
    } catch {
      return View(threads: allHarts, problem: "No tasks to be seen, CPUs are the threads: \(error).")
    }
    let running = list.current.flatMap { list.task($0) }
    setCurrent(running?.id ?? 0)
    var view = View()
    if running == nil { view.threads.append((thread(ofHart: Self.hart), .hart(Self.hart))) }
    for task in list.tasks {
      view.threads.append((ThreadID(process: process(ofHart: Self.hart), thread: number(task.id)), .task(task)))
    }
    // A client that has chosen no thread means the first one.
    if let index = view.threads.firstIndex(where: { $0.id == thread(ofHart: Self.hart) }) {
      view.threads.swapAt(0, index)
    }
    for hart in 0..<hartCount where hart != Self.hart { view.threads.append((thread(ofHart: hart), .hart(hart))) }
    if !list.problems.isEmpty { view.problem = "\(kernel.name): \(list.problems.joined(separator: "; "))." }
    return view
  }

  /// The kernel's hart executes the task with this control block.
  private func setCurrent(_ block: UInt64) {
    if !state.hasShownTasks {
      let number = current.load(ordering: .sequentiallyConsistent)
      if let owner = state.numbers.first(where: { $0.value == number })?.key, owner != block {
        state.numbers[owner] = self.number(block)
      }
      state.numbers[block] = number
      state.hasShownTasks = true
    }
    current.store(number(block), ordering: .sequentiallyConsistent)
  }

  private func number(_ block: UInt64) -> UInt32 {
    if let number = state.numbers[block] { return number }
    let number = max(state.numbers.values.max() ?? 0, UInt32(hartCount)) + 1
    state.numbers[block] = number
    return number
  }
}
