// qXfer:…:read: documents read in pieces (the one of the threads is with the threads).

extension Session {
  /// `qXfer:features:read:annex:offset,length`
  func readDescription(_ source: any TargetDescription, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try transfer(&packet, source.targetDescription)
  }

  /// `qXfer:memory-map:read::offset,length`
  func readMemoryMap(_ source: any MemoryMapProviding, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try transfer(&packet) { $0.isEmpty ? XML.memoryMap(source.memoryMap) : nil }
  }

  /// `qXfer:exec-file:read:process:offset,length`; without a process that of the first thread.
  func readExecutablePath(_ source: any ExecutableNaming, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try transfer(&packet) { annex in
      guard let process = annex.isEmpty ? target.threads.first?.process : UInt32(annex, radix: 16) else { return nil }
      return source.executablePath(process: process)
    }
  }

  /// The piece of a document that `annex:offset,length` asks for: `m` and the bytes, or `l` if it is the last one.
  func transfer(_ packet: inout PacketReader, _ document: (_ annex: String) -> String?) throws(TargetError) -> Reply {
    let annex = String(decoding: packet.field(upTo: ":"), as: UTF8.self)
    let (offset, length) = try packet.addressAndLength()
    try packet.expectEnd()
    guard let document = document(annex) else { throw .invalid("no such document: \(annex)") }
    let bytes = document.utf8
    guard offset <= bytes.count else { throw .invalid("offset beyond the end of the document") }
    let count = Int(min(length, UInt64(configuration.packetSize - 1)))
    let rest = bytes.dropFirst(Int(offset))
    let mark = UInt8(ascii: rest.count > count ? "m" : "l")
    return .payload([mark] + rest.prefix(count))
  }
}

enum XML {
  static func escape(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "\0"..." ": escaped += " "
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// GDB manual, section "Memory Map Format". It has no word for gaps: they are memory that cannot be read, and one with the
  /// memory beside them.
  static func memoryMap(_ regions: [MemoryRegion]) -> String {
    var document = """
      <?xml version="1.0"?>
      <!DOCTYPE memory-map PUBLIC "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN" \
      "http://sourceware.org/gdb/gdb-memory-map.dtd">
      <memory-map>

      """
    for region in regions.joined {
      let range = "start=\"0x\(String(region.start, radix: 16))\" length=\"0x\(String(region.length, radix: 16))\""
      switch region.kind {
      case .ram, .gap: document += "<memory type=\"ram\" \(range)/>\n"
      case .rom: document += "<memory type=\"rom\" \(range)/>\n"
      case .flash(let blockSize):
        let size = "<property name=\"blocksize\">0x\(String(blockSize, radix: 16))</property>"
        document += "<memory type=\"flash\" \(range)>\(size)</memory>\n"
      }
    }
    return document + "</memory-map>\n"
  }
}

extension [MemoryRegion] {
  /// With gaps and RAM that touch as one.
  fileprivate var joined: [MemoryRegion] {
    reduce(into: []) { joined, region in
      var region = region
      if region.kind == .gap { region.kind = .ram }
      guard region.kind == .ram, let last = joined.last, last.kind == .ram, last.start &+ last.length == region.start
      else { return joined.append(region) }
      joined[joined.count - 1].length &+= region.length
    }
  }
}
