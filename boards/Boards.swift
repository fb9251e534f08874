// Owns the way to the boards that are shipped with the package.

import Glibc

/// The boards of the package: devicetree sources by name, and files beside them.
public enum Boards {
  /// The folder that holds them: `$MARTLET_BOARDS`, else what was built with the running program and stands beside it,
  /// else what was installed with it.
  public static let folder: String? = places.first { unsafe access($0, R_OK | X_OK) == 0 }

  /// Where ``folder`` is looked for.
  public static let places: [String] = {
    if let variable = unsafe getenv("MARTLET_BOARDS") { return [unsafe String(cString: variable)] }
    return programFolder.map { [$0 + "/martlet_Boards.resources", $0 + "/../share/martlet/boards"] } ?? []
  }()

  /// Names that ``path(_:)`` knows, sorted.
  public static var names: [String] { Array(boards.keys).sorted() }

  /// The path of a board's `.dts`; nil for an unknown name.
  public static func path(_ name: String) -> String? { boards[name] }

  /// What a board is, in its own words: the first sentence of its devicetree's opening comment.
  public static func description(_ name: String) -> String? {
    guard let path = boards[name], let file = unsafe fopen(path, "r") else { return nil }
    defer { unsafe fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = unsafe fread(&buffer, 1, buffer.count, file)
    let text = String(decoding: buffer.prefix(count), as: UTF8.self)
    guard text.hasPrefix("/*") else { return nil }
    let lines = text.dropFirst(2).split(separator: "\n").map { $0.drop { $0 == " " || $0 == "*" } }
    return lines.joined(separator: " ").split(separator: "*/").first?.split(separator: ".").first.map {
      String($0.drop { $0 == " " })
    }
  }

  /// The path of a file of the boards' folder, such as `riscv/demo/demo.elf`; nil if it is not there.
  public static func file(_ name: String) -> String? {
    guard let folder, unsafe access(folder + "/" + name, R_OK) == 0 else { return nil }
    return folder + "/" + name
  }

  private static let boards: [String: String] = {
    var found: [String: String] = [:]
    guard let folder else { return found }
    for architecture in entries(folder).sorted() {
      for file in entries(folder + "/" + architecture) where file.hasSuffix(".dts") {
        found[String(file.dropLast(4))] = folder + "/" + architecture + "/" + file
      }
    }
    return found
  }()

  private static func entries(_ path: String) -> [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }

  private static var programFolder: String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0 else { return nil }
    let path = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return path.lastIndex(of: "/").map { String(path[..<$0]) }
  }
}
