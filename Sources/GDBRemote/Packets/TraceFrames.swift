// QTFrame, qTBuffer, qXfer:traceframe-info: what was collected, and registers and memory as they were then.

/// What a client looks at of tracing.
struct TraceView {
  /// The frame that registers and memory are read from; a copy, so that it stays when the buffer goes on.
  var frame: TraceFrame?
  /// Its number.
  var number: Int?
  /// Of a list that is being read.
  var lines: ArraySlice<String> = []
  /// The buffer in the form of a file, while that is being read.
  var file: [UInt8] = []
  /// A document about branches, while it is being read.
  var branches = ""
  /// In bytes, for the next trace of branches.
  var branchSize = 1 << 16
}

extension Session {
  /// `QTFrame:n`, `pc:address`, `tdp:n`, `range:start:end` or `outside:start:end`, the ends part of the range; the reply is the
  /// number of the frame and that of its tracepoint, or `F-1` if there is none.
  func selectTraceFrame(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let selector = try frameSelector(&packet)
    guard case .number(.max) = selector else {
      let before = traceView.frame == nil ? -1 : traceView.number ?? -1
      let found = try target.withTrace { trace in
        selector.find(in: trace.buffer, after: before).flatMap { number in
          trace.buffer.frame(number).map { (number, $0) }
        }
      }
      guard let (number, frame) = found else { return .text("F-1") }
      (traceView.number, traceView.frame) = (number, frame)
      return .text(
        "F\(String(number, radix: 16))T\(String(UInt(bitPattern: frame.tracepoint), radix: 16))")
    }
    traceView.frame = nil
    return .ok
  }

  private func frameSelector(_ packet: inout PacketReader) throws(TargetError) -> FrameSelector {
    let text = packet.text
    let name = text.prefix { $0 != ":" }
    let selector: FrameSelector
    switch name {
    case "pc":
      packet.drop(3)
      let address = try packet.number(UInt64.self)
      selector = .range(address...address)
    case "tdp":
      packet.drop(4)
      selector = .tracepoint(Int(try packet.number(UInt32.self)))
    case "range", "outside":
      packet.drop(name.utf8.count + 1)
      let start = try packet.number(UInt64.self)
      try packet.expect(":")
      let end = try packet.number(UInt64.self)
      guard start <= end else { throw .invalid("a range that ends before it begins") }
      selector = name == "range" ? .range(start...end) : .outside(start...end)
    default: selector = .number(try packet.number(UInt32.self))
    }
    try packet.expectEnd()
    return selector
  }

  /// `qXfer:traceframe-info:read::offset,length`
  func readTraceFrameInfo(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    guard let frame = traceView.frame else { throw .invalid("no trace frame is selected") }
    return try transfer(&packet) { $0.isEmpty ? frame.document : nil }
  }

  /// `qTBuffer:offset,length`: all frames in the form of a trace file, from the offset on; `l` behind their end.
  func readTraceBuffer(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let (offset, length) = try packet.addressAndLength()
    try packet.expectEnd()
    guard offset == 0 else { return traceFile(from: offset, length) }
    traceView.file = []
    let buffer = try target.withTrace { trace in trace.buffer }
    let (general, isBigEndian) = (target.generalRegisters, target.isBigEndian)
    var next = 0
    return .job { [unowned self] () throws(TargetError) in
      for _ in 0..<Self.framesAtOnce {
        guard let frame = buffer.frame(next) else { return traceFile(from: 0, length) }
        traceView.file += frame.fileBlock(general, isBigEndian: isBigEndian)
        next += 1
      }
      return nil
    }
  }

  /// Frames that are brought into the form of a file before others get their turn.
  private static let framesAtOnce = 1000

  private func traceFile(from offset: UInt64, _ length: UInt64) -> Reply {
    guard offset < UInt64(traceView.file.count) else {
      traceView.file = []
      return .text("l")
    }
    let count = Int(min(length, UInt64(configuration.packetSize / 2)))
    return .payload(Hex.encode(traceView.file.dropFirst(Int(offset)).prefix(count)))
  }
}

// MARK: - Registers and memory of a frame

extension Session {
  /// Those of `g`; what was not collected is not available.
  func registers(of frame: TraceFrame) -> [RegisterValue] {
    guard let trace = capabilities.trace else { return [] }
    return trace.generalRegisters.map { register($0.number, of: frame, live: .unavailable(byteCount: $0.byteCount)) }
  }

  /// - Parameter live: as it is now, which tells its size.
  func register(_ number: Int, of frame: TraceFrame, live: RegisterValue) -> RegisterValue {
    if let bytes = frame.registers[number] { return .bytes(bytes) }
    if let (counter, bytes) = capabilities.trace?.programCounterRegister(frame.programCounter), counter == number {
      return .bytes(bytes)
    }
    return switch live {
    case .bytes(let bytes): .unavailable(byteCount: bytes.count)
    case .unavailable: live
    }
  }

  /// Memory of the frame that is selected; nil: to be read from the guest as it is now, for want of a frame or since it
  /// never changes.
  func traceMemory(at address: UInt64, count: Int) throws(TargetError) -> [UInt8]? {
    guard let frame = traceView.frame, let trace = capabilities.trace else { return nil }
    let bytes = frame.bytes(at: address, count: count)
    guard bytes.isEmpty else { return Array(bytes) }
    let isReadOnly = try trace.withTrace { trace in
      trace.readOnly.contains { $0.contains(address) && UInt64(count - 1) <= $0.upperBound - address }
    }
    guard isReadOnly else {
      throw TargetError(.badAddress, "memory at 0x\(String(address, radix: 16)) was not collected")
    }
    return nil
  }

  func checkNoTraceFrame() throws(TargetError) {
    guard traceView.frame == nil else { throw TargetError(.notPermitted, "a trace frame is selected") }
  }
}

private enum FrameSelector: Sendable {
  /// All bits set: none.
  case number(UInt32)
  case tracepoint(Int)
  case range(ClosedRange<UInt64>)
  case outside(ClosedRange<UInt64>)

  /// By what a frame is, the next one behind number `before` is meant.
  func find(in buffer: TraceBuffer, after before: Int) -> Int? {
    switch self {
    case .number(let number): Int(number)
    case .tracepoint(let wanted): buffer.find(after: before) { number, _ in number == wanted }
    case .range(let range): buffer.find(after: before) { _, address in range.contains(address) }
    case .outside(let range): buffer.find(after: before) { _, address in !range.contains(address) }
    }
  }
}
