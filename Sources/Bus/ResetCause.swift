// Why a machine, or one device of it, is reset: what outlives the reset depends on it.

/// The cause of a reset, as reset controllers tell it to the software.
public enum ResetCause: String, Codable, Sendable, CaseIterable {
  /// The supply came up. Nothing outlives it but what needs no supply: flash memory.
  case powerOn = "power-on"
  /// The supply fell below what the chip works with, and came back. Memory and what has a supply of its own stay.
  case brownOut = "brown-out"
  /// The reset pin, or a button on it.
  case pin
  /// The software asked for it.
  case software
  /// A watchdog's time was up, on a clock of its own.
  case watchdog
  /// A watchdog with a window was served too early or not at all.
  case windowWatchdog = "window-watchdog"
  /// A CPU was locked up.
  case lockUp = "lock-up"
  /// A debug probe, over the pin.
  case debugger
  /// The chip's reset controller resets one device, by a register; all else goes on.
  case controller

  /// Those that reset a whole machine.
  public static var ofMachines: [ResetCause] { allCases.filter { $0 != .controller } }
}
