// Owns the driver: which passes run over a block, and the scratch memory they share.

import Bits
import IR

/// Runs the pipeline over blocks, in place. One optimiser serves one thread; it allocates nothing per block.
///
/// Guest state (registers, memory, retired count, PC) at every op that may raise, exits or calls out is the same with and
/// without any pass. Constants come out sign-extended from their type (an i1 as 0 or 1).
public final class Optimizer {
  /// The passes that run, in order.
  public let passes: [Pass]
  private let custom: [CustomPass]
  private let scratch: Scratch

  /// - Parameters:
  ///   - disabled: names of passes to leave out; what no pass is called is ignored.
  ///   - custom: what runs behind the pipeline.
  ///   - helpers: what the guest's helpers do, by number. A call of any other counts as doing everything.
  public init(disabled: Set<String> = [], custom: [CustomPass] = [], helpers: [Effects] = []) {
    self.custom = custom.filter { !disabled.contains($0.name) }
    passes = Pass.pipeline.filter { !disabled.contains($0.name) }
    scratch = Scratch(helpers: helpers)
  }

  /// The passes named, in the order given.
  public init(passes: [Pass], helpers: [Effects] = []) {
    self.passes = passes
    custom = []
    scratch = Scratch(helpers: helpers)
  }

  deinit { scratch.deallocate() }

  /// Optimises `block`, which must be valid.
  public func run(_ block: inout Block) {
    run(&block, passes[...])
    for pass in custom { pass.run(&block) }
  }

  /// Optimises `block` and shows it after each pass.
  public func run(_ block: inout Block, observer: (_ pass: String, _ block: Block) -> Void) {
    for index in passes.indices {
      run(&block, passes[index...index])
      observer(passes[index].name, block)
    }
    for pass in custom {
      pass.run(&block)
      observer(pass.name, block)
    }
  }

  private func run(_ block: inout Block, _ passes: ArraySlice<Pass>) {
    guard !block.ops.isEmpty else { return }
    let before = block.ops.count
    // One dummy type, so that the table is never empty.
    if block.valueTypes.isEmpty { block.valueTypes.append(.none) }
    let after = unsafe block.valueTypes.withUnsafeMutableBufferPointer { types in
      unsafe block.ops.withUnsafeMutableBufferPointer { ops in
        var work = unsafe Work(ops: RawTable(borrowing: ops), types: RawTable(borrowing: types), scratch: scratch)
        for pass in passes { pass.run(&work) }
        work.compact()
        return work.count
      }
    }
    block.ops.removeLast(before - after)
  }
}
