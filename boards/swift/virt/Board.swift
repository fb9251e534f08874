// Owns the peripherals of the firmware on the RISC-V board `virt`: an NS16550A UART, the CLINT's timer, the finisher.

import _Volatile

enum Board {
  static var name: StaticString { "virt, RV32" }
  private static let timebase: UInt32 = 10_000_000
  nonisolated(unsafe) private static var period: UInt32 = 0

  // MARK: UART

  private static func uart(_ register: UInt) -> VolatileMappedRegister<UInt8> {
    VolatileMappedRegister(unsafeBitPattern: 0x1000_0000 + register)
  }

  static func start() {}

  static func send(_ byte: UInt8) {
    while uart(5).load() & 0x20 == 0 {}
    uart(0).store(byte)
  }

  static func receive() -> UInt8? {
    uart(5).load() & 0x01 == 0 ? nil : uart(0).load()
  }

  // MARK: Timer

  private static func clint(_ offset: UInt) -> VolatileMappedRegister<UInt32> {
    VolatileMappedRegister(unsafeBitPattern: 0x0200_0000 + offset)
  }

  static func startTimer(hertz: UInt32) {
    period = timebase / hertz
    let now = clint(0xBFF8).load()
    clint(0x4004).store(0)
    clint(0x4000).store(now + period)
    enable_timer_interrupt()
  }

  /// The next interrupt one period after this one.
  static func acknowledgeTimer() {
    let (low, carry) = clint(0x4000).load().addingReportingOverflow(period)
    // Never a deadline in the past between the two writes.
    let high = clint(0x4004).load() + (carry ? 1 : 0)
    clint(0x4000).store(UInt32.max)
    clint(0x4004).store(high)
    clint(0x4000).store(low)
  }

  // MARK: The end

  /// Ends the run by the finisher.
  static func powerOff() -> Never {
    VolatileMappedRegister<UInt32>(unsafeBitPattern: 0x0010_0000).store(0x5555)
    while true {}
  }
}

/// In start.S.
@_extern(c)
func enable_timer_interrupt()
