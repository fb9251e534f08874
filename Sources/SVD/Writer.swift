// Owns the way from a register description to a CMSIS-SVD file.

import Bits
import Bus

extension RegisterDescription {
  /// The text of an SVD file (schema 1.3) that says the same.
  public func svd(vendor: String = "Martlet", addressBits: Int = 32) -> String {
    var writer = SVDWriter()
    writer.open(
      "device",
      "schemaVersion=\"1.3\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema-instance\""
        + " xs:noNamespaceSchemaLocation=\"CMSIS-SVD.xsd\"")
    writer.put("vendor", vendor)
    writer.put("name", name)
    writer.put("version", "1.0")
    writer.put("description", "The registers that Martlet models of \(name)")
    writer.put("addressUnitBits", "8")
    writer.put("width", String(addressBits))
    writer.open("peripherals")
    for peripheral in peripherals { writer.put(peripheral) }
    writer.close("peripherals")
    writer.close("device")
    return writer.text
  }
}

private struct SVDWriter {
  var text = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
  private var depth = 0

  mutating func open(_ name: String, _ attributes: String = "") {
    indent("<\(name)\(attributes.isEmpty ? "" : " " + attributes)>")
    depth += 1
  }

  mutating func close(_ name: String) {
    depth -= 1
    indent("</\(name)>")
  }

  mutating func put(_ name: String, _ value: String) { indent("<\(name)>\(Self.escaped(value))</\(name)>") }

  private mutating func indent(_ line: String) {
    text += String(repeating: "  ", count: depth) + line + "\n"
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "&": result += "&amp;"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }

  mutating func put(_ peripheral: RegisterDescription.Peripheral) {
    open("peripheral")
    put("name", peripheral.name)
    if !peripheral.summary.isEmpty { put("description", peripheral.summary) }
    put("baseAddress", peripheral.base.hex0x())
    open("addressBlock")
    put("offset", "0x0")
    put("size", peripheral.size.hex0x())
    put("usage", "registers")
    close("addressBlock")
    if !peripheral.registers.isEmpty {
      open("registers")
      for register in peripheral.registers { put(register) }
      close("registers")
    }
    close("peripheral")
  }

  private mutating func put(_ register: RegisterInfo) {
    open("register")
    if register.count > 1 {
      put("dim", String(register.count))
      put("dimIncrement", register.stride.hex0x())
    }
    put("name", register.count > 1 ? register.name + "[%s]" : register.name)
    put("addressOffset", register.offset.hex0x())
    put("size", String(8 * register.width))
    let access =
      switch register.access {
      case .readOnly: "read-only"
      case .writeOnly: "write-only"
      case .readWrite: "read-write"
      }
    put("access", access)
    put("resetValue", register.resetValue.hex0x())
    if register.sideEffectOnRead { put("readAction", "modify") }
    let fields = register.fields.filter { $0.kind != .reserved }
    if !fields.isEmpty {
      open("fields")
      for field in fields {
        open("field")
        put("name", field.name)
        if field.kind == .unimplemented { put("description", "not implemented by the model") }
        put("bitOffset", String(field.bits.lowerBound))
        put("bitWidth", String(field.bits.count))
        put(field.values)
        close("field")
      }
      close("fields")
    }
    close("register")
  }

  private mutating func put(_ values: [Field.Value]) {
    guard !values.isEmpty else { return }
    open("enumeratedValues")
    for value in values {
      open("enumeratedValue")
      put("name", value.name)
      switch value.mask {
      case 0: put("isDefault", "true")
      case .max: put("value", value.value.hex0x())
      default:
        let bits = (0..<64).reversed().map { value.mask.bit($0) ? value.value.bit($0) ? "1" : "0" : "x" }.joined()
        put("value", "#" + bits.drop { $0 == "0" })
      }
      close("enumeratedValue")
    }
    close("enumeratedValues")
  }
}
