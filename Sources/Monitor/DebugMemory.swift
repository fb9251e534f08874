// Owns the machine as a debugger sees it: registers by name, virtual memory without side effects.

import Bits
import Bus
import Engine
import GuestKit
import IR
import Machine

/// One hart's view of its machine. On the machine's thread.
struct DebugMemory {
  let machine: Machine
  let vcpu: VCPU
  /// Whose registers are shown; nil: those of the hart as it stands.
  var frame: StackFrame?

  var guest: any Guest { machine.guest }
  var wordSize: Int { guest.addressBits / 8 }
  /// Hexadecimal digits of an address.
  var digits: Int { guest.addressBits / 4 }

  func address(_ value: UInt64) -> Value { .hex(value, digits: digits) }
  func addressText(_ value: UInt64) -> String { value.hex0x(digits: digits) }

  // MARK: Registers

  func registerNumber(_ name: String) throws(MonitorError) -> Int {
    guard let number = guest.registerFile.index(of: name) else {
      throw .refused("no register '\(name)'; 'info registers all' lists them")
    }
    return number
  }

  /// A register's value, whatever its width.
  func value(ofRegister number: Int) -> Value {
    let register = guest.registerFile.registers[number]
    if let frame { return frame.registers[number].map { .hex($0, digits: max(1, register.type.bits / 4)) } ?? .nothing }
    if register.size <= 8 {
      return .hex(guest.readRegister(vcpu.state, number), digits: max(1, register.type.bits / 4))
    }
    let bytes = guest.registerBytes(vcpu.state, number)
    return .text("0x" + bytes.reversed().map { $0.hex(digits: 2) }.joined())
  }

  /// - Throws: if the chosen frame's is lost.
  func value(register number: Int) throws(MonitorError) -> UInt64 {
    guard let frame else { return guest.readRegister(vcpu.state, number) }
    guard let value = frame.registers[number] else {
      let name = guest.registerFile.registers[number].aliases.first ?? guest.registerFile.registers[number].name
      throw .refused("what \(name) held in frame \(frame.number) is lost: the functions it called have changed it")
    }
    return value
  }

  /// The instruction that the chosen frame, or the hart, has come to.
  var codeAddress: UInt64 { frame?.codeAddress ?? vcpu.state.pc }

  // MARK: Memory

  /// The physical address behind a virtual one.
  func physical(_ address: UInt64) -> UInt64? {
    let address = guest.addressBits == 32 ? address & 0xFFFF_FFFF : address
    return GuestMemory(machine, vcpu).translate(address)
  }

  /// Nil where nothing is mapped, or where reading has side effects that are not allowed.
  func read(_ address: UInt64, size: Int, isPhysical: Bool = false) -> UInt64? {
    let address = guest.addressBits == 32 ? address & 0xFFFF_FFFF : address
    let bytes = bytes(address, count: size, isPhysical: isPhysical)
    return bytes.count == size ? guest.byteOrder.number(bytes) : nil
  }

  func readWord(_ address: UInt64) throws(MonitorError) -> UInt64 {
    guard let value = read(address, size: wordSize) else { throw unreadable(address) }
    return value
  }

  func unreadable(_ address: UInt64) -> MonitorError {
    guard let at = physical(address) else { return .refused("\(address.hex0x()) is not mapped") }
    guard let region = machine.space.region(at: at) else {
      return .refused("nothing answers at physical address \(at.hex0x())")
    }
    return .refused(
      "\(region.name) cannot be read at \(address.hex0x()) without side effects; 'device reads allow' permits them")
  }

  /// Up to `count` bytes of code or data, as far as they can be read.
  func bytes(_ address: UInt64, count: Int, isPhysical: Bool = false) -> [UInt8] {
    GuestMemory(machine, vcpu, isPhysical: isPhysical).read(address, count)
  }

  /// Writes as a debugger does: read-only memory too; devices get a real write.
  func write(_ address: UInt64, size: Int, _ value: UInt64, isPhysical: Bool = false) throws(MonitorError) {
    if !isPhysical, address & 0xFFF &+ UInt64(size) > 0x1000 {
      for byte in 0..<size { try write(address &+ UInt64(byte), size: 1, value >> UInt64(8 * byte)) }
      return
    }
    guard let at = isPhysical ? address : physical(address) else { throw .refused("\(address.hex0x()) is not mapped") }
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    machine.noteChange()
    do throws(BusError) {
      if machine.space.ram(at: at, count: size) != nil {
        try machine.space.copyIn(bytes, at: at)
      } else {
        try machine.space.write(at, size: size, value)
      }
    } catch { throw .refused("\(address.hex0x()): \(error)") }
  }

  // MARK: Text

  /// ` <main+0x4>`, or nothing.
  func symbolSuffix(_ address: UInt64) -> String { machine.symbols.describe(address).map { " <\($0)>" } ?? "" }

  func symbol(_ address: UInt64) -> Value { machine.symbols.describe(address).map { .text($0) } ?? .nothing }

  /// The instruction at `address`, with its length in bytes; nil if it cannot be read.
  func instruction(_ address: UInt64, isPhysical: Bool = false) -> (text: String, bytes: [UInt8])? {
    let bytes = bytes(address, count: 16, isPhysical: isPhysical)
    guard !bytes.isEmpty else { return nil }
    let (text, length) = guest.disassemble(bytes, pc: address)
    return (text, Array(bytes.prefix(max(1, length))))
  }

  /// `0x80000010 <main+0x4>  addi a0, a0, 1`
  func location(_ pc: UInt64) -> String {
    addressText(pc) + symbolSuffix(pc) + (instruction(pc).map { "  " + $0.text } ?? "")
  }
}

extension Context {
  /// The number of the chosen hart.
  var hart: Int { monitor.hart(machine) }
  var vcpu: VCPU { machine.engine.vcpus[hart] }
  var memory: DebugMemory { DebugMemory(machine: machine, vcpu: vcpu, frame: monitor.chosenFrame(of: vcpu)) }
}

extension DebugMemory {
  /// The bytes of an instruction read as one little-endian number, as assemblers list them.
  static func encoding(_ bytes: [UInt8]) -> String {
    bytes.reversed().map { $0.hex(digits: 2) }.joined()
  }
}
