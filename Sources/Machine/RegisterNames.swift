// Owns names of registers: those a user gives in an SVD file, and the description of what a board models.

import Bits
import Bus
import SVD

extension RegisterDescription {
  /// Reads the file of `--svd`.
  init(path: String) throws(MachineError) {
    let bytes = try HostFile.read(path)
    do throws(SVDError) {
      try self.init(svd: bytes)
    } catch {
      throw .badInput("--svd: \(path): \(error)")
    }
  }

  /// What the file says that could not be used, in words for the user.
  func notes(_ path: String) -> [String] {
    let most = 8
    let lines = problems.prefix(most).map { "--svd: \(path): \($0); this is left out" }
    return lines + (problems.count > most ? ["--svd: \(path): and \(problems.count - most) more"] : [])
  }

  /// What an access is called in logs: `RCC.CR`, and the fields that a written value sets.
  func label(_ address: UInt64, written value: UInt64?) -> String? {
    guard let name = label(address, isWrite: value != nil) else { return nil }
    guard let value, let (peripheral, register) = find(address, isWrite: true), let register,
      address == peripheral.base + register.offset
    else { return name }
    let fields = register.fieldText(value)
    return fields.isEmpty ? name : "\(name): \(fields)"
  }
}

extension Machine {
  /// The registers that the board's models declare, under names made of the nodes': `uart@40004000` is the first of
  /// `UART0`, `UART1`, …, or `UART` if it is the only one.
  public var modelledRegisters: RegisterDescription {
    var found: [(stem: String, summary: String, range: AddressRange, registers: [RegisterInfo])] = []
    for (path, device) in devices {
      for (index, range) in device.regions.enumerated() where device.registers.indices.contains(index) {
        let registers = device.registers[index].registers
        guard !registers.isEmpty, range.size > 0 else { continue }
        let node = path.split(separator: "/").last.map(String.init) ?? path
        let stem = node.prefix { $0 != "@" }.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" }
        found.append(
          (String(stem), device.context.node.compatible.first ?? "", range, registers.sorted { $0.offset < $1.offset }))
      }
    }
    found.sort { $0.range.base < $1.range.base }
    var counts: [String: Int] = [:]
    for entry in found { counts[entry.stem, default: 0] += 1 }
    var used: [String: Int] = [:]
    let peripherals = found.map { entry in
      let number = used[entry.stem, default: 0]
      used[entry.stem] = number + 1
      return RegisterDescription.Peripheral(
        name: counts[entry.stem] == 1 ? entry.stem : "\(entry.stem)\(number)", base: entry.range.base,
        size: entry.range.size, summary: entry.summary, registers: entry.registers)
    }
    let board = configuration.board.split(separator: "/").last.map(String.init) ?? "board"
    return RegisterDescription(name: String(board.prefix { $0 != "." }), peripherals: peripherals)
  }
}
