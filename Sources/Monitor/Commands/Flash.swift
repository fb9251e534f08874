// Owns `flash …`: flash memory as a programmer sees it, in OpenOCD's words.

import Bits
import Bus
import Engine
import Machine

extension Command {
  static let flashBanks = Command(
    "flash banks", aliases: ["flash list"], [], .files, "Flash memories: where they are, how large their blocks are.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let rows: [[Value]] = context.machine.space.layout.compactMap { stretch in
        guard let block = stretch.region.eraseBlockSize else { return nil }
        return [
          memory.address(stretch.first), memory.address(stretch.last), .text(byteCount(block)),
          .text(stretch.region.name),
        ]
      }
      guard !rows.isEmpty else { return .none("The board has no flash memory.") }
      return .table([.left("first"), .left("last"), .right("block"), .left("name")], rows)
    })

  static let flashWriteImage = Command(
    "flash write_image",
    [
      .words("ERASE", "erase").optional, .words("UNLOCK", "unlock").optional, .text("FILE"), .address.optional,
      .words("TYPE", "bin", "elf", "ihex", "uf2").optional,
    ], .files, "Program an image into flash memory; 'erase' erases the blocks it touches before.",
    .look { context throws(MonitorError) in
      let image = try ImageFileArguments(context)
      do throws(FlashError) {
        if context.arguments["ERASE"] != nil {
          for (start, size) in try context.blocks(of: image.segments) {
            try context.machine.eraseFlash(at: start, length: size)
          }
        }
        for segment in image.segments { try context.machine.programFlash(segment.bytes, at: segment.address) }
      } catch { throw .refused("\(image.name): \(error); 'flash banks' lists what there is") }
      return image.listing("programmed", context.memory)
    })

  static let flashErase = Command(
    "flash erase_address",
    [.words("PAD", "pad").optional, .words("UNLOCK", "unlock").optional, .address, .number("LENGTH")],
    .files, "Erase whole blocks of flash memory; with 'pad' those that the range touches.",
    .look { context throws(MonitorError) in
      guard let address = context.arguments.address, let length = context.arguments.number("LENGTH"), length > 0,
        !AddressRange(base: address, size: length).isCut
      else { throw context.arguments.usage }
      do throws(FlashError) {
        if context.arguments["PAD"] != nil {
          let range = Image.Segment(address: address, bytes: [], memorySize: length)
          for (start, size) in try context.blocks(of: [range]) {
            try context.machine.eraseFlash(at: start, length: size)
          }
        } else {
          try context.machine.eraseFlash(at: address, length: length)
        }
      } catch { throw .refused("\(error); 'flash banks' lists what there is") }
      return .empty
    })
}

extension Context {
  /// The blocks of flash memory that segments touch, each once.
  fileprivate func blocks(of segments: [Image.Segment]) throws(FlashError) -> [(start: UInt64, size: UInt64)] {
    var sizes: [UInt64: UInt64] = [:]
    for segment in segments where segment.memorySize > 0 {
      var position = segment.address
      let last = segment.address &+ (segment.memorySize - 1)
      while true {
        guard let region = machine.space.region(at: position), let size = region.eraseBlockSize else {
          throw .notFlash(position)
        }
        let start = position - (position - region.base) % size
        sizes[start] = size
        guard last - start >= size else { break }
        position = start + size
      }
    }
    return sizes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}
