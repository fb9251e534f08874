// Owns the way from a guest PC to a block in the code cache: fetch, decode, optimise, compile, register.

import Bus
import GuestKit
import HostKit
import IR
import Optimizer

/// Why there is no block: the guest cannot fetch there, or the host cannot compile it.
enum TranslationFailure: Error {
  case guest(GuestException)
  case host(HostError)
}

extension Engine {
  /// The physical address of `pc` for execution.
  func physicalPC(_ vcpu: VCPU, _ pc: UInt64) throws(GuestException) -> (address: UInt64, wholePage: Bool) {
    let page = pc & ~0xFFF
    let slot = Int(pc >> 12) & 63
    let cached = vcpu.mode.codePages[slot]
    if cached.tag == page { return (cached.physical | pc & 0xFFF, true) }
    let found = try guest.translateAddress(vcpu.state, pc, .execute, size: 2, space: .current, memory: vcpu)
    if found.wholePage { vcpu.mode.codePages[slot] = (page, found.physical & ~0xFFF) }
    return (found.physical, found.wholePage)
  }

  /// The block at the vCPU's PC, translated if need be.
  func block(_ vcpu: VCPU, at pc: UInt64, _ variant: BlockVariant) throws(TranslationFailure) -> BlockID {
    let (physical, wholePage): (UInt64, Bool)
    do { (physical, wholePage) = try physicalPC(vcpu, pc) } catch { throw .guest(error) }
    let key = BlockKey(pc: pc, physicalPC: physical, flags: vcpu.mode.flags, variant: variant)
    let known = store.find(key)
    if known != 0, wholePage, isCurrent(vcpu, known) { return known }
    if known != 0 { invalidate(known) }
    return try translate(vcpu, key, single: variant == .step || !wholePage)
  }

  /// Whether a block that straddles pages still sees the second page where it was.
  private func isCurrent(_ vcpu: VCPU, _ id: BlockID) -> Bool {
    let second = store[id].secondPage
    guard second != .max else { return true }
    let next = (store[id].key.pc & ~0xFFF) &+ 0x1000
    return (try? physicalPC(vcpu, next))?.address == second
  }

  private func translate(_ vcpu: VCPU, _ key: BlockKey, single: Bool) throws(TranslationFailure) -> BlockID {
    let start = monotonicNanoseconds()
    let block: Block
    do {
      block = try decode(vcpu, key, maximumInstructions: single ? 1 : options.maximumInstructions)
    } catch { throw .guest(error) }
    let decoded = monotonicNanoseconds()
    var optimized = block
    optimizer.run(&optimized)
    if options.countsExecutions, key.variant == .normal {
      let address = counters.address(key.pc)
      optimized.ops.insert(Op(.count, imm: Int64(bitPattern: address)), at: 0)
    }
    let ready = monotonicNanoseconds()
    let path: DataPath = vcpu.mode.memoryMode == .window ? .window : .tlb
    let compiled = try compile(optimized, path)
    let id = register(key, block, optimized, compiled, vcpu)
    let end = monotonicNanoseconds()
    statistics.decodeTime &+= decoded &- start
    statistics.optimizeTime &+= ready &- decoded
    statistics.compileTime &+= end &- ready
    if !log.items.isEmpty { logTranslation(id, block, optimized) }
    return id
  }

  /// Decodes the guest code at `key` into IR, before any pass.
  ///
  /// - Parameter secondPage: where the code goes on beyond the page, if that is known; else it is looked up.
  func decode(
    _ vcpu: VCPU, _ key: BlockKey, maximumInstructions: Int, secondPage: UInt64? = nil
  ) throws(GuestException) -> Block {
    let page = key.physicalPC & ~0xFFF
    guard let direct = space.directPage(at: page) ?? space.ram(at: key.physicalPC, count: 1) else {
      throw guest.accessFault(.execute, key.pc)
    }
    let whole = space.directPage(at: page) != nil
    let offset = whole ? Int(key.physicalPC & 0xFFF) : 0
    var count = 0x1000 - Int(key.physicalPC & 0xFFF)
    if !whole { while space.ram(at: key.physicalPC, count: count) == nil { count -= 1 } }
    let bytes = unsafe UnsafeRawBufferPointer(start: direct.memory.alias + direct.offset + offset, count: count)
    let code = unsafe CodeBytes(bytes) { [self] in
      if let secondPage, let next = space.ram(at: secondPage, count: 8) {
        return .success(next.memory.load(next.offset, size: 8))
      }
      return nextPageBytes(vcpu, after: key.pc, whole: whole)
    }
    var builder = Builder(pc: key.pc)
    let stops = key.variant == .normal ? debug.breakpoints : []
    let request = TranslationRequest(
      pc: key.pc, flags: key.flags, code: code, maximumInstructions: maximumInstructions, stopBefore: stops)
    guest.translate(request, into: &builder)
    return builder.block
  }

  private func nextPageBytes(_ vcpu: VCPU, after pc: UInt64, whole: Bool) -> Result<UInt64, GuestException> {
    let next = (pc & ~0xFFF) &+ 0x1000
    do throws(GuestException) {
      guard whole else { throw guest.accessFault(.execute, next) }
      let physical = try physicalPC(vcpu, next).address
      guard let bytes = space.ram(at: physical, count: 8) else { throw guest.accessFault(.execute, next) }
      return .success(bytes.memory.load(bytes.offset, size: 8))
    } catch {
      return .failure(error)
    }
  }

  private func compile(_ block: Block, _ path: DataPath) throws(TranslationFailure) -> CompiledBlock {
    do throws(HostError) {
      do throws(HostError) {
        return try host.compile(block, dataPath: path, firstExit: store.nextExit)
      } catch {
        guard case .codeCacheFull = error else { throw error }
        flush()
        return try host.compile(block, dataPath: path, firstExit: store.nextExit)
      }
    } catch { throw .host(error) }
  }

  private func register(
    _ key: BlockKey, _ block: Block, _ optimized: Block, _ compiled: CompiledBlock, _ vcpu: VCPU
  ) -> BlockID {
    var size: UInt64 = 0
    var instructions: UInt32 = 0
    var exits: [(pc: UInt64, mayChain: Bool)] = []
    for op in block.ops where op.opcode == .instruction {
      size = UInt64(bitPattern: op.imm) &- key.pc &+ UInt64(op.aux)
      instructions &+= 1
    }
    for op in optimized.ops where op.opcode == .exit || op.opcode == .exitIf {
      let target = UInt64(bitPattern: op.imm)
      let mayChain = key.variant == .normal && !op.exitFlags.contains(.unchainable)
      exits.append((target, mayChain))
    }
    let room = 0x1000 - (key.physicalPC & 0xFFF)
    var second = UInt64.max
    if size > room {
      second = (try? physicalPC(vcpu, (key.pc & ~0xFFF) &+ 0x1000))?.address ?? TranslationBlock.unreachablePage
    }
    let page = key.physicalPC & ~0xFFF
    let isFirst = !store.hasCode(inPage: page)
    let id = store.insert(
      TranslationBlock(
        key: key, guestSize: UInt32(min(max(size, 1), room)), instructionCount: instructions,
        irOpCount: UInt32(optimized.ops.count), compiled: compiled, firstExit: store.nextExit, isValid: true,
        retranslations: store.retranslations(at: key.physicalPC), secondPage: second, firstIncoming: 0,
        nextInBucket: 0, nextInPage: 0), exits: exits)
    if isFirst { denyWrites(page) }
    if second < TranslationBlock.unreachablePage {
      straddlers[second, default: []].append(id)
      denyWrites(second)
    }
    statistics.blocksTranslated &+= 1
    statistics.instructionsTranslated &+= UInt64(instructions)
    statistics.guestBytes &+= size
    statistics.hostBytes &+= UInt64(compiled.size)
    statistics.opsBeforePasses &+= UInt64(block.ops.count)
    statistics.opsAfterPasses &+= UInt64(optimized.ops.count)
    return id
  }

  private func denyWrites(_ page: UInt64) {
    protect(page)
    for vcpu in vcpus { for mode in vcpu.modes { mode.denyWrites(toPhysicalPage: page) } }
  }
}
