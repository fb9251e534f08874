// Owns the functions that translated code calls for floating point: what no IR op does.

import GuestKit
import IR
import SoftFloat

/// Numbered after ``PrivilegedHelper``. The operand is a whole 64-bit f register.
enum FloatHelper: Int, CaseIterable {
  case classS, classD

  var number: Int { HelperNumber.allCases.count + PrivilegedHelper.allCases.count + rawValue }

  var helper: Helper { unsafe Helper("f_\(self)", [], function) }

  private var function: HelperFunction {
    switch self {
    case .classS: { _, a, _, _, _ in UInt64(Float32Bits.classify(Float32Bits.unbox(a)).rawValue) }
    case .classD: { _, a, _, _, _ in UInt64(Float64Bits.classify(a).rawValue) }
    }
  }
}
