// Owns the interpreted tier: code that has not run often is kept as packed IR, which an interpreter executes block by
// block, and compiled once it was entered so often that compiling would have paid.

import Bits
import GuestKit
import HostKit
import IR

extension Translator {
  /// Translates code that was not executed before for the interpreter; nil where that cannot be.
  func translatePacked(_ vcpu: VCPU, _ key: BlockKey) throws(TranslationFailure) -> BlockID? {
    // Counters are in compiled code, and profilers name that alone.
    guard let interpreter, !profile.countsExecutions, code.observers.isEmpty else { return nil }
    let isTimed = profile.statistics.interpreted.isTimed
    let start = isTimed ? HostClock.nanoseconds : 0
    do { try build(vcpu, key, maximumInstructions, region: nil, packs: true, &builder) } catch {
      throw .guest(error)
    }
    let decoded = isTimed ? HostClock.nanoseconds : 0
    let packed = builder.code
    let extent = GuestExtent(packed)
    // Its cache may be full, or it cannot do this block.
    guard let compiled = try? interpreter.adopt(packed) else { return nil }
    let id = code.blocks.insert(
      record(vcpu, key, .interpreted, extent, compiled, opCount: packed.opCount), packed)
    guardian.add(id)
    code.note(.translated(.interpreted), id)
    profile.statistics.interpreted.add(
      extent, opsAfterPasses: packed.opCount, hostBytes: compiled.size,
      times: (start, decoded, decoded, isTimed ? HostClock.nanoseconds : 0))
    if log.showsTranslation,
      let block = try? decode(vcpu, key, maximumInstructions: max(1, Int(code.blocks[id].instructionCount)))
    {
      logTranslation(id, block, block)
    }
    return id
  }
}

extension VCPU {
  /// Compiles an interpreted block if it was entered often enough.
  /// - Returns: where to enter instead.
  func warm(_ id: BlockID, _ pc: UInt64) throws(TranslationFailure) -> BlockID {
    guard code.isWorn(id) else { return id }
    let container = code.blocks.container(of: id)
    var key = code.blocks[container].key
    code.note(.dropped, container, because: .hotter)
    guardian.remove(container)
    let whole = try translator.translate(self, key, .quick, single: false)
    let entry = code.blocks.entry(whole, at: pc)
    if entry != 0 { return entry }
    key.physicalPC &+= pc &- key.pc
    key.pc = pc
    return try translator.translate(self, key, .quick, single: false)
  }
}

extension Engine {
  /// Bytes of packed code that are interpreted.
  public var interpretedBytesUsed: Int { code.interpreter?.codeBytesUsed ?? 0 }

  /// How often an interpreted block was entered where it was most often; nil for others.
  public func interpretedRuns(_ id: BlockID) -> UInt32? {
    guard code.blocks[id].tier == .interpreted, let interpreter = code.interpreter else { return nil }
    return code.blocks.parts(id).map { interpreter.entries(code.blocks[$0].compiled.entry) }.max()
  }
}
