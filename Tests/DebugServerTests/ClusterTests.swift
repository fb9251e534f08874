// Clusters of harts as processes: which thread is in which, and packets that mean one of them.

import DebugServer
import Foundation
import Machine
import Testing

/// A board of two clusters with two harts each, all of which start the tests' program.
func clusterBoard(_ options: DebugServer.Options = .init()) throws -> TestBoard {
  let cpus = (0..<4).map { number in
    """
    cpu\(number): cpu@\(number) {
      device_type = "cpu"; reg = <\(number)>; compatible = "riscv"; riscv,isa = "rv64imac";
      intc\(number): interrupt-controller {
        #interrupt-cells = <1>; interrupt-controller; compatible = "riscv,cpu-intc";
      };
    };
    """
  }
  let lines = (0..<4).map { "<&intc\($0) 3>, <&intc\($0) 7>" }.joined(separator: ", ")
  let tree = """
    /dts-v1/;
    / {
      #address-cells = <1>;
      #size-cells = <1>;
      compatible = "riscv-virtio";
      memory@80000000 { device_type = "memory"; reg = <0x80000000 0x4000000>; };
      cpus {
        #address-cells = <1>;
        #size-cells = <0>;
        timebase-frequency = <10000000>;
        \(cpus.joined())
        cpu-map {
          socket0 {
            cluster0 { core0 { cpu = <&cpu0>; }; core1 { thread0 { cpu = <&cpu1>; }; }; };
            cluster1 { core0 { cpu = <&cpu2>; }; core1 { cpu = <&cpu3>; }; };
          };
        };
      };
      soc {
        #address-cells = <1>;
        #size-cells = <1>;
        compatible = "simple-bus";
        ranges;
        clint@2000000 {
          compatible = "riscv,clint0"; reg = <0x2000000 0x10000>; interrupts-extended = \(lines);
        };
      };
    };
    """
  let file = try TemporaryFile(Array(tree.utf8))
  return try TestBoard(options: options) {
    $0.board = file.path
    $0.cpuCount = nil
  }
}

@Suite struct ClusterTests {
  private let board: TestBoard
  private let client: Client

  init() throws {
    board = try clusterBoard()
    client = try Client(port: board.port)
    #expect(try client.ask("qSupported:multiprocess+;swbreak+;error-message+").contains("multiprocess+"))
    #expect(try client.ask("QStartNoAckMode") == "OK")
    #expect(try client.ask("qfThreadInfo") == "mp1.1,p1.2", "one that connects has the first process")
    #expect(brief(try client.ask("vAttach;2")) == "T05thread:p2.3")
  }

  private func start(_ thread: String, at pc: UInt64) throws {
    #expect(try client.ask("Hg\(thread)") == "OK")
    try client.setRegister(9, Program.counter)
    try client.setRegister(pcRegister, pc)
  }

  @Test func harts() throws {
    #expect(board.machine.perform(\.clusters) == [0, 0, 1, 1])
    #expect(try client.ask("qfThreadInfo") == "mp1.1,p1.2,p2.3,p2.4")
    #expect(brief(try client.ask("?")) == "T05thread:p1.1")
    #expect(try client.ask("Hgp2.0") == "OK")
    #expect(try client.ask("qC") == "QCp2.3")
    #expect(try client.ask("Hgp2.1").hasPrefix("E"))
    #expect(try client.ask("vKill;2").hasPrefix("E.a cluster cannot be killed by itself"))
    #expect(try client.ask("vAttach;2") == "E.process 2 is attached already")
    #expect(try client.ask("D;3").hasPrefix("E"))
  }

  @Test func breakpointsAreForTheirProcess() throws {
    for thread in ["p1.1", "p2.3"] { try start(thread, at: Program.loop) }
    #expect(try client.ask("Hgp2.3") == "OK")
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(brief(try client.ask("vCont;c")) == "T05thread:p2.3;swbreak:")
    #expect(try client.ask("Hgp1.1") == "OK")
    #expect(try client.ask("Z0,\(hex(Program.load)),4") == "OK")
    #expect(brief(try client.ask("vCont;c:p1.-1")) == "T05thread:p1.1;swbreak:")
    #expect(try client.ask("Hgp2.3") == "OK")
    #expect(try client.register(pcRegister) == Program.function, "the other process has stood still")
  }

  @Test func aProcessIsLeftAndTakenUp() throws {
    try start("p1.1", at: Program.loop)
    try start("p2.3", at: Program.busy)
    #expect(try client.ask("Hgp1.1") == "OK")
    #expect(try client.ask("D;1") == "OK")
    #expect(try client.ask("qfThreadInfo") == "mp2.3,p2.4")
    #expect(try client.ask("Hgp1.1").hasPrefix("E"))
    #expect(!board.isRunning, "time stands still for all")
    client.send("vCont;c:p2.3")
    try eventually(board.counter > 100)
    #expect(try client.ask("vAttach;1") == "E.the guest is running: halt it before a further process is attached to")
    client.interrupt()
    #expect(brief(try client.receive()) == "T02thread:p2.3")
    #expect(brief(try client.ask("vAttach;1")) == "T05thread:p1.1")
    #expect(try client.ask("qfThreadInfo") == "mp1.1,p1.2,p2.3,p2.4")
    #expect(try client.ask("D;2") == "OK")
    #expect(try client.ask("D;1") == "OK")
    try eventually(board.isRunning)
    #expect(try client.ask("qfThreadInfo") == "l")
    #expect(brief(try client.ask("vAttach;2")).hasPrefix("T05thread:p2."))
    #expect(try client.ask("qfThreadInfo") == "mp2.3,p2.4")
    #expect(try client.ask("D;2") == "OK")
    #expect(brief(try client.ask("vRun;")) == "T05thread:p1.1")
    #expect(try client.ask("qfThreadInfo") == "mp1.1,p1.2")
  }

  @Test func inNonStopALeftProcessRunsAtOnce() throws {
    try start("p1.1", at: Program.loop)
    #expect(try client.ask("QNonStop:1") == "OK")
    #expect(try client.ask("D;1") == "OK")
    try eventually(board.counter > 100)
    #expect(try client.ask("vAttach;1") == "OK")
    #expect(try client.ask("vCont;t:p1.1") == "OK")
    #expect(brief(String(try client.notification().dropFirst(5))) == "T00thread:p1.1")
    #expect(try client.ask("vStopped") == "OK")
    // An interrupt is for what the client has.
    #expect(try client.ask("D;1") == "OK")
    #expect(try client.ask("vCont;c:p2.4") == "OK")
    #expect(try client.ask("vCtrlC") == "OK")
    #expect(brief(String(try client.notification().dropFirst(5))) == "T02thread:p2.4")
    #expect(try client.ask("vStopped") == "OK")
    // Nothing runs behind a new start until something is let run.
    #expect(brief(try client.ask("vRun;")) == "T05thread:p1.1")
    #expect(brief(String(try client.notification().dropFirst(5))) == "T00thread:p1.2")
    #expect(try client.ask("vStopped") == "OK")
    #expect(!board.isRunning)
    #expect(try client.ask("vCont;c:p1.1") == "OK")
    try eventually(board.machine.perform { !$0.isHeld(2) && $0.isHeld(1) })
  }

  /// To a client that does not tell processes apart, all is one.
  @Test func withoutMultiprocess() throws {
    client.disconnect()
    let plain = try Client(port: board.port)
    try plain.begin()
    #expect(try plain.ask("qfThreadInfo") == "m1,2,3,4")
    #expect(try plain.ask("Hg3") == "OK")
    try plain.setRegister(9, Program.counter)
    try plain.setRegister(pcRegister, Program.loop)
    #expect(try plain.ask("Hg1") == "OK")
    try plain.setRegister(pcRegister, Program.busy)
    #expect(try plain.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(brief(try plain.ask("vCont;c")) == "T05thread:3;swbreak:")
    #expect(try plain.ask("vKill;1") == "OK")
  }
}
