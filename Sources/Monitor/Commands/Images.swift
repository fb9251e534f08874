// Owns the commands that bring files into guest memory, compare them with it, and write it to files.

import Bits
import Bus
import Engine
import Machine

extension Command {
  private static let type = Parameter.words("TYPE", "bin", "elf", "ihex", "uf2").optional
  private static let image: [Parameter] = [.text("FILE"), .address.optional, type]

  static let loadImage = Command(
    "load_image", image, .files,
    "Write an image into physical memory: ELF, Intel HEX or UF2 (moved by ADDR), or raw bytes at ADDR.",
    .look { context throws(MonitorError) in
      let image = try ImageFileArguments(context)
      let memory = GuestMemory(context.machine, context.vcpu, isPhysical: true)
      for segment in image.segments {
        var failure = memory.write(segment.bytes, at: segment.address)
        // What follows is zero, and may be as much as a file likes to claim.
        var done = UInt64(segment.bytes.count)
        while failure == nil, done < segment.memorySize {
          let count = min(segment.memorySize - done, 1 << 20)
          failure = memory.write([UInt8](repeating: 0, count: Int(count)), at: segment.address &+ done)
          done += count
        }
        if let failure {
          throw .refused("\(image.name): nothing at physical address \(failure.hex0x()) can be written")
        }
      }
      return image.listing("written", context.memory)
    })

  static let verifyImage = Command(
    "verify_image", image, .files, "Compare an image with physical memory.",
    .look { context throws(MonitorError) in
      let image = try ImageFileArguments(context)
      let memory = GuestMemory(context.machine, context.vcpu, isPhysical: true)
      for segment in image.segments {
        let there = memory.read(segment.address, segment.bytes.count)
        let difference = zip(there, segment.bytes).enumerated().first { $0.element.0 != $0.element.1 }
        if let (offset, (found, wanted)) = difference {
          throw .refused(
            "\(image.name) differs at \((segment.address &+ UInt64(offset)).hex0x()): memory has \(found.hex0x(digits: 2)), the"
              + " file \(wanted.hex0x(digits: 2))")
        }
        guard there.count == segment.bytes.count else {
          throw .refused(
            "\(image.name): \((segment.address &+ UInt64(there.count)).hex0x()) cannot be read; all before is as in the file"
          )
        }
      }
      return image.listing("equal", context.memory)
    })

  static let dumpImage = Command(
    "dump_image", aliases: ["dump"], [.text("FILE"), .address, .number("SIZE")], .files,
    "Write SIZE bytes at a virtual address to a file.",
    .look { context throws(MonitorError) in try dump(context, isPhysical: false) })

  static let saveMemory = Command(
    "memsave", [.address, .number("SIZE"), .text("FILE")], .files, "As 'dump_image', in QEMU's words.",
    .look { context throws(MonitorError) in try dump(context, isPhysical: false) })

  static let savePhysicalMemory = Command(
    "pmemsave", [.address, .number("SIZE"), .text("FILE")], .files, "As 'memsave', at a physical address.",
    .look { context throws(MonitorError) in try dump(context, isPhysical: true) })

  /// In bytes.
  private static let largestDump: UInt64 = 1 << 30

  private static func dump(_ context: Context, isPhysical: Bool) throws(MonitorError) -> Listing {
    guard let file = context.arguments["FILE"], let address = context.arguments.address,
      let size = context.arguments.number("SIZE")
    else { throw context.arguments.usage }
    guard (1...largestDump).contains(size) else { throw .refused("\(size) bytes; choose 1 to \(largestDump)") }
    let bytes = GuestMemory(context.machine, context.vcpu, isPhysical: isPhysical).read(address, Int(size))
    guard bytes.count == Int(size) else { throw context.memory.unreadable(address &+ UInt64(bytes.count)) }
    try context.files.write(bytes, to: file)
    return .custom(
      ["\(size) bytes at \(context.memory.addressText(address)) written to \(file)"],
      .object([
        NamedValue("address", context.memory.address(address)), NamedValue("bytes", .number(size)),
        NamedValue("file", .text(file)),
      ]))
  }

  static let symbolFile = Command(
    "symbol-file", aliases: ["add-symbol-file"], [.text("FILE"), .number("OFFSET").optional], .files,
    "Add the symbols of an ELF file, moved by OFFSET; nothing is loaded.",
    .look { context throws(MonitorError) in
      let name = context.arguments["FILE"] ?? ""
      let image = try readImage(try context.files.read(name), name, address: 0)
      guard image.elf != nil else { throw .refused("\(name): this is no ELF file, which alone has symbols") }
      guard !image.symbols.isEmpty else { throw .refused("\(name): it has no symbols; it may have been stripped") }
      let offset = context.arguments.number("OFFSET") ?? 0
      context.machine.addSymbols(image.symbols, movedBy: offset)
      return .said("\(image.symbols.count) symbols added", NamedValue("added", .count(image.symbols.count)))
    })

  /// What a file holds, taken as what it looks like.
  static func readImage(
    _ bytes: [UInt8], _ name: String, address: UInt64?, isRaw: Bool = false
  ) throws(MonitorError) -> Image {
    do throws(MachineError) {
      return try ImageReader.read(bytes, name: name, address: address, forceRaw: isRaw)
    } catch { throw .refused(error.description) }
  }
}

/// The image that a command names, where it is to be.
struct ImageFileArguments {
  let name: String
  private(set) var segments: [Image.Segment] = []

  init(_ context: Context) throws(MonitorError) {
    name = context.arguments["FILE"] ?? ""
    let address = context.arguments.address
    let bytes = try context.files.read(name)
    let isRaw = context.arguments["TYPE"] == "bin"
    let image = try Command.readImage(bytes, name, address: address ?? 0, isRaw: isRaw)
    if image.isRaw, address == nil {
      throw .refused("\(name): raw bytes say nothing of where they belong; give an address")
    }
    for var segment in image.segments where !segment.isHeaders {
      if !image.isRaw { segment.address &+= address ?? 0 }
      guard segment.memorySize < 1 << 32, !segment.range.isCut else {
        throw .refused("\(name): \(segment.memorySize) bytes at \(segment.address.hex0x()) are too many")
      }
      segments.append(segment)
    }
  }

  func listing(_ done: String, _ memory: DebugMemory) -> Listing {
    .custom(
      segments.map { "\($0.memorySize) bytes at \(memory.addressText($0.address)) \(done)" },
      .list(
        segments.map {
          .object([NamedValue("address", memory.address($0.address)), NamedValue("bytes", .number($0.memorySize))])
        }))
  }
}
