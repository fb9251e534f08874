// Owns the peripherals of the firmware on the MPS2+ board with FPGA image AN386 (or AN385): parts of Arm's Cortex-M
// System Design Kit (CMSDK), in Arm's "Application Note AN386".

import _Volatile

enum Board {
  static var name: StaticString { "MPS2+ AN386" }
  private static let clock: UInt32 = 25_000_000

  private static func register(_ address: UInt) -> VolatileMappedRegister<UInt32> {
    VolatileMappedRegister(unsafeBitPattern: address)
  }

  // MARK: UART 0

  private static var uartData: VolatileMappedRegister<UInt32> { register(0x4000_4000) }
  private static var uartState: VolatileMappedRegister<UInt32> { register(0x4000_4004) }

  static func start() {
    register(0x4000_4010).store(clock / 115_200)
    register(0x4000_4008).store(0b11)
  }

  static func send(_ byte: UInt8) {
    while uartState.load() & 0b01 != 0 {}
    uartData.store(UInt32(byte))
  }

  static func receive() -> UInt8? {
    uartState.load() & 0b10 == 0 ? nil : UInt8(truncatingIfNeeded: uartData.load())
  }

  // MARK: Timer 0, interrupt 8

  static func startTimer(hertz: UInt32) {
    register(0x4000_0008).store(clock / hertz - 1)
    register(0x4000_0004).store(clock / hertz - 1)
    register(0x4000_0000).store(0b1001)
    register(0xE000_E100).store(1 << 8)
  }

  static func acknowledgeTimer() { register(0x4000_000C).store(1) }

  // MARK: The end

  /// Ends the run by semihosting.
  static func powerOff() -> Never {
    semihosting_exit(0)
    while true {}
  }
}

/// In start.S.
@_extern(c)
func semihosting_exit(_ code: UInt32)
