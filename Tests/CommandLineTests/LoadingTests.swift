// Owns the tests of the time before a run: --timeout and signals count from the first moment, and input is read as fast
// as the guest reads it.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct LoadingTests {
  /// A devicetree whose compiler waits for a named pipe that nobody writes to.
  private func endlessTree() throws -> String {
    let path = try Program.file(Array("/dts-v1/;\n/ { a = /incbin/(\"pipe\"); };\n".utf8), "endless.dts")
    let folder = (path as NSString).deletingLastPathComponent
    #expect(unsafe mkfifo(folder + "/pipe", 0o600) == 0)
    return path
  }

  /// Whether some process has this word on its command line.
  private func isMentioned(_ word: String) throws -> Bool {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").contains { name in
      guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
        return false
      }
      return String(decoding: line, as: UTF8.self).contains(word)
    }
  }

  private func expectNobodyIsLeft(_ word: String) throws {
    for _ in 0..<50 where try isMentioned(word) { usleep(100_000) }
    #expect(try !isMentioned(word))
  }

  @Test(.timeLimit(.minutes(1))) func theTimeLimitCountsWhileLoading() throws {
    let tree = try endlessTree()
    let start = Date()
    let ended = try Program.run(["-M", tree, "-kernel", "/bin/sh", "--timeout", "1"])
    #expect(ended.code == 3)
    #expect(ended.errors.contains("loading took more than the 1.0 s of --timeout"), "\(ended.errors)")
    #expect(Date().timeIntervalSince(start) < 10)
    try expectNobodyIsLeft(tree)
  }

  @Test(.timeLimit(.minutes(1)), arguments: [("TERM", 143), ("INT", 130), ("KILL", 137)])
  func signalsEndTheLoading(signal: String, code: Int32) throws {
    let tree = try endlessTree()
    let ended = try Program.shell(
      "\"$0\" \"$@\" & sleep 1; kill -\(signal) $!; wait $!", ["-M", tree, "-kernel", "/bin/sh"])
    #expect(ended.code == code, "\(ended.errors)")
    try expectNobodyIsLeft(tree)
  }

  /// Once the guest runs, the limit is that of the run.
  @Test func theTimeLimitOfLoadingEnds() throws {
    let image = try Program.file(Guest.bytes(Guest.loop))
    let ended = try Program.run(["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "--timeout", "4"])
    #expect(ended.code == 3)
    #expect(ended.errors.contains("the run took more than the 4.0 s"), "\(ended.errors)")
  }

  /// 1.6 MB through the UART to a guest that takes them one by one.
  @Test(.timeLimit(.minutes(1))) func muchInputIsTakenInLinearTime() throws {
    let count = 0x18_7000
    let code =
      Guest.load(5, 0x1000_0000) + Guest.load(7, UInt32(count))
      + [0x0052_C303, 0x0013_7313, 0xFE03_0CE3, 0x0002_C303, 0xFFF3_8393, 0xFE03_96E3] + Guest.finish(0x5555)
    let image = try Program.file(Guest.bytes(code))
    let start = Date()
    let ended = try Program.run(
      ["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "--timeout", "50"],
      input: String(repeating: "x", count: count))
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(Date().timeIntervalSince(start) < 20)
  }

  /// A board of 8,000 devices.
  @Test(.timeLimit(.minutes(1))) func largeBoardsAreMadeInLinearTime() throws {
    var nodes = ""
    for number in 0..<8000 {
      let address = String(0x1000_1000 + number * 0x100, radix: 16)
      nodes += "d\(number): d@\(address) { compatible = \"acme,thing\"; reg = <0 0x\(address) 0 0x100>; "
      nodes += "interrupt-parent = <&plic>; interrupts = <1>; };\n"
    }
    let text = """
      /dts-v1/;
      / {
        #address-cells = <2>; #size-cells = <2>;
        chosen { stdout-path = "/soc/serial@10000000"; };
        memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x1000000>; };
        cpus {
          #address-cells = <1>; #size-cells = <0>;
          cpu@0 {
            device_type = "cpu"; reg = <0>; compatible = "riscv"; riscv,isa = "rv64imac";
            intc: interrupt-controller { #interrupt-cells = <1>; interrupt-controller; compatible = "riscv,cpu-intc"; };
          };
        };
        soc {
          #address-cells = <2>; #size-cells = <2>; ranges;
          plic: plic@c000000 {
            compatible = "sifive,plic-1.0.0"; reg = <0 0xc000000 0 0x600000>; #address-cells = <0>;
            #interrupt-cells = <1>; interrupt-controller; interrupts-extended = <&intc 11>; riscv,ndev = <8>;
          };
          test@100000 { compatible = "sifive,test0"; reg = <0 0x100000 0 0x1000>; };
          serial@10000000 { compatible = "ns16550a"; reg = <0 0x10000000 0 0x100>; };
      \(nodes)  };
      };
      """
    let board = try Program.file(Array(text.utf8), "large.dts")
    let image = try Program.file(Guest.bytes(Guest.say("up") + Guest.finish(0x5555)))
    let start = Date()
    let ended = try Program.run(["-M", board, "-bios", image, "-nographic", "--timeout", "50"])
    #expect(ended.code == 0 && ended.output == "up", "\(ended.errors)")
    #expect(Date().timeIntervalSince(start) < 20)
  }
}
