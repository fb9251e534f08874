// H, T, qC, qfThreadInfo, qsThreadInfo, qThreadExtraInfo, qXfer:threads: threads and which of them is meant.

extension Session {
  var isMultiprocess: Bool { clientFeatures.contains("multiprocess+") }

  /// None while the client has no guest, lest GDB take it for running.
  var threads: [ThreadID] {
    if phase == .detached || phase == .ended { return [] }
    return leftProcesses.isEmpty ? target.threads : target.threads.filter { !leftProcesses.contains($0.process) }
  }

  /// The thread chosen by `Hg`, or the first one.
  func selectedThread() throws(TargetError) -> ThreadID {
    let threads = threads
    guard let selector = generalThread else {
      guard let first = threads.first else { throw .noSuchThread }
      return first
    }
    return try thread(selector, in: threads)
  }

  func text(of thread: ThreadID) -> String {
    let number = String(thread.thread, radix: 16)
    return isMultiprocess ? "p\(String(thread.process, radix: 16)).\(number)" : number
  }

  /// `Hg thread-id` for data, `Hc thread-id` for `c` and `s`. "Any" keeps the thread chosen before.
  func chooseThread(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let isForData = packet.skip("g")
    if !isForData { try packet.expect("c") }
    let selector = try packet.threadSelector()
    try packet.expectEnd()
    let threads = threads
    let first = try thread(selector, in: threads)
    if isForData {
      let chosen = threads.first { generalThread?.matches($0) == true && selector.matches($0) }
      generalThread = ThreadSelector(chosen ?? first)
    } else {
      continueThreads = selector
    }
    return .ok
  }

  /// `T thread-id`
  func isAlive(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let selector = try packet.threadSelector()
    try packet.expectEnd()
    _ = try thread(selector, in: threads)
    return .ok
  }

  func currentThread(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return .text("QC" + text(of: try selectedThread()))
  }

  func listFirstThreads(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    unlistedThreads = threads[...]
    return listThreads()
  }

  func listMoreThreads(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return listThreads()
  }

  /// As many threads as fit into one packet, or `l` if none are left.
  private func listThreads() -> Reply {
    var list = ""
    while let next = unlistedThreads.first {
      let id = text(of: next)
      guard list.utf8.count + id.utf8.count + 1 <= configuration.packetSize else { break }
      list += (list.isEmpty ? "m" : ",") + id
      unlistedThreads.removeFirst()
    }
    return .text(list.isEmpty ? "l" : list)
  }

  /// `qThreadExtraInfo,thread-id`
  func describeThread(_ names: any ThreadNaming, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let selector = try packet.threadSelector()
    try packet.expectEnd()
    let description = names.describe(try thread(selector, in: threads))
    let line = description.state.isEmpty ? description.name : "\(description.name): \(description.state)"
    return .payload(Hex.encode(line.utf8))
  }

  /// `qXfer:threads:read::offset,length`
  func readThreads(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    try transfer(&packet) { annex in
      guard annex.isEmpty else { return nil }
      var document = "<?xml version=\"1.0\"?>\n<threads>\n"
      for thread in threads {
        document += "<thread id=\"\(text(of: thread))\""
        if let description = capabilities.threadNames?.describe(thread) {
          if let core = description.core { document += " core=\"\(core)\"" }
          document += " name=\"\(XML.escape(description.name))\">\(XML.escape(description.state))</thread>\n"
        } else {
          document += "/>\n"
        }
      }
      return document + "</threads>\n"
    }
  }

  private func thread(_ selector: ThreadSelector, in threads: [ThreadID]) throws(TargetError) -> ThreadID {
    guard let thread = threads.first(where: selector.matches) else { throw .noSuchThread }
    return thread
  }
}
