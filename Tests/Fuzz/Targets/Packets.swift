// Owns the fuzz target of the GDB remote serial protocol: a whole session over the fake target.

import GDBRemote
import GDBRemoteSupport

extension FuzzTarget {
  /// Each line is a packet's payload, which gets its frame here, as no fuzzer finds checksums. One that begins with `=`
  /// is sent as it is; of one that begins with `~` each byte is something that the guest does. The first byte of the
  /// input chooses between run-length encoding and none, and whether packets are acknowledged.
  static let packets = FuzzTarget(name: "packets") { input in
    guard let choice = input.first else { return }
    var configuration = Session.Configuration(packetSize: 512, runLengthEncoding: choice & 1 != 0)
    configuration.sliceSize = 4096
    let conversation = Conversation(configuration)
    if choice & 2 != 0 { _ = conversation.send("QStartNoAckMode") }
    for line in input.dropFirst().split(separator: UInt8(ascii: "\n")) {
      let rest = Array(line.dropFirst())
      switch line.first {
      case UInt8(ascii: "="): precondition(conversation.send(rest) != nil, "malformed output")
      case UInt8(ascii: "~"):
        for byte in rest { GuestAct.allCases[Int(byte) % GuestAct.allCases.count].perform(in: conversation) }
        precondition(conversation.takeOutput() != nil, "malformed output")
      default:
        precondition(conversation.send(PacketEncoder().packet(Array(line))) != nil, "malformed output")
      }
    }
    precondition(conversation.serves, "the session serves its client no more")
  }
}
