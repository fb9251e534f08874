// Owns the tests of accesses that no memory is behind, at the ends of the address space.

import Engine
import HostInterpreter
import HostKit
import HostX86_64
import Testing

@Suite struct WildAccessTests {
  private static let hosts: [(any Host.Type, interpreter: (any PackedTier.Type)?)] = [
    (X86_64Host.self, nil), (InterpreterHost.self, nil), (X86_64Host.self, Interpreter.self),
  ]

  /// A load that reaches beyond the last address once went to that address of the host.
  @Test(arguments: 0..<3, [-1, -3, -4, 0, 2040] as [Int32])
  func accessesAtTheEndsRaise(host: Int, address: Int32) throws {
    let (host, interpreter) = Self.hosts[host]
    for access in [Code.lw(5, 0, 6), Code.lh(5, 0, 6), Code.sw(5, 0, 6), Code.sh(5, 0, 6)] {
      let rig = try Rig(host, interpreter: interpreter, [Code.addi(5, 0, 7), Code.addi(6, 0, address), access])
      // There is nothing at the handler's address either.
      guard case .lockedUp = rig.run(1000) else {
        Issue.record("\(address): no exception")
        return
      }
      #expect(rig.x(5) == 7)
    }
  }
}
