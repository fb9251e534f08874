// Owns the interpreter: its code cache, its exits and the ways in and out.

import Bits
import HostKit
import IR

/// Executes packed code: the reference host, and the tier below compiled code.
///
/// A ``HostKit/CodeAddress`` is an index into one array of ops, and so is the site of an exit. Ordinary loads and stores go
/// through the softmmu TLB in every mode, all others through the slow path.
public final class Interpreter {
  let configuration: HostConfiguration
  let code: RawTable<PackedOp>
  let returns = ReturnStack()
  let helpers: RawTable<HelperEntry>
  let families = Families()
  /// By opcode: what computes it, of the ops that are nothing special to the interpreter.
  let evaluators = Opcode.makeEvaluatorTable()
  /// How often a block may be entered; nil if that is not counted.
  let entryLimit: UInt32?
  /// Whether the jump cache leads to this code.
  let usesJumpCache: Bool
  /// The first place that is free.
  var used: Int {
    @inline(__always)
    _read { yield usedCell.value }
    @inline(__always)
    _modify { yield &usedCell.value }
  }
  private let usedCell = RawCell(1)

  init(_ configuration: HostConfiguration, entryLimit: UInt32?, usesJumpCache: Bool) {
    self.configuration = configuration
    self.entryLimit = entryLimit
    self.usesJumpCache = usesJumpCache
    code = RawTable(capacity: max(2, configuration.codeCacheSize / MemoryLayout<PackedOp>.stride))
    // Where nothing returns to.
    code[0] = PackedOp(returnTo: .max)
    helpers = RawTable(copying: configuration.helpers.map { unsafe HelperEntry(function: $0.function, $0.effects) })
  }

  deinit {
    code.deallocate()
    returns.deallocate()
    helpers.deallocate()
    families.deallocate()
    evaluators.deallocate()
  }

  public func adopt(_ block: PackedCode) throws(HostError) -> CompiledBlock {
    guard block.limit == .none else { throw .unsupported(block.limit.description) }
    guard used &+ block.opCount <= code.capacity else { throw .codeCacheFull }
    for index in 0..<block.opCount { code[used &+ index] = block.ops[index] }
    let compiled = CompiledBlock(
      entry: CodeAddress(UInt32(truncatingIfNeeded: used &+ 1)),
      size: (block.opCount &- 1) &* MemoryLayout<PackedOp>.stride)
    used &+= block.opCount
    return compiled
  }

  public func run(_ entry: CodeAddress, _ cpu: VCPUState) {
    var execution = Execution(self, entry: entry, cpu: cpu)
    while execution.step() {}
  }

  public func chain(_ site: UInt32, to entry: CodeAddress) -> UInt32? {
    let place = Int(site)
    guard code[place].isReturnWord else {
      return code[place].chainedEntry == nil ? code[place].chain(to: entry.offset) : nil
    }
    if code[place].returnEntry != 0 { return nil }
    code[place].returnEntry = entry.offset
    return 0
  }

  public func unchain(_ site: UInt32, _ before: UInt32) {
    let place = Int(site)
    if code[place].isReturnWord { code[place].returnEntry = 0 } else { code[place].unchain(before) }
  }

  public func reset() {
    used = 1
    returns.clear()
  }

  public var codeBytesUsed: Int { (used - 1) * MemoryLayout<PackedOp>.stride }
}

extension Interpreter: PackedTier {
  public convenience init(_ configuration: HostConfiguration, entries: UInt32) throws(HostError) {
    self.init(configuration, entryLimit: entries, usesJumpCache: false)
  }

  public func forgetReturns() { returns.clear() }

  public func takeReturn(to pc: UInt64) -> UInt32 { unsafe returns.pop(to: pc, in: code.memory) }

  public func entries(_ entry: CodeAddress) -> UInt32 { code[Int(entry.offset) &- 1].entries }

  public func exits(of block: CompiledBlock) -> [ChainSite] {
    let pc = code[Int(block.entry.offset) &- 1].word
    var exits: [ChainSite] = []
    for place in places(of: block) {
      let op = code[place]
      if op.opcode == .exit || op.opcode == .exitIf {
        let target =
          op.chainedEntry.map { code[Int($0) &- 1].entryPC }
          ?? (op.hasTargetWord ? code[place + 1].word : pc &+ UInt64(bitPattern: op.target))
        let staysInside = op.skip < PackedOp.chainedSkip
        exits.append(
          ChainSite(
            site: UInt32(place), mayChain: !staysInside && !op.flags.contains(.unchainable), staysInside: staysInside,
            target: target))
      }
      if op.isCall, op.hasReturn {
        exits.append(ChainSite(site: UInt32(place + 1), isReturn: true, mayChain: true, target: code[place + 1].word))
      }
    }
    return exits
  }

  public func isWorn(_ entry: CodeAddress) -> Bool { entries(entry) >= entryLimit ?? .max }
}

/// A helper without its name, for quick calls.
@safe struct HelperEntry: BitwiseCopyable {
  private let address: UInt
  /// See ``IR/Effects/callsOut``.
  let callsOut: Bool
  let mayRaise: Bool

  init(function: @escaping HelperFunction, _ effects: Effects) {
    address = unsafe unsafeBitCast(function, to: UInt.self)
    callsOut = !effects.isDisjoint(with: .callsOut)
    mayRaise = effects.contains(.mayRaise)
  }

  var function: HelperFunction { unsafe unsafeBitCast(address, to: HelperFunction.self) }
}
