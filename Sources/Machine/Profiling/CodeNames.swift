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
  /// - Parameters:
  ///   - path: another file.
  ///   - onFailure: called once, with words for the user, when writing fails; the file then ends there.
  public func writePerfMap(
    to path: String? = nil, onFailure: @escaping (String) -> Void = { _ in }
  ) throws(MachineError) {
    try checkMachineCode()
    let file = try TraceFile(path ?? P_tmpdir + "/perf-\(getpid()).map", onFailure)
    engine.add(CodeNames(symbols, engine, PerfMap(file)))
  }

  /// Writes each translation block with its code and the time to `jit-PID.dump` in `folder`, for `perf inject --jit`.
  /// - Parameter onFailure: as of ``writePerfMap(to:onFailure:)``.
  /// - Returns: the file's path.
  @discardableResult
  public func writeJITDump(
    inFolder folder: String, onFailure: @escaping (String) -> Void = { _ in }
  ) throws(MachineError) -> String {
    try checkMachineCode()
    let path = folder + "/jit-\(getpid()).dump"
    engine.add(CodeNames(symbols, engine, JITDump(try TraceFile(path, onFailure))))
    return path
  }

  private func checkMachineCode() throws(MachineError) {
    guard engine.host.sharedCode != nil else {
      throw .badInput("the host back end '\(engine.hostName)' makes no machine code that a profiler could name")
    }
  }
}

/// A file that is written at once, so that nothing is lost however the process ends.
final class TraceFile {
  let descriptor: Int32
  private let path: String
  private let onFailure: (String) -> Void
  private var hasFailed = false

  /// Makes the file anew. Its name can be foreseen, and its folder be everybody's: what is there is replaced only if it is
  /// an ordinary file of this user, with no other name.
  init(_ path: String, _ onFailure: @escaping (String) -> Void) throws(MachineError) {
    self.path = path
    self.onFailure = onFailure
    descriptor = unsafe open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      let reason = errno == ELOOP ? "it is a symbolic link" : HostFile.reason(errno)
      throw .badInput("\(path) cannot be written: \(reason); choose another place")
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1,
      status.st_uid == geteuid()
    else { throw .badInput("\(path) is not a file of yours alone, and stays as it is; remove it") }
    truncate()
  }

  deinit { close(descriptor) }

  func append(_ bytes: [UInt8]) {
    var start = 0
    while start < bytes.count, !hasFailed {
      let written = unsafe bytes.withUnsafeBytes {
        unsafe write(descriptor, $0.baseAddress! + start, bytes.count - start)
      }
      if written < 0, errno == EINTR { continue }
      if written < 0 { fail(errno) }
      start += max(0, written)
    }
  }

  func truncate() { if ftruncate(descriptor, 0) != 0 { fail(errno) } }

  private func fail(_ number: Int32) {
    hasFailed = true
    onFailure("\(path): \(HostFile.reason(number))")
  }
}
