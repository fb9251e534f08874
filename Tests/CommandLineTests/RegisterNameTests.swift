// `--svd`, `--export-svd` and `--rtt` on the command line.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct RegisterNameTests {
  /// Names for the board's ethernet controller, which nobody models.
  private static let description = """
    <?xml version="1.0"?>
    <device><name>MPS2</name><peripherals>
      <peripheral><name>ETH</name><description>Ethernet</description><baseAddress>0x40200000</baseAddress>
        <addressBlock><offset>0</offset><size>0x1000</size></addressBlock>
        <registers>
          <register><name>ID_REV</name><addressOffset>0x50</addressOffset><access>read-only</access></register>
          <register><name>INT_EN</name><addressOffset>0x5c</addressOffset><fields>
            <field><name>TXE_EN</name><bitOffset>3</bitOffset></field>
            <field><name>RXSTAT</name><bitRange>[7:4]</bitRange></field></fields></register>
        </registers></peripheral>
    </peripherals></device>
    """

  /// A Cortex-M program: stack pointer, start, then `ldr r0, =0x4020005c; movs r1, #0x58; str r1, [r0]; b .`
  private static let image: [UInt8] = [
    0x00, 0x10, 0x00, 0x20, 0x09, 0x00, 0x00, 0x00, 0x01, 0x48, 0x58, 0x21, 0x01, 0x60, 0xFE, 0xE7, 0x5C, 0x00, 0x20,
    0x40,
  ]

  private func run(_ arguments: [String], instructions: Int = 100_000) throws -> Run {
    let image = try Program.file(Self.image)
    return try Program.run(
      [
        "-M", "mps2_an385", "-device", "loader,file=\(image),addr=0,force-raw=on", "--max-instructions",
        "\(instructions)",
      ]
        + arguments)
  }

  @Test func logsAndListingsHaveTheNames() throws {
    let svd = try Program.file(Array(Self.description.utf8), "mps2.svd")
    let script = try Program.file(Array("svd\nsvd eth\nsvd ETH.INT_EN\ninfo device ethernet\n".utf8), "script")
    let run = try run(["--svd", svd, "--end-script", script])
    #expect(run.code == 7, "\(run.errors)")
    #expect(
      run.errors.contains("no model: write of 0x58 to offset 0x5c (ETH.INT_EN: TXE_EN RXSTAT=0x5)"), "\(run.errors)")
    for line in [
      "ETH  0x40200000  logged      Ethernet", "ETH at 0x40200000: Ethernet",
      "INT_EN  +0x5c    0x00000058  TXE_EN RXSTAT=0x5", "ETH.INT_EN at 0x4020005c: 0x00000058",
      "  [3]      TXE_EN  0x1", "  [7:4]    RXSTAT  0x5", "  +0x5c  ETH.INT_EN  0x00000058  TXE_EN RXSTAT=0x5",
    ] { #expect(run.output.contains(line), "\(line)\n\n\(run.output)") }
  }

  @Test func registersInJSONHaveTheirFieldsAndWhatTheyMean() throws {
    let script = try Program.file(
      Array("svd FPGAIO.LED0 --json\nsvd uart0.data --json\nsvd interrupt_controller.nvic_ipr[1] --json\n".utf8),
      "script")
    let run = try run(["--end-script", script])
    let lines = run.output.split(separator: "\n").filter { $0.hasPrefix("{") }
    let items = try lines.map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    try #require(items.count == 3, "\(run.output)\(run.errors)")
    #expect(items[0]["name"] as? String == "LED0" && items[0]["value"] as? String == "0x00000000")
    #expect(items[1]["value"] is NSNull && items[1]["silence"] as? String == "no value without a side effect")
    #expect(items[2]["name"] as? String == "NVIC_IPR[1]" && items[2]["offset"] as? String == "0xe404")
  }

  @Test func whatIsModelledIsExported() throws {
    let run = try Program.run(["-M", "mps2-an385", "--export-svd", "-"])
    #expect(run.code == 0 && run.output.contains("<name>UART0</name>"), "\(run.errors)")
    let file = try Program.file(Array(run.output.utf8), "board.svd")
    let script = try Program.file(Array("svd UART0\n".utf8), "script")
    let again = try self.run(["--svd", file, "--end-script", script])
    #expect(again.output.contains("UART0 at 0x40004000"), "\(again.output)\(again.errors)")
  }

  @Test(arguments: [
    ("", "line 1: this is no XML"), ("<device>", "line 1: <device> is never closed"),
    ("\u{7F}ELF\u{1}\u{1}\u{1}", "this is no XML"),
  ])
  func nonsenseIsRefused(text: String, message: String) throws {
    let svd = try Program.file(Array(text.utf8), "nonsense.svd")
    let run = try run(["--svd", svd])
    #expect(run.code == 2)
    #expect(run.errors.contains("--svd: \(svd): ") && run.errors.contains(message), "\(run.errors)")
    let missing = try self.run(["--svd", "/nonexistent.svd"])
    #expect(missing.code == 2 && missing.errors.contains("--svd: /nonexistent.svd: No such file"))
  }

  /// A control block with text in its up-buffer already; the program only waits.
  @Test func rttIsTheConsole() throws {
    var memory = Array("SEGGER RTT".utf8) + [UInt8](repeating: 0, count: 6)
    let words: [UInt32] = [1, 1, 0, 0x2000_0180, 64, 15, 0, 0, 0, 0x2000_01C0, 16, 0, 0, 0]
    memory += words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } }
    memory += [UInt8](repeating: 0, count: 0x80 - memory.count) + Array("Hello from RTT\n".utf8)
    let data = try Program.file(memory)
    let run = try run(
      [
        "-device", "loader,file=\(data),addr=0x20000100,force-raw=on", "--rtt", "--expect", "Hello from RTT", "-d",
        "guest_errors",
      ], instructions: 10_000_000)
    #expect(run.code == 0, "\(run.errors)")
    #expect(run.output.contains("Hello from RTT\n"))
  }
}
