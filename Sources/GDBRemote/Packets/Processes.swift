// Processes of a target with several: which of them the client has (GDB manual, section "Packets", on multiprocess extensions).

extension Session {
  /// Those that the client has, of a target of which it could have more than one; nil if all is one to it.
  var separateProcesses: Set<UInt32>? {
    guard isMultiprocess, capabilities.multiprocess != nil else { return nil }
    guard Set(target.threads.map(\.process)).count > 1 else { return nil }
    return Set(threads.map(\.process))
  }

  /// Leaves one process of several. Returns false if the client has no other.
  func leaveProcess(_ process: UInt32) -> Bool {
    guard let target = capabilities.multiprocess, let processes = separateProcesses, processes.contains(process),
      processes.count > 1
    else { return false }
    target.detach(process: process)
    leftProcesses.insert(process)
    if case .only(process)? = generalThread?.process { generalThread = nil }
    if case .only(process)? = continueThreads?.process { continueThreads = nil }
    return true
  }

  /// Takes up one process of several.
  /// - Returns: The answer, if the client has another one already.
  func takeUpProcess(_ process: UInt32) throws(TargetError) -> Reply? {
    guard let target = capabilities.multiprocess, isMultiprocess else { return nil }
    let all = Set(self.target.threads.map(\.process))
    guard all.count > 1 else { return nil }
    if phase == .detached || phase == .ended {
      keep(process, of: all, target)
      return nil
    }
    guard phase == .halted else { throw .busy("the guest is running: halt it before a further process is attached to") }
    guard leftProcesses.remove(process) != nil else { throw .invalid("process \(process) is attached already") }
    target.attach(process: process)
    if isNonStop { return .ok }
    guard let first = threads.first(where: { $0.process == process }) else { throw .noSuchThread }
    return .payload(report(.stopped(Stop(thread: first))))
  }

  /// A client that has connected has the first process of several, and attaches to others: GDB finds out about the
  /// registers of a process only when it does.
  func keepFirstProcess() {
    guard let target = capabilities.multiprocess, let processes = separateProcesses,
      let first = self.target.threads.first
    else { return }
    keep(first.process, of: processes, target)
  }

  private func keep(_ process: UInt32, of all: Set<UInt32>, _ target: any MultiprocessTarget) {
    leftProcesses = all.subtracting([process])
    target.attach(process: process)
    for other in leftProcesses { target.detach(process: other) }
  }

  func checkProcess(_ process: UInt32) throws(TargetError) {
    guard target.threads.contains(where: { $0.process == process }) else {
      throw TargetError(.noSuchThread, "no such process")
    }
  }
}
