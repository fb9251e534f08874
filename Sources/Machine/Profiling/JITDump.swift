// Owns Linux perf's format of code with its time (tools/perf/Documentation/jitdump-specification.txt, version 1).

import Bits
import Glibc

@safe final class JITDump: CodeSink {
  private let file: TraceFile
  private let marker: UnsafeMutableRawPointer?
  private var nextIndex: UInt64 = 0

  private static var magic: UInt32 { 0x4A69_5444 }
  private static var headerSize: UInt32 { 40 }
  /// EM_X86_64 and EM_AARCH64.
  private static var machine: UInt32 {
    #if arch(arm64)
      183
    #else
      62
    #endif
  }
  private static var load: UInt32 { 0 }
  private static var markerSize: Int { 4096 }

  init(_ file: TraceFile) {
    var header = Bytes()
    header.add(Self.magic)
    header.add(UInt32(1))
    header.add(Self.headerSize)
    header.add(Self.machine)
    header.add(UInt32(0))
    header.add(UInt32(bitPattern: getpid()))
    header.add(HostClock.nanoseconds)
    header.add(UInt64(0))
    file.append(header.bytes)
    // `perf record` notes executable mappings: this one tells `perf inject` of the file.
    let mapped = unsafe mmap(nil, Self.markerSize, PROT_READ | PROT_EXEC, MAP_PRIVATE, file.descriptor, 0)
    unsafe marker = mapped == MAP_FAILED ? nil : mapped
    self.file = file
  }

  deinit { if let marker = unsafe marker { unsafe munmap(marker, Self.markerSize) } }

  func add(_ name: String, at address: UInt64, _ code: [UInt8]) {
    let name = Array(name.utf8) + [0]
    let process = UInt32(bitPattern: getpid())
    var record = Bytes()
    record.add(Self.load)
    record.add(UInt32(16 + 40 + name.count + code.count))
    record.add(HostClock.nanoseconds)
    record.add(process)
    // The thread: code is the same to all.
    record.add(process)
    record.add(address)
    record.add(address)
    record.add(UInt64(code.count))
    record.add(nextIndex)
    nextIndex += 1
    file.append(record.bytes + name + code)
  }

  /// Later records of the same addresses count from their time on.
  func clear() {}

  private struct Bytes {
    var bytes: [UInt8] = []
    mutating func add(_ value: some FixedWidthInteger & UnsignedInteger) {
      for byte in 0..<value.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }
  }
}
