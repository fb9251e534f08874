// Owns the runner of the file tests that need a guest's decoder or a host.

import TestSupport
import Testing

@Suite struct FileTests {
  @Test(arguments: FileKind.portable.flatMap { kind in kind.cases.map { Case(kind: kind, file: $0) } })
  func file(_ test: Case) throws { try check(test.file, test.kind) }

  @Test(.enabled(if: FileKind.isX86_64, "codegen/x86_64 needs an x86-64 host"), arguments: FileKind.x86_64.cases)
  func codegenX86_64(_ file: FileCase) throws { try check(file, .x86_64) }

  struct Case: CustomTestStringConvertible, Sendable {
    let kind: FileKind
    let file: FileCase
    var testDescription: String { file.description }
  }

  private func check(_ file: FileCase, _ kind: FileKind) throws {
    let result = try kind.run(file)
    let expected = try file.blessed(result)
    #expect(result == expected)
  }

  /// A folder that moved or a filter that fits nothing must not pass as "no cases".
  @Test func everyKindHasCases() {
    for kind in FileKind.portable + [.x86_64] { #expect(!kind.cases.isEmpty, "\(kind.folder)") }
  }
}
