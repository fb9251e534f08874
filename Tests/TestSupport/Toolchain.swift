// Owns the programs of the toolchain that tests compare with: where they are, and what LLVM reads in RISC-V code.

import Foundation

public enum Toolchain {
  /// The full path of a program of the toolchain (beside `swift`), or else on PATH.
  public static func find(_ program: String) -> String? {
    let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    let isThere = { FileManager.default.isExecutableFile(atPath: $0) }
    let toolchain = path.first { isThere("\($0)/swift") }
    return ((toolchain.map { [$0] } ?? []) + path).map { "\($0)/\(program)" }.first(where: isThere)
  }

  /// Whether code can be assembled and disassembled here.
  public static var hasDisassembler: Bool { find("clang") != nil && find("llvm-objdump") != nil }

  /// What a program of the toolchain prints.
  public static func run(_ program: String, _ arguments: [String]) throws -> String {
    guard let path = find(program) else { throw FirmwareError(description: "\(program) is not installed") }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
  }

  /// What LLVM reads in these RISC-V encodings, one after another from `address` on, by address.
  public static func disassemble(
    _ encodings: [(bits: UInt32, length: Int)], isa: String, at address: UInt64 = 0
  ) throws -> [UInt64: String] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let source = folder.appending(path: "all.s"), object = folder.appending(path: "all.o")
    let lines = encodings.map { ".insn \($0.length), 0x\(String($0.bits, radix: 16))" }
    try (lines.joined(separator: "\n") + "\n").write(to: source, atomically: true, encoding: .utf8)
    let target = ["--target=riscv\(isa.dropFirst(2).prefix(2))", "-march=\(isa)", "-mno-relax"]
    _ = try run("clang", target + ["-c", source.path, "-o", object.path])
    let listing = try run(
      "llvm-objdump",
      ["-d", "--no-show-raw-insn", "--no-print-imm-hex", "--adjust-vma=\(address)"]
        + ["--mattr=+zicond,+zihintpause", object.path])
    var texts: [UInt64: String] = [:]
    for line in listing.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2, let address = UInt64(parts[0].drop { $0 == " " }, radix: 16) {
        texts[address] = normalised(parts[1])
      }
    }
    return texts
  }

  /// Text with single spaces, decimal numbers and no symbol after an address.
  public static func normalised(_ text: some StringProtocol) -> String {
    let text = text.hasSuffix(">") && text.contains(" <") ? text.split(separator: "<")[0] : text[...]
    var words: [String] = []
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," }) {
      if let place = word.range(of: "0x"), let value = UInt64(word[place.upperBound...], radix: 16) {
        words.append(word[..<place.lowerBound] + String(value))
      } else {
        words.append(String(word))
      }
    }
    return words.joined(separator: " ")
  }
}
