// The list of kernels, and what one program to measure is.

import ArgumentParser
import Foundation

/// What stopped the bench, in a sentence.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// The guest instruction sets the kernels' runtime knows.
enum Guest: String, ExpressibleByArgument, CaseIterable {
  case rv64, rv32
  /// A Cortex-M4 with floating point, which the group `arm` is for.
  case m4

  /// The board it runs on, by Martlet's name and QEMU's.
  var boards: (martlet: String, qemu: String) { self == .m4 ? ("mps2_an386", "mps2-an386") : ("virt", "virt") }
  var emulator: String {
    switch self {
    case .rv64: "qemu-system-riscv64"
    case .rv32: "qemu-system-riscv32"
    case .m4: "qemu-system-arm"
    }
  }
}

/// The groups whose ratios are averaged separately. The baseline and the variants of one program belong to none.
enum Group: String, Codable {
  case baseline, integer, floatingPoint = "floating point", folder, variant

  static let averaged: [Group] = [.integer, .floatingPoint, .folder]
}

/// One kernel: `kernels/NAME.c`, and the scale at which it takes about a quarter of a second natively.
struct Kernel {
  let name: String
  let group: Group
  let scale: UInt32

  static let all: [Kernel] = [
    .init(name: "empty", group: .baseline, scale: 1),
    .init(name: "mix", group: .integer, scale: 7_000),
    .init(name: "crc", group: .integer, scale: 5_000),
    .init(name: "sort", group: .integer, scale: 600),
    .init(name: "strings", group: .integer, scale: 2_500),
    .init(name: "aes", group: .integer, scale: 22_000),
    .init(name: "bigint", group: .integer, scale: 4_000),
    .init(name: "interpreter", group: .integer, scale: 1_200),
    .init(name: "recursion", group: .integer, scale: 12_000),
    .init(name: "dispatch", group: .integer, scale: 60_000),
    .init(name: "copy", group: .integer, scale: 120_000),
    .init(name: "chase", group: .integer, scale: 20_000),
    .init(name: "hash", group: .integer, scale: 2_000),
    .init(name: "nbody", group: .floatingPoint, scale: 35_000),
    .init(name: "lu", group: .floatingPoint, scale: 5_000),
  ]

  /// The kernels of a comma-separated list, in the list's order; all where there is none.
  static func named(_ list: String?) throws(BenchError) -> [Kernel] {
    guard let list else { return all }
    var chosen: [Kernel] = []
    for name in list.split(separator: ",") {
      guard let kernel = all.first(where: { $0.name == name }) else {
        throw BenchError("no kernel “\(name)”; there are \(all.map(\.name).joined(separator: ", "))")
      }
      chosen.append(kernel)
    }
    return chosen
  }
}

/// Where a debugger wants a program to stop, by symbol.
enum DebuggerPoint {
  case function(String)
  /// Eight bytes, watched for writes.
  case word(String)

  /// For Martlet's monitor, and for GDB.
  var commands: (monitor: String, gdb: String) {
    switch self {
    case .function(let name): ("break \(name)", "break *\(name)")
    case .word(let name): ("watch \(name) 8", "watch *(unsigned long long *)&\(name)")
    }
  }
}

/// One program to measure: a guest ELF, and the same program for the host where there is one.
struct Program {
  let name: String
  let group: Group
  let guest: Guest
  /// What `-kernel` names.
  let elf: String
  let native: String?
  /// What `-bios` names.
  var bios = "none"
  /// More arguments, which Martlet and QEMU both know.
  var options: [String] = []
  /// The last line it must print, where that is known beforehand.
  var expected: String?
  /// Have Martlet tell about its translation at the end.
  var wantsStatistics = false
  /// What it asks for and is given, and the text that ends the run.
  var prompt: (question: String, answer: String, last: String)?
  /// How often Martlet is to stop it at random moments, after which the run ends.
  var stops = 0
  /// What a debugger sets before it starts.
  var point: DebuggerPoint?
  /// What is known of it by name.
  var figures: [String: Double] = [:]

  init(name: String, group: Group, guest: Guest, elf: String, native: String?) {
    self.name = name
    self.group = group
    self.guest = guest
    self.elf = elf
    self.native = native
  }

  /// The RISC-V ELF files of a folder, by name. Other files are named on standard error and left out.
  static func all(inFolder folder: String) throws -> [Program] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    let programs = names.compactMap { name -> Program? in
      let path = URL(fileURLWithPath: folder).appendingPathComponent(name).path
      guard let guest = guestOfELF(at: path) else {
        Log.line("\(name): not a RISC-V ELF file, left out")
        return nil
      }
      return Program(name: name, group: .folder, guest: guest, elf: path, native: nil)
    }
    guard !programs.isEmpty else { throw BenchError("no RISC-V ELF files in \(folder)") }
    return programs
  }

  /// The class of a little-endian RISC-V ELF file (`e_machine` 243), from its header.
  private static func guestOfELF(at path: String) -> Guest? {
    guard let file = FileHandle(forReadingAtPath: path), let read = try? file.read(upToCount: 20) else { return nil }
    let header = [UInt8](read)
    guard header.count == 20, header.starts(with: [0x7f, 0x45, 0x4c, 0x46]), header[18] == 243, header[19] == 0 else {
      return nil
    }
    return header[4] == 2 ? .rv64 : header[4] == 1 ? .rv32 : nil
  }
}
