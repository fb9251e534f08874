// Owns the test that Package.swift declares of each module what it imports, no less and no more.

import Foundation
import Testing

@Suite struct PackageTests {
  private static let root = String(#filePath.dropLast("Tests/CommandLineTests/PackageTests.swift".count))

  /// Dependencies by the folder of the target.
  private static func declared() throws -> [String: Set<String>] {
    let text = try String(contentsOfFile: root + "Package.swift", encoding: .utf8)
    var targets: [String: Set<String>] = [:]
    let short = /\b(module|tests)\(\s*"(\w+)"(?:,\s*\[([^\]]*)\])?/
    for match in text.matches(of: short) {
      let names = names(in: String(match.3 ?? ""))
      let isTest = match.1 == "tests"
      targets[isTest ? "Tests/\(match.2)Tests" : "Sources/\(match.2)"] = isTest ? names.union(["\(match.2)"]) : names
    }
    let long =
      /\.(executableTarget|testTarget)\(\s*name: "([\w-]+)",\s*dependencies: \[([^\]]*)\](?:,\s*path: "([\w\/]+)")?/
    for match in text.matches(of: long) {
      let usual = "\(match.1 == "testTarget" ? "Tests" : "Sources")/\(match.2)"
      targets[match.4.map(String.init) ?? usual] = names(in: String(match.3))
    }
    return targets
  }

  private static func names(in list: String) -> Set<String> {
    let products = list.replacing(/\.product\(name: ("\w+"), package: "[^"]*"\)/) { "\($0.1)" }
    return Set(products.matches(of: /"(\w+)"/).map { String($0.1) })
  }

  private static func imports(_ folder: String) throws -> Set<String> {
    let files = FileManager.default.enumerator(atPath: root + folder)?.compactMap { $0 as? String } ?? []
    var found: Set<String> = []
    let line = /^(?:@[\w()]+ +)*(?:public |package |internal )?import (?:struct |class |enum |func )?(\w+)/
    for file in files where file.hasSuffix(".swift") {
      let text = try String(contentsOfFile: "\(root)\(folder)/\(file)", encoding: .utf8)
      for match in text.matches(of: line.anchorsMatchLineEndings()) { found.insert(String(match.1)) }
    }
    return found
  }

  @Test func declaresWhatIsImported() throws {
    let targets = try Self.declared()
    #expect(targets.count > 30)
    // What every test may use is declared for all of them.
    let known = Set(targets.values.joined()).union(targets.keys.map { String($0.split(separator: "/")[1]) })
      .subtracting(["TestSupport"])
    for (folder, dependencies) in targets {
      let imported = try Self.imports(folder).intersection(known).subtracting([String(folder.split(separator: "/")[1])])
      #expect(imported == dependencies.subtracting(["TestSupport"]), "\(folder)")
    }
  }
}
