// QTStart, QTStop, QTBuffer, QTNotes, qTStatus and what else begins, bounds and describes an experiment.

extension Session {
  func startTrace(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    traceView = TraceView()
    return try change(target) { [time = target.traceTime] trace throws(TargetError) in
      guard !trace.isRunning else { throw .busy("tracing runs already") }
      trace.start(at: time)
    }
  }

  func stopTrace(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return try change(target) { [time = target.traceTime] trace in trace.stop(.stopped, at: time) }
  }

  /// `QTBuffer:circular:1`
  func setTraceBufferForm(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let isCircular = try packet.number(UInt8.self) != 0
    try packet.expectEnd()
    return try change(target) { trace in trace.buffer.isCircular = isCircular }
  }

  /// `QTBuffer:size:bytes`; -1 for the target's own choice. For the next start.
  func setTraceBufferSize(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let size = try packet.signedNumber()
    try packet.expectEnd()
    guard size >= -1, size <= TraceBuffer.largestCapacity else {
      throw TargetError(.tooLarge, "a trace buffer has at most \(TraceBuffer.largestCapacity) bytes")
    }
    return try change(target) { trace throws(TargetError) in
      guard !trace.isRunning else { throw .busy("tracing runs") }
      trace.capacity = size < 0 ? TraceBuffer.defaultCapacity : Int(size)
    }
  }

  /// `QTDisconnected:1`: tracing goes on when the client leaves.
  func setDisconnectedTrace(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let isDisconnected = try packet.number(UInt8.self) != 0
    try packet.expectEnd()
    return try change(target) { trace in trace.isDisconnected = isDisconnected }
  }

  /// `QTNotes:user:text;notes:text;tstop:text;`, the texts in hexadecimal.
  func setTraceNotes(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    guard packet.rest.count <= 1 << 14 else { throw TargetError(.tooLarge, "notes too long") }
    var notes: [(name: String, text: [UInt8])] = []
    while !packet.isAtEnd {
      let name = String(decoding: packet.field(upTo: ":"), as: UTF8.self)
      guard let text = Hex.decode(packet.field(upTo: ";")) else { throw .invalid("malformed packet: notes") }
      notes.append((name, text))
    }
    return try change(target) { [notes] trace throws(TargetError) in
      for (name, text) in notes {
        switch name {
        case "user": trace.notes.user = text
        case "notes": trace.notes.notes = text
        case "tstop": trace.notes.stop = text
        default: throw .invalid("no such note: \(name)")
        }
      }
    }
  }

  func reportTrace(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return .text(try target.withTrace { trace in trace.status })
  }

  /// `qTP:number:address`; the reply is `V hits:bytes`.
  func reportTracepoint(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let (number, address) = try tracepoint(&packet)
    try packet.expectEnd()
    return .text(
      try target.withTrace { trace throws(TargetError) in
        let point = trace.tracepoints[try trace.index(number, address)]
        return "V\(String(point.hits, radix: 16)):\(String(point.usage, radix: 16))"
      })
  }

  /// `qTfP`: the definitions of all tracepoints, a line a reply.
  func listTracepoints(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    traceView.lines = try target.withTrace { trace in trace.tracepoints.flatMap(\.lines) }[...]
    return try listMoreTraceLines(target, &packet)
  }

  func listTraceVariables(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    traceView.lines = try target.withTrace { trace in trace.variables.map(\.line) }[...]
    return try listMoreTraceLines(target, &packet)
  }

  func listMoreTraceLines(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return .text(traceView.lines.popFirst() ?? "l")
  }

  /// `qTV:number`; the reply is `V value`, or `U` if it is not known. Of the frame that is selected, if one is.
  func readTraceVariable(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let number = Int(try packet.number(UInt32.self))
    try packet.expectEnd()
    let value =
      if let frame = traceView.frame { frame.variables[number] } else {
        try target.withTrace { trace in trace.agent.variables[number] }
      }
    return .text(value.map { "V" + String(UInt64(bitPattern: $0), radix: 16) } ?? "U")
  }
}

extension Trace {
  /// As of `qTStatus`.
  package var status: String {
    func hex(_ text: [UInt8]) -> String { String(decoding: Hex.encode(text), as: UTF8.self) }
    func error(_ text: String, _ number: Int) -> String {
      "T0;terror:\(hex(Array(text.utf8))):\(String(UInt(bitPattern: number), radix: 16))"
    }
    func field(_ name: String, _ value: some BinaryInteger) -> String { "\(name):\(String(value, radix: 16))" }
    let reason =
      switch end {
      case nil: "T1"
      case .neverRun: "T0;tnotrun:0"
      case .stopped: "T0;tstop:\(hex(notes.stop)):0"
      case .full: "T0;tfull:0"
      case .disconnected: "T0;tdisconnected:0"
      case .passCount(let number): "T0;" + field("tpasscount", UInt(bitPattern: number))
      case .failed(let failure, let number): error(failure.description, number)
      case .overfull(let number): error("too much for one frame", number)
      }
    // A size that was asked for is that of the next run.
    let capacity = isRunning ? buffer.capacity : self.capacity
    let fields = [
      reason, field("tframes", buffer.count), field("tcreated", buffer.created),
      field("tfree", max(0, capacity - buffer.used)), field("tsize", capacity),
      field("circular", buffer.isCircular ? 1 : 0), field("disconn", isDisconnected ? 1 : 0),
      field("starttime", startTime), field("stoptime", stopTime), "username:\(hex(notes.user))",
      "notes:\(hex(notes.notes))",
    ]
    return fields.joined(separator: ";")
  }
}
