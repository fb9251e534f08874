// qSymbol: symbols that the client looks up for the target.

extension Session {
  /// `qSymbol::` offers to look symbols up, `qSymbol:[value]:name` is what came of one; answered by the next.
  func lookUpSymbol(_ target: any SymbolSeeking, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let address = packet.skip(":") ? nil : try packet.number(UInt64.self)
    if address != nil { try packet.expect(":") }
    let name = String(decoding: try packet.hexBytes(), as: UTF8.self)
    let next = name.isEmpty ? target.firstSymbol() : target.symbol(name, isAt: address)
    guard let next else { return .ok }
    return .payload(Array("qSymbol:".utf8) + Hex.encode(next.utf8))
  }
}
