// Encoder and decoder against an independent reading of the packet format.

import GDBRemote
import GDBRemoteSupport
import TestSupport
import Testing

@Test(arguments: [false, true])
func everyPayloadComesBack(runLengthEncoding: Bool) {
  var random = SplitMix(seed: 1)
  let encoder = PacketEncoder(runLengthEncoding: runLengthEncoding)
  for _ in 0..<2000 {
    var payload: [UInt8] = []
    for _ in 0..<Int.random(in: 0..<6, using: &random) {
      let byte = [UInt8(ascii: "*"), 0, UInt8(ascii: "}"), UInt8.random(in: .min ... .max, using: &random)]
      payload += [UInt8](
        repeating: byte.randomElement(using: &random) ?? 0, count: Int.random(in: 1..<130, using: &random))
    }
    let frame = encoder.packet(payload)
    #expect(readAsClient(frame) == [payload])
    if !runLengthEncoding {
      var decoder = PacketDecoder(maximumSize: payload.count)
      #expect(frame.compactMap { decoder.decode($0) } == [.packet(payload)])
    }
  }
}

@Test func runsAreShortened() {
  let encoder = PacketEncoder(runLengthEncoding: true)
  #expect(encoder.packet(Array("0000".utf8)).prefix(4) == Array("$0* ".utf8)[...])
  #expect(encoder.packet(Array("000".utf8)).prefix(4) == Array("$000".utf8)[...])
  // Seven equal characters would have the count '#', eight '$'.
  #expect(encoder.packet([UInt8](repeating: 0x30, count: 7)).prefix(5) == Array("$0*\"0".utf8)[...])
  #expect(encoder.packet([UInt8](repeating: 0x30, count: 8)).prefix(6) == Array("$0*\"00".utf8)[...])
}

@Test func notificationsHaveTheirOwnLead() {
  #expect(PacketEncoder().notification(Array("Stop:W00".utf8)) == Array("%Stop:W00#97".utf8))
}

@Test func packetsAboveTheLimitAreRefusedAndTheNextIsRead() {
  var decoder = PacketDecoder(maximumSize: 4)
  #expect("$12345#ff$1234#ca".utf8.compactMap { decoder.decode($0) } == [.tooLong, .packet(Array("1234".utf8))])
}

@Test func interruptsAreSeenBetweenPacketsOnly() {
  var decoder = PacketDecoder(maximumSize: 16)
  let stream: [UInt8] = [3] + PacketEncoder().packet([3]) + [3]
  #expect(stream.compactMap { decoder.decode($0) } == [.interrupt, .packet([3]), .interrupt])
}

@Test func hexadecimalTextIsCheckedStrictly() {
  #expect(Hex.encode([0x0f, 0xa0]) == Array("0fa0".utf8))
  #expect(Hex.decode(Array("0FA0".utf8)) == [0x0f, 0xa0])
  #expect(Hex.decode(Array("0fa".utf8)) == nil)
  #expect(Hex.decode(Array("0g".utf8)) == nil)
}
