// qHostInfo, qProcessInfo, qMemoryRegionInfo, qWatchpointSupportInfo, jThreadsInfo, QListThreadsInStopReply: what
// LLDB asks for beside GDB's packets (LLDB, "GDB Remote Protocol Extensions").

extension Session {
  func describeHost(_ host: any HostDescribing, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    // A watchpoint is told before the access: LLDB makes it itself then.
    return .text(fields(of: host.hostDescription) + "watchpoint_exceptions_received:before;")
  }

  func describeProcess(_ host: any HostDescribing, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    guard let process = threads.first?.process else { throw .noSuchThread }
    return .text("pid:\(String(process, radix: 16));" + fields(of: host.hostDescription))
  }

  private func fields(of host: HostDescription) -> String {
    "triple:\(hex(host.triple));ptrsize:\(host.pointerSize);endian:\(host.isBigEndian ? "big" : "little");"
  }

  /// `qMemoryRegionInfo:address`: the region there, or the gap.
  func describeMemory(_ target: any MemoryMapProviding, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let address = try packet.number(UInt64.self)
    try packet.expectEnd()
    let regions = target.memoryMap.filter { $0.length > 0 }.sorted { $0.start < $1.start }
    // What reaches to the end of all addresses ends one byte early: LLDB takes an end that wraps to 0 for no end, and asks on.
    func text(_ start: UInt64, _ size: UInt64, _ rest: String) -> Reply {
      let size = start &+ size == 0 ? size &- 1 : size
      return .text("start:\(String(start, radix: 16));size:\(String(size, radix: 16));\(rest)")
    }
    if let region = regions.first(where: { $0.start <= address && address - $0.start < $0.length }) {
      switch region.kind {
      case .ram: return text(region.start, region.length, "permissions:rwx;")
      case .rom: return text(region.start, region.length, "permissions:rx;")
      case .gap: return text(region.start, region.length, "")
      case .flash(let blockSize):
        return text(
          region.start, region.length, "permissions:rx;flags:;type:flash;blocksize:\(String(blockSize, radix: 16));")
      }
    }
    let before = regions.last { $0.start <= address }
    let start = before.map { $0.start + $0.length } ?? 0
    let end = regions.first { $0.start > address }?.start
    return text(start, end.map { $0 - start } ?? 0 &- start, "")
  }

  /// As many as the client likes.
  func countWatchpoints(_ target: any BreakpointTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    .text("num:32;")
  }

  func listThreadsInStops(_ host: any HostDescribing, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    listsThreadsInStops = true
    return .ok
  }

  /// `threads` and `thread-pcs` of a stop reply.
  var threadsInStop: [(name: String, value: String)] {
    guard listsThreadsInStops, let number = capabilities.host?.hostDescription.programCounter else { return [] }
    let threads = threads
    let places = threads.map { thread -> String in
      guard case .bytes(let bytes)? = try? target.readRegister(number, of: thread) else { return "0" }
      let isBig = capabilities.host?.hostDescription.isBigEndian == true
      let value = (isBig ? bytes : bytes.reversed()).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return String(value, radix: 16)
    }
    return [
      ("threads", threads.map { String($0.thread, radix: 16) }.joined(separator: ",")),
      ("thread-pcs", places.joined(separator: ",")),
    ]
  }

  /// `jThreadsInfo`: all threads, and why the one that stopped has.
  func describeThreads(_ names: any ThreadNaming, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    var stop: Stop?
    if case .stopped(let reason)? = target.haltReason { stop = reason }
    let list = threads.map { thread -> String in
      var fields = ["\"tid\":\(thread.thread)", "\"name\":\(json(names.describe(thread).name))"]
      if let stop, stop.thread == thread {
        fields += ["\"reason\":\"\(stop.cause.word)\"", "\"signal\":\(stop.signal.rawValue)"]
      } else {
        fields.append("\"reason\":\"none\"")
      }
      return "{" + fields.joined(separator: ",") + "}"
    }
    return .text("[" + list.joined(separator: ",") + "]")
  }

  private func hex(_ text: String) -> String { String(decoding: Hex.encode(Array(text.utf8)), as: UTF8.self) }

  private func json(_ text: String) -> String {
    "\"" + text.filter { $0 != "\"" && $0 != "\\" && !$0.isNewline } + "\""
  }
}

extension Stop.Cause {
  fileprivate var word: String {
    switch self {
    case .softwareBreakpoint, .hardwareBreakpoint: "breakpoint"
    case .watchpoint: "watchpoint"
    case .signal, .replayLogBegin, .replayLogEnd: "signal"
    }
  }
}
