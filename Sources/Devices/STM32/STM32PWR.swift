// Power control of STM32: regulator scaling and over-drive are ready as soon as they are asked for.
//
// Sources: RM0008 chapter 5 (F1), RM0090 chapter 5 (F4), RM0385 chapter 4 (F7). Stop and standby modes are not modelled.

import Bus

public final class STM32PWR: BankDevice {
  public static var compatible: [String] { ["st,stm32-pwr"] }

  public let context: DeviceContext
  public var state: PlainBank
  public let table: RegisterTable<STM32PWR>
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    let isFirst = STM32Family(context) == .f1
    let control: [Field] = [
      .field("LPDS", 0), .unimplemented("PDDS", 1), .field("CWUF", 2), .field("CSBF", 3), .unimplemented("PVDE", 4),
      .field("PLS", 5..<8), .field("DBP", 8), .field("FPDS", 9), .field("ADCDC1", 10..<14), .field("VOS", 14..<16),
      .field("ODEN", 16), .field("ODSWEN", 17), .field("UDEN", 18..<20),
    ]
    table = RegisterTable([
      // CWUF and CSBF read as 0.
      Register("CR1", 0x00, reset: isFirst ? 0 : 0xC000, control).onWrite { $0.bank[0x00] = $1 & ~0xC },
      isFirst ? Register("CSR1", 0x04) : Register("CSR1", 0x04).onRead(\.status), Register("CR2", 0x08),
      Register("CSR2", 0x0C),
    ])
    state = PlainBank(table)
  }

  private var status: UInt32 {
    let control = bank[0x00]
    return (bank[0x04] & 0x300).setting(14, to: true).setting(3, to: bank[0x04].has(9))
      .setting(16, to: control.has(16)).setting(17, to: control.has(17))
  }

  /// DBP
  var permitsBackupWrites: Bool { bank[0x00].has(8) }

  public func reset(_ cause: ResetCause) { state = PlainBank(table) }
}
