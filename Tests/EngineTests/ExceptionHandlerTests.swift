// Owns the tests of exceptions that a program around the engine deals with in place of the guest.

import Engine
import GuestKit
import HostInterpreter
import HostKit
import HostX86_64
import IR
import Testing

/// Serves environment calls as a runner of user programs would: call `a0` adds 100 to `a1`, the last of them ends the run.
private final class Services: ExceptionHandler {
  private(set) var calls = 0
  private(set) var others: [UInt64] = []
  private let last: Int
  init(last: Int) { self.last = last }

  func handle(_ exception: GuestException, on vcpu: VCPU) -> ExceptionVerdict {
    guard exception.cause == 11 else {
      others.append(exception.cause)
      return .enter
    }
    calls += 1
    if calls == last { return .stop }
    vcpu.state.store(
      vcpu.state.load(StateOffset.registers + 8 * 11, as: UInt64.self) + 100, at: StateOffset.registers + 8 * 11)
    vcpu.state.pc += 4
    return .resume
  }
}

@Suite struct ExceptionHandlerTests {
  private static let hosts: [any Host.Type] = [X86_64Host.self, InterpreterHost.self]
  private static let call: UInt32 = 0x73
  private static let illegal: UInt32 = 0xFFFF_FFFF

  private func rig(_ host: Int, _ tiers: TierPolicy, _ program: [UInt32]) throws -> Rig {
    var options = EngineOptions()
    options.tiers = tiers
    return try Rig(Self.hosts[host], interpreter: Interpreter.self, program, options: options)
  }

  /// A loop that calls, often enough to be compiled and made a region.
  @Test(arguments: [0, 1], [TierPolicy.adaptive, .quick, .thorough])
  func callsAreServedOutsideOfTheGuest(host: Int, tiers: TierPolicy) throws {
    let rig = try rig(host, tiers, [Code.addi(10, 10, 1), Self.call, Code.jal(0, -8)])
    let services = Services(last: 1000)
    rig.vcpu.exceptionHandler = services
    #expect(rig.run(1_000_000) == .exception(GuestException(cause: 11)))
    #expect(services.calls == 1000 && services.others.isEmpty)
    #expect(rig.x(10) == 1000 && rig.x(11) == 99_900)
    #expect(rig.vcpu.state.pc == Rig.base + 4)
    // Nothing of it was done: the same call comes again.
    #expect(rig.vcpu.step() == .stepped && services.calls == 1001 && rig.x(11) == 100_000)
    #expect(rig.vcpu.state.pc == Rig.base + 8)
  }

  @Test(arguments: [0, 1]) func whatAHandlerLeavesAloneIsTheGuestsOwn(host: Int) throws {
    let rig = try rig(host, .adaptive, [Self.call, Self.illegal, Code.stop])
    let file = rig.engine.guest.registerFile
    rig.engine.guest.writeRegister(rig.vcpu.state, try #require(file.index(of: "mtvec")), Rig.base + 8)
    let services = Services(last: .max)
    rig.vcpu.exceptionHandler = services
    #expect(rig.run(100) == .deadline)
    #expect(services.calls == 1 && services.others == [2])
    #expect(rig.engine.guest.readRegister(rig.vcpu.state, try #require(file.index(of: "mepc"))) == Rig.base + 4)
    #expect(rig.vcpu.state.pc == Rig.base + 8)
  }

  /// A handler that mends nothing holds nobody up for ever.
  @Test func anExceptionThatIsNotMendedEndsAtTheDeadline() throws {
    final class Idle: ExceptionHandler {
      func handle(_ exception: GuestException, on vcpu: VCPU) -> ExceptionVerdict { .resume }
    }
    let rig = try rig(0, .adaptive, [Self.illegal])
    let idle = Idle()
    rig.vcpu.exceptionHandler = idle
    #expect(rig.run(500) == .deadline && rig.vcpu.retired == 0 && rig.vcpu.state.pc == Rig.base)
  }
}
