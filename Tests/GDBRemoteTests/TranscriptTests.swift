// Replays gdb/transcripts/*.txt against a fake target.
//
//   target full|bare       first line: which target
//   -> TEXT                the client sends; a last `$…` or `%…` without `#` gets its checksum; \xNN is a byte
//   <- TEXT                the session must answer exactly so, in the same notation
//   !! EVENT               the guest does something, see `perform`
//   :: TEXT                the target must have been asked this
//
// Each answer and each request must be expected by a line. Acknowledgments are lines of their own: most transcripts
// begin with QStartNoAckMode.

import Foundation
import GDBRemote
import GDBRemoteSupport
import Testing

private let transcripts: [String] = {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../gdb/transcripts")
    .standardized
  let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
  return files.filter { $0.hasSuffix(".txt") }.sorted().map { folder.appending(path: $0).path() }
}()

@Test func transcriptsAreFound() {
  #expect(transcripts.count >= 8)
}

@Test(arguments: transcripts)
func replay(path: String) throws {
  let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
  let player = Player(path: path)
  for (index, line) in lines.enumerated() {
    try player.play(String(line), number: index + 1)
  }
  player.checkNothingIsLeft("at the end")
}

private final class Player {
  private let name: String
  private var target: BareTarget = BareTarget()
  private var session: Session?
  private var output: [UInt8] = []

  init(path: String) {
    name = String(path.split(separator: "/").last ?? "")
  }

  func play(_ line: String, number: Int) throws {
    let place = "\(name):\(number)"
    guard !line.isEmpty, !line.hasPrefix("#") else { return }
    if line.hasPrefix("target ") { return start(line.hasSuffix("full")) }
    let text = String(line.dropFirst(3))
    let session = try #require(session, "\(place): the first line names the target")
    switch line.prefix(3) {
    case "-> ":
      checkNothingIsLeft(place)
      session.receive(bytes(text))
    case "!! ":
      checkNothingIsLeft(place)
      try perform(text, session, place)
    case "<- ":
      let expected = bytes(text)
      #expect(output.starts(with: expected), "\(place): got \(printable(output)), not \(text)")
      output.removeFirst(min(expected.count, output.count))
    case ":: ":
      let request = target.log.isEmpty ? "nothing" : target.log.removeFirst()
      #expect(request == text, "\(place)")
    default:
      Issue.record("\(place): unknown line")
    }
  }

  func checkNothingIsLeft(_ place: String) {
    #expect(output.isEmpty, "\(name): unexpected \(printable(output)) before \(place)")
    #expect(target.log.isEmpty, "\(name): unexpected requests before \(place)")
    output.removeAll()
    target.log.removeAll()
  }

  private func start(_ isFull: Bool) {
    let full = FullTarget()
    target = isFull ? full : BareTarget()
    let session = Session(target: target, configuration: .init(packetSize: 0x400)) { self.output += $0 }
    full.session = session
    self.session = session
  }

  /// What may happen on the target's side.
  private func perform(_ event: String, _ session: Session, _ place: String) throws {
    let target = try #require(target as? FullTarget, "\(place): this needs the full target")
    let thread = ThreadID(thread: 2)
    switch event {
    case "breakpoint": target.halt(.stopped(Stop(thread: thread, cause: .softwareBreakpoint, core: 1)))
    case "hardware breakpoint": target.halt(.stopped(Stop(thread: thread, cause: .hardwareBreakpoint)))
    case "write watchpoint": target.halt(.stopped(Stop(thread: thread, cause: .watchpoint(.write, address: 0x1010))))
    case "read watchpoint": target.halt(.stopped(Stop(thread: thread, cause: .watchpoint(.read, address: 0x1010))))
    case "access watchpoint": target.halt(.stopped(Stop(thread: thread, cause: .watchpoint(.access, address: 0x1010))))
    case "stepped":
      let values: [(Int, RegisterValue)] = [(0x20, .bytes([4, 0x10, 0, 0])), (2, .unavailable(byteCount: 4))]
      target.halt(.stopped(Stop(thread: ThreadID(thread: 1), registers: values)))
    case "start of recording": target.halt(.stopped(Stop(thread: thread, cause: .replayLogBegin)))
    case "thread 1 at a breakpoint":
      target.halt(.stopped(Stop(thread: ThreadID(thread: 1), cause: .softwareBreakpoint)))
    case "thread 1 halts": target.halt(.stopped(Stop(thread: ThreadID(thread: 1), signal: .none)))
    case "interrupted": target.halt(.stopped(Stop(thread: thread, signal: .interrupt)))
    case "exit 3": target.halt(.exited(3))
    case "killed": target.halt(.terminated(.kill))
    case "prints": session.showConsole("hello\n")
    case "opens a file":
      try session.request(.open(path: GuestString(at: 0x1000, length: 12), flags: 0x601, mode: 0o644))
    case "seeks": try session.request(.seek(descriptor: 3, offset: -16, origin: 1))
    case "comes to 0x1000": target.comeTo(0x1000)
    case "executes 0x1000, 0x1002, 0x1010":
      for (pc, next) in [(0x1000, 0x1002), (0x1002, 0x1006), (0x1010, 0x1012)] as [(UInt64, UInt64)] {
        target.branches[ThreadID(thread: 1)]?.execute(pc, next: next)
      }
    case "command prints": target.pendingCommand?.write("busy\n")
    case "command ends": target.pendingCommand?.finish()
    default: Issue.record("\(place): unknown event")
    }
  }

  private func bytes(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"), let value = Hex.decode(rest.dropFirst().prefix(2))
      {
        bytes += value
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    let isNotification = bytes.first == UInt8(ascii: "%")
    let payload = isNotification ? bytes.dropFirst() : bytes.suffix { $0 != UInt8(ascii: "$") }
    guard payload.count < bytes.count, !payload.contains(UInt8(ascii: "#")) else { return bytes }
    let sum = payload.reduce(0) { $0 + Int($1) } % 256
    return bytes + [UInt8(ascii: "#")] + Array(String(0x100 + sum, radix: 16).dropFirst().utf8)
  }

  private func printable(_ bytes: [UInt8]) -> String {
    bytes.map {
      (32..<127).contains($0) ? String(UnicodeScalar($0)) : "\\x" + String(decoding: Hex.encode([$0]), as: UTF8.self)
    }
    .joined()
  }
}

extension [UInt8] {
  fileprivate func suffix(while matches: (UInt8) -> Bool) -> ArraySlice<UInt8> {
    self[(lastIndex { !matches($0) }.map { $0 + 1 } ?? 0)...]
  }
}
