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

  /// `4`, `cpus=4`; topology words after it are ignored, since they change nothing here.
  static func cpuCount(_ text: String) throws(Failure) -> Int {
    let words = text.split(separator: ",", omittingEmptySubsequences: false)
    let word = words.first { $0.hasPrefix("cpus=") }?.dropFirst(5) ?? words[0]
    let count = try number(word, of: "-smp")
    guard (1...512).contains(count) else { throw .usage("-smp: \(count) CPUs; choose 1 to 512") }
    return Int(count)
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
      let words = text.split(separator: ",").map(String.init)
      var properties: [String: String] = [:]
      for word in words.dropFirst() {
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        properties[parts[0]] = parts.count > 1 ? parts[1] : "on"
      }
      guard let id = properties["id"] else { throw .usage("-chardev: '\(text)' lacks its name; add id=NAME") }
      let path = properties["path"] ?? ""
      let options = (properties["server"] == "on" ? ",server" : "") + (properties["wait"] == "off" ? ",nowait" : "")
      let port: String =
        switch words[0] {
        case "stdio": properties["mux"] == "on" ? "mon:stdio" : "stdio"
        case "file", "pipe": words[0] + ":" + path
        case "socket" where path.isEmpty: "tcp:\(properties["host"] ?? ""):\(properties["port"] ?? "")\(options)"
        case "socket": "unix:\(path)\(options)"
        default: words[0]
        }
      ports[id] = try Value.port(port, of: "-chardev")
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
    let words = text.split(separator: ",", omittingEmptySubsequences: false)
    guard words[0] == "loader" else {
      throw .usage(
        "-device: '\(words[0])' cannot be added; a board's devices are those of its devicetree, and only 'loader' is"
          + " understood here")
    }
    var file: ImageFile?
    var address: UInt64?
    var forceRaw = false
    var setsEntry = false
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count > 1 ? parts[1] : ""
      switch parts[0] {
      case "file": file = ImageFile(path: String(value))
      case "addr": address = try number(value, of: "-device loader,addr")
      case "cpu-num":
        guard try number(value, of: "-device loader,cpu-num") == 0 else {
          throw .usage(
            "-device loader: cpu-num=\(value) is not implemented; all CPUs start at one address: use cpu-num=0")
        }
        setsEntry = true
      case "force-raw": forceRaw = try isOn(value, of: "-device loader,force-raw")
      default:
        throw .usage("-device loader: '\(parts[0])' is not understood; there are: file, addr, cpu-num, force-raw")
      }
    }
    guard var file, !file.path.isEmpty else {
      throw .usage("-device loader: file=… is missing; write loader,file=F,addr=0x…")
    }
    file.address = address
    file.forceRaw = forceRaw
    file.setsEntry = setsEntry
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

  static func isOn(_ text: Substring, of flag: String) throws(Failure) -> Bool {
    switch text {
    case "on", "yes", "true", "": return true
    case "off", "no", "false": return false
    default: throw .usage("\(flag): '\(text)' is neither on nor off")
    }
  }
}
