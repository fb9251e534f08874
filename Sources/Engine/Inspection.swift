// Owns the views into a translation block: guest code, IR at each stage, host code, chains. Made again on demand.

import Bits
import GuestKit
import HostKit
import IR
import Optimizer

/// A guest instruction of a block.
public struct GuestLine: Sendable {
  public var pc: UInt64
  public var bytes: [UInt8]
  public var text: String
}

/// A block's IR after a step of its translation.
public struct IRStage: Sendable {
  /// `decoded`, or the name of the pass that has just run.
  public var name: String
  public var block: Block
}

/// All that can be shown of a translation block.
public struct BlockInspection: Sendable {
  /// 0 for a block that is not in the code cache.
  public var id: BlockID
  public var block: TranslationBlock
  public var guest: [GuestLine]
  /// The IR as decoded, then after each pass that is on, in order; passes that the block's tier leaves out included.
  public var stages: [IRStage]
  /// The IR the host compiled; lines of `host` name ops of it by index.
  public var compiled: Block
  public var host: [HostLine]
  /// Guest registers that live in host registers within the block, and which.
  public var pinned: [(register: Int, hostRegister: String)] = []
  public var incoming: [Chain]
  public var outgoing: [Chain]
  /// Nil while executions are not counted.
  public var executions: UInt64?
  /// The region that the block is, if it is one.
  public var region: CodeRegion?
  /// Why the block ends where it ends, in words.
  public var ending: String
}

extension Engine {
  /// Shows a block of the code cache. Its IR is made anew from guest memory, which is as it was at translation.
  public func inspect(_ id: BlockID) throws(GuestException) -> BlockInspection {
    let block = store[id]
    let decoded = try translator.decode(
      vcpus[0], block.key, maximumInstructions: max(1, Int(block.instructionCount)), secondPage: second(block),
      region: code.regions[id]?.shape)
    var view = view(of: block, decoded)
    if profile.countsExecutions, block.key.variant == .normal {
      profile.addCounters(&view.compiled, block.key.flags)
    }
    view.id = id
    view.region = code.regions[id]
    view.executions = executions(id)
    let path = translator.dataPath(block.key.flags)
    if block.tier == .interpreted, let interpreter = code.interpreter {
      view.host = try aligned(interpreter.listing(block.compiled), block, decoded)
    } else {
      view.pinned = host.pinnedRegisters(of: block.compiled)
      view.host = host.listing(block.compiled, of: view.compiled, dataPath: path)
    }
    let chains = code.chains()
    view.incoming = chains.incoming(id)
    view.outgoing = chains.outgoing(id)
    return view
  }

  private func second(_ block: TranslationBlock) -> UInt64? {
    block.secondPage >= TranslationBlock.unreachablePage ? nil : block.secondPage
  }

  /// Tells lines of packed code the first IR op of the guest instruction they belong to.
  private func aligned(
    _ lines: [HostLine], _ block: TranslationBlock, _ decoded: Block
  ) throws(GuestException) -> [HostLine] {
    var builder = Builder(pc: block.key.pc, places: translator.operandPlaces)
    builder.starts = []
    try translator.build(
      vcpus[0], block.key, max(1, Int(block.instructionCount)), secondPage: second(block), region: nil, packs: true,
      &builder)
    let markers = decoded.ops.indices.filter { decoded.ops[$0].opcode == .instruction }
    let starts = builder.starts ?? []
    return lines.map { line in
      // The first word stands before the entry.
      let place = Int(line.address) - Int(block.compiled.entry.offset) + 1
      let number = starts.lastIndex { $0 <= place } ?? 0
      var line = line
      line.op = markers.indices.contains(number) ? min(markers[number] + 1, decoded.ops.count - 1) : nil
      return line
    }
  }

  /// Shows the block that translation at `pc` would give under the vCPU's current mode, without making it: no host
  /// code, no chains, nothing in the code cache. Nil if no code is mapped there.
  public func preview(_ vcpu: VCPU, at pc: UInt64) throws(GuestException) -> BlockInspection? {
    guard let physical = vcpu.debugTranslate(pc) else { return nil }
    let key = BlockKey(pc: pc, physicalPC: physical, flags: guest.translationFlags(vcpu.state), variant: .normal)
    let decoded = try translator.decode(vcpu, key, maximumInstructions: options.maximumInstructions)
    var block = store[0]
    block.key = key
    block.instructionCount = UInt16(clamping: decoded.instructionCount)
    block.guestSize = UInt16(truncatingIfNeeded: end(of: decoded) &- pc)
    return view(of: block, decoded)
  }

  private func view(of block: TranslationBlock, _ decoded: Block) -> BlockInspection {
    var stages = [IRStage(name: "decoded", block: decoded)]
    var optimized = decoded
    translator.passes.optimizer(for: decoded).run(&optimized) { stages.append(IRStage(name: $0, block: $1)) }
    if block.tier != .thorough { optimized = decoded }
    return BlockInspection(
      id: 0, block: block, guest: translator.guestListing(block, decoded), stages: stages, compiled: optimized,
      host: [],
      incoming: [],
      outgoing: [], executions: nil, ending: ending(of: decoded))
  }

  /// Blocks of ordinary code that start at `pc`; if there is none, those that contain it.
  public func blocks(at pc: UInt64) -> [BlockID] {
    let ordinary = store.valid.filter { store[$0].key.variant == .normal }
    let exact = ordinary.filter { store[$0].key.pc == pc }
    guard exact.isEmpty else { return exact }
    return ordinary.filter { store[$0].contains(pc) }
  }

  /// The PCs of a block's code.
  public func code(of id: BlockID) -> ClosedRange<UInt64> { store.code(id) }

  /// The PC after the last instruction.
  private func end(of block: Block) -> UInt64 {
    guard let last = block.ops.last(where: { $0.opcode == .instruction }) else { return block.pc }
    return UInt64(bitPattern: last.imm) &+ UInt64(last.aux)
  }

  private func ending(of block: Block) -> String {
    guard let last = block.ops.last else { return "nothing to translate" }
    let end = end(of: block)
    switch last.opcode {
    case .exitIndirect:
      return last.exitFlags.contains(.isReturn)
        ? "return" : last.exitFlags.contains(.isCall) ? "indirect call" : "indirect jump"
    case .exitWith:
      return "instruction that leaves to the engine: \(ExitReason(rawValue: UInt32(last.aux))?.name ?? "?")"
    case .raise: return "exception: \(guest.exceptionName(UInt64(bitPattern: last.imm)))"
    default: break
    }
    let target = UInt64(bitPattern: last.imm)
    guard target == end else { return last.exitFlags.contains(.isCall) ? "call" : "jump" }
    let lastInstruction = block.ops.lastIndex { $0.opcode == .instruction } ?? 0
    if block.ops[lastInstruction...].contains(where: { $0.opcode == .exitIf }) { return "conditional branch" }
    if debug.breakpoints.contains(end) { return "breakpoint at \(end.hex0x())" }
    if block.instructionCount >= options.maximumInstructions {
      return "limit of \(options.maximumInstructions) instructions"
    }
    return (end &- 1) & ~0xFFF != (end &+ 3) & ~0xFFF ? "end of the page" : "the next instruction starts a block"
  }

  /// An address translation that the inline TLB of a vCPU's current mode holds, for one page.
  public struct TLBEntry: Sendable {
    public var virtual: UInt64
    public var physical: UInt64
    public var isReadable: Bool
    public var isWritable: Bool
  }

  /// What the inline TLB of the current mode holds; nil if the mode goes through the memory window.
  public func tlbEntries(_ vcpu: VCPU) -> [TLBEntry]? {
    guard guest.memoryMode(guest.translationFlags(vcpu.state)) == .tlb else { return nil }
    vcpu.enterMode()
    return (0..<SoftTLB.count).compactMap { vcpu.mode.tlbEntry($0) }.sorted { $0.virtual < $1.virtual }
  }
}
