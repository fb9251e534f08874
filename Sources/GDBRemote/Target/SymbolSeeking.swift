/// A target that wants to know where symbols of the client's program are. Both calls may come while the guest runs.
public protocol SymbolSeeking: Target {
  /// The client can look symbols up: it has a program, or another one.
  /// - Returns: the first that it is to look up, or nil.
  func firstSymbol() -> String?

  /// What the client has found; no address if its program has no such symbol.
  /// - Returns: the next that it is to look up, or nil.
  func symbol(_ name: String, isAt address: UInt64?) -> String?
}
