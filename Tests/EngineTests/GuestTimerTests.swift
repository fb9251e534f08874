// Owns the tests of timers that guests keep themselves, and of devices that are part of a vCPU.

import Bus
import Engine
import GuestKit
import GuestRISCV
import HostX86_64
import IR
import Testing

/// A timer that makes the machine timer interrupt pending (as `stimecmp` does for supervisors).
extension RISCVGuest: TimerHardware {
  public func timeReached(_ cpu: VCPUState) { setInterruptLine(cpu, 7, true) }
}

@Suite struct GuestTimerTests {
  private static let pending: UInt64 = 1 << 7

  private func rig(_ program: [UInt32] = [Code.stop]) throws -> Rig {
    let rig = try Rig(X86_64Host.self, program)
    // 1 tick is 10 ns, 100 ticks are one of the counter's.
    rig.engine.clock.counter = PlatformCounter(frequency: 1_000_000, offset: 1000)
    return rig
  }

  private func mip(_ rig: Rig) throws -> UInt64 {
    let number = try #require(rig.engine.guest.registerFile.index(of: "mip"))
    return rig.engine.guest.readRegister(rig.vcpu.state, number)
  }

  /// What a machine does at the end of a round.
  private func deliver(_ rig: Rig) {
    while let event = rig.engine.events.popDue(at: rig.engine.clock.now) { rig.engine.take(event) }
  }

  @Test func theGuestIsToldWhenItsTimeHasCome() throws {
    let rig = try rig()
    rig.vcpu.schedule(at: 1050)
    #expect(rig.engine.ticks(until: rig.engine.events.nextDeadline) == 5000)
    #expect(rig.run(4990) == .deadline)
    deliver(rig)
    #expect(try mip(rig) == 0 && rig.vcpu.platformTime < 1050)
    #expect(rig.run(5000) == .deadline)
    deliver(rig)
    #expect(try mip(rig) == Self.pending && rig.vcpu.platformTime >= 1050)
    #expect(rig.engine.events.nextDeadline == .max)
  }

  @Test func theLastTimeAskedForCounts() throws {
    let rig = try rig()
    rig.vcpu.schedule(at: 1050)
    rig.vcpu.schedule(at: 1020)
    #expect(rig.engine.ticks(until: rig.engine.events.nextDeadline) == 2000)
    rig.vcpu.schedule(at: .max)
    #expect(rig.engine.events.nextDeadline == .max)
    rig.vcpu.schedule(at: 7)
    #expect(rig.engine.events.nextDeadline == 0, "it has long passed")
    rig.vcpu.wasReset()
    #expect(rig.engine.events.nextDeadline == .max)
  }

  @Test func theTimeMovesWithTheCounter() throws {
    let rig = try rig()
    rig.vcpu.schedule(at: 2000)
    rig.engine.clock.counter = PlatformCounter(frequency: 500_000, offset: 1900)
    #expect(rig.engine.ticks(until: rig.engine.events.nextDeadline) == 20_000)
    rig.engine.clock.counter = nil
    #expect(rig.engine.events.nextDeadline == 2000)
  }

  /// As a helper does, or a device that the guest has of its own.
  @Test func aTimeAskedForWhileCodeRunsEndsTheRun() throws {
    final class Asker: MMIOTarget {
      weak var vcpu: VCPU?
      func read(region: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
      func write(region: Int, offset: UInt64, size: Int, value: UInt64) { vcpu?.schedule(at: 1003) }
      func peek(region: Int, offset: UInt64, size: Int) -> UInt64? { nil }
    }
    let rig = try rig([Code.lui(5, 0x40000), Code.sw(6, 0, 5), Code.jal(0, -4)])
    let asker = Asker()
    asker.vcpu = rig.vcpu
    rig.engine.space.insert(
      Region(name: "asker", base: 0x4000_0000, size: 0x1000, backing: .device(asker, index: 0)))
    #expect(rig.run(1_000_000) == .deadline)
    #expect((300..<310).contains(rig.vcpu.ticks))
  }

  @Test func aDeviceOfTheGuestIsFoundByItsTypeOnly() {
    final class Controller {}
    final class Other {}
    let context = VCPUContext()
    #expect(context.companion(Controller.self) == nil)
    let controller = Controller()
    context.attach(controller)
    #expect(context.companion(Controller.self) === controller)
    #expect(context.companion(Other.self) == nil)
  }
}
