// Owns the running of batches by QEMU's user-mode emulation: an ELF file of their code, run as a process of its own.

import Foundation
import GuestRISCV

/// QEMU user mode for one register width.
struct UserModeRunner {
  let xlen: Int
  private let executable: String

  /// Nil where the emulator is not installed.
  init?(xlen: Int) {
    let name = "/qemu-riscv\(xlen)"
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
    guard let found = folders.map({ $0 + name }).first(where: FileManager.default.isExecutableFile) else { return nil }
    self.xlen = xlen
    executable = String(found)
  }

  /// Runs every case up to its end or, where `expected` ended in an exception, up to the instruction that raised it.
  func run(_ batch: Batch, expected: [Outcome]) throws -> [Outcome] {
    var patches: [(pc: UInt64, word: UInt32, size: Int)] = []
    for (span, outcome) in zip(batch.spans, expected) {
      patches.append((span.upperBound, Assembler.nop, 4))
      let fault = outcome.exceptionPC
      guard fault != span.upperBound, span.contains(fault) else { continue }
      let distance = Int(span.upperBound - fault)
      let isShort = batch.image[Int(fault - Place.code)] & 3 != 3
      patches.append(
        isShort ? (fault, Assembler.shortJump(distance), 2) : (fault, Assembler.jump(0, distance), 4))
    }
    let output = try execute(elf(batch, batch.image(replacing: patches)))
    guard output.count == batch.cases.count * UserProgram.outputSize else {
      throw RunnerError("\(executable) wrote \(output.count) bytes for \(batch.cases.count) cases")
    }
    return batch.cases.indices.map { number in
      let start = number * UserProgram.outputSize
      var words = wordsOf(Array(output[start..<start + UserProgram.outputSize]))
      words[batch.cases[number].reserved] = Place.output
      return Outcome(words: words)
    }
  }

  private func execute(_ program: [UInt8]) throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory
    let name = "martlet-differential-\(UUID().uuidString)"
    let (file, result) = (folder.appendingPathComponent(name), folder.appendingPathComponent(name + ".out"))
    defer { for url in [file, result] { try? FileManager.default.removeItem(at: url) } }
    guard
      FileManager.default.createFile(
        atPath: file.path, contents: Data(program), attributes: [.posixPermissions: 0o755]),
      FileManager.default.createFile(atPath: result.path, contents: nil)
    else { throw RunnerError("cannot write to \(folder.path)") }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["timeout", "100", executable, "-cpu", "rv\(xlen),zba=true,zbb=true,zbs=true", file.path]
    process.standardOutput = try FileHandle(forWritingTo: result)
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw RunnerError("\(executable) ended with status \(process.terminationStatus)")
    }
    return [UInt8](try Data(contentsOf: result))
  }

  /// A static executable: code, initial registers and memory, scratch memory, output table.
  private func elf(_ batch: Batch, _ image: [UInt8]) -> [UInt8] {
    var tables = batch.memory
    for one in batch.cases {
      for word in one.x + one.f + [one.fcsr] { tables += bytes(word, 8) }
    }
    let wide = xlen == 64
    let segments: [(address: UInt64, content: [UInt8], size: Int, flags: UInt64)] = [
      (Place.code, image, image.count, 5), (Place.initial, tables, tables.count, 4),
      (Place.scratch & ~0xFFF, [], 0x2000, 6),
      (Place.output, [], batch.cases.count * UserProgram.outputSize, 6),
    ]
    let word = wide ? 8 : 4
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, wide ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += bytes(2, 2) + bytes(243, 2) + bytes(1, 4) + bytes(Place.code, word) + bytes(wide ? 64 : 52, word)
    // Flags: compressed instructions, double-precision calling convention.
    file += bytes(0, word) + bytes(5, 4) + bytes(wide ? 64 : 52, 2) + bytes(wide ? 56 : 32, 2)
    file += bytes(UInt64(segments.count), 2) + bytes(wide ? 64 : 40, 2) + bytes(0, 4)
    var offset: UInt64 = 0x1000
    var body: [UInt8] = []
    for segment in segments {
      let (address, count) = (segment.address, UInt64(segment.content.count))
      file += bytes(1, 4) + (wide ? bytes(segment.flags, 4) : []) + bytes(offset, word)
      file += bytes(address, word) + bytes(address, word) + bytes(count, word) + bytes(UInt64(segment.size), word)
      file += (wide ? [] : bytes(segment.flags, 4)) + bytes(0x1000, word)
      body += segment.content
      let padding = (0x1000 - segment.content.count % 0x1000) % 0x1000
      body += [UInt8](repeating: 0, count: padding)
      offset += count + UInt64(padding)
    }
    return file + [UInt8](repeating: 0, count: 0x1000 - file.count) + body
  }

  private func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<UInt64(count)).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
