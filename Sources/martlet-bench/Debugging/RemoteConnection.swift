// Owns a client of GDB's remote serial protocol that knows just enough of it to measure servers.

import Foundation

/// A connection to a server on this host; every call waits for its answer.
@safe final class RemoteConnection {
  private let socket: Int32
  private var buffer = [UInt8](repeating: 0, count: 1 << 22)
  /// Bytes of `buffer` that are read and not yet used.
  private var unread = 0..<0
  private var acknowledges = true
  /// Of one packet, in bytes, as the server says.
  private(set) var packetSize = 0
  /// What the server says it can do.
  private(set) var features: Set<Substring> = []

  /// Connects as soon as the server listens.
  init(port: UInt16, patience: Double) throws(BenchError) {
    let deadline = ContinuousClock.now + .seconds(patience)
    while true {
      if let socket = Self.connect(port) {
        self.socket = socket
        break
      }
      guard ContinuousClock.now < deadline else { throw BenchError("no GDB server at port \(port)") }
      usleep(10_000)
    }
    features = Set(try ask("qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+").split(separator: ";"))
    let size = features.first { $0.hasPrefix("PacketSize=") }?.split(separator: "=").last
    packetSize = size.flatMap { Int($0, radix: 16) } ?? 400
    if features.contains("QStartNoAckMode+"), try ask("QStartNoAckMode") == "OK" { acknowledges = false }
  }

  deinit { close(socket) }

  private static func connect(_ port: UInt16) -> Int32? {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { return nil }
    var (yes, limit) = (Int32(1), timeval(tv_sec: 5, tv_usec: 0))
    unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if status == 0 { return socket }
    close(socket)
    return nil
  }

  /// Sends a packet, and returns the answer's payload.
  func ask(_ payload: String) throws(BenchError) -> String {
    try send(payload)
    return try answer()
  }

  /// The payload of the next packet.
  func answer() throws(BenchError) -> String { String(decoding: buffer[try receive()], as: UTF8.self) }

  /// Sends a packet that is answered by memory; returns how many characters of it came.
  func askForMemory(_ payload: String) throws(BenchError) -> Int {
    try send(payload)
    let answer = try receive()
    if answer.count == 3, buffer[answer.lowerBound] == UInt8(ascii: "E") { throw BenchError("'\(payload)' is refused") }
    return answer.count
  }

  /// Sends a packet that lets the guest run, and waits for it to stop.
  func run(_ payload: String) throws(BenchError) {
    try send(payload)
    try awaitStop()
  }

  /// Waits until the guest stops; what it prints meanwhile is passed over.
  func awaitStop() throws(BenchError) {
    while true {
      let answer = try receive()
      if let first = answer.first, buffer[first] != UInt8(ascii: "O") { return }
    }
  }

  /// The byte of Ctrl-C.
  func interrupt() throws(BenchError) { try write([3]) }

  func send(_ payload: String) throws(BenchError) {
    let checksum = payload.utf8.reduce(0 as UInt8, &+)
    let digits = String(checksum, radix: 16)
    try write(Array("$\(payload)#\(digits.count == 1 ? "0" : "")\(digits)".utf8))
  }

  /// Waits for a packet.
  /// - Returns: where in the buffer its payload is.
  private func receive() throws(BenchError) -> Range<Int> {
    var start: Int?
    var scanned = unread.lowerBound
    while true {
      if start == nil {
        start = buffer[unread].firstIndex(of: UInt8(ascii: "$"))
        scanned = start ?? unread.upperBound
      }
      if let start, let end = index(of: UInt8(ascii: "#"), in: scanned..<unread.upperBound), end + 2 < unread.upperBound
      {
        unread = end + 3..<unread.upperBound
        if acknowledges { try write([UInt8(ascii: "+")]) }
        return start + 1..<end
      }
      // The two digits behind the end may be to come.
      scanned = max(start ?? 0, unread.upperBound - 3)
      try fill(&start, &scanned)
    }
  }

  private func index(of byte: UInt8, in range: Range<Int>) -> Int? {
    unsafe buffer.withUnsafeBytes { bytes in
      guard !range.isEmpty, let base = bytes.baseAddress else { return nil }
      return unsafe memchr(base + range.lowerBound, Int32(byte), range.count).map { unsafe UnsafeRawPointer($0) - base }
    }
  }

  /// Reads more, for which what is unread moves to the buffer's beginning if that makes room.
  private func fill(_ start: inout Int?, _ scanned: inout Int) throws(BenchError) {
    if unread.isEmpty { unread = 0..<0 }
    let first = start ?? unread.lowerBound
    if unread.upperBound > buffer.count / 2, first > 0 {
      buffer.removeSubrange(0..<first)
      buffer.append(contentsOf: repeatElement(0, count: first))
      unread = 0..<unread.upperBound - first
      start = start.map { $0 - first }
      scanned -= first
    }
    guard unread.upperBound < buffer.count else { throw BenchError("the server's answer has no end") }
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe recv(socket, $0.baseAddress! + unread.upperBound, $0.count - unread.upperBound, 0)
    }
    guard count > 0 else {
      throw BenchError(count < 0 && errno == EAGAIN ? "the server does not answer" : "the server closed the connection")
    }
    unread = unread.lowerBound..<unread.upperBound + count
  }

  private func write(_ bytes: [UInt8]) throws(BenchError) {
    let count = unsafe Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    guard count == bytes.count else { throw BenchError("the server closed the connection") }
  }
}
