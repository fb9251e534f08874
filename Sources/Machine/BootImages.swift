// Owns the images a machine starts with: the files the user named, and the firmware that a kernel needs below it.

import Devicetree
import Glibc
import GuestKit

/// The firmware that kernels of a guest need below them, where it is installed.
public struct InstalledFirmware: Sendable {
  /// What it is called, and where it comes from.
  public var name: String
  /// Where it may be, for a CPU of so many bits; the first that is there is taken.
  public var places: @Sendable (_ addressBits: Int) -> [String]
  /// Whether a file without a format is a kernel that cannot start by itself.
  public var isNeeded: @Sendable (_ kernel: [UInt8]) -> Bool

  public init(
    name: String, places: @escaping @Sendable (Int) -> [String], isNeeded: @escaping @Sendable ([UInt8]) -> Bool
  ) {
    self.name = name
    self.places = places
    self.isNeeded = isNeeded
  }
}

/// The images a user named, read.
struct BootImages {
  struct Entry {
    var path: String
    var image: Image

    /// The segments where the file says, or else where the machine wants them.
    func placed(at base: UInt64?) -> [Image.Segment] {
      image.segments.map { segment in
        var segment = segment
        segment.origin = path
        if image.isRaw, let base { segment.address = base }
        return segment
      }
    }
  }
  var bios: Entry?
  var kernel: Entry?
  var initrd: [UInt8]?
  var loads: [(entry: Entry, setsEntry: Bool)] = []

  /// - Parameter tree: the board, which says what parts of a Universal Hex file are for it.
  init(_ configuration: MachineConfiguration, _ tree: Devicetree) throws(MachineError) {
    let boards = tree.root.cells("martlet,universal-hex-boards") ?? []
    func read(_ file: ImageFile) throws(MachineError) -> Entry {
      let image = try ImageReader.read(
        path: file.path, address: file.address, forceRaw: file.forceRaw,
        boards: boards.map { UInt16(truncatingIfNeeded: $0) })
      return Entry(path: file.path, image: image)
    }
    if let path = configuration.bios, path != "none", path != "default" {
      bios = try read(ImageFile(path: path, address: 0))
    }
    if let path = configuration.kernel { kernel = try read(ImageFile(path: path, address: 0)) }
    if let path = configuration.initrd {
      initrd = try read(ImageFile(path: path, address: 0, forceRaw: true)).image.segments.first?.bytes ?? []
    }
    for file in configuration.loads { loads.append((try read(file), file.setsEntry)) }
  }

  var all: [Entry] { [bios, kernel].compactMap { $0 } + loads.map(\.entry) }
  var symbols: [Symbol] { all.flatMap(\.image.symbols) }

  /// Takes the installed firmware, if the user asked for it or gave a kernel that needs it.
  /// - Returns: what to tell the user.
  mutating func addFirmware(
    _ firmware: InstalledFirmware?, _ configuration: MachineConfiguration, _ guest: any Guest
  ) throws(MachineError) -> String? {
    guard let firmware, configuration.bios == nil || configuration.bios == "default" else { return nil }
    let needed = kernel.map { $0.image.isRaw && firmware.isNeeded($0.image.segments.first?.bytes ?? []) } ?? false
    guard needed || configuration.bios != nil else { return nil }
    let places = firmware.places(guest.addressBits)
    guard let path = places.first(where: { unsafe access($0, R_OK) == 0 }) else {
      let what = needed ? "\(kernel?.path ?? ""): this kernel needs firmware below it" : "-bios default"
      throw .badInput(
        "\(what), and \(firmware.name) is at none of \(places.joined(separator: ", ")); install it, or give firmware"
          + " with -bios FILE; '-bios none' starts the kernel itself")
    }
    bios = Entry(path: path, image: try ImageReader.read(path: path, address: 0, forceRaw: false))
    return needed && configuration.bios == nil
      ? "the kernel needs firmware below it: \(firmware.name) of \(path), as with '-bios default'" : nil
  }
}
