// Owns what is said of images that an M-profile CPU cannot run.

import Bits
import GuestKit
import IR

extension ARMGuest: ImageChecking {
  /// The vector table must be there, begin with a stack pointer into memory, and lead to Thumb code in memory.
  public func startProblem(_ cpu: VCPUState) -> String? {
    let core = Core(cpu)
    let table = UInt64(core.system?.state.vectorTable ?? 0)
    let place = "the vector table at \(table.hex0x())"
    let advice = "is the image linked for this board's memory?"
    guard core[.lockup] == 0, let stack = cpu.context.readPhysical(table, size: 4),
      let entry = cpu.context.readPhysical(table &+ 4, size: 4)
    else { return "there is no memory at \(table.hex0x()), where the vector table should be; \(advice)" }
    guard stack >= 4, isMemory(cpu, stack - 4) else {
      return "\(place) begins with the stack pointer \(stack.hex0x()), below which is no memory; \(advice)"
    }
    guard entry & 1 != 0 else {
      return
        "\(place) leads to \(entry.hex0x()) at reset, which lacks the Thumb bit (bit 0); is it the image of a Cortex-M?"
    }
    guard isMemory(cpu, entry - 1), !SystemControl.isExecuteNever(UInt32(truncatingIfNeeded: entry)) else {
      return "\(place) leads to \((entry - 1).hex0x()) at reset, where no code can be; \(advice)"
    }
    return nil
  }

  /// Whether memory, not a device, answers. Devices lie in the regions of peripherals.
  private func isMemory(_ cpu: VCPUState, _ address: UInt64) -> Bool {
    guard !(0x4000_0000..<0x6000_0000).contains(address), address < 0xA000_0000 else { return false }
    return cpu.context.readPhysical(address & ~3, size: 4) != nil
  }

  /// By Tag_CPU_arch (6), Tag_CPU_arch_profile (7), Tag_THUMB_ISA_use (9) and Tag_ABI_VFP_args (28).
  public func objection(toAttributes attributes: [UInt64: UInt64]) -> ImageObjection? {
    let profile = attributes[7] ?? 0
    if profile == 0x41 || profile == 0x52 {
      return ImageObjection(
        "it was built for a Cortex-\(profile == 0x41 ? "A" : "R"), but the CPU is a \(model.name)", isCertain: true)
    }
    if attributes[28] == 1, !model.features.contains(.float) {
      return ImageObjection(
        "it was built for the hard-float calling convention, but the \(model.name) has no floating-point unit",
        isCertain: true)
    }
    guard let number = attributes[6], number > 0 else { return nil }
    let versions: [UInt64: (name: String, needs: Features)] = [
      10: ("ARMv7-M", .main), 11: ("ARMv6-M", []), 12: ("ARMv6-M", []), 13: ("ARMv7E-M", [.main, .dsp]),
      16: ("ARMv8-M Baseline", .v8), 17: ("ARMv8-M Mainline", [.v8, .main]),
    ]
    guard let version = versions[number] else {
      guard number < 10 else {
        return ImageObjection(
          "it was built for an architecture (Tag_CPU_arch \(number)) that no CPU here has", isCertain: true)
      }
      // What was Thumb code before ARMv6-M, ARMv6-M has; one such file among others gives its number to all.
      return ImageObjection(
        "it was built for an older architecture than ARMv6-M, of whose code only Thumb's runs here; better build it"
          + " with -mcpu=\(model.name)", isCertain: attributes[9] ?? 0 == 0)
    }
    guard !model.features.isSuperset(of: version.needs) else { return nil }
    return ImageObjection(
      "it was built for \(version.name), but the CPU is a \(model.name) (\(architecture))",
      isCertain: version.needs.contains(.main) && !model.features.contains(.main))
  }
}
