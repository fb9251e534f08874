// What transcripts cannot say: targets that answer at once, size limits, repeats, and clients that send anything.

import GDBRemote
import GDBRemoteSupport
import TestSupport
import Testing

@Test func aTargetMayStopWithinResume() {
  let conversation = Conversation()
  conversation.target.immediateStop = .stopped(Stop(thread: ThreadID(thread: 2)))
  #expect(conversation.send("vCont;s:2") == ["T05thread:2;"])
  #expect(conversation.session.phase == .halted)
}

@Test func bytesMayComeOneByOne() {
  let conversation = Conversation()
  for byte in PacketEncoder().packet(Array("qC".utf8)).dropLast() {
    #expect(conversation.send([byte]) == [])
  }
  #expect(conversation.send([UInt8(ascii: "4")]) == ["QC1"])
}

@Test func severalPacketsMayComeAtOnce() {
  let conversation = Conversation()
  #expect(conversation.send(Array("$qC#b4$vCont;c#a8\u{3}$qC#b4".utf8)) == ["QC1", "QC1"])
  #expect(conversation.target.log == ["resume 1:continue 2:continue", "interrupt"])
}

@Test func repliesKeepToThePacketSize() throws {
  let conversation = Conversation(.init(packetSize: 512))
  let memory = try #require(conversation.send("m1000,ffffffffffffffff")?.first)
  #expect(memory.utf8.count == 512)
  #expect(memory.hasPrefix("000102"))
  let binary = try #require(conversation.send("x1041,ffffffff")?.first)
  #expect(binary.hasPrefix("bABC"))
  conversation.target.threads = (1...1000).map { ThreadID(thread: $0) }
  var listed = 0
  var reply = try #require(conversation.send("qfThreadInfo")?.first)
  while reply != "l" {
    #expect(reply.utf8.count <= 512)
    listed += reply.split(separator: ",").count
    reply = try #require(conversation.send("qsThreadInfo")?.first)
  }
  #expect(listed == 1000)
  let packet = "M1000,200:" + String(repeating: "00", count: 512)
  #expect(conversation.send(packet) == ["E1b"])
}

@Test func longOutputOfACommandIsCutIntoPackets() throws {
  let conversation = Conversation(.init(packetSize: 512))
  let command = String(decoding: Hex.encode([UInt8](repeating: 0x61, count: 250)), as: UTF8.self)
  let replies = try #require(conversation.send("qRcmd," + command))
  #expect(replies.last == "OK")
  #expect(replies.count == 3)
  #expect(replies.allSatisfy { $0.utf8.count <= 512 })
}

@Test func rejectionsDoNotMultiplyOutput() {
  let conversation = Conversation()
  #expect(conversation.send("qC") == ["QC1"])
  #expect(conversation.send([UInt8](repeating: UInt8(ascii: "-"), count: 1000)) == ["QC1", "QC1", "QC1"])
}

@Test func fileCallsNeedARunningGuest() throws {
  let conversation = Conversation()
  #expect(throws: TargetError.self) { try conversation.session.request(.close(descriptor: 1)) }
  _ = conversation.send("c")
  try conversation.session.request(.system(command: nil))
  #expect(conversation.takeOutput() == ["Fsystem,0/0"])
  // A second one waits for the answer to the first, which nobody wants any more.
  try conversation.session.request(.close(descriptor: 1))
  #expect(conversation.takeOutput() == [])
  #expect(conversation.send("F0") == ["Fclose,1"])
  #expect(conversation.target.log == ["resume 1:continue 2:continue"])
}

@Test func manyPacketsAreAnsweredInSlices() throws {
  var configuration = Session.Configuration()
  configuration.sliceSize = 2000
  var output: [UInt8] = []
  let session = Session(target: FullTarget(), configuration: configuration) { output += $0 }
  session.receive((0..<100).flatMap { _ in PacketEncoder().packet(Array("m1000,200".utf8)) })
  var slices = 1
  while session.hasWork {
    #expect(output.count <= 3200 * slices, "a slice of 2000 bytes and the reply that goes beyond it")
    session.work()
    slices += 1
  }
  #expect(slices >= 40)
  #expect(try #require(readAsClient(output)).count == 100)
}

@Test func longScansAreDoneInSlices() throws {
  var configuration = Session.Configuration()
  configuration.sliceSize = 1
  var output: [UInt8] = []
  let session = Session(target: FullTarget(), configuration: configuration) { output += $0 }
  let packets = ["qCRC:1000,1000", "qSearch:memory:1000;1000;zz", "qCRC:1000,2000", "qC"]
  session.receive(packets.flatMap { PacketEncoder().packet(Array($0.utf8)) })
  while session.hasWork { session.work() }
  let replies = try #require(readAsClient(output)).map { String(decoding: $0, as: UTF8.self) }
  #expect(replies.count == 4)
  #expect(replies.first?.hasPrefix("C") == true)
  #expect(replies.dropFirst() == ["0", "E0e", "QC1"], "in order; an error amid a scan ends it")
}

@Test func aCommandMayOutliveItsSession() {
  let target = FullTarget()
  do {
    let session = Session(target: target) { _ in }
    session.receive(PacketEncoder().packet(Array("qRcmd,736c6f77".utf8)))
  }
  target.pendingCommand?.write("too late")
  target.pendingCommand?.finish()
  #expect(target.log == ["command slow"])
}

/// Packets to be distorted, at least one for each row of the packet table.
private let seeds = [
  "qSupported:multiprocess+;swbreak+;error-message+", "QStartNoAckMode", "QNonStop:0", "?", "!", "D", "D;1", "k", "R00",
  "QNonStop:1", "vStopped",
  "vRun;2f61;78", "vKill;1", "vAttach;1", "qAttached:1", "g", "G01020304", "p1", "P1=01020304", "m1000,40",
  "M1000,4:01020304", "X1000,4:abcd", "x1000,40", "qCRC:1000,100", "qSearch:memory:1000;100;abc",
  "vFlashErase:8000,100",
  "vFlashWrite:8000:abc", "vFlashDone", "Z0,1000,4", "z2,1000,4", "c1000", "C05;1000", "s", "S05", "vCont?",
  "vCont;s:p1.1;c:p1.-1;r10,20:2;t", "vCtrlC", "bc", "bs", "F-1,9,C;abc", "Hgp1.2", "Hc-1", "T1", "qC", "qfThreadInfo",
  "qsThreadInfo", "qThreadExtraInfo,p1.1", "qXfer:threads:read::0,100", "qXfer:features:read:target.xml:0,100",
  "qXfer:memory-map:read::0,100", "qXfer:exec-file:read:1:0,100", "qXfer:osdata:read:threads:0,100",
  "qRcmd,68656c70", "vMustReplyEmpty",
  "QTinit", "QTDP:1:1000:E:0:0-", "QTDP:1:1000:E:3:2:X3,220127-", "QTDP:-1:1000:R0fM-1,1000,8M2,-4,4-",
  "QTDP:-1:1000:X00000007,23100022082f27", "QTDP:-1:1000:SR03", "QTDPsrc:1:1000:at:0:3:616263", "QTDV:1:5:0:61",
  "QTro:1000,1100:1200,1300", "QTEnable:1:1000", "QTDisable:1:1000", "QTStart", "QTStart", "QTStop",
  "QTBuffer:circular:1", "QTBuffer:size:400", "QTBuffer:size:-1", "QTDisconnected:1",
  "QTNotes:user:61;notes:62;tstop:63;",
  "qTStatus", "qTP:1:1000", "qTfP", "qTsP", "qTfV", "qTsV", "qTV:1", "QTFrame:0", "QTFrame:ffffffff", "QTFrame:pc:1000",
  "QTFrame:tdp:1", "QTFrame:range:1000:1010", "QTFrame:outside:1000:1010", "qXfer:traceframe-info:read::0,100",
  "qTBuffer:0,100", "Qbtrace-conf:bts:size=0x400", "Qbtrace:bts", "Qbtrace:off", "qXfer:btrace:read:all:0,100",
  "qXfer:btrace:read:delta:0,100", "qXfer:btrace-conf:read::0,100",
]

@Test(arguments: 0..<64)
func anySequenceOfBytesLeavesTheSessionServing(seed: Int) throws {
  var random = SplitMix(seed: UInt64(seed))
  let conversation = Conversation(.init(packetSize: 512, runLengthEncoding: seed.isMultiple(of: 2)))
  if seed.isMultiple(of: 3) { #expect(conversation.send("QStartNoAckMode") == ["OK"]) }
  for _ in 0..<Mutations.count(128_000) / 64 {
    let input = distorted(&random)
    #expect(conversation.send(input) != nil, "malformed output after \(input)")
    if Int.random(in: 0..<12, using: &random) < 9 {
      GuestAct.allCases.randomElement(using: &random)?.perform(in: conversation)
    }
    #expect(conversation.takeOutput() != nil)
    conversation.target.log.removeAll()
  }
  #expect(conversation.serves)
}

private func distorted(_ random: inout SplitMix) -> [UInt8] {
  var payload = Array((seeds.randomElement(using: &random) ?? "").utf8)
  for _ in 0..<[0, 0, 0, 1, 1, 2, 5][Int.random(in: 0..<7, using: &random)] {
    let index = Int.random(in: 0...payload.count, using: &random)
    switch Int.random(in: 0..<6, using: &random) {
    case 0: payload.insert(UInt8.random(in: .min ... .max, using: &random), at: index)
    case 1 where index < payload.count: payload.remove(at: index)
    case 2 where index < payload.count: payload[index] = Array("0fF,;:-=p.#$}*".utf8).randomElement(using: &random) ?? 0
    case 3: payload.insert(contentsOf: Array("ffffffffffffffff".utf8), at: index)
    case 4: payload.insert(contentsOf: [UInt8](repeating: 0x30, count: 300), at: index)
    default: payload.removeLast(min(payload.count, index))
    }
  }
  switch Int.random(in: 0..<12, using: &random) {
  case 0: return payload
  case 1: return [UInt8](repeating: 3, count: 3)
  case 2: return (0..<40).map { _ in UInt8.random(in: .min ... .max, using: &random) }
  case 3:
    let frame = PacketEncoder().packet(payload)
    return Array(frame.prefix(Int.random(in: 0...frame.count, using: &random)))
  default: return PacketEncoder().packet(payload)
  }
}
