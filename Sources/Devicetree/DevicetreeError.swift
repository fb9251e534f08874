// What can be wrong with a devicetree, and where.

public enum DevicetreeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file that cannot be read.
  case file(path: String, reason: String)
  /// The devicetree compiler is not installed.
  case compilerMissing(path: String)
  /// The devicetree compiler refused a source file; `message` is its own.
  case source(path: String, message: String)
  /// Bytes that are no valid blob.
  case blob(name: String, reason: String)
  /// No node at this path or alias.
  case noNode(String)
  /// A property whose bytes do not mean what they should.
  case property(node: String, property: String, reason: String)
  /// A tree that does not fit into a blob.
  case cannotWrite(reason: String)

  public var description: String {
    switch self {
    case .file(let path, let reason): "cannot read devicetree '\(path)': \(reason)"
    case .compilerMissing(let path):
      "cannot compile devicetree source '\(path)': the program 'dtc' was not found (Debian package device-tree-compiler)"
    case .source(let path, let message): "devicetree source '\(path)' is broken: \(message)"
    case .blob(let name, let reason): "devicetree blob '\(name)' is broken: \(reason)"
    case .noNode(let path): "the devicetree has no node '\(path)'"
    case .property(let node, let property, let reason): "devicetree node '\(node)', property '\(property)': \(reason)"
    case .cannotWrite(let reason): "cannot write the devicetree: \(reason)"
    }
  }
}
