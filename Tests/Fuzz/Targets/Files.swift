// Owns the fuzz targets of the files that users give: each is refused, or what was read is written and reads the same.

import Devicetree
import Machine
import SVD

extension FuzzTarget {
  /// An image in any format: ELF, Intel HEX, Universal Hex, UF2, or raw bytes.
  static let images = FuzzTarget(name: "images") { input in
    guard let image = try? ImageReader.read(input, name: "image", address: 0x1000, forceRaw: false, boards: [0x9900])
    else { return }
    for segment in image.segments { precondition(!segment.range.isCut, "a segment beyond the last address") }
  }

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
