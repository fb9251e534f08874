// Owns the tests of what is installed: the program finds its boards beside itself, and says so when there are none.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct InstallTests {
  private static let repository = String(#filePath.dropLast("Tests/CommandLineTests/InstallTests.swift".count))

  /// A prefix as `.ci/install-martlet` fills it.
  private func prefix(hasBoards: Bool) throws -> String {
    let folder = (try Program.file([], "x") as NSString).deletingLastPathComponent
    let manager = FileManager.default
    try manager.createDirectory(atPath: folder + "/bin", withIntermediateDirectories: false)
    try manager.copyItem(atPath: Program.path ?? "", toPath: folder + "/bin/martlet")
    guard hasBoards else { return folder }
    try manager.createDirectory(atPath: folder + "/share/martlet/boards", withIntermediateDirectories: true)
    for architecture in ["arm", "riscv"] {
      try manager.copyItem(
        atPath: Self.repository + "boards/" + architecture, toPath: folder + "/share/martlet/boards/" + architecture)
    }
    return folder
  }

  private func run(_ prefix: String, _ line: String) throws -> Run {
    try Program.shell("unset MARTLET_BOARDS; cd / && exec '\(prefix)'/bin/martlet \(line)", [])
  }

  @Test func boardsAreFoundBesideTheProgram() throws {
    let prefix = try prefix(hasBoards: true)
    let help = try run(prefix, "-M help")
    #expect(help.code == 0 && help.output.contains("virt") && help.output.contains("nrf52840dk"), "\(help.errors)")
    let demo = try run(prefix, "demo --timeout 50 --expect 'second 1'")
    #expect(demo.code == 0, "\(demo.errors)")
    #expect(demo.output.contains(prefix + "/bin/../share/martlet/boards/riscv/demo/demo.elf"), "\(demo.output)")
  }

  @Test(arguments: ["-M help", "-M virt -S", "demo"]) func aProgramWithoutBoardsSaysSo(line: String) throws {
    let prefix = try prefix(hasBoards: false)
    let ended = try run(prefix, line)
    #expect(ended.code == 5 && ended.output == "", "\(ended.output)")
    #expect(ended.errors.contains(prefix + "/bin/../share/martlet/boards") && ended.errors.contains("install-martlet"))
    let elsewhere = try Program.shell("MARTLET_BOARDS=/nowhere exec \"$0\" \(line)", [])
    #expect(elsewhere.code == 5 && elsewhere.errors.contains("/nowhere"), "\(elsewhere.errors)")
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func shellsCompleteFlags(shell: String) throws {
    let script = try Program.run(["--generate-completion-script", shell])
    #expect(script.code == 0 && script.output.contains("realtime"), "\(script.errors)")
    #expect(try Program.run(["--generate-completion-script", "csh"]).code == 2)
  }

  @Test func bashCompletesFlagsAndFiles() throws {
    let script = try Program.file(
      Array(try Program.run(["--generate-completion-script", "bash"]).output.utf8), "martlet.bash")
    let ended = try Program.shell(
      """
      bash -c '. "$1"; COMP_WORDS=(martlet --realt); COMP_CWORD=1; COMP_LINE="martlet --realt"; COMP_POINT=15
      _martlet martlet --realt martlet; echo "${COMPREPLY[@]}"; complete -p martlet' _ '\(script)'
      """, [])
    #expect(
      ended.output.contains("--realtime") && ended.output.contains("-o default"), "\(ended.output)\(ended.errors)")
  }
}
