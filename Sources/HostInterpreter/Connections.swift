// Owns the ways from block to block that need no look at the engine's tables: connected exits, and returns.

import HostKit
import IR

/// An exit, or the word behind a call, that leads to an entry.
struct Connection: BitwiseCopyable {
  var site: Int
  var isReturn: Bool
  /// What it said before.
  var before: PackedOp
}

extension InterpreterHost: PackedHost {
  public func connect(_ site: UInt32, isReturn: Bool, to entry: CodeAddress) {
    let place = Int(site)
    // A tombstone by now?
    if !isReturn, code[place].flags.contains(.unchainable) { return }
    connections.value.append(Connection(site: place, isReturn: isReturn, before: code[place]))
    if isReturn { code[place].returnEntry = entry.offset } else { code[place].connection = entry.offset }
  }

  public func disconnectAll() -> Int {
    let count = connections.value.count
    // Backwards, for what was connected twice.
    for number in (0..<count).reversed() { undo(connections.value[number]) }
    connections.value.removeAll()
    return count
  }

  public func disconnect(_ site: UInt32) -> Bool {
    var kept = 0
    var undone: [Connection] = []
    for number in 0..<connections.value.count {
      let connection = connections.value[number]
      if connection.site == Int(site) {
        undone.append(connection)
      } else {
        connections.value[kept] = connection
        kept += 1
      }
    }
    connections.value.truncate(to: kept)
    for connection in undone.reversed() { undo(connection) }
    return !undone.isEmpty
  }

  private func undo(_ connection: Connection) {
    // An entry may have been closed there.
    if connection.isReturn || code[connection.site].connection != nil { code[connection.site] = connection.before }
  }

  public var connectionCount: Int { connections.value.count }

  public func exits(of block: CompiledBlock) -> [PackedExit] {
    let pc = code[Int(block.entry.offset) &- 1].word
    var exits: [PackedExit] = []
    for place in places(of: block) {
      let op = code[place]
      if op.opcode == .exit || op.opcode == .exitIf {
        let target =
          op.connection.map { code[Int($0) &- 1].entryPC }
          ?? (op.hasTargetWord ? code[place + 1].word : pc &+ UInt64(bitPattern: op.target))
        let entry = op.skip < PackedOp.connectedSkip ? block.entry.offset : op.connection
        let mayConnect = !op.hasTargetWord && !op.flags.contains(.unchainable)
        exits.append(PackedExit(site: place, target: target, entry: entry, mayConnect: mayConnect))
      }
      if op.isCall, op.hasReturn {
        let word = code[place + 1]
        let entry = word.returnEntry == 0 ? nil : word.returnEntry
        exits.append(PackedExit(site: place + 1, isReturn: true, target: word.word, entry: entry, mayConnect: true))
      }
    }
    return exits
  }

  public func forgetReturns() { returns.clear() }

  public func takeReturn(to pc: UInt64) -> UInt32 { unsafe returns.pop(to: pc, in: code.memory) }

  public func returnEntry(_ site: UInt32) -> CodeAddress? {
    let entry = CodeAddress(code[Int(site)].returnEntry)
    return entry.offset == 0 || isWorn(entry) ? nil : entry
  }

  public func entries(_ entry: CodeAddress) -> UInt32 { code[Int(entry.offset) &- 1].entries }

  public func isWorn(_ entry: CodeAddress) -> Bool { entries(entry) >= configuration.entryLimit ?? .max }

  public func close(_ entry: CodeAddress) {
    let place = Int(entry.offset)
    code[place] = .tombstone(after: code[place &- 1])
  }
}

/// The calls made last: where their words are. Those that are too deep are forgotten.
@safe struct ReturnStack {
  private let memory: UnsafeMutablePointer<UInt32>
  private static var depth: UInt32 { 32 }

  init() {
    unsafe memory = .allocate(capacity: Int(Self.depth) + 1)
    clear()
  }

  func deallocate() { unsafe memory.deallocate() }

  /// The first word of a code cache returns nowhere.
  func clear() { unsafe memory.update(repeating: 0, count: Int(Self.depth) + 1) }

  private var top: UInt32 {
    @inline(__always)
    get { unsafe memory[Int(Self.depth)] }
    nonmutating set { unsafe memory[Int(Self.depth)] = newValue }
  }

  @inline(__always)
  func push(_ site: UInt32) {
    top = (top &+ 1) & (Self.depth &- 1)
    unsafe memory[Int(top)] = site
  }

  /// The call that returns to `pc`, taken off: the last one, or the one before, where another host's function was left.
  /// 0 if it is neither.
  @inline(__always)
  func pop(to pc: UInt64, in code: UnsafeMutablePointer<PackedOp>) -> UInt32 {
    for depth in 0..<UInt32(2) {
      let place = (top &- depth) & (Self.depth &- 1)
      let site = unsafe memory[Int(place)]
      if unsafe code[Int(site)].word == pc {
        top = (place &- 1) & (Self.depth &- 1)
        return site
      }
    }
    return 0
  }
}
