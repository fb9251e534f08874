// Owns the names under which profilers of the host know translated code, and what writers of such names share.

import Engine
import Glibc

/// Where translated code goes by name. On the machine's thread.
protocol CodeSink: AnyObject {
  /// Host code that is in use from now on.
  func add(_ name: String, at address: UInt64, _ code: [UInt8])
  /// All host code is dropped; its addresses will be used again.
  func clear()
}

/// Names each translation block after the guest symbol it lies in: `main+0x10`, or `guest 0x80000010` without one.
final class CodeNames: TranslationObserver {
  private let symbols: SymbolTable
  private let sink: any CodeSink

  init(_ symbols: SymbolTable, _ engine: Engine, _ sink: any CodeSink) {
    self.symbols = symbols
    self.sink = sink
    addSharedCode(engine)
  }

  private func addSharedCode(_ engine: Engine) {
    guard let block = engine.host.sharedCode, let code = engine.host.machineCode(block) else { return }
    sink.add("martlet entry, exit and slow paths", at: code.address, code.bytes)
    shared = ("martlet entry, exit and slow paths", code.address, code.bytes)
  }

  private var shared: (name: String, address: UInt64, code: [UInt8])?

  func didTranslate(_ id: BlockID, in engine: Engine) {
    let block = engine.store[id]
    guard let code = engine.host.machineCode(block.compiled) else { return }
    let pc = block.key.pc
    let name = symbols.describe(pc) ?? "guest 0x" + String(pc, radix: 16)
    sink.add(block.key.variant == .step ? name + " (stepped)" : name, at: code.address, code.bytes)
  }

  func didFlush() {
    sink.clear()
    if let shared { sink.add(shared.name, at: shared.address, shared.code) }
  }
}

extension Machine {
  /// Writes a line for each translation block to the map file in which Linux `perf report` looks names up. Its place is
  /// fixed by perf (tools/perf/Documentation/jit-interface.txt).
  ///
  /// After a flush of the code cache the file starts anew: samples from before the last one get wrong names or none.
  /// - Parameter path: another file.
  public func writePerfMap(to path: String? = nil) throws(MachineError) {
    try nameCode(PerfMap(path ?? P_tmpdir + "/perf-\(getpid()).map"))
  }

  /// Writes each translation block with its code and the time to `jit-PID.dump` in `folder`, for `perf inject --jit`.
  /// - Returns: the file's path.
  @discardableResult
  public func writeJITDump(inFolder folder: String) throws(MachineError) -> String {
    let path = folder + "/jit-\(getpid()).dump"
    try nameCode(JITDump(path))
    return path
  }

  private func nameCode(_ sink: any CodeSink) throws(MachineError) {
    guard engine.host.sharedCode != nil else {
      throw .badInput("the host back end '\(engine.hostName)' makes no machine code that a profiler could name")
    }
    engine.add(CodeNames(symbols, engine, sink))
  }
}

/// A file that is written at once, so that nothing is lost however the process ends.
struct TraceFile: ~Copyable {
  let descriptor: Int32

  init(_ path: String) throws(MachineError) {
    descriptor = unsafe open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw .badInput("\(path) cannot be written: \(HostFile.reason(errno)); choose another place")
    }
  }

  deinit { close(descriptor) }

  func append(_ bytes: [UInt8]) {
    var start = 0
    while start < bytes.count {
      let written = unsafe bytes.withUnsafeBytes {
        unsafe write(descriptor, $0.baseAddress! + start, bytes.count - start)
      }
      guard written > 0 else { return }
      start += written
    }
  }

  func truncate() { _ = ftruncate(descriptor, 0) }
}
