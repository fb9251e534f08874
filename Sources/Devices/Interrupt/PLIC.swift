// The platform-level interrupt controller: prioritised external interrupts for any number of contexts.
//
// Source: RISC-V Platform-Level Interrupt Controller Specification 1.0.0. Gateways are level-sensitive. The entries of
// `interrupts-extended` are the contexts, in order; one with specifier -1 exists but leads nowhere.

import Bits
import Bus

public final class PLIC: RegisterDevice, IRQSink {
  public static var compatible: [String] { ["sifive,plic-1.0.0", "riscv,plic0"] }

  public struct State: Codable, Sendable, Equatable {
    /// Per source; source 0 does not exist.
    var priority: [UInt32]
    /// Bit sets over the sources, 32 to a word.
    var level: [UInt32]
    var pending: [UInt32]
    var claimed: [UInt32]
    /// Per context a bit set over the sources.
    var enable: [[UInt32]]
    var threshold: [UInt32]
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<PLIC>
  /// The highest source number.
  public let sourceCount: Int
  private let maximumPriority: UInt32
  private let outputs: [IRQLine?]
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    let name = context.node.name
    try context.node.firstRegion()
    guard let sources = context.node.u32("riscv,ndev") else {
      throw .missingProperty(device: name, property: "riscv,ndev")
    }
    guard (1...1023).contains(sources) else {
      throw .badProperty(device: name, property: "riscv,ndev", reason: "\(sources) is not in 1...1023")
    }
    let contexts = context.interrupts.count
    guard (1...15872).contains(contexts) else {
      throw .badProperty(device: name, property: "interrupts-extended", reason: "\(contexts) contexts")
    }
    let words = Int(sources) / 32 + 1
    let none = [UInt32](repeating: 0, count: words)
    self.context = context
    sourceCount = Int(sources)
    maximumPriority = context.node.u32("riscv,max-priority") ?? 7
    outputs = context.interrupts.map { $0.cells.first == .max ? nil : $0.line }
    state = State(
      priority: Array(repeating: 0, count: Int(sources) + 1), level: none, pending: none, claimed: none,
      enable: Array(repeating: none, count: contexts), threshold: Array(repeating: 0, count: contexts))
    table = RegisterTable(Self.registers(sources: Int(sources), words: words, contexts: contexts))
  }

  private static func registers(sources: Int, words: Int, contexts: Int) -> Registers {
    let shared: Registers = [
      Register("claim", 0x20_0004, count: contexts, stride: 0x1000)
        .onDestructiveRead { $0.claim($1) }.onWrite { $0.complete($2, source: Int($1)) },
      Register("threshold", 0x20_0000, count: contexts, stride: 0x1000)
        .onRead { $0.state.threshold[$1] }.onWrite { $0.state.threshold[$2] = min($1, $0.maximumPriority) },
      Register("priority", 0, count: sources + 1)
        .onRead { $0.state.priority[$1] }
        .onWrite { if $2 > 0 { $0.state.priority[$2] = min($1, $0.maximumPriority) } },
      Register("pending", 0x1000, .readOnly, count: words).onRead { $0.state.pending[$1] },
    ]
    return shared
      + (0..<contexts).map { target in
        Register("enable\(target)", 0x2000 + 0x80 * UInt64(target), count: words)
          .onRead { $0.state.enable[target][$1] }
          .onWrite { $0.state.enable[target][$2] = $1 & $0.valid($2) }
      }
  }

  // MARK: Accesses

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard size >= 4, offset % 4 == 0 else {
      return unimplemented.once("registers take 4-byte writes only", context)
    }
    table.write(self, offset, size: size, value)
  }

  public func performWrite(_ write: () -> Void) {
    write()
    updateOutputs()
  }

  /// The bits of a word that stand for sources: not source 0, none past the last.
  private func valid(_ word: Int) -> UInt32 {
    let last = sourceCount - 32 * word
    return (last >= 31 ? UInt32.max : (2 << UInt32(last)) - 1) & (word == 0 ? ~1 : .max)
  }

  // MARK: Behaviour

  /// A source's wire changed. A request that was accepted stays pending when the wire falls again (section 2).
  public func setLevel(_ line: Int, _ level: Bool) {
    guard (1...sourceCount).contains(line) else {
      return unimplemented.once("interrupt source \(line) is not in 1...\(sourceCount)", context)
    }
    let bit: UInt32 = 1 << UInt32(line % 32)
    if level {
      state.level[line / 32] |= bit
      if state.claimed[line / 32] & bit == 0 { state.pending[line / 32] |= bit }
    } else {
      state.level[line / 32] &= ~bit
    }
    updateOutputs()
  }

  /// The pending, enabled source of highest priority, the lowest number among equals; 0 for none.
  private func best(_ target: Int) -> Int {
    var best = 0
    for word in state.pending.indices {
      var candidates = state.pending[word] & state.enable[target][word]
      while candidates != 0 {
        let source = 32 * word + candidates.trailingZeroBitCount
        if state.priority[source] > (best == 0 ? 0 : state.priority[best]) { best = source }
        candidates &= candidates - 1
      }
    }
    return best
  }

  /// Hands the most urgent source to a context; the threshold plays no part (section 7).
  private func claim(_ target: Int) -> UInt32 {
    let source = best(target)
    guard source != 0 else { return 0 }
    state.pending[source / 32] &= ~(1 << UInt32(source % 32))
    state.claimed[source / 32] |= 1 << UInt32(source % 32)
    updateOutputs()
    return UInt32(source)
  }

  /// Opens the gateway again; ignored for a source the context has not enabled (section 8).
  private func complete(_ target: Int, source: Int) {
    guard (1...sourceCount).contains(source) else { return }
    let bit: UInt32 = 1 << UInt32(source % 32)
    guard state.enable[target][source / 32] & bit != 0 else { return }
    state.claimed[source / 32] &= ~bit
    if state.level[source / 32] & bit != 0 { state.pending[source / 32] |= bit }
  }

  private func updateOutputs() {
    for (target, output) in outputs.enumerated() {
      guard let output else { continue }
      let source = best(target)
      output.set(source != 0 && state.priority[source] > state.threshold[target])
    }
  }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    let restored = try decodeSnapshot(State.self, from: bytes)
    let sets = [restored.level, restored.pending, restored.claimed] + restored.enable
    guard restored.priority.count == state.priority.count, restored.enable.count == state.enable.count,
      restored.threshold.count == state.threshold.count,
      sets.allSatisfy({ set in
        set.count == state.pending.count && set.indices.allSatisfy { set[$0] & ~valid($0) == 0 }
      })
    else { throw .malformed(type: "PLIC.State", offset: 0) }
    state = restored
  }

  public func reset(_ cause: ResetCause) {
    let none = [UInt32](repeating: 0, count: state.pending.count)
    state.priority = Array(repeating: 0, count: sourceCount + 1)
    // All devices are reset together: no wire stays high.
    state.level = none
    state.claimed = none
    state.pending = none
    state.enable = Array(repeating: none, count: outputs.count)
    state.threshold = Array(repeating: 0, count: outputs.count)
    updateOutputs()
  }
}
