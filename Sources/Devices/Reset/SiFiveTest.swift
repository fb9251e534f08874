// The test finisher: a register that ends the run or restarts the machine.
//
// Source: SiFive test device bindings; the `syscon-poweroff` and `syscon-reboot` nodes of a board point here.

import Bits
import Bus

public final class SiFiveTest: RegisterDevice {
  public static var compatible: [String] { ["sifive,test1", "sifive,test0"] }

  public struct State: Codable, Sendable, Equatable {
    /// The last value written.
    var finisher: UInt32 = 0
  }

  public let context: DeviceContext
  public var state = State()
  public let table: RegisterTable<SiFiveTest> = [
    Register("FINISHER", 0, [.field("STATUS", 0..<16), .field("CODE", 16..<32)])
      .onRead(\.state.finisher).onWrite { $0.finish($1) }
  ]
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard offset == 0, size >= 2 else {
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    table.write(self, offset, size: size, value)
  }

  private func finish(_ value: UInt32) {
    state.finisher = value
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
