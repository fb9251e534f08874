// Owns the guest that tests write kernels' structures into: memory, symbols and registers on paper.

import Bits
import RTOS

/// 64 KiB of memory at ``base``, all zero at first.
final class PaperGuest: KernelGuest {
  static let base: UInt64 = 0x2000_0000

  let architecture: String
  let pointerSize: Int
  let byteOrder: Endianness
  var memory = [UInt8](repeating: 0, count: 1 << 16)
  var symbols: [String: (address: UInt64, size: UInt64)] = [:]
  var registers: [String: UInt64] = [:]
  /// Bytes that were read.
  private(set) var effort = 0
  private var next = PaperGuest.base + 0x100

  init(_ architecture: String, pointerSize: Int = 4, byteOrder: Endianness = .little) {
    self.architecture = architecture
    self.pointerSize = pointerSize
    self.byteOrder = byteOrder
  }

  func symbol(_ name: String) -> (address: UInt64, size: UInt64)? { symbols[name] }

  func object(covering address: UInt64) -> (start: UInt64, size: UInt64)? {
    symbols.values.first { $0.address <= address && address - $0.address < $0.size }.map { ($0.address, $0.size) }
  }

  func register(_ name: String) -> UInt64? { registers[name] }

  func read(_ address: UInt64, _ count: Int) -> [UInt8] {
    guard address >= Self.base, address - Self.base < UInt64(memory.count) else { return [] }
    let part = memory[Int(address - Self.base)...].prefix(count)
    effort += part.count
    return Array(part)
  }

  // MARK: Writing

  /// Room for an object, aligned to 16 bytes.
  func place(_ size: Int, symbol: String? = nil, hasSize: Bool = true) -> UInt64 {
    let address = next
    next = (next + UInt64(size)).alignedUp(to: 16)
    if let symbol { symbols[symbol] = (address, hasSize ? UInt64(size) : 0) }
    return address
  }

  func put(_ value: UInt64, _ address: UInt64, size: Int? = nil) {
    for (index, byte) in byteOrder.bytes(value, count: size ?? pointerSize).enumerated() {
      memory[Int(address - Self.base) + index] = byte
    }
  }

  func put(_ text: String, _ address: UInt64) {
    for (index, byte) in text.utf8.enumerated() { memory[Int(address - Self.base) + index] = byte }
  }

  func fill(_ byte: UInt8, _ address: UInt64, _ count: UInt64) {
    for offset in 0..<count { memory[Int(address - Self.base + offset)] = byte }
  }

  /// A frame of an exception, its registers 0x100, 0x101, … in their order.
  func putException(at base: UInt64, pc: UInt64, aligned: Bool = false) {
    for index in 0..<6 { put(0x100 + UInt64(index), base + UInt64(4 * index), size: 4) }
    put(pc, base + 24, size: 4)
    put(aligned ? 0x0100_0200 : 0x0100_0000, base + 28, size: 4)
  }
}

extension TaskList {
  subscript(name: String) -> KernelTask? { tasks.first { $0.name == name } }
}

extension KernelTask {
  var saved: SavedContext? { if case .saved(let context) = context { context } else { nil } }

  /// A saved register's value.
  func value(_ register: String, _ guest: PaperGuest) -> UInt64? {
    switch saved?.registers[register] {
    case .memory(let address, let size): guest.byteOrder.number(guest.read(address, size))
    case .value(let value): value
    case .shared, nil: nil
    }
  }
}

/// What is read of `kernel`; it must be the one that is recognised.
func tasks(_ guest: PaperGuest, _ kernel: String) throws -> TaskList {
  let found = try requireKernel(guest)
  guard found.name == kernel else { throw KernelError("recognised \(found.name)") }
  return try found.tasks(of: guest)
}

func requireKernel(_ guest: PaperGuest) throws(KernelError) -> Kernel {
  guard let kernel = Kernel.recognised(in: guest) else { throw KernelError("no kernel") }
  return kernel
}
