// Floating-point operations that translated code leaves to the SoftFloat module: where their operands are, and how they
// are carried out.

import HostKit
import IR

/// One operation of the kind, perhaps never reached.
struct FloatSite {
  var operation: FloatOperation
  var a = SiteOperand()
  var b = SiteOperand()
  var c = SiteOperand()
  /// Number of the host register that takes the result; SSE registers count from 16.
  var destination: UInt8 = 0
  /// Offset in the code cache at which to go on.
  var resume: UInt32 = 0
  /// Where no operation is to be carried out: the registers in which NaNs become canonical.
  var nans = NaNMask()
}

/// Called by translated code, through a trampoline: carries out an operation and returns the host PC to go on at.
func completeSlowFloat(_ state: UnsafeMutableRawPointer, _ frame: UnsafeMutablePointer<UInt64>) -> UInt64 {
  let cpu = unsafe VCPUState(state)
  let host = unsafe Unmanaged<X86_64Host>.fromOpaque(cpu.load(ABI.hostPointer, as: UnsafeRawPointer.self))
  return unsafe host._withUnsafeGuaranteedRef { host in
    let saved = unsafe host.savedRegisters(frame)
    return saved.siteNumber < 0 ? host.completeVector(cpu, saved) : host.completeFloat(cpu, saved)
  }
}

extension X86_64Host {
  func completeFloat(_ cpu: VCPUState, _ saved: SavedRegisters) -> UInt64 {
    let site = lowering.target.floatSites[Int(saved.siteNumber)]
    guard site.nans.isEmpty else {
      saved.canonicalize(site.nans)
      return cache.base + UInt64(site.resume)
    }
    guard let environment = lowering.target.floatEnvironment else {
      preconditionFailure("a floating-point operation was compiled for a guest without any")
    }
    let operation = site.operation
    let result = operation.evaluate(
      saved.value(site.a, cpu), saved.value(site.b, cpu), saved.value(site.c, cpu), cpu, environment)
    saved.setResult(site.destination, operation.result, result)
    return cache.base + UInt64(site.resume)
  }
}

extension SavedRegisters {
  subscript(register: VectorRegister) -> UInt64 {
    get { unsafe base[(Int(register.rawValue) - 16) * vectorWords] }
    nonmutating set { unsafe base[(Int(register.rawValue) - 16) * vectorWords] = newValue }
  }

  /// Where ``vectorWords`` is 2.
  subscript(upper register: VectorRegister) -> UInt64 {
    get { unsafe base[(Int(register.rawValue) - 16) * 2 + 1] }
    nonmutating set { unsafe base[(Int(register.rawValue) - 16) * 2 + 1] = newValue }
  }

  /// Puts `result` in host register number `destination`, of which SSE registers count from 16.
  @inline(__always)
  func setResult(_ destination: UInt8, _ type: Type, _ result: UInt64) {
    if destination < 16 {
      unsafe base[Int(destination)] = result
    } else if let register = VectorRegister(rawValue: destination &- 16) {
      self[register] = type == .f32 ? result | 0xFFFF_FFFF_0000_0000 : result
    }
  }

  /// Puts 128 bits in SSE register number `destination`, of which they count from 16; or in none.
  func setResult(_ destination: UInt8, _ result: Vector128) {
    guard let register = VectorRegister(rawValue: destination &- 16) else { return }
    self[register] = result.low
    self[upper: register] = result.high
  }
}
