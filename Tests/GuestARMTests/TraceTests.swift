// Owns the tests of trace by software: the ITM's stimulus ports (ARMv7-M manual, C1.7).

import Bus
import GuestKit
import Testing

@Suite(.enabled(if: canAssemble)) struct TraceTests {
  private final class Sink: TraceSink {
    var writes: [String] = []
    func write(port: Int, _ bytes: [UInt8]) { writes.append("\(port):\(bytes)") }
  }

  @Test(arguments: hosts) func stimulusPortsSend(host: String) throws {
    let program = """
        ldr r4, =0xE0000000
        ldr r0, [r4]
        note r0
        ldr r0, =0x44434241
        strb r0, [r4]
        strh r0, [r4, 4]
        str r0, [r4, 124]
        ldr r5, =0xE0000E00
        movs r1, 2
        str r1, [r5]
        strb r0, [r4]
        strb r0, [r4, 4]
        movs r1, 0
        str r1, [r5, 0x80]
        strb r0, [r4, 4]
        b end
      """
    let sink = Sink()
    let bench = try Bench(program, host: host) { $0.system.connect(trace: sink) }
    bench.run()
    #expect(try bench.notes == [1])
    #expect(sink.writes == ["0:[65]", "1:[65, 66]", "31:[65, 66, 67, 68]", "1:[65]"])
  }

  /// Without anyone to listen the ports are off at reset; if the guest switches them on, the log says where it would go.
  @Test func unheardTraceIsSaid() throws {
    let bench = try Bench(
      """
        set 0xE0000000, 65
        set 0xE000EDFC, 0x01000000
        set 0xE0000FB0, 0xC5ACCE55
        set 0xE0000E80, 1
        set 0xE0000E00, 1
        set 0xE0000000, 66
        b end
      """)
    bench.run()
    #expect(bench.log.filter { $0.contains("--itm") }.count == 1, "\(bench.log)")
  }
}
