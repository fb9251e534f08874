// Owns the tests of paths that the user gives for sockets and traces: only what Martlet may replace is replaced.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct PathTests {
  /// Flags that listen at a socket, the path to be added to the last.
  static let listeners: [[String]] = [
    ["-nographic", "-gdb", "unix:"], ["-monitor", "none", "-serial", "unix:@,server,nowait"],
    ["-serial", "none", "-monitor", "unix:@,server,nowait"],
    ["-monitor", "none", "-chardev", "socket,id=c,path=@,server=on,wait=off", "-serial", "chardev:c"],
  ]

  private func run(_ flags: [String], _ path: String, script: String = "exec \"$0\" \"$@\"") throws -> Run {
    let image = try Program.file(Guest.bytes(Guest.say("ran") + Guest.finish(0x5555)))
    let given = flags.map { flag in
      flag.hasSuffix("unix:") ? flag + path : flag.replacingOccurrences(of: "@", with: path)
    }
    return try Program.shell(script, ["-M", "virt", "-m", "16M", "-bios", image, "--timeout", "20"] + given)
  }

  @Test(arguments: listeners) func onlyAStaleSocketGoes(flags: [String]) throws {
    let file = try Program.file(Array("precious".utf8), "file")
    let folder = (file as NSString).deletingLastPathComponent
    let link = folder + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
    for path in [file, link, folder] {
      let ended = try run(flags, path)
      #expect(ended.code == 2, "\(ended.errors)")
      #expect(ended.errors.contains("no socket is there"), "\(ended.errors)")
    }
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "precious")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == file)

    let socket = folder + "/socket"
    try #require(unsafe Program.unixSocket(socket, bind)).close()
    #expect(try run(flags, socket).code == 0)
    #expect(!flags.contains("-gdb") ? !FileManager.default.fileExists(atPath: socket) : true)

    let used = folder + "/used"
    let listener = try #require(unsafe Program.unixSocket(used, bind))
    #expect(listen(listener.fileDescriptor, 1) == 0)
    let ended = try run(flags, used)
    #expect(ended.code == 2 && ended.errors.contains("another program listens"), "\(ended.errors)")
    #expect(FileManager.default.fileExists(atPath: used))
  }

  /// The names of perf's files can be foreseen, so that somebody else may have put a link there.
  @Test func tracesFollowNoLinks() throws {
    let file = try Program.file(Array("precious".utf8), "file")
    let folder = (file as NSString).deletingLastPathComponent
    let map = try run(
      ["-nographic", "--perf-map"], "",
      script: "ln -s '\(file)' \(P_tmpdir)/perf-$$.map && echo $$ && exec \"$0\" \"$@\"")
    let pid = map.output.prefix { $0.isNumber }
    try FileManager.default.removeItem(atPath: P_tmpdir + "/perf-\(pid).map")
    #expect(map.code == 2 && map.errors.contains("symbolic link"), "\(map.errors)")
    let dump = try run(
      ["-nographic", "--jitdump", folder], "",
      script: "ln '\(file)' '\(folder)'/jit-$$.dump && exec \"$0\" \"$@\"")
    #expect(dump.code == 2 && dump.errors.contains("stays as it is"), "\(dump.errors)")
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "precious")
  }
}
