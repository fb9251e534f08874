// The backup domain of STM32, which a battery supplies: what it has in common, and the backup registers of F1.
//
// Sources: RM0008 chapter 6 (F1), RM0090 section 5.1.2 (F4), RM0385 section 4.1.2 (F7).

import Bus

/// A device of the backup domain. Of the causes of a reset only power-on reaches it; RCC_BDCR.BDRST does.
protocol STM32BackupDevice: AnyObject {
  func resetBackup()
}

extension DeviceContext {
  /// Whether PWR lets the backup domain be written; a refusal is noted.
  var permitsBackupWrites: Bool {
    guard let power = directory.first(STM32PWR.self), !power.permitsBackupWrites else { return true }
    log(.guestError, "a write to the backup domain, which DBP of PWR_CR protects")
    return false
  }
}

/// BKP: words of 16 bits that keep what is written. Tamper detection and the calibration output are not there.
public final class STM32BackupRegisters: BankDevice, STM32BackupDevice {
  public static var compatible: [String] { ["st,stm32-bkp"] }

  private static let word: [Field] = [.field("D", 0..<16)]
  private static let map: RegisterTable<STM32BackupRegisters> = [
    Register("DR", 0x04, count: 10, word),
    Register(
      "RTCCR", 0x2C,
      [.field("CAL", 0..<7), .unimplemented("CCO", 7), .unimplemented("ASOE", 8), .unimplemented("ASOS", 9)]),
    Register("CR", 0x30, [.unimplemented("TPE", 0), .field("TPAL", 1)]),
    Register("CSR", 0x34, [.unimplemented("TPIE", 2)]), Register("DRH", 0x40, count: 32, word),
  ]

  public let context: DeviceContext
  public var state = PlainBank(STM32BackupRegisters.map)
  public let table = STM32BackupRegisters.map
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  public func performWrite(_ write: () -> Void) { if context.permitsBackupWrites { write() } }

  public func reset(_ cause: ResetCause) { if cause == .powerOn { resetBackup() } }

  func resetBackup() { state = PlainBank(Self.map) }
}
