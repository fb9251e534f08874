// Qbtrace, qXfer:btrace: the stretches of code that the thread chosen by Hg has gone through (GDB manual, section "Branch Trace
// Format").

extension Session {
  func startBranchTrace(_ target: any BranchTraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    let thread = try selectedThread()
    guard try target.branchTraceSize(of: thread) == nil else { throw .busy("branch tracing is on already") }
    try target.startBranchTrace(of: thread, size: traceView.branchSize)
    return .ok
  }

  func stopBranchTrace(_ target: any BranchTraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    let thread = try selectedThread()
    guard try target.branchTraceSize(of: thread) != nil else { throw .invalid("branch tracing is off") }
    try target.stopBranchTrace(of: thread)
    return .ok
  }

  /// `Qbtrace-conf:bts:size=bytes`, for the next start.
  func setBranchTraceSize(_ target: any BranchTraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    if packet.skip("0") { _ = packet.skip("x") }
    let size = packet.isAtEnd ? 0 : try packet.number(UInt64.self)
    try packet.expectEnd()
    traceView.branchSize = Int(clamping: size)
    return .ok
  }

  /// `qXfer:btrace:read:all|new|delta:offset,length`
  func readBranchTrace(_ target: any BranchTraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let thread = try selectedThread()
    var ahead = packet
    let annex = String(decoding: ahead.field(upTo: ":"), as: UTF8.self)
    let parts: [String: BranchTrace.Part] = ["all": .all, "new": .new, "delta": .delta]
    guard let part = parts[annex] else { throw .invalid("no such part of the branch trace: \(annex)") }
    guard try target.branchTraceSize(of: thread) != nil else { throw .invalid("branch tracing is off") }
    // A document is made once and then read in pieces.
    if try ahead.addressAndLength().address == 0 {
      guard let blocks = try target.readBranchTrace(of: thread, part) else {
        throw TargetError(.tooLarge, "Overflow.")
      }
      traceView.branches = Self.document(blocks)
    }
    return try transfer(&packet) { _ in traceView.branches }
  }

  /// `qXfer:btrace-conf:read::offset,length`
  func readBranchTraceForm(_ target: any BranchTraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    guard let size = try target.branchTraceSize(of: try selectedThread()) else {
      throw .invalid("branch tracing is off")
    }
    return try transfer(&packet) { annex in
      guard annex.isEmpty else { return nil }
      return """
        <?xml version="1.0"?>
        <!DOCTYPE btrace-conf SYSTEM "btrace-conf.dtd">
        <btrace-conf version="1.0">
        <bts size="0x\(String(size, radix: 16))"/>
        </btrace-conf>

        """
    }
  }

  private static func document(_ blocks: [BranchTrace.Block]) -> String {
    var text = """
      <?xml version="1.0"?>
      <!DOCTYPE btrace SYSTEM "btrace.dtd">
      <btrace version="1.0">

      """
    for block in blocks {
      text += "<block begin=\"0x\(String(block.begin, radix: 16))\" end=\"0x\(String(block.end, radix: 16))\"/>\n"
    }
    return text + "</btrace>\n"
  }
}
