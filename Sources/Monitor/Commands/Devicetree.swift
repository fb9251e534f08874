// Owns `info devicetree` and `dumpdtb`: the devicetree as the guest gets it.

import Devicetree
import Machine

extension Command {
  static let infoDevicetreeSource = Command(
    "info devicetree", aliases: ["info dtb"], [.text("PATH").optional], .look,
    "The devicetree that the guest gets, or a node of it, as source.",
    .look { context throws(MonitorError) in
      let tree = context.machine.tree
      let path = context.arguments["PATH"] ?? "/"
      guard let whole = path == "/" ? "/" : tree.fullPath(path), let node = whole == "/" ? tree.root : tree[whole]
      else {
        throw .refused("no node '\(path)'; 'info devicetree' shows all")
      }
      return .lines(node.source())
    })

  static let dumpDTB = Command(
    "dumpdtb", [.text("FILE")], .files, "Write the devicetree that the guest gets to a file, as a blob.",
    .look { context throws(MonitorError) in
      let name = context.arguments["FILE"] ?? ""
      let blob: [UInt8]
      do throws(DevicetreeError) { blob = try context.machine.tree.blob() } catch { throw .refused("\(error)") }
      try context.files.write(blob, to: name)
      return .said(
        "\(blob.count) bytes written to \(name)", NamedValue("bytes", .count(blob.count)),
        NamedValue("file", .text(name)))
    })
}
