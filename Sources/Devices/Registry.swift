/// The device models this module offers, one line each.
import Bus

/// Every model that a `compatible` string selects. A node none of them serves gets a `LoggedRegisterFile`.
public var standardDevices: [any Device.Type] {
  [
    NS16550A.self,
    CLINT.self,
    PLIC.self,
    SiFiveTest.self,
    GoldfishRTC.self,
    CFIFlash.self,
    HTIF.self,
    FlashMemory.self,
    CMSDKUART.self,
    CMSDKTimer.self,
    PL011.self,
    NordicUART.self,
    NordicClock.self,
    NordicRTC.self,
    NordicTimer.self,
    NordicGPIO.self,
    NordicGPIOTE.self,
    NordicPPI.self,
    NordicTWI.self,
    NordicRNG.self,
    NordicTemperature.self,
    NordicADC.self,
    NordicFICR.self,
    NordicFlashController.self,
    STM32USART.self,
    STM32RCC.self,
    STM32PWR.self,
    STM32FlashController.self,
    STM32GPIO.self,
    STM32EXTI.self,
    STM32SYSCFG.self,
  ]
}
