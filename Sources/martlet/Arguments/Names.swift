// Owns the names that editors, RTOS build systems and other emulators have for our boards and CPUs.

enum MachineName {
  /// QEMU's machines by our boards' names. Where QEMU has another board of the same chip family, the nearest of ours.
  private static let boards = [
    "microbit": "bbc_microbit", "mps2-an385": "mps2_an385", "mps2-an386": "mps2_an386", "mps2-an500": "mps2_an500",
    "mps2-an511": "mps2_an511", "mps2-an521": "mps2_an521", "netduinoplus2": "stm32f4_disco",
    "olimex-stm32-h405": "stm32f4_disco", "stm32f4-discovery": "stm32f4_disco",
  ]

  /// What of a machine's properties may be said because it is so.
  private static let given: [String: Set<String>] = [
    "accel": ["tcg"], "usb": ["off"], "graphics": ["off"], "acpi": ["off"], "aia": ["none"], "aclint": ["off"],
    "dump-guest-core": ["on", "off"], "mem-merge": ["on", "off"],
  ]

  /// Those that change the board.
  private static let own: Set = ["flash-size", "irq-priority-bits"]

  /// The machine of `virt`, `type=virt` and `virt,accel=tcg`, and the properties that change it.
  static func chosen(_ text: String) throws(Failure) -> (name: String, properties: [String: String]) {
    var words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard let place = words.firstIndex(where: { $0.hasPrefix("type=") || !$0.contains("=") }) else {
      throw .usage("-M: '\(text)' names no machine; write '-M virt', see '-M help'")
    }
    let name = words.remove(at: place)
    var properties: [String: String] = [:]
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      if parts.count == 2, own.contains(parts[0]), properties[parts[0]] == nil {
        properties[parts[0]] = parts[1]
      } else if parts.count != 2 || given[parts[0]]?.contains(parts[1]) != true {
        throw .usage(
          "-M: '\(word)' is not implemented; there are flash-size=SIZE and irq-priority-bits=N, and -m for the memory;"
            + " the rest of a board is changed in its devicetree")
      }
    }
    return (name.hasPrefix("type=") ? String(name.dropFirst(5)) : name, properties)
  }

  /// Our name of a machine; the same word if there is no other.
  static func board(_ word: String) -> String { boards[word] ?? word }
}

enum CPUName {
  /// Properties of QEMU's CPUs that every model of ours has.
  private static let given: Set<Substring> = ["pmp", "u", "s", "mmu", "i", "smepmp"]

  /// A model as QEMU's command lines write it, `rv32i,m=on,zicsr=on,pmp=on`, in our words: `rv32im_zicsr`. A bare
  /// `rv32` or `rv64` has every extension already.
  static func model(_ text: String) throws(Failure) -> String {
    let words = text.split(separator: ",", omittingEmptySubsequences: false)
    guard words.count > 1, let base = words.first else { return text }
    var letters = ""
    var names: [Substring] = []
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[1] == "on" || parts[1] == "true" else {
        throw .usage(
          "-cpu: '\(word)' in '\(text)' is not implemented; write NAME=on, or an ISA string such as rv32imac")
      }
      if given.contains(parts[0]) { continue }
      if parts[0].count == 1 { letters += parts[0] } else { names.append(parts[0]) }
    }
    guard base.hasPrefix("rv"), base.count > 4 else { return String(base) }
    return ([base + letters] + names).joined(separator: "_")
  }
}
