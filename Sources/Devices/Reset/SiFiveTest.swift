// The test finisher: a register that ends the run or restarts the machine.
//
// Source: SiFive test device bindings; the `syscon-poweroff` and `syscon-reboot` nodes of a board point here.

import Bits
import Bus

public final class SiFiveTest: Device {
  public static var compatible: [String] { ["sifive,test1", "sifive,test0"] }

  public struct State: Codable, Sendable, Equatable {
    /// The last value written.
    var finisher: UInt32 = 0
  }

  public let context: DeviceContext
  public var state = State()
  public let registers = [
    RegisterMap([Register("FINISHER", 0, [.field("STATUS", 0..<16), .field("CODE", 16..<32)])])
  ]
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    guard let match = registers[0].match(offset, isWrite: false) else {
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
    return match.extract(UInt64(state.finisher), size: size)
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard offset == 0, size >= 2 else {
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    state.finisher = UInt32(truncatingIfNeeded: value)
    let code = Int32(state.finisher >> 16)
    switch state.finisher & 0xffff {
    case 0x5555: context.control.powerOff(exitCode: 0)
    case 0x3333: context.control.powerOff(exitCode: code == 0 ? 1 : code)
    case 0x7777: context.control.reset(.software)
    default: context.log(.guestError, "unknown finisher status \((state.finisher & 0xffff).hex0x())")
    }
  }

  public func reset(_ cause: ResetCause) { state = State() }
}
