// Owns the fuzz target of agent expressions: checked, then evaluated at the fake target.

import GDBRemote
import GDBRemoteSupport

extension FuzzTarget {
  /// The bytes of an expression. It is evaluated twice, as the variables of the first time are there at the second.
  static let agentExpressions = FuzzTarget(name: "agent-expressions") { input in
    guard let expression = try? AgentExpression(input) else { return }
    var machine = AgentMachine()
    machine.variables = [1: -5]
    for _ in 0..<2 {
      var context = FakeContext(target: FullTarget(), programCounter: 0x1000)
      _ = try? machine.evaluate(expression, in: &context)
    }
  }
}
