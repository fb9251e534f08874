// The AArch64 host, as far as it is there: a skeleton that shows what a second host must write.
//
// It compiles about a dozen kinds of op, and refuses blocks with any other, and memory but by the window, with
// `HostError.unsupported`. It does not run code: tests run what it made under an emulator. To run guests it lacks the other
// ops, the slow path of memory accesses with its faults, calls of helpers, and bringing caches of instructions up to date.

import Bits
import HostKit
import IR

/// Translates IR to AArch64 machine code.
@safe
public final class AArch64Host: CompilingHost {
  public static var name: String { "aarch64" }
  public static var mayRun: Int { ABI.mayRun }

  public let cache: CodeCache
  public var lowering: Lowering<AArch64> {
    @inline(__always)
    _read { yield loweringCell.value }
    @inline(__always)
    _modify { yield &loweringCell.value }
  }
  private let loweringCell: RawCell<Lowering<AArch64>>
  public let pollPage: PollPage
  public let loopChains: LoopChains
  public let permanent: Int

  public init(_ configuration: HostConfiguration) throws(HostError) {
    guard configuration.interrupts != .page else { throw .setup("the aarch64 host has no poll page") }
    guard configuration.codeCacheSize <= 128 << 20 else {
      throw .setup("a code cache of the aarch64 host has at most 128 MiB, which branches can span")
    }
    cache = try CodeCache(size: configuration.codeCacheSize)
    pollPage = PollPage(at: cache.pollPage)
    loopChains = unsafe LoopChains(patching: cache.writableMemory)
    let (pins, _) = Self.commonPins(configuration)
    let (memory, address) = unsafe cache.free
    var assembler = unsafe Assembler(memory, runningAt: address)
    let trampolines = Trampolines(&assembler, pins: pins.map { configuration.registers[$0] })
    guard assembler.failure == .none else { throw .setup("the code cache is too small") }
    cache.commit(assembler.count)
    permanent = cache.used
    loweringCell = RawCell(
      Lowering(
        configuration, pins: pins, vectorPins: [],
        target: AArch64(trampolines: trampolines, cacheBase: cache.base, assembler: assembler)))
  }

  deinit { lowering.deallocate() }

  public func reset() {
    cache.rewind(to: permanent)
    lowering.forgetBlocks()
    loopChains.removeAll()
  }

  /// The code that enters translated code: a C function (state, address of a block).
  public var enter: CodeAddress { CodeAddress(UInt32(lowering.target.trampolines.enter)) }

  public func run(_ entry: CodeAddress, _ cpu: VCPUState) {
    preconditionFailure("the aarch64 host is a skeleton: it does not run code")
  }

  public func listing(_ block: CompiledBlock, of ir: Block?, dataPath: DataPath) -> [HostLine] { [] }
}
