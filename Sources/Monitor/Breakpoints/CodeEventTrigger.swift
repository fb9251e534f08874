// Owns breakpoints on what happens to translated code.

import Bits
import Engine
import Machine

/// Waits for blocks of guest code to be translated; stops before such a block first runs.
final class TranslationTrigger: EventTrigger {
  weak var owner: Breakpoint?
  /// Nil for all code.
  private let range: ClosedRange<UInt64>?

  init(_ range: ClosedRange<UInt64>?) { self.range = range }

  var kind: String { "translation" }
  func place(_ memory: DebugMemory) -> String {
    guard let range else { return "" }
    let first = "of " + memory.addressText(range.lowerBound) + memory.symbolSuffix(range.lowerBound)
    return range.count == 1 ? first : first + "…" + memory.addressText(range.upperBound)
  }
  var watches: [DebugWatch] { [.code] }

  func stops(_ vcpu: VCPU, at event: DebugEvent) -> String? {
    guard case .code(let event) = event, case .translated(let tier) = event.kind, let owner, let machine = owner.machine
    else { return nil }
    let block = machine.engine.store[event.block]
    guard block.key.variant == .normal, block.key.pc == event.pc, range?.overlaps(block.pcs) ?? true else { return nil }
    let symbol = DebugMemory(machine: machine, vcpu: vcpu).symbolSuffix(event.pc)
    return owner.stops(vcpu, because: "block #\(event.block) of \(event.pc.hex0x())\(symbol) was translated (\(tier))")
  }
}

/// Waits for compiled blocks to be chained.
final class ChainTrigger: EventTrigger {
  weak var owner: Breakpoint?
  private let source: UInt64?
  private let target: UInt64?

  init(from source: UInt64?, to target: UInt64?) {
    self.source = source
    self.target = target
  }

  var kind: String { "chain" }
  func place(_ memory: DebugMemory) -> String {
    let ends = [("from", source), ("to", target)].compactMap { word, pc in
      pc.map { "\(word) \(memory.addressText($0))\(memory.symbolSuffix($0))" }
    }
    return ends.joined(separator: " ")
  }
  var watches: [DebugWatch] { [.code] }

  func stops(_ vcpu: VCPU, at event: DebugEvent) -> String? {
    guard case .code(let event) = event, case .chained(let target) = event.kind, let owner, let machine = owner.machine
    else { return nil }
    let store = machine.engine.store[event.block]
    let targetPC = machine.engine.store[target].key.pc
    guard source.map({ store.pcs.contains($0) }) ?? true, self.target.map({ $0 == targetPC }) ?? true else {
      return nil
    }
    let memory = DebugMemory(machine: machine, vcpu: vcpu)
    return owner.stops(
      vcpu,
      because: "block #\(event.block) of \(event.pc.hex0x())\(memory.symbolSuffix(event.pc)) was chained to "
        + "#\(target) of \(targetPC.hex0x())\(memory.symbolSuffix(targetPC))")
  }
}

extension TranslationBlock {
  /// From its first PC to the last byte of its code.
  fileprivate var pcs: ClosedRange<UInt64> { key.pc...max(key.pc, lastPC) }
}
