// Owns the small languages that flags' values are written in.

import Machine

/// Where the characters of a serial device or the monitor come from and go to.
enum Port: Equatable {
  /// The terminal; with the monitor behind Ctrl-A c if `shared`.
  case terminal(shared: Bool)
  case pty
  case tcp(host: String, port: UInt16, listens: Bool, waits: Bool)
  case unix(path: String, listens: Bool, waits: Bool)
  /// The named pipes PATH.in, to read, and PATH.out, to write; or one pipe both ways.
  case pipe(String)
  case file(String)
  case none

  var isTerminal: Bool {
    if case .terminal = self { true } else { false }
  }

  /// Whether anything can come from there.
  var hasInput: Bool {
    switch self {
    case .file, .none: false
    case .terminal, .pty, .tcp, .unix, .pipe: true
    }
  }
}

extension Port: CustomStringConvertible {
  /// As the user may write it.
  var description: String {
    let (text, listens, waits): (String, Bool, Bool) =
      switch self {
      case .terminal(let shared): (shared ? "mon:stdio" : "stdio", false, true)
      case .pty: ("pty", false, true)
      case .file(let path): ("file:" + path, false, true)
      case .pipe(let path): ("pipe:" + path, false, true)
      case .none: ("none", false, true)
      case .tcp(let host, let port, let listens, let waits): ("tcp:\(host):\(port)", listens, waits)
      case .unix(let path, let listens, let waits): ("unix:" + path, listens, waits)
      }
    return text + (listens ? waits ? ",server" : ",server,nowait" : "")
  }
}

/// Parsers of values. Failures name the flag, the value, and what is understood.
enum Value {
  /// A decimal or `0x` hexadecimal number.
  static func number(_ text: some StringProtocol, of flag: String) throws(Failure) -> UInt64 {
    let value = text.hasPrefix("0x") || text.hasPrefix("0X") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    guard let value else { throw .usage("\(flag): '\(text)' is not a number; write 123 or 0x7b") }
    return value
  }

  /// `START..LAST`, `START+SIZE`, `START-SIZE` (which ends at START), separated by commas.
  static func ranges(_ text: String, of flag: String) throws(Failure) -> [ClosedRange<UInt64>] {
    var ranges: [ClosedRange<UInt64>] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let nonsense = Failure.usage("\(flag): '\(part)' is no range; write 0x80000000..0x80000fff or 0x80000000+0x1000")
      guard let operation = part.firstRange(of: /\.\.|\+|-/) else { throw nonsense }
      let first = try number(part[..<operation.lowerBound], of: flag)
      let second = try number(part[operation.upperBound...], of: flag)
      let (low, high): (UInt64, UInt64) =
        switch part[operation] {
        case "..": (first, second)
        case "+": (first, first &+ (second &- 1))
        default: (first &- (second &- 1), first)
        }
      guard low <= high, part[operation] == ".." || second > 0 else { throw nonsense }
      ranges.append(low...high)
    }
    return ranges
  }

  /// `512M`, `2G`, `size=2G`; a bare number is in MiB.
  static func size(_ text: String, of flag: String) throws(Failure) -> UInt64 {
    let body = text.hasPrefix("size=") ? text.dropFirst(5) : text[...]
    let units: [Character: UInt64] = ["b": 0, "k": 10, "m": 20, "g": 30, "t": 40]
    let unit = body.last.flatMap { units[Character($0.lowercased())] }
    let digits = unit == nil ? body : body.dropLast()
    let shift = unit ?? 20
    guard let count = UInt64(digits), count > 0, count <= UInt64.max >> shift else {
      throw .usage("\(flag): '\(text)' is not a size; write 512M or 2G")
    }
    return count << shift
  }

  /// `4`, `cpus=4`; words of a topology must multiply to it, or say it: they change nothing else here.
  static func cpuCount(_ text: String) throws(Failure) -> Int {
    let levels = ["drawers", "books", "sockets", "dies", "clusters", "cores", "threads"]
    var product: UInt64?
    var count: UInt64?
    var most: UInt64?
    for (index, word) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let number = try number(parts[parts.count - 1], of: "-smp")
      guard (1...512).contains(number) else { throw .usage("-smp: \(number) CPUs; choose 1 to 512") }
      switch parts.count == 1 && index == 0 ? "cpus" : parts[0] {
      case "cpus": count = number
      case "maxcpus": most = number
      case let level where parts.count == 2 && levels.contains(level):
        product = (product ?? 1).multipliedReportingOverflow(by: number).partialValue
      default:
        throw .usage(
          "-smp: '\(word)' is not understood; there are: cpus, maxcpus, \(levels.joined(separator: ", "))")
      }
    }
    guard let result = count ?? product ?? most, (1...512).contains(result) else {
      throw .usage("-smp: '\(text)' says no number of CPUs from 1 to 512")
    }
    guard product == nil || product == most ?? result, result <= most ?? result else {
      throw .usage("-smp: '\(text)' is at odds with itself: \(result) CPUs; write '-smp \(result)'")
    }
    return Int(result)
  }

  static func seconds(_ text: String, of flag: String) throws(Failure) -> Double {
    guard let seconds = Double(text), seconds > 0, seconds < 1e9 else {
      throw .usage("\(flag): '\(text)' is not a number of seconds above 0")
    }
    return seconds
  }

  /// `on`, `off` or a factor; nil for `off`.
  static func realtime(_ text: String) throws(Failure) -> Double? {
    if let factor = Double(text), factor >= 0.001, factor <= 1000 { return factor }
    guard text == "on" || text == "off" else {
      throw .usage("--realtime: '\(text)' is not on, off or a factor from 0.001 to 1000")
    }
    return text == "on" ? 1 : nil
  }

  static func port(_ text: String, of flag: String, backends: [String: Port] = [:]) throws(Failure) -> Port {
    if text.hasPrefix("chardev:") {
      guard let port = backends[String(text.dropFirst(8))] else {
        throw .usage("\(flag): '\(text)' names no -chardev; add -chardev stdio,id=\(text.dropFirst(8))")
      }
      return port
    }
    switch text {
    case "stdio": return .terminal(shared: false)
    case "mon:stdio": return .terminal(shared: true)
    case "pty": return .pty
    case "none", "null": return .none
    default: break
    }
    guard let colon = text.firstIndex(of: ":") else { throw unknownPort(text, flag) }
    let rest = text[text.index(after: colon)...]
    let words = rest.split(separator: ",", omittingEmptySubsequences: false)
    switch text[..<colon] {
    case "file":
      guard !rest.isEmpty else { throw .usage("\(flag): 'file:' lacks the path; write file:PATH") }
      return .file(String(rest))
    case "pipe":
      guard !rest.isEmpty else { throw .usage("\(flag): 'pipe:' lacks the path; write pipe:PATH") }
      return .pipe(String(rest))
    case "tcp":
      let (listens, waits) = try listening(words.dropFirst(), text, flag)
      let (host, port) = try address(words[0], flag)
      return .tcp(host: host, port: port, listens: listens, waits: waits)
    case "unix":
      let (listens, waits) = try listening(words.dropFirst(), text, flag)
      guard !words[0].isEmpty else { throw .usage("\(flag): 'unix:' lacks the path; write unix:PATH") }
      return .unix(path: String(words[0]), listens: listens, waits: waits)
    default: throw unknownPort(text, flag)
    }
  }

  /// The ports of `-chardev` by their `id`.
  static func characterBackends(_ texts: [String]) throws(Failure) -> [String: Port] {
    var ports: [String: Port] = [:]
    for text in texts {
      let list = try PropertyList(
        text, of: "-chardev", first: "backend",
        known: ["id", "path", "host", "port", "server", "wait", "mux", "signal", "nodelay", "telnet", "append"])
      guard let id = list["id"] else { throw .usage("-chardev: '\(text)' lacks its name; add id=NAME") }
      for key in ["telnet", "append"] where try list.isOn(key, otherwise: false) {
        throw .usage("-chardev: '\(key)' in '\(text)' is not implemented; leave it out")
      }
      let path = list["path"] ?? ""
      let options =
        try (list.isOn("server", otherwise: false) ? ",server" : "")
        + (list.isOn("wait", otherwise: true) ? "" : ",nowait")
      let port: String =
        switch list.first {
        case "stdio": try list.isOn("mux", otherwise: false) ? "mon:stdio" : "stdio"
        case "file", "pipe": list.first + ":" + path
        case "socket" where path.isEmpty: "tcp:\(list["host"] ?? ""):\(list["port"] ?? "")\(options)"
        case "socket": "unix:\(path)\(options)"
        case "pty", "null": list.first
        default:
          throw .usage("-chardev: '\(list.first)' does not exist; there are: stdio, pty, null, pipe, file, socket")
        }
      guard ports.updateValue(try Value.port(port, of: "-chardev"), forKey: id) == nil else {
        throw .usage("-chardev: two are called '\(id)'; give each a name of its own")
      }
    }
    return ports
  }

  private static func unknownPort(_ text: String, _ flag: String) -> Failure {
    let forms =
      flag == "-gdb"
      ? "tcp:HOST:PORT, unix:PATH, none" : "stdio, mon:stdio, pty, tcp:HOST:PORT, unix:PATH, pipe:PATH, file:PATH, none"
    return .usage("\(flag): '\(text)' is not understood; there are: \(forms)")
  }

  private static func listening(
    _ words: ArraySlice<Substring>, _ text: String, _ flag: String
  ) throws(Failure) -> (listens: Bool, waits: Bool) {
    var result = (listens: false, waits: true)
    for word in words {
      switch word {
      case "server", "server=on": result.listens = true
      case "nowait", "wait=off": result.waits = false
      case "wait", "wait=on", "nodelay", "nodelay=on", "server=off": break
      default: throw .usage("\(flag): '\(word)' in '\(text)' is not understood; there are: server, nowait")
      }
    }
    return result
  }

  /// `HOST:PORT`; an empty host is this machine.
  static func address(_ text: Substring, _ flag: String) throws(Failure) -> (host: String, port: UInt16) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
      throw .usage("\(flag): '\(text)' is not HOST:PORT with a port from 0 to 65535")
    }
    let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
    guard host.isEmpty else { return (host, port) }
    // Debuggers take this machine's name for either of its addresses.
    return (flag == "-gdb" ? "localhost" : "127.0.0.1", port)
  }

  /// `loader,file=F,addr=A,cpu-num=N,force-raw=on`
  static func loader(_ text: String) throws(Failure) -> ImageFile {
    let name = text.prefix { $0 != "," }
    guard name == "loader" || name == "driver=loader" else { throw unknownDevice(name) }
    let list = try PropertyList(text, of: "-device", first: "driver", known: ["file", "addr", "cpu-num", "force-raw"])
    guard let path = list["file"], !path.isEmpty, path != "on" else {
      throw .usage("-device loader: file=… is missing; write loader,file=F,addr=0x…")
    }
    var file = ImageFile(path: path)
    if let value = list["addr"] { file.address = try number(value, of: "-device loader,addr") }
    if let value = list["cpu-num"] {
      guard try number(value, of: "-device loader,cpu-num") == 0 else {
        throw .usage(
          "-device loader: cpu-num=\(value) is not implemented; all CPUs start at one address: use cpu-num=0")
      }
      file.setsEntry = true
    }
    file.forceRaw = try list.isOn("force-raw", otherwise: false)
    return file
  }

  /// `if=sd,file=F,format=raw,readonly=on,snapshot=on`
  static func drive(_ text: String) throws(Failure) -> DriveFile {
    var drive = DriveFile(path: "")
    var interface: Substring?
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count > 1 ? parts[1] : ""
      switch parts[0] {
      case "if": interface = value
      case "file": drive.path = String(value)
      case "readonly", "read-only": drive.isReadOnly = try isOn(value, of: "-drive readonly")
      case "format" where value == "raw", "media" where value == "disk", "index" where value == "0", "id", "cache":
        break
      case "snapshot":
        guard try isOn(value, of: "-drive snapshot") else {
          throw .usage("-drive: snapshot=off is not implemented: what the guest writes stays in memory")
        }
      default:
        throw .usage("-drive: '\(word)' is not implemented; there are: if=sd, file, format=raw, readonly, snapshot=on")
      }
    }
    guard interface == "sd" else {
      throw .usage("-drive: '\(interface.map { "if=\($0)" } ?? text)' is not implemented; there are SD cards: if=sd")
    }
    guard !drive.path.isEmpty else { throw .usage("-drive: file=… is missing; write if=sd,file=F") }
    return drive
  }

  private static func unknownDevice(_ name: Substring) -> Failure {
    .usage(
      "-device: '\(name)' cannot be added; a board's devices are those of its devicetree, and only 'loader' is"
        + " understood here; see '-device help'")
  }

  static func isOn(_ text: Substring, of flag: String) throws(Failure) -> Bool {
    switch text {
    case "on", "yes", "true", "": return true
    case "off", "no", "false": return false
    default: throw .usage("\(flag): '\(text)' is neither on nor off")
    }
  }
}
