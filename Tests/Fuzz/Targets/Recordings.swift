// Owns the fuzz target of recordings: what a file says is refused, or a machine goes through it.

import Machine
import Storage

extension FuzzTarget {
  /// The input is a file; and behind its first byte, which chooses the host, it is what the pieces of one hold behind its
  /// header: for each its kind, its length in four bytes, and its bytes.
  static let recordings = FuzzTarget(name: "recordings") { input in
    _ = try? Recording(input, name: "file")
    guard let choice = input.first, let machine = try? FuzzedMachine.made(compiles: choice & 1 != 0),
      (try? machine.keepTimeline(limit: 4 << 20)) != nil, var file = try? beginning(machine)
    else { return }
    for piece in pieces(input.dropFirst()) { file += piece.packed() }
    guard let recording = try? Recording(file, name: "recording"), (try? machine.open(recording)) != nil else { return }
    let begin = machine.position
    machine.resume()
    machine.runRounds(20)
    machine.stop()
    _ = try? machine.standsAtEnd(of: recording)
    guard (try? machine.reverse(.step(hart: 0))) != nil else { return }
    machine.runRounds(20)
    machine.stop()
    guard (try? machine.reverse(.go(begin))) != nil else { return }
    machine.runRounds(20)
  }

  /// A file up to where pieces of the input follow.
  private static func beginning(_ machine: Machine) throws(MachineError) -> [UInt8] {
    var file: [UInt8] = []
    let header = RecordingHeader(program: "fuzz", directory: "/", arguments: [])
    try machine.beginRecording(header, holdsImages: false, RecordingWriter { file += $0 })
    let beginning = file
    try machine.endRecording(code: 0, message: "")
    return beginning
  }

  private static func pieces(_ input: ArraySlice<UInt8>) -> [Piece] {
    var (pieces, rest) = ([Piece](), input)
    while let kind = rest.popFirst(), rest.count >= 4 {
      let length = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(4)
      pieces.append(Piece(kind: kind, bytes: Array(rest.prefix(min(length, Piece.largest)))))
      rest = rest.dropFirst(length)
    }
    return pieces
  }
}
