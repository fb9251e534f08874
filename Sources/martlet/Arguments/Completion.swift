// Owns the scripts by which shells complete `martlet`'s command lines.

import ArgumentParser

enum Completion {
  /// - Parameter shell: bash, zsh or fish.
  static func script(for shell: String?) throws(Failure) -> String {
    guard let shell = shell.flatMap(CompletionShell.init(rawValue:)) else {
      throw .usage(
        "--generate-completion-script: there are: \(CompletionShell.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let script = Options.completionScript(for: shell)
    // Words for which there is no list are names of files.
    return shell == .bash ? script.replacing("complete -o filenames", with: "complete -o default -o filenames") : script
  }
}
