// Owns the start of the program.

import ArgumentParser
import Glibc

@main
enum Martlet {
  static func main() {
    do throws(Failure) {
      try Descriptors.prepare()
      exit(try run(Array(CommandLine.arguments.dropFirst())))
    } catch {
      Log.note(error.message)
      exit(error.code.rawValue)
    }
  }

  private static func run(_ words: [String]) throws(Failure) -> Int32 {
    if words.first == "replay" { return try Replay.run(Array(words.dropFirst())) }
    if words.first == "demo" { return try Demo.run(Array(words.dropFirst())) }
    if words.first == "--generate-completion-script" {
      try StandardOutput.show(Completion.script(for: words.dropFirst().first))
      return ExitCode.success.rawValue
    }
    let vector = try ArgumentVector(words)
    guard try !show(listingFor: vector.words) else { return ExitCode.success.rawValue }
    let plan = try plan(vector.words, notes: vector.notes)
    guard plan.goto == nil else { throw .usage("--goto: this is no recording; write '\(Replay.usage)'") }
    return try run(plan, vector.words)
  }

  /// What a normalised vector comes to.
  /// - Parameter files: where files of the guest's are that the vector names.
  static func plan(_ words: [String], notes: [String], files: GuestFiles = GuestFiles()) throws(Failure) -> Plan {
    var plan = try Plan(parse(words), notes: notes, files: files)
    plan.guestWords = FlagWord.guestWords(of: words)
    return plan
  }

  /// Runs what the flags come to, or with `--dry-run` shows it.
  static func run(_ plan: Plan, _ words: [String]) throws(Failure) -> Int32 {
    for note in plan.notes { Log.note(note) }
    if words.contains("--dry-run") {
      try StandardOutput.show(plan.summary.joined(separator: "\n"))
      return ExitCode.success.rawValue
    }
    return try EmulatorRun(plan).run()
  }

  /// Parses a normalised vector; help and version end the program.
  static func parse(_ words: [String]) throws(Failure) -> Options {
    do {
      return try Options.parse(words)
    } catch {
      guard Options.exitCode(for: error).isSuccess else { throw .usage(Options.message(for: error)) }
      try StandardOutput.show(Options.fullMessage(for: error))
      exit(ExitCode.success.rawValue)
    }
  }

  /// `-M help` and its like. Returns whether one was asked for.
  private static func show(listingFor words: [String]) throws(Failure) -> Bool {
    for (flag, word) in zip(words, words.dropFirst()) where word == "help" || word == "?" {
      switch flag {
      case "-M", "--machine": try StandardOutput.show(Listings.boards())
      case "--device": try StandardOutput.show(Listings.devices(Parts.registry))
      case "--serial", "--chardev", "--gdb": try StandardOutput.show(Listings.ports)
      case "--cpu": try StandardOutput.show(Listings.models(Parts.registry))
      case "-d": try StandardOutput.show(Listings.logItems)
      default: continue
      }
      return true
    }
    return false
  }
}
