// Owns reading and writing of descriptors, and the making of sockets and pseudo-terminals.

import DebugServer
import Glibc
import Machine

/// What a connection needs of the host's descriptors.
enum Descriptors {
  /// What is there to read now; empty at the end or on an error.
  static func read(_ descriptor: Int32) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      return Array(buffer.prefix(max(0, count)))
    }
  }

  /// Writes everything, waiting while the other side is busy.
  /// - Returns: 0, or the host's error number.
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    var done = 0
    while done < bytes.count {
      let count = unsafe bytes[done...].withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        unsafe poll(&wait, 1, -1)
        continue
      }
      guard count >= 0 else { return errno }
      done += count
    }
    return 0
  }

  /// A file for output, made anew. The reader of a named pipe must be there already.
  static func open(_ path: String, of flag: String) throws(Failure) -> Int32 {
    let descriptor = unsafe Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      if errno == ENXIO { throw .usage("\(flag): '\(path)' has no reader; start the program that reads it first") }
      throw failure(flag, "cannot write '\(path)'", "choose another file")
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    return descriptor
  }

  /// Sees to it that the numbers of standard input, output and error belong to nothing else, and that there are enough
  /// descriptors for a run. To be called before any is opened.
  static func prepare() throws(Failure) {
    for number: Int32 in 0...2 where fcntl(number, F_GETFD) < 0 {
      // The lowest free number is given.
      guard unsafe Glibc.open("/dev/null", O_RDWR) == number else {
        throw Failure(code: .internalError, message: "/dev/null cannot be opened: \(HostFile.reason(errno))")
      }
    }
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < fewest else {
      return
    }
    limit.rlim_cur = min(limit.rlim_max, fewest)
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard limit.rlim_cur == fewest else {
      throw Failure(
        code: .internalError,
        message: "a program may have \(limit.rlim_cur) open files here, and Martlet needs \(fewest); raise 'ulimit -n'")
    }
  }

  /// Open files that the largest run may need.
  private static let fewest: rlim_t = 64

  /// A named pipe; opening it both ways does not wait for the other side.
  static func pipe(_ path: String, of flag: String) throws(Failure) -> Int32 {
    let descriptor = unsafe Glibc.open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(flag, "cannot open '\(path)'", "make it with 'mkfifo'") }
    return descriptor
  }

  /// A socket that listens at or is connected to a TCP address.
  static func tcp(_ host: String, _ port: UInt16, listens: Bool, of flag: String) throws(Failure) -> Int32 {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = unsafe getaddrinfo(host, String(port), &hints, &list)
    guard status == 0, let first = unsafe list else {
      throw .usage("\(flag): there is no host '\(host)': \(unsafe String(cString: gai_strerror(status)))")
    }
    defer { unsafe freeaddrinfo(first) }
    let address = unsafe first.pointee
    let descriptor = unsafe socket(address.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failure(flag, "no socket", "try another connection") }
    var on: Int32 = 1
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, 4)
    unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    let place = "\(host):\(port)"
    if listens {
      guard unsafe bind(descriptor, unsafe address.ai_addr, address.ai_addrlen) == 0, listen(descriptor, 1) == 0 else {
        throw failure(flag, "cannot listen at \(place)", "choose another port, or end the program that has it")
      }
    } else {
      guard unsafe connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 else {
        throw failure(flag, "cannot connect to \(place)", "start the program that listens there, or add ',server'")
      }
    }
    return descriptor
  }

  /// A socket that listens at or is connected to a path.
  static func unix(_ path: String, listens: Bool, of flag: String) throws(Failure) -> Int32 {
    guard var address = SocketPath.address(path) else {
      throw .usage("\(flag): '\(path)' is longer than \(SocketPath.longestPath) bytes")
    }
    if listens {
      do throws(SocketPath.Obstacle) { try SocketPath.clear(path) } catch {
        throw .usage("\(flag): cannot listen at '\(path)': \(error); choose another path")
      }
    }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failure(flag, "no socket", "try another connection") }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe listens ? bind(descriptor, pointer, length) : connect(descriptor, pointer, length)
      }
    }
    guard result == 0, !listens || listen(descriptor, 1) == 0 else {
      throw failure(flag, "cannot \(listens ? "listen at" : "connect to") '\(path)'", "check the path")
    }
    return descriptor
  }

  /// A pseudo-terminal: its master, and the path of the other side.
  static func pty(of flag: String) throws(Failure) -> (master: Int32, path: String) {
    let master = unsafe Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    // <asm-generic/ioctls.h>: TIOCSPTLCK unlocks the other side, TIOCGPTN tells its number.
    var lock: Int32 = 0
    var number: UInt32 = 0
    guard master >= 0, unsafe ioctl(master, 0x4004_5431, &lock) == 0, unsafe ioctl(master, 0x8004_5430, &number) == 0
    else {
      throw failure(flag, "no pseudo-terminal", "try tcp: or unix: instead")
    }
    let path = "/dev/pts/\(number)"
    // Its mode outlives this opening; from here on the master tells whether somebody has it open.
    let slave = unsafe Glibc.open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    var mode = termios()
    if slave >= 0, unsafe tcgetattr(slave, &mode) == 0 {
      unsafe cfmakeraw(&mode)
      unsafe tcsetattr(slave, TCSANOW, &mode)
    }
    close(slave)
    return (master, path)
  }

  private static func failure(_ flag: String, _ what: String, _ advice: String) -> Failure {
    .usage("\(flag): \(what): \(HostFile.reason(errno)); \(advice)")
  }
}
