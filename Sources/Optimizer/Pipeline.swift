// Owns the table of passes and their order.

/// A pass, by name. Each is a file of its own in `Passes/`.
///
/// There is no pass that combines loads or stores: any access may reach a device or raise, and which ones do not cannot
/// be told from IR alone.
public enum Pass: UInt8, Sendable, CaseIterable {
  case registerForwarding, copyPropagation, constantFolding, extensionSimplification, addressFolding
  case deadWriteElimination, deadCodeElimination

  /// The order in which passes run. Copies are propagated before folding, which then sees through registers, and again
  /// after the passes that leave copies.
  public static let pipeline: [Pass] = [
    .registerForwarding, .copyPropagation, .constantFolding, .extensionSimplification, .addressFolding,
    .copyPropagation, .deadWriteElimination, .deadCodeElimination,
  ]

  public var name: String {
    switch self {
    case .registerForwarding: "RegisterForwarding"
    case .copyPropagation: "CopyPropagation"
    case .constantFolding: "ConstantFolding"
    case .extensionSimplification: "ExtensionSimplification"
    case .addressFolding: "AddressFolding"
    case .deadWriteElimination: "DeadWriteElimination"
    case .deadCodeElimination: "DeadCodeElimination"
    }
  }

  public init?(name: some StringProtocol) {
    guard let match = Pass.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }

  func run(_ work: inout Work) {
    switch self {
    case .registerForwarding: RegisterForwarding.run(&work)
    case .copyPropagation: CopyPropagation.run(&work)
    case .constantFolding: ConstantFolding.run(&work)
    case .extensionSimplification: ExtensionSimplification.run(&work)
    case .addressFolding: AddressFolding.run(&work)
    case .deadWriteElimination: DeadWriteElimination.run(&work)
    case .deadCodeElimination: DeadCodeElimination.run(&work)
    }
  }
}
