// Vector operations that translated code leaves to their reference: where their operands are, and how they are carried out.

import HostKit
import IR

/// One such operation. It comes by the way of floating-point operations, with its number's complement.
struct VectorSite {
  var operation: VectorOperation
  var type: Type
  var a = SiteOperand()
  var b = SiteOperand()
  var c = SiteOperand()
  /// Number of the host register that takes the result; SSE registers count from 16.
  var destination: UInt8 = 0
  /// Offset in the code cache at which to go on.
  var resume: UInt32 = 0
}

extension X86_64Host {
  func completeVector(_ cpu: VCPUState, _ saved: SavedRegisters) -> UInt64 {
    let site = lowering.target.vectorSites[Int(~saved.siteNumber)]
    let result = site.operation.evaluate(
      saved.vector(site.a, cpu), saved.vector(site.b, cpu), saved.vector(site.c, cpu))
    if site.type == .v128 {
      saved.setResult(site.destination, result)
    } else {
      saved.setResult(site.destination, site.type, result.low)
    }
    return cache.base + UInt64(site.resume)
  }
}
