// Owns the finding of a device's register by name: `uart@10000000.LSR.DR`, `USART1.SR.RXNE`.

import Bits
import Bus
import Machine
import SVD

/// A register of a device, or a field of it.
struct NamedRegister {
  /// `DEVICE.REGISTER[.FIELD]`
  var name: String
  /// `DEVICE.REGISTER`
  var registerName: String
  /// Physical.
  var address: UInt64
  var info: RegisterInfo
  var bits: Range<Int>?
  /// The device's.
  var region: ClosedRange<UInt64>

  /// - Returns: nil if the word's first part names no device.
  init?(_ word: String, _ machine: Machine) throws(MonitorError) {
    let parts = word.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 2, let owner = try Owner(parts[0], machine) else { return nil }
    guard let found = owner.registers.first(where: { $0.name.lowercased() == parts[1].lowercased() }) else {
      throw .refused("\(parts[0]) has no register '\(parts[1])'; \(owner.listing)")
    }
    (address, info, region) = (found.address, found.info, owner.region(of: found.address))
    registerName = "\(parts[0]).\(found.name)"
    name = registerName
    guard parts.count > 2 else { return }
    let fields = info.fields.filter { $0.kind != .reserved && $0.bits.upperBound <= 64 }
    let wanted = parts[2...].joined(separator: ".").lowercased()
    guard let field = fields.first(where: { $0.name.lowercased() == wanted }) else {
      let names = fields.map(\.name).joined(separator: ", ")
      throw .refused("\(name) has no field '\(parts[2])'; there are: \(names.isEmpty ? "none" : names)")
    }
    bits = field.bits
    name += "." + field.name
  }

  /// What it holds, of a field that part; nil where it cannot be looked at without a side effect.
  func value(_ machine: Machine) -> UInt64? {
    let whole = info.access == .writeOnly ? nil : machine.space.peek(address, size: info.width)
    return bits.map { bits in whole?.bits(bits) } ?? whole
  }

  func text(_ value: UInt64?) -> String { value?.hex0x() ?? "?" }
}

/// Who has registers: a device of the board, or a peripheral of the SVD file.
private struct Owner {
  struct Entry {
    var name: String
    var address: UInt64
    var info: RegisterInfo
  }
  var registers: [Entry] = []
  private var regions: [AddressRange] = []
  private var name: String

  /// Registers of an array that have names of their own.
  private static let mostOfArray = 1024

  init?(_ word: String, _ machine: Machine) throws(MonitorError) {
    name = word
    let devices = machine.devices(called: word)
    if devices.count > 1 { throw .ambiguous(word, devices.map(\.path)) }
    if let (_, device) = devices.first {
      regions = device.regions
      for (index, range) in regions.enumerated() where device.registers.indices.contains(index) {
        add(device.registers[index].registers, at: range.base)
      }
      guard registers.isEmpty else { return }
    }
    for names in [machine.registerNames, machine.modelledRegisters].compactMap({ $0 }) {
      let peripherals = names.peripherals.filter { part in
        devices.isEmpty
          ? part.name.lowercased() == word.lowercased()
          : regions.contains { $0.base <= part.base && part.base - $0.base < $0.size }
      }
      for part in peripherals {
        add(part.registers, at: part.base)
        if devices.isEmpty { regions.append(AddressRange(base: part.base, size: max(1, part.size))) }
      }
      if !registers.isEmpty { return }
    }
    if devices.isEmpty { return nil }
  }

  private mutating func add(_ list: [RegisterInfo], at base: UInt64) {
    for info in list {
      for index in 0..<min(info.count, Self.mostOfArray) {
        let address = base &+ info.offset &+ UInt64(index) &* info.stride
        registers.append(Entry(name: info.name(at: index), address: address, info: info))
      }
    }
  }

  /// The region that an address is in.
  func region(of address: UInt64) -> ClosedRange<UInt64> {
    let found = regions.first { $0.size > 0 && $0.base <= address && address - $0.base < $0.size }
    return found.map { $0.base...($0.base + ($0.size - 1)) } ?? address...address
  }

  var listing: String {
    if registers.isEmpty { return "its model declares none" }
    let names = registers.prefix(16).map(\.name).joined(separator: ", ")
    return "there are: \(names)" + (registers.count > 16 ? ", …" : "")
  }
}

extension Machine {
  /// The devices that a word means: a path, a node's name, or that without its address.
  func devices(called word: String) -> [(path: String, device: any Device)] {
    devices.filter { path, _ in
      path == word || path.split(separator: "/").last.map { $0 == word || $0.hasPrefix(word + "@") } == true
    }
  }
}
