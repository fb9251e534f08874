// Owns which extensions a RISC-V CPU has, the ISA strings that name them (unprivileged manual, "ISA Extension Naming
// Conventions"), and the instructions each brings.

import GuestKit

/// The implemented extensions.
public struct Extensions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  @inlinable public static var m: Extensions { .init(rawValue: 1 << 0) }
  @inlinable public static var a: Extensions { .init(rawValue: 1 << 1) }
  @inlinable public static var f: Extensions { .init(rawValue: 1 << 2) }
  @inlinable public static var d: Extensions { .init(rawValue: 1 << 3) }
  @inlinable public static var c: Extensions { .init(rawValue: 1 << 4) }
  @inlinable public static var zicsr: Extensions { .init(rawValue: 1 << 5) }
  @inlinable public static var zifencei: Extensions { .init(rawValue: 1 << 6) }
  @inlinable public static var zicntr: Extensions { .init(rawValue: 1 << 7) }
  @inlinable public static var zba: Extensions { .init(rawValue: 1 << 8) }
  @inlinable public static var zbb: Extensions { .init(rawValue: 1 << 9) }
  @inlinable public static var zbs: Extensions { .init(rawValue: 1 << 10) }
  @inlinable public static var zicond: Extensions { .init(rawValue: 1 << 11) }
  /// Supervisor and user mode.
  @inlinable public static var supervisor: Extensions { .init(rawValue: 1 << 12) }
  @inlinable public static var user: Extensions { .init(rawValue: 1 << 13) }

  @inlinable public static var all: Extensions { .init(rawValue: (1 << 14) - 1) }

  private static let letters: [(Character, Extensions)] = [
    ("m", .m), ("a", .a), ("f", .f), ("d", .d), ("c", .c), ("s", [.supervisor, .user]), ("u", .user),
  ]
  private static let words: [(String, Extensions)] = [
    ("zicsr", .zicsr), ("zifencei", .zifencei), ("zicntr", .zicntr), ("zba", .zba), ("zbb", .zbb), ("zbs", .zbs),
    ("zicond", .zicond),
  ]

  /// Parses what follows `rv32` or `rv64` in an ISA string, in lower case; the base `i` or `g` comes first.
  ///
  /// Zicsr, Zicntr and the privilege modes S and U are always there: `riscv,isa` strings of devicetrees leave them out.
  public init(isa text: Substring) throws(RISCVModelError) {
    var extensions: Extensions = [.zicsr, .zicntr, .supervisor, .user]
    let parts = text.split(separator: "_", omittingEmptySubsequences: false)
    switch parts[0].first {
    case "i": break
    case "g": extensions.formUnion([.m, .a, .f, .d, .zifencei])
    default: throw RISCVModelError.unknownBase(String(text))
    }
    for letter in parts[0].dropFirst() {
      guard let match = Self.letters.first(where: { $0.0 == letter }) else {
        throw RISCVModelError.unknownExtension(String(letter))
      }
      extensions.formUnion(match.1)
    }
    for part in parts.dropFirst() {
      if let match = Self.words.first(where: { $0.0 == part }) {
        extensions.formUnion(match.1)
      } else if part.count == 1, let match = Self.letters.first(where: { $0.0 == part.first }) {
        extensions.formUnion(match.1)
      } else {
        throw RISCVModelError.unknownExtension(String(part))
      }
    }
    if extensions.contains(.d) { extensions.insert(.f) }
    self = extensions
  }

  /// The ISA string after `rv32` or `rv64`, without the privilege modes.
  public var isa: String {
    let single = Self.letters.prefix(5).filter { contains($0.1) }.map { String($0.0) }.joined()
    let long = Self.words.filter { contains($0.1) }.map { "_" + $0.0 }.joined()
    return "i" + single + long
  }

  /// The instruction groups of these extensions, in the order of the manual's volumes and chapters.
  func groups(xlen: Int) -> [InstructionGroup<Translator>] {
    var groups = [BaseInteger.group]
    if contains(.zifencei) { groups.append(Zifencei.group) }
    if contains(.zicsr) { groups.append(Zicsr.group) }
    if contains(.zicond) { groups.append(Zicond.group) }
    if contains(.m) { groups.append(MultiplyDivide.group) }
    if contains(.a) { groups.append(Atomics.group) }
    if contains(.f) { groups.append(SingleFloat.group) }
    if contains(.d) { groups.append(DoubleFloat.group) }
    if contains(.c) {
      groups.append(Compressed.group)
      if contains(.f), xlen == 32 { groups.append(Compressed.singleGroup) }
      if contains(.d) { groups.append(Compressed.doubleGroup) }
    }
    if contains(.zba) { groups.append(Zba.group) }
    if contains(.zbb) { groups.append(Zbb.group) }
    if contains(.zbs) { groups.append(Zbs.group) }
    groups.append(Privileged.group)
    return groups
  }
}

/// Why a CPU model cannot be made.
public enum RISCVModelError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownBase(String)
  case unknownExtension(String)
  /// Instruction rows are malformed; only custom ones can be.
  case rows(String)

  public var description: String {
    switch self {
    case .unknownBase(let text): "unknown RISC-V base ISA in '\(text)': rv32i, rv64i, rv32g or rv64g is expected"
    case .unknownExtension(let name): "RISC-V extension '\(name)' is not implemented"
    case .rows(let text): "instruction rows: \(text)"
    }
  }
}
