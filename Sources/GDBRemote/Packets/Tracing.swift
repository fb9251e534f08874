// QT…, qT…: defining tracepoints, running an experiment, asking how it goes.

extension Session {
  /// `QTinit`: forgets tracepoints, variables and frames.
  func clearTrace(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    traceView = TraceView()
    return try change(target) { trace in
      var new = Trace()
      (new.capacity, new.notes, new.isDisconnected) = (trace.capacity, trace.notes, trace.isDisconnected)
      new.buffer.isCircular = trace.buffer.isCircular
      trace = new
    }
  }

  /// `QTDP:number:address:E|D:steps:passes[:Xlength,bytes][-]`, and `QTDP:-number:address:[S]actions[-]`
  func defineTracepoint(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    if packet.skip("-") { return try addActions(target, &packet) }
    let size = packet.rest.count
    let (number, address) = try tracepoint(&packet)
    try packet.expect(":")
    let isEnabled = packet.skip("E")
    if !isEnabled { try packet.expect("D") }
    try packet.expect(":")
    let steps = try packet.number(UInt64.self)
    try packet.expect(":")
    var point = Tracepoint(
      number: number, address: address, isEnabled: isEnabled, stepCount: steps,
      passCount: try packet.number(UInt64.self))
    while packet.skip(":") {
      // Fast and static tracepoints are announced to no client.
      guard packet.rest.first == UInt8(ascii: "X") else { throw .unsupported("no such kind of tracepoint") }
      let text = packet.rest
      let condition = try agentExpression(&packet)
      (point.condition, point.texts.condition) = (condition, packet.taken(from: text))
    }
    _ = packet.skip("-")
    try packet.expectEnd()
    return try change(target) { [point] trace throws(TargetError) in
      guard trace.tracepoints.count < Trace.tracepointLimit else {
        throw TargetError(.tooLarge, "more than \(Trace.tracepointLimit) tracepoints")
      }
      guard !trace.tracepoints.contains(where: { $0.number == number && $0.address == address }) else {
        throw .invalid("tracepoint \(number) is at this address already")
      }
      try trace.account(size)
      trace.tracepoints.append(point)
    }
  }

  private func addActions(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let size = packet.rest.count
    let (number, address) = try tracepoint(&packet)
    try packet.expect(":")
    let beginsSteps = packet.skip("S")
    var (actions, texts): ([TraceAction], [String]) = ([], [])
    while !packet.isAtEnd, packet.rest != [UInt8(ascii: "-")] {
      let text = packet.rest
      actions.append(try traceAction(&packet))
      texts.append(packet.taken(from: text))
    }
    return try change(target) { [actions, texts] trace throws(TargetError) in
      let index = try trace.index(number, address)
      try trace.account(size)
      // What comes after the first of the actions for steps is for steps too.
      if beginsSteps || !trace.tracepoints[index].stepActions.isEmpty {
        trace.tracepoints[index].stepActions += actions
        trace.tracepoints[index].texts.stepActions += texts
      } else {
        trace.tracepoints[index].actions += actions
        trace.tracepoints[index].texts.actions += texts
      }
    }
  }

  /// `R mask`, `M base,offset,length` or `X length,bytes`
  private func traceAction(_ packet: inout PacketReader) throws(TargetError) -> TraceAction {
    if packet.skip("R") {
      let digits = packet.rest.prefix { Hex.value($0) != nil }
      packet.drop(digits.count)
      var numbers: [Int] = []
      for (place, digit) in digits.reversed().enumerated() {
        for bit in 0..<4 where (Hex.value(digit) ?? 0) & 1 << bit != 0 { numbers.append(4 * place + bit) }
      }
      return .registers(numbers)
    }
    if packet.skip("M") {
      var base: Int?
      if packet.skip("-") {
        try packet.expect("1")
      } else {
        let number = try packet.number(UInt32.self)
        base = number == .max ? nil : Int(number)
      }
      try packet.expect(",")
      let (offset, count) = try packet.addressAndLength()
      return .memory(base: base, offset: offset, count: count)
    }
    return .expression(try agentExpression(&packet))
  }

  /// `QTDPsrc:number:address:type:start:length:bytes`
  func keepTracepointSource(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let size = packet.rest.count
    let (number, address) = try tracepoint(&packet)
    try packet.expect(":")
    let text = packet.rest
    _ = packet.field(upTo: ":")
    for _ in 0..<2 {
      _ = try packet.number(UInt32.self)
      try packet.expect(":")
    }
    _ = try packet.hexBytes()
    return try change(target) { [text = packet.taken(from: text)] trace throws(TargetError) in
      let index = try trace.index(number, address)
      try trace.account(size)
      trace.tracepoints[index].texts.sources.append(text)
    }
  }

  /// `QTDV:number:value:builtin:name`
  func defineTraceVariable(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let size = packet.rest.count
    // Expressions name variables by 16 bits.
    let number = Int(try packet.number(UInt16.self))
    try packet.expect(":")
    let value = Int64(bitPattern: try packet.number(UInt64.self))
    try packet.expect(":")
    _ = try packet.number(UInt8.self)
    try packet.expect(":")
    let variable = TraceVariable(number: number, name: try packet.hexBytes(), initialValue: value)
    return try change(target) { trace throws(TargetError) in
      try trace.account(size)
      trace.variables.removeAll { $0.number == number }
      trace.variables.append(variable)
      trace.agent.variables[number] = value
    }
  }

  /// `QTro:start,end:…`, the ends behind the last byte.
  func defineReadOnlyMemory(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let size = packet.rest.count
    var ranges: [ClosedRange<UInt64>] = []
    while packet.skip(":") {
      let (start, end) = try packet.addressAndLength()
      if start < end { ranges.append(start...end - 1) }
    }
    try packet.expectEnd()
    return try change(target) { [ranges] trace throws(TargetError) in
      try trace.account(size)
      trace.readOnly = ranges
    }
  }

  /// `QTEnable:number:address`
  func enableTracepoint(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try setTracepoint(target, &packet, isEnabled: true)
  }

  func disableTracepoint(_ target: any TraceTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try setTracepoint(target, &packet, isEnabled: false)
  }

  private func setTracepoint(
    _ target: any TraceTarget, _ packet: inout PacketReader, isEnabled: Bool
  ) throws(TargetError) -> Reply {
    let (number, address) = try tracepoint(&packet)
    try packet.expectEnd()
    return try change(target) { trace throws(TargetError) in
      trace.tracepoints[try trace.index(number, address)].isEnabled = isEnabled
    }
  }

  /// `number:address`
  func tracepoint(_ packet: inout PacketReader) throws(TargetError) -> (number: Int, address: UInt64) {
    let number = Int(try packet.number(UInt32.self))
    try packet.expect(":")
    return (number, try packet.number(UInt64.self))
  }

  func change(
    _ target: any TraceTarget, _ body: @escaping @Sendable (inout Trace) throws(TargetError) -> Void
  ) throws(TargetError) -> Reply {
    try target.withTrace(body)
    return .ok
  }
}

extension Trace {
  func index(_ number: Int, _ address: UInt64) throws(TargetError) -> Int {
    guard let index = tracepoints.firstIndex(where: { $0.number == number && $0.address == address }) else {
      throw .invalid("there is no tracepoint \(number) at this address")
    }
    return index
  }
}
