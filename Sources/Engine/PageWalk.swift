// Owns how debuggers follow the guest's page tables: without side effects, privileges ignored.

import Bus
import GuestKit

/// A page-table entry that was read on the way to a translation.
public struct WalkStep: Sendable {
  /// Physical.
  public let address: UInt64
  /// In bytes.
  public let size: Int
  /// Nil: nothing answers there that can be read without side effects.
  public let value: UInt64?
}

extension VCPU {
  /// The physical address behind a virtual one; nil: not mapped.
  public func debugTranslate(_ address: UInt64) -> UInt64? {
    guest.debugTranslate(state, address, memory: pageTables)
  }

  /// As ``debugTranslate(_:)``, with the entries that were read, from the root on.
  public func walk(_ address: UInt64) -> (physical: UInt64?, entries: [WalkStep]) {
    pageTables.steps = []
    defer { pageTables.steps = nil }
    let physical = debugTranslate(address)
    return (physical, pageTables.steps ?? [])
  }
}

/// Physical memory as a walk for a debugger sees it.
final class PageTableReader: PhysicalMemoryPort {
  private let space: FlatMap
  /// What was read, if that is asked for.
  var steps: [WalkStep]?

  init(_ space: FlatMap) { self.space = space }

  func readPhysical(_ address: UInt64, size: Int) -> UInt64? {
    let value = space.peek(address, size: size)
    steps?.append(WalkStep(address: address, size: size, value: value))
    return value
  }

  /// A debugger's walk changes nothing.
  func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool { false }
}
