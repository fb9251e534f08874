// Owns the program `martlet-fuzz`: one fuzz target driven by libFuzzer. `Tests/Fuzz/run` builds and starts it.

import CFuzzer
import Foundation
import FuzzTargets

@main enum Main {
  /// Names the target. A variable, because libFuzzer starts the program anew with arguments of its own.
  private static let variable = "MARTLET_FUZZ_TARGET"

  private static let target: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment[variable]
    if let target = name.flatMap(FuzzTarget.named) { return target }
    let names = FuzzTarget.all.map(\.name).joined(separator: ", ")
    let problem = name.map { "there is no fuzz target '\($0)'" } ?? "\(variable) is not set"
    FileHandle.standardError.write(Data("martlet-fuzz: \(problem); the targets are \(names)\n".utf8))
    exit(2)
  }()

  static func main() {
    _ = target
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
    let status = unsafe LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
      unsafe Main.target.run([UInt8](UnsafeBufferPointer(start: bytes, count: count)))
      return 0
    }
    exit(status)
  }
}
