// A client of the remote protocol over a socket, packet by packet.

import Foundation
import GDBRemote
import Glibc
import Testing

struct ClientError: Error {
  var text: String
  init(_ text: String) { self.text = text }
}

final class Client {
  private let descriptor: Int32
  /// What lives as long as the client.
  var owner: AnyObject?
  private var decoder = PacketDecoder(maximumSize: 1 << 20)
  private var pending: [PacketDecoder.Event] = []
  /// Payloads of notifications that nobody has asked for.
  private var notifications: [String] = []
  private var isInPacket = false
  private var isNotification = false

  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result != 0 { throw ClientError("connect: \(errno)") }
  }

  init(path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if result != 0 { throw ClientError("connect: \(errno)") }
  }

  /// At the IPv6 loopback address.
  init(port6 port: Int) throws {
    descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = in_port_t(port).bigEndian
    address.sin6_addr = in6addr_loopback
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
      }
    }
    if result != 0 { throw ClientError("connect: \(errno)") }
  }

  deinit { disconnect() }

  private var isOpen = true

  func disconnect() {
    if isOpen { Glibc.close(descriptor) }
    isOpen = false
  }

  func send(bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      rest = rest.dropFirst(count)
    }
  }

  /// Sends as many bytes, at most, as are taken without a wait of more than a second; returns how many.
  func push(_ bytes: [UInt8]) -> Int {
    var rest = bytes[...]
    while !rest.isEmpty {
      var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard unsafe poll(&poller, 1, 1000) > 0 else { break }
      let count = unsafe rest.withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if count <= 0 { break }
      rest = rest.dropFirst(count)
    }
    return bytes.count - rest.count
  }

  func send(_ packet: String) {
    send(bytes: PacketEncoder().packet(Array(packet.utf8)))
  }

  /// The next packet's payload.
  func receive(within seconds: Double = 10) throws -> String {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while true {
      while !pending.isEmpty {
        if case .packet(let payload) = pending.removeFirst() { return String(decoding: payload, as: UTF8.self) }
      }
      try read(until: deadline)
    }
  }

  /// The next notification's payload.
  func notification(within seconds: Double = 10) throws -> String {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while notifications.isEmpty { try read(until: deadline) }
    return notifications.removeFirst()
  }

  private func read(until deadline: Date) throws {
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let left = Int32(max(0, deadline.timeIntervalSinceNow * 1000))
    guard unsafe poll(&poller, 1, left) > 0 else { throw ClientError("nothing has come in time") }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
    guard count > 0 else { throw ClientError("connection closed") }
    for byte in buffer.prefix(count) {
      let begins = !isInPacket && (byte == UInt8(ascii: "%") || byte == UInt8(ascii: "$"))
      if begins { (isInPacket, isNotification) = (true, byte == UInt8(ascii: "%")) }
      guard let event = decoder.decode(begins ? UInt8(ascii: "$") : byte) else { continue }
      if isNotification, case .packet(let payload) = event {
        notifications.append(String(decoding: payload, as: UTF8.self))
      } else {
        pending.append(event)
      }
      (isInPacket, isNotification) = (false, false)
    }
  }

  /// Sends a packet and returns the answer.
  func ask(_ packet: String) throws -> String {
    send(packet)
    return try receive()
  }

  /// What GDB says first.
  func begin() throws {
    let features = try ask("qSupported:swbreak+;hwbreak+;error-message+")
    #expect(features.contains("QStartNoAckMode+"))
    #expect(try ask("QStartNoAckMode") == "OK")
  }

  func interrupt() { send(bytes: [3]) }

  /// A register of 8 bytes.
  func register(_ number: Int) throws -> UInt64 {
    let text = try ask("p" + String(number, radix: 16))
    guard let value = UInt64(text, radix: 16) else { throw ClientError("register \(number): \(text)") }
    return value.byteSwapped
  }

  func setRegister(_ number: Int, _ value: UInt64) throws {
    let digits = String(value.byteSwapped, radix: 16)
    let padded = String(repeating: "0", count: 16 - digits.count) + digits
    #expect(try ask("P\(String(number, radix: 16))=\(padded)") == "OK")
  }
}

let pcRegister = 32

func hex(_ value: UInt64) -> String { String(value, radix: 16) }

/// As much of a stop reply as tests look at: the registers and the core left out.
func brief(_ reply: String) -> String {
  guard reply.hasPrefix("T") else { return reply }
  let fields = reply.dropFirst(3).split(separator: ";").filter { field in
    let name = field.prefix { $0 != ":" }
    return name != "core" && !name.allSatisfy(\.isHexDigit)
  }
  return reply.prefix(3) + fields.joined(separator: ";")
}
