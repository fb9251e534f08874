// Owns the choice of optimiser passes while the engine lives.

import Optimizer

extension Engine {
  /// The passes by name, in the order of their first run, each with whether it is on.
  public var passes: [(name: String, isOn: Bool)] {
    var seen: Set<String> = []
    return Pass.pipeline.map(\.name).filter { seen.insert($0).inserted }
      .map { ($0, !options.disabledPasses.contains($0)) }
  }

  /// Switches a pass off or on and drops all translated code. Not while translated code runs.
  /// - Returns: false if there is no pass of that name.
  public func setPass(_ name: String, isOn: Bool) -> Bool {
    guard let pass = Pass(name: name) else { return false }
    if isOn { options.disabledPasses.remove(pass.name) } else { options.disabledPasses.insert(pass.name) }
    optimizer = Optimizer(disabled: options.disabledPasses, helpers: guest.helpers.map(\.effects))
    flush()
    return true
  }
}
