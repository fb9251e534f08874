// Owns `info qtree` and `info device`: devices with their registers and wires.

import Bits
import Bus
import Machine
import SVD

extension Command {
  static let infoDeviceTree = Command(
    "info qtree", [], .look, "All devices: addresses, interrupts, registers that are not as after reset.",
    .look { context throws(MonitorError) in
      .sections(
        context.machine.devices.map { path, device in
          (path, DeviceView(path: path, device: device, names: nil).listing(all: false))
        })
    })

  static let infoDevice = Command(
    "info device", [Parameter("NAME", .device)], .look, "One device with all its registers and fields.",
    .look { context throws(MonitorError) in
      guard let name = context.arguments["NAME"] else { throw context.arguments.usage }
      let found = context.machine.devices(called: name)
      guard let (path, device) = found.first else {
        throw .refused("no device '\(name)'; 'info qtree' lists them")
      }
      guard found.count == 1 else { throw .ambiguous(name, found.map(\.path)) }
      return .sections([
        (path, DeviceView(path: path, device: device, names: context.machine.registerNames).listing(all: true))
      ])
    })
}

/// A device as a listing.
private struct DeviceView {
  let path: String
  let device: any Device
  /// For devices that declare no registers.
  let names: RegisterDescription?

  private struct Row {
    var name: String
    var offset: UInt64
    var register: RegisterInfo
    var value: UInt64?
  }

  func listing(all: Bool) -> Listing {
    let node = device.context.node
    var fields = [NamedValue("compatible", .text(node.compatible.joined(separator: ", ")))]
    fields.append(NamedValue("model", .text("\(type(of: device))")))
    for (index, region) in device.regions.enumerated() where region.size > 0 {
      let name = device.regions.count == 1 ? "region" : "region \(index)"
      fields.append(NamedValue(name, .text("\(region.base.hex0x())-\(region.last.hex0x())")))
    }
    let wires = device.context.interrupts
    for (index, output) in wires.enumerated() {
      let cells = output.cells.map(String.init).joined(separator: " ")
      let name = wires.count == 1 ? "interrupt" : "interrupt \(index)"
      fields.append(
        NamedValue(name, .text("\(output.line.level ? "high" : "low")  to \(output.controller) #\(cells)")))
    }
    let rows =
      device.registers.isEmpty ? namedRows : device.registers.indices.flatMap { self.rows(region: $0, all: all) }
    let width = rows.map(\.name.count).max() ?? 0
    let offsetWidth = rows.map { $0.offset.hex0x(digits: 2).count }.max() ?? 0
    let view = all ? device.view : []
    let lines =
      Listing.fields(fields).textLines + view
      + rows.map { row in
        let text = row.value?.hex0x(digits: 2 * row.register.width) ?? "(reading has a side effect)"
        return trimmed(
          "  +" + padded(row.offset.hex0x(digits: 2), offsetWidth) + "  " + padded(row.name, width) + "  " + text + "  "
            + fieldText(row))
      }
    if !view.isEmpty { fields.append(NamedValue("view", .list(view.map(Value.text)))) }
    fields.append(
      NamedValue(
        "registers",
        .object(
          rows.map { row in
            NamedValue(row.name, row.value.map { .hex($0, digits: 2 * row.register.width) } ?? .nothing)
          })))
    return .custom(lines, .object(fields))
  }

  private func rows(region: Int, all: Bool) -> [Row] {
    var rows: [Row] = []
    for register in device.registers[region].registers where register.access != .writeOnly {
      for index in 0..<min(register.count, 1024) {
        let offset = register.offset + UInt64(index) * register.stride
        let value = device.peek(region: region, offset: offset, size: register.width)
        // Long arrays and short listings show only what is not as after reset.
        if !all || register.count > 8, value == register.resetValue { continue }
        rows.append(Row(name: register.name(at: index), offset: offset, register: register, value: value))
      }
    }
    return rows
  }

  /// What the user's SVD file has at the device's addresses.
  private var namedRows: [Row] {
    device.regions.enumerated().flatMap { index, range in
      (names?.peripherals ?? []).filter { $0.base >= range.base && $0.base - range.base < range.size }.flatMap { part in
        part.registers.filter { $0.access != .writeOnly }.prefix(1024).map { register in
          let offset = part.base - range.base + register.offset
          return Row(
            name: "\(part.name).\(register.name)", offset: offset, register: register,
            value: device.peek(region: index, offset: offset, size: register.width))
        }
      }
    }
  }

  private func fieldText(_ row: Row) -> String { row.value.map { row.register.fieldText($0) } ?? "" }
}
