// Owns which passes run over which code: all that are not switched off, everywhere or for a range.

import IR
import Optimizer

/// Passes that are off for the code at some addresses.
public struct LocalPasses: Sendable {
  public var range: ClosedRange<UInt64>
  public var names: Set<String>
}

/// The choice of passes, and the optimisers that follow from it.
final class PassSelection {
  private let custom: [CustomPass]
  private let helpers: [Effects]
  /// Switched off, by name.
  private(set) var disabled: Set<String>
  private(set) var local: [LocalPasses] = []
  private var optimizers: [Set<String>: Optimizer] = [:]
  /// Where nothing is switched off for a range.
  private var everywhere: Optimizer

  init(_ custom: [CustomPass], disabled: Set<String>, helpers: [Effects]) {
    self.custom = custom
    self.helpers = helpers
    self.disabled = disabled
    everywhere = Optimizer(disabled: disabled, custom: custom, helpers: helpers)
  }

  /// All passes by name, in the order of their first run.
  var names: [String] {
    var seen: Set<String> = []
    return (Pass.pipeline.map(\.name) + custom.map(\.name)).filter { seen.insert($0).inserted }
  }

  /// What runs over a block as decoded.
  func optimizer(for block: Block) -> Optimizer {
    guard !local.isEmpty else { return everywhere }
    let last = block.ops.last { $0.opcode == .instruction }.map { UInt64(bitPattern: $0.imm) } ?? block.pc
    let code = block.pc...max(block.pc, last)
    var off = disabled
    for rule in local where rule.range.overlaps(code) { off.formUnion(rule.names) }
    if let known = optimizers[off] { return known }
    let new = Optimizer(disabled: off, custom: custom, helpers: helpers)
    optimizers[off] = new
    return new
  }

  /// Nil: everywhere. Switching a pass on for a range takes back what was switched off for ranges that touch it.
  func set(_ name: String, isOn: Bool, in range: ClosedRange<UInt64>?) {
    if let range {
      let place = local.firstIndex { $0.range == range }
      if isOn {
        for index in local.indices where local[index].range.overlaps(range) { local[index].names.remove(name) }
        local.removeAll(where: \.names.isEmpty)
      } else if let place {
        local[place].names.insert(name)
      } else {
        local.append(LocalPasses(range: range, names: [name]))
      }
    } else {
      if isOn { disabled.remove(name) } else { disabled.insert(name) }
      everywhere = Optimizer(disabled: disabled, custom: custom, helpers: helpers)
    }
    optimizers = [:]
  }
}
