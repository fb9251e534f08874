// Owns the test that the article "A guest in a day" shows the code there is.

import Foundation
import Testing

@Suite struct ArticleTests {
  private static let root = String(#filePath.dropLast("Tests/GuestKitTests/ArticleTests.swift".count))

  @Test func showsTheCodeOfTheGuests() throws {
    func text(_ path: String) throws -> String { try String(contentsOfFile: Self.root + path, encoding: .utf8) }
    let code = try ["Wren", "WrenInstructions"].map { try text("Tests/TestSupport/\($0).swift") }.joined()
    let article = try text("Sources/GuestKit/GuestKit.docc/AGuestInADay.md")
    let blocks = article.matches(of: /```swift\n((?:.*\n)*?)```/).map { String($0.1) }
    #expect(blocks.count >= 6)
    for block in blocks { #expect(code.contains(block), "\(block)") }
  }
}
