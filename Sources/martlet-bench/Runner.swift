// Runs programs on every machine in turn, again and again, and checks that all print the same.

import Foundation

/// Where a program runs.
enum Contender {
  case native
  case martlet(path: String, arguments: [String])
  /// Martlet with one of its interrupt strategies.
  case strategy(String, path: String, arguments: [String])
  case qemu

  /// The words of `--interrupts`; the last one is what the others are compared with.
  static let strategies = ["budget", "flag", "page", "unchain"]

  var isQEMU: Bool {
    if case .qemu = self { true } else { false }
  }

  var name: String {
    switch self {
    case .native: "native"
    case .martlet: "martlet"
    case .strategy(let strategy, _, _): strategy
    case .qemu: "qemu"
    }
  }

  /// The command that runs `program` here; nil where it cannot run.
  func command(for program: Program) -> [String]? {
    let isArm = program.guest == .m4
    let bios = isArm ? ["--semihosting"] : ["-bios", program.bios]
    let kernel = ["-kernel", program.elf, "-nographic"] + program.options
    let board = ["-M", program.guest.boards.martlet] + bios + kernel
    let cpu = isArm ? [] : ["-cpu", program.guest.rawValue]
    switch self {
    case .native:
      return program.native.map { [$0] }
    case .martlet(let path, let arguments):
      return [path] + cpu + board + arguments
    case .strategy(let strategy, let path, let arguments):
      return [path] + cpu + board + arguments + ["--interrupts", strategy]
    case .qemu:
      let options = ["-M", program.guest.boards.qemu] + (isArm ? ["-semihosting"] : bios) + kernel
      return Toolchain.find(program.guest.emulator).map { [$0] + options + ["-monitor", "none", "-nic", "none"] }
    }
  }
}

struct Runner {
  let repeats: Int
  let timeout: Double
  let workFolder: URL

  /// Interleaves the machines, so that a change of the host's clock or load meets all of them.
  func measure(_ program: Program, _ suite: Suite?, on machines: [Contender]) -> Row {
    var row = Row(suite, name: program.name, group: program.group)
    row.output = program.expected
    row.figures = program.figures
    for _ in 0..<repeats where row.failure == nil {
      for machine in machines {
        guard let command = machine.command(for: program) else { continue }
        if let failure = takeTurn(program, command, machine, into: &row) {
          row.failure = "\(machine.name): \(failure)"
          break
        }
      }
    }
    return row
  }

  /// One run, or several where runs are short: Linux divides the time of a process into user and system time by its ticks,
  /// which in few of them is chance. The median of many runs is steady again.
  private func takeTurn(_ program: Program, _ command: [String], _ machine: Contender, into row: inout Row) -> String? {
    var runs = 0
    repeat {
      if let failure = run(program, command, machine, into: &row) { return failure }
      runs += 1
    } while runs < Self.shortRuns && (row.samples[machine.name]?.last?.user ?? .infinity) < Self.shortTime
    return nil
  }

  private static let shortRuns = 5
  /// User CPU seconds.
  private static let shortTime = 0.2

  /// One run; returns why it failed.
  private func run(_ program: Program, _ command: [String], _ machine: Contender, into row: inout Row) -> String? {
    let output = workFolder.appendingPathComponent("output.txt").path
    var command = command
    var endsByItself = false
    var asksForStatistics = false
    if case .martlet = machine {
      if let last = program.prompt?.last {
        command += ["--expect", last]
        endsByItself = true
      }
      if program.wantsStatistics {
        asksForStatistics = true
        let script = workFolder.appendingPathComponent("end-script").path
        _ = FileManager.default.createFile(atPath: script, contents: Data("info jit --json\n".utf8))
        command += ["--end-script", script]
      }
    }
    if program.stops > 0 {
      let script = workFolder.appendingPathComponent("stop-script").path
      let text = "stops \(program.stops) --json\nquit\n"
      _ = FileManager.default.createFile(atPath: script, contents: Data(text.utf8))
      command += ["--monitor-script", script]
    }
    if let point = program.point {
      guard let debugged = debugged(command, program, machine, point) else { return nil }
      command = debugged
    }
    let conversation = program.prompt.map {
      Conversation(prompt: $0.question, answer: $0.answer, last: $0.last, endsByItself: endsByItself)
    }
    let result: ChildProcess
    do {
      result = try ChildProcess.run(command, output: output, timeout: timeout, conversation: conversation)
    } catch {
      return error.description
    }
    var text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
    guard result.exit == .code(0) || result.exit == .finished else {
      return text.isEmpty ? "\(result.exit)" : "\(result.exit), “\(text.suffix(200))”"
    }
    if asksForStatistics {
      guard let start = Self.lastObject(in: text) else {
        return "told nothing of its translation"
      }
      for (name, value) in Self.translation(in: String(text[start...])) { row.figures["martlet " + name] = value }
      text = String(text[..<start])
    }
    if program.stops > 0 {
      if let failure = noteStops(text, program, machine, &row) { return failure }
    } else if let failure = check(text, program, &row) {
      return failure
    }
    row.samples[machine.name, default: []].append(Sample(user: result.user, system: result.system))
    return nil
  }

  /// The command with a debugger that sets a point before the program starts; nil where that cannot be.
  private func debugged(
    _ command: [String], _ program: Program, _ machine: Contender, _ point: DebuggerPoint
  ) -> [String]? {
    guard case .qemu = machine else {
      let script = workFolder.appendingPathComponent("point-script").path
      _ = FileManager.default.createFile(atPath: script, contents: Data((point.commands.monitor + "\ncont\n").utf8))
      return command + ["-S", "--monitor-script", script]
    }
    guard let debugger = Toolchain.find("gdb-multiarch") else { return nil }
    // It is no child that the emulator waits for, so its time does not count.
    let socket = workFolder.appendingPathComponent("gdb").path
    let script = """
      socket=$1; elf=$2; point=$3; gdb=$4; shift 4
      (
        while ! test -S "$socket"; do sleep 0.05; done
        "$gdb" -batch -nx "$elf" -ex "target remote $socket" -ex "$point" -ex continue
      ) > /dev/null 2>&1 < /dev/null &
      exec "$@" -S -gdb "unix:$socket,server=on,wait=off"
      """
    _ = try? FileManager.default.removeItem(atPath: socket)
    return ["/bin/sh", "-c", script, "sh", socket, program.elf, point.commands.gdb, debugger] + command
  }

  /// Takes the latencies of stops from what `stops` printed; of several runs the last counts.
  private func noteStops(_ text: String, _ program: Program, _ machine: Contender, _ row: inout Row) -> String? {
    guard let line = text.split(separator: "\n").last(where: { $0.hasPrefix("{") }),
      let fields = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
      let measured = (fields["stops_measured"] as? NSNumber)?.intValue, measured > program.stops / 4
    else { return "measured no stops: “\(text.suffix(200))”" }
    for (key, value) in fields {
      guard let number = value as? NSNumber else { continue }
      row.figures["\(machine.name) " + key.replacingOccurrences(of: "_", with: " ")] = number.doubleValue
    }
    return nil
  }

  /// Compares what was printed with what should have been, or with the run before.
  private func check(_ text: String, _ program: Program, _ row: inout Row) -> String? {
    if let last = program.prompt?.last {
      return text.contains(last) ? nil : "did not print “\(last)”"
    }
    let printed = row.group == .folder ? text : text.split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
    if let expected = row.output {
      return printed == expected ? nil : "printed “\(printed.suffix(80))” instead of “\(expected.suffix(80))”"
    }
    guard row.group == .folder || printed.contains(" checksum=") else {
      return "printed no checksum: “\(printed.suffix(80))”"
    }
    row.output = printed
    return nil
  }

  /// Where the JSON object starts that is printed last, perhaps behind a prompt; those within it follow a colon.
  private static func lastObject(in text: String) -> String.Index? {
    var end = text.endIndex
    while let start = text.range(of: "{\"", options: .backwards, range: text.startIndex..<end)?.lowerBound {
      if start == text.startIndex || text[text.index(before: start)] != ":" { return start }
      end = start
    }
    return nil
  }

  /// Sums over the tiers of `info jit --json`: instructions, host bytes by guest byte, nanoseconds by instruction.
  private static func translation(in text: String) -> [String: Double] {
    guard let sections = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: [String: Any]] else {
      return [:]
    }
    var (instructions, guestBytes, hostBytes, time) = (0.0, 0.0, 0.0, 0.0)
    for section in sections.values {
      func number(_ key: String) -> Double { (section[key] as? NSNumber)?.doubleValue ?? 0 }
      instructions += number("guest_instructions")
      guestBytes += number("guest_bytes")
      hostBytes += number("host_bytes")
      time += number("ns_in_all") * number("guest_instructions")
    }
    guard instructions > 0, guestBytes > 0 else { return [:] }
    return [
      "guest instructions": instructions, "host bytes per guest byte": hostBytes / guestBytes,
      "ns in all": time / instructions,
    ]
  }
}
