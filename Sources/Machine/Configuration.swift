// Owns what a user chooses about a machine, and the registry of the parts it can be made of.

import Bus
import Engine
import GuestKit
import HostKit

/// A guest ISA a machine may have. The command line registers them; nothing below it names one.
public struct GuestEntry: Sendable {
  /// ELF machine numbers this guest runs (EM_RISCV = 243).
  public var elfMachines: [UInt16]
  /// CPU models for `-cpu help`: name and one line of description.
  public var models: [(name: String, description: String)]
  /// Whether a devicetree's cpu `compatible` is of this guest.
  public var serves: @Sendable (_ compatible: [String]) -> Bool
  /// Makes the guest for a CPU model name, or for the ISA properties of a cpu node if no model is chosen.
  public var make:
    @Sendable (_ model: String?, _ cpu: any NodeView, _ semihosting: Bool) throws(MachineError) -> any Guest
  /// What kernels need below them, if they do.
  public var firmware: InstalledFirmware?
  /// Writes the guest's choices (ISA string, MMU) into a cpu node of the tree the guest will see.
  public var describe: @Sendable (_ guest: any Guest) -> [(property: String, value: String)]

  public init(
    elfMachines: [UInt16], models: [(name: String, description: String)],
    serves: @escaping @Sendable ([String]) -> Bool,
    make: @escaping @Sendable (String?, any NodeView, Bool) throws(MachineError) -> any Guest,
    describe: @escaping @Sendable (any Guest) -> [(property: String, value: String)],
    firmware: InstalledFirmware? = nil
  ) {
    self.elfMachines = elfMachines
    self.models = models
    self.serves = serves
    self.make = make
    self.describe = describe
    self.firmware = firmware
  }
}

/// The guests, hosts and devices that machines are put together from.
public struct Registry: Sendable {
  public var guests: [GuestEntry]
  /// In order of preference; the first is the default. Keyed by the word of `--host`.
  public var hosts: [(name: String, type: any Host.Type)]
  public var devices: [any Device.Type]
  /// The model for nodes that no device serves.
  public var fallback: (any Device.Type)?
  /// Runs code that has not run often, before the chosen host compiles it.
  public var interpreter: (any PackedTier.Type)?
  /// Walks blocks one IR op at a time for the monitor.
  public var opStepper: OpStepperFactory?

  public init(
    guests: [GuestEntry], hosts: [(name: String, type: any Host.Type)], devices: [any Device.Type],
    fallback: (any Device.Type)?, interpreter: (any PackedTier.Type)? = nil, opStepper: OpStepperFactory? = nil
  ) {
    self.guests = guests
    self.hosts = hosts
    self.devices = devices
    self.fallback = fallback
    self.interpreter = interpreter
    self.opStepper = opStepper
  }
}

/// A file to put into guest memory.
public struct ImageFile: Sendable {
  public var path: String
  /// Where a raw file goes; formats that carry addresses ignore it unless `forceRaw`.
  public var address: UInt64?
  public var forceRaw: Bool
  /// Start the boot CPU there.
  public var setsEntry: Bool
  public init(path: String, address: UInt64? = nil, forceRaw: Bool = false, setsEntry: Bool = false) {
    self.path = path
    self.address = address
    self.forceRaw = forceRaw
    self.setsEntry = setsEntry
  }
}

/// What the user chose.
public struct MachineConfiguration: Sendable {
  /// Path of the board's `.dts` or `.dtb`.
  public var board: String
  /// What is to stand in for the board's CPU (`-cpu`).
  public var cpuModel: String?
  public var cpuCount: Int?
  public var memorySize: UInt64?
  /// Bytes of the microcontroller's flash memory.
  public var flashSize: UInt64?
  /// Bits of priority that a microcontroller's interrupt controller has.
  public var priorityBits: UInt64?
  /// Firmware, run first in the most privileged mode: a path; `none`, and the kernel starts itself; `default`, what is
  /// installed for the guest; nil: `default` for kernels that need it, else `none`.
  public var bios: String?
  public var kernel: String?
  public var initrd: String?
  public var bootArguments: String?
  public var loads: [ImageFile] = []
  /// Media for the board's slots, in the order of their nodes.
  public var drives: [DriveFile] = []
  /// A word of ``Registry/hosts``.
  public var host: String?
  public var engine = EngineOptions()
  public var semihosting = false
  public var semihostingRoot: String?
  public var semihostingTarget = SemihostingTarget.native
  public var semihostingArguments: [String] = []
  /// A console in the guest's memory: SEGGER RTT.
  public var rtt = false
  /// Debuggers take the tasks of the guest's kernel for threads, and not its CPUs.
  public var showsTasks = false
  /// A CMSIS-SVD file with names for registers.
  public var svd: String?
  /// What is logged from the start (`-d`); notes of the making of the machine are among it.
  public var logItems: Set<LogItem> = [.unimp, .guestErrors]
  /// See ``Engine/EngineLog/ranges``.
  public var logRanges: [ClosedRange<UInt64>] = []
  /// Run images that the CPU is unlikely to be able to run.
  public var force = false
  /// Stop instead of restarting when the guest resets the machine.
  public var noReboot = false
  /// Wait so that virtual time does not run ahead of the user's clock: at most so many seconds of it to one of the
  /// user's. Nil: no waiting.
  public var realtime: Double?
  /// Bytes of the past to keep, for going back in it; nil: none.
  public var timeline: Int?
  /// Instructions between looks at the host's input, and until the next hart's turn; nil for a choice by the number of
  /// harts.
  public var quantum: UInt64?
  /// Stop, as if a user asked for it, once every vCPU has seen the time of so many instructions pass.
  public var instructionLimit: UInt64?
  public init(board: String) { self.board = board }
}

/// Why a machine cannot be made or loaded, in words for the user.
public enum MachineError: Error, Sendable, CustomStringConvertible {
  /// Something the user gave cannot be used: what, where, what to do.
  case badInput(String)
  /// A limit of this host or a fault of Martlet.
  case setup(String)

  public var description: String {
    switch self {
    case .badInput(let text), .setup(let text): text
    }
  }
}
