// Owns the fuzz targets of the files that users give: each is refused, or what was read is written and reads the same.

import Devicetree
import SVD

extension FuzzTarget {
  /// A CMSIS-SVD file.
  static let registerDescriptions = FuzzTarget(name: "register-descriptions") { input in
    guard let description = try? RegisterDescription(svd: input) else { return }
    let text = description.svd()
    guard let again = try? RegisterDescription(svd: Array(text.utf8)) else {
      preconditionFailure("what was written is refused")
    }
    precondition(again.svd() == text, "what was written reads otherwise")
  }

  /// A devicetree blob. Devicetrees in source form are the business of another process, the compiler `dtc`.
  static let devicetrees = FuzzTarget(name: "devicetrees") { input in
    guard let tree = try? Devicetree(blob: input, name: "tree") else { return }
    for path in tree.paths {
      _ = try? tree.regions(of: path)
      _ = try? tree.interrupts(of: path)
    }
    guard let blob = try? tree.blob() else { return }
    guard let again = try? Devicetree(blob: blob, name: "again") else {
      preconditionFailure("what was written is refused")
    }
    precondition(again == tree, "what was written reads otherwise")
  }
}
