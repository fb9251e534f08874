// Owns typed access to the privileged and floating-point state of one hart in its state block.

import GuestKit
import IR

/// What a hart implements, as far as its state depends on it. Kept in the state block (slot `features`), so that helpers,
/// which know the state block alone, can tell.
struct HartFeatures: OptionSet, Sendable {
  let rawValue: UInt64
  static var rv32: Self { .init(rawValue: 1) }
  static var rv64: Self { .init(rawValue: 2) }
  static var user: Self { .init(rawValue: 4) }
  static var supervisor: Self { .init(rawValue: 8) }
  static var float: Self { .init(rawValue: 16) }
  static var compressed: Self { .init(rawValue: 32) }
  /// `cycle`, `time` and `instret`.
  static var counters: Self { .init(rawValue: 64) }
}

/// The privilege modes, as the architecture encodes them.
enum Privilege: UInt64, Sendable, Comparable {
  case user = 0
  case supervisor = 1
  case machine = 3
  static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// A hart's state.
struct Hart {
  let cpu: VCPUState

  init(_ cpu: VCPUState) { self.cpu = cpu }

  /// The first slot's register number: after x0–x31, `pc` and f0–f31. CSRs that are views of slots follow the slots.
  static let firstSlot = 65

  subscript(slot: Slot) -> UInt64 {
    get { cpu.load(slot.offset) }
    nonmutating set { cpu.store(newValue, at: slot.offset) }
  }

  var features: HartFeatures { .init(rawValue: self[.features]) }
  var xlen: Int { features.contains(.rv64) ? 64 : 32 }
  /// The bits of a register.
  var mask: UInt64 { features.contains(.rv64) ? .max : 0xFFFF_FFFF }

  var privilege: Privilege {
    get { Privilege(rawValue: self[.priv]) ?? .machine }
    nonmutating set { self[.priv] = newValue.rawValue }
  }

  var status: Status {
    get { Status(rawValue: self[.mstatus]) }
    nonmutating set { self[.mstatus] = newValue.rawValue }
  }

  /// The privilege of loads and stores: MPP's while MPRV is set.
  var dataPrivilege: Privilege {
    let status = self.status
    guard status.contains(.mprv), privilege == .machine else { return privilege }
    return Privilege(rawValue: status.mpp) ?? .machine
  }

  func implements(_ mode: Privilege) -> Bool {
    switch mode {
    case .machine: true
    case .supervisor: features.contains(.supervisor)
    case .user: features.contains(.user)
    }
  }
}

/// The fields of `mstatus` (Privileged Architecture, 3.1.6) that are kept.
struct Status: OptionSet, Sendable {
  var rawValue: UInt64
  static var sie: Self { .init(rawValue: 1 << 1) }
  static var mie: Self { .init(rawValue: 1 << 3) }
  static var spie: Self { .init(rawValue: 1 << 5) }
  static var mpie: Self { .init(rawValue: 1 << 7) }
  static var spp: Self { .init(rawValue: 1 << 8) }
  static var mppMask: Self { .init(rawValue: 3 << 11) }
  static var fsMask: Self { .init(rawValue: 3 << 13) }
  static var mprv: Self { .init(rawValue: 1 << 17) }
  static var sum: Self { .init(rawValue: 1 << 18) }
  static var mxr: Self { .init(rawValue: 1 << 19) }
  static var tvm: Self { .init(rawValue: 1 << 20) }
  static var tw: Self { .init(rawValue: 1 << 21) }
  static var tsr: Self { .init(rawValue: 1 << 22) }

  var mpp: UInt64 {
    get { rawValue >> 11 & 3 }
    set { rawValue = rawValue & ~(3 << 11) | newValue << 11 }
  }
  /// 0 off, 1 initial, 2 clean, 3 dirty.
  var fs: UInt64 {
    get { rawValue >> 13 & 3 }
    set { rawValue = rawValue & ~(3 << 13) | newValue << 13 }
  }
}
