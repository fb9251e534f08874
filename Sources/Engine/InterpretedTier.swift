// Owns the interpreted tier: code that has not run often is kept as packed IR, which an interpreter executes block by
// block, and compiled once it was entered so often that compiling would have paid.

import Bits
import GuestKit
import HostKit
import IR

extension Engine {
  /// Bytes of packed code that are interpreted.
  public var interpretedBytesUsed: Int { interpreter?.codeBytesUsed ?? 0 }

  /// Translates code that was not executed before for the interpreter; nil where that cannot be.
  func translatePacked(_ vcpu: VCPU, _ key: BlockKey) throws(TranslationFailure) -> BlockID? {
    // Counters are in compiled code, and profilers name that alone.
    guard let interpreter, !options.countsExecutions, observers.isEmpty else { return nil }
    let isTimed = statistics.interpreted.isTimed
    let start = isTimed ? HostClock.nanoseconds : 0
    do { try build(vcpu, key, options.maximumInstructions, region: nil, packs: true, &builder) } catch {
      throw .guest(error)
    }
    let decoded = isTimed ? HostClock.nanoseconds : 0
    let code = builder.code
    let extent = GuestExtent(code)
    // Its cache may be full, or it cannot do this block.
    guard let compiled = try? interpreter.adopt(code) else { return nil }
    let id = store.insert(
      record(vcpu, key, .interpreted, extent, compiled, opCount: code.opCount), code)
    guardCode(of: id)
    statistics.interpreted.add(
      extent, opsAfterPasses: code.opCount, hostBytes: compiled.size,
      times: (start, decoded, decoded, isTimed ? HostClock.nanoseconds : 0))
    if log.showsTranslation,
      let block = try? decode(vcpu, key, maximumInstructions: max(1, Int(store[id].instructionCount)))
    {
      logTranslation(id, block, block)
    }
    return id
  }

  /// How often an interpreted block was entered where it was most often; nil for others.
  public func interpretedRuns(_ id: BlockID) -> UInt32? {
    guard store[id].tier == .interpreted, let interpreter else { return nil }
    return store.parts(id).map { interpreter.entries(store[$0].compiled.entry) }.max()
  }

  /// Whether a block of packed code was interpreted as often as may be.
  @inline(__always)
  func isWorn(_ id: BlockID) -> Bool { interpreter?.isWorn(store[id].compiled.entry) ?? false }

  /// Compiles an interpreted block if it was entered often enough.
  /// - Returns: where to enter instead.
  func warm(_ vcpu: VCPU, _ id: BlockID, _ pc: UInt64) throws(TranslationFailure) -> BlockID {
    guard isWorn(id) else { return id }
    let container = store.container(of: id)
    var key = store[container].key
    remove(container)
    let whole = try translate(vcpu, key, .quick, single: false)
    let entry = store.entry(whole, at: pc)
    if entry != 0 { return entry }
    key.physicalPC &+= pc &- key.pc
    key.pc = pc
    return try translate(vcpu, key, .quick, single: false)
  }
}
