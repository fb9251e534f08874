// F: file calls of the guest, carried out by the client.

extension Session {
  /// `F value[,errno[,C]][;attachment]`; the guest, running as far as the session knows, goes on.
  func finishFileCall(_ target: any FileIOTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    guard isFileCallPending else { throw .invalid("no file call is under way") }
    if let call = nextFileCall {
      nextFileCall = nil
      return .payload(call.payload)
    }
    var result = FileCallResult(value: try packet.signedNumber())
    if packet.skip(",") {
      result.errorNumber = try packet.number(UInt32.self)
      if packet.skip(",") {
        try packet.expect("C")
        result.interrupted = true
      }
    }
    isFileCallPending = false
    target.fileCallFinished(result)
    return .none
  }
}

extension FileCall {
  /// As in the request packet; numbers in hexadecimal, the sign before them.
  var payload: [UInt8] {
    let fields: [String] =
      switch self {
      case .open(let path, let flags, let mode): ["open", path.field, hex(flags), hex(mode)]
      case .close(let descriptor): ["close", hex(descriptor)]
      case .read(let descriptor, let buffer, let count): ["read", hex(descriptor), hex(buffer), hex(count)]
      case .write(let descriptor, let buffer, let count): ["write", hex(descriptor), hex(buffer), hex(count)]
      case .seek(let descriptor, let offset, let origin): ["lseek", hex(descriptor), hex(offset), hex(origin)]
      case .rename(let from, let to): ["rename", from.field, to.field]
      case .unlink(let path): ["unlink", path.field]
      case .stat(let path, let buffer): ["stat", path.field, hex(buffer)]
      case .statDescriptor(let descriptor, let buffer): ["fstat", hex(descriptor), hex(buffer)]
      case .timeOfDay(let buffer, let zone): ["gettimeofday", hex(buffer), hex(zone)]
      case .isTerminal(let descriptor): ["isatty", hex(descriptor)]
      case .system(let command): ["system", command?.field ?? "0/0"]
      }
    return Array(("F" + fields.joined(separator: ",")).utf8)
  }

  private func hex(_ number: some BinaryInteger) -> String {
    String(number, radix: 16)
  }
}

extension GuestString {
  fileprivate var field: String { "\(String(address, radix: 16))/\(String(length, radix: 16))" }
}
