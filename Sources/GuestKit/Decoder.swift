// Owns the decode table: instruction rows, and the way from an encoding to its row in a few nanoseconds.

import Bits
import IR

/// One instruction: how it is encoded, written and translated.
public struct InstructionRow<Translator: ~Copyable>: Sendable {
  public typealias Translate = @Sendable (inout Translator, Instruction) -> Void

  public let name: String
  /// See ``Pattern``.
  public let pattern: String
  /// Operands as a disassembly shows them: letters stand for what the ISA's formatter makes of them, the rest for
  /// itself.
  public let operands: String
  public let translate: Translate
  /// The only register width (bits) of the ISA that has the instruction; nil for all.
  public let width: Int?
  /// The mnemonic to show if it is not the name (that of the instruction a short form expands to).
  public let shown: String?

  public init(
    _ name: String, _ pattern: String, _ operands: String, _ translate: @escaping Translate, only width: Int? = nil,
    shows shown: String? = nil
  ) {
    self.name = name
    self.pattern = pattern
    self.operands = operands
    self.translate = translate
    self.width = width
    self.shown = shown
  }
}

/// The rows of one extension of an ISA.
public struct InstructionGroup<Translator: ~Copyable>: Sendable {
  /// The extension's name in its manual.
  public let name: String
  public let rows: [InstructionRow<Translator>]

  public init(_ name: String, _ rows: [InstructionRow<Translator>]) {
    self.name = name
    self.rows = rows
  }
}

/// An encoding and the row it belongs to: fields by letter. Valid as long as the table it was decoded by.
@safe public struct Instruction {
  public let bits: UInt32
  /// Number of its row in the table.
  public let row: Int
  /// First parts of the row's fields, by ``PatternField/index``.
  @usableFromInline let fields: UnsafePointer<FieldPart>

  @inlinable init(bits: UInt32, row: Int, fields: UnsafePointer<FieldPart>) {
    self.bits = bits
    self.row = row
    unsafe self.fields = fields
  }

  /// The field's value, sign-extended if it is signed; 0 for a field the row lacks.
  @inlinable public subscript(field: PatternField) -> Int {
    @inline(__always)
    get {
      let part = unsafe fields[field.index]
      return part.next == 0 ? part.finish(part.bits(of: bits)) : join(field)
    }
  }

  /// The value of a field in several parts.
  @inline(never)
  @usableFromInline func join(_ field: PatternField) -> Int {
    var part = unsafe fields + field.index
    let head = unsafe part.pointee
    var value = head.bits(of: bits)
    var next = Int(head.next)
    while next != 0 {
      unsafe part += next
      value |= unsafe part.pointee.bits(of: bits)
      next = unsafe Int(part.pointee.next)
    }
    return head.finish(value)
  }
}

/// A run of a field's bits made ready for decoding: a rotation and a mask; then, for the field as a whole, what extends its
/// sign and adds to it.
@usableFromInline struct FieldPart: BitwiseCopyable {
  @usableFromInline var mask: UInt64 = 0
  /// The field's highest bit if it is signed, else 0. Only in the first part.
  @usableFromInline var sign: UInt64 = 0
  /// What is added to the whole value, less `sign`. Only in the first part.
  @usableFromInline var bias = 0
  @usableFromInline var rotation: UInt32 = 0
  /// How far behind the field's next part is in the pool; 0 ends.
  @usableFromInline var next: UInt32 = 0

  init(_ run: FieldRun) {
    mask = UInt64(run.mask) << UInt64(run.to)
    sign = run.signShift == 0 ? 0 : 1 << UInt64(63 - run.signShift)
    bias = Int(run.add) &- Int(bitPattern: UInt(sign))
    rotation = UInt32(run.from) &- UInt32(run.to) & 63
  }

  @inlinable @inline(__always)
  func bits(of encoding: UInt32) -> UInt64 {
    let encoding = UInt64(encoding)
    return (encoding &>> UInt64(rotation) | encoding &<< (64 &- UInt64(rotation))) & mask
  }

  /// The field's value, of the bits of all its parts.
  @inlinable @inline(__always)
  func finish(_ bits: UInt64) -> Int { Int(truncatingIfNeeded: bits ^ sign) &+ bias }
}

/// Holds the translator function of a row.
@usableFromInline final class TranslatorBox<Translator: ~Copyable> {
  @usableFromInline let translate: InstructionRow<Translator>.Translate

  init(_ translate: @escaping InstructionRow<Translator>.Translate) { self.translate = translate }
}

/// Rows compiled for decoding. Immutable.
@safe public final class DecodeTable<Translator: ~Copyable>: @unchecked Sendable {
  @usableFromInline struct Candidate: BitwiseCopyable {
    @usableFromInline var mask: UInt32 = 0
    @usableFromInline var value: UInt32 = 0
    @usableFromInline var row: UInt16 = 0
    /// Where in `exclusions` the row's are, and how many.
    @usableFromInline var firstExclusion: UInt16 = 0
    @usableFromInline var exclusionCount: UInt8 = 0
    /// Whether no other candidate of the bucket follows.
    @usableFromInline var isLast = true
  }

  /// A value that a field must not have.
  @usableFromInline struct Exclusion: BitwiseCopyable {
    @usableFromInline var field: PatternField
    @usableFromInline var value: Int
  }

  /// All rows and their patterns, by number.
  public let rows: [InstructionRow<Translator>]
  public let patterns: [Pattern]
  /// The name of each row's group.
  public let groups: [String]
  @usableFromInline let short: DecodeIndex
  @usableFromInline let long: DecodeIndex
  @usableFromInline let candidates: RawTable<Candidate>
  @usableFromInline let exclusions: RawTable<Exclusion>
  @usableFromInline let parts: RawTable<FieldPart>
  /// By row. Unmanaged, since counting references would take longer than the rest of the call.
  @usableFromInline let translators: RawTable<Unmanaged<TranslatorBox<Translator>>>

  /// - Parameters:
  ///   - width: the register width; rows for another are left out.
  ///   - shortIndex, longIndex: bits of 16-bit and 32-bit encodings that tell most rows apart (at most 16 in all).
  ///   - signed: letters of fields that are signed.
  public init(
    _ groups: [InstructionGroup<Translator>], width: Int, shortIndex: [Range<Int>], longIndex: [Range<Int>],
    signed: String = "i"
  ) throws(PatternError) {
    var rows: [InstructionRow<Translator>] = []
    var names: [String] = []
    for group in groups {
      for row in group.rows where row.width == nil || row.width == width {
        rows.append(row)
        names.append(group.name)
      }
    }
    var patterns: [Pattern] = []
    for row in rows {
      do throws(PatternError) {
        patterns.append(try Pattern(row.pattern, signed: signed))
      } catch {
        throw PatternError("\(row.name): \(error.description)")
      }
    }
    // The most specific pattern first, so that special cases win.
    let order = patterns.indices.sorted { patterns[$0].mask.nonzeroBitCount > patterns[$1].mask.nonzeroBitCount }
    var candidates: [Candidate] = []
    var exclusions: [Exclusion] = []
    // A list of candidates is kept once, however many buckets have it: tables that stay in the cache count for more
    // than comparisons.
    var places: [[Int]: UInt16] = [:]
    func place(of list: [Int]) throws(PatternError) -> UInt16 {
      if let known = places[list] { return known }
      guard let place = UInt16(exactly: candidates.count) else { throw PatternError("too many rows") }
      places[list] = place
      // No encoding has a bit set that a mask of 0 leaves.
      if list.isEmpty { candidates.append(Candidate(value: 1)) }
      for row in list {
        let pattern = patterns[row]
        guard let count = UInt8(exactly: pattern.exclusions.count), let first = UInt16(exactly: exclusions.count) else {
          throw PatternError("\(rows[row].name): too many exclusions")
        }
        candidates.append(
          Candidate(
            mask: pattern.mask, value: pattern.value, row: UInt16(row), firstExclusion: first, exclusionCount: count,
            isLast: row == list.last))
        exclusions += pattern.exclusions.map { Exclusion(field: $0.field, value: $0.value) }
      }
      return place
    }
    func index(_ length: Int, _ ranges: [Range<Int>]) throws(PatternError) -> DecodeIndex {
      let index = DecodeIndex(ranges)
      var lists = Array(repeating: [Int](), count: index.count)
      for row in order where patterns[row].length == length {
        index.forEachBucket(mask: patterns[row].mask, value: patterns[row].value) { lists[$0].append(row) }
      }
      for bucket in lists.indices { index.starts[bucket] = try place(of: lists[bucket]) }
      return index
    }
    short = try index(2, shortIndex)
    long = try index(4, longIndex)
    self.rows = rows
    self.groups = names
    self.patterns = patterns
    self.candidates = RawTable(copying: candidates)
    self.exclusions = RawTable(copying: exclusions)
    unsafe translators = RawTable(copying: rows.map { unsafe Unmanaged.passRetained(TranslatorBox($0.translate)) })
    parts = RawTable(copying: Self.pool(patterns))
  }

  deinit {
    for row in unsafe 0..<translators.capacity { unsafe translators[row].release() }
    unsafe translators.deallocate()
    parts.deallocate()
    candidates.deallocate()
    exclusions.deallocate()
    short.starts.deallocate()
    long.starts.deallocate()
  }

  /// First parts of all fields of all rows, then the further ones.
  private static func pool(_ patterns: [Pattern]) -> [FieldPart] {
    var pool = Array(repeating: FieldPart(FieldRun()), count: patterns.count * PatternField.count)
    for (row, pattern) in patterns.enumerated() {
      for (field, runs) in pattern.fields.enumerated() {
        var place = row * PatternField.count + field
        for (number, run) in runs.enumerated() {
          if number > 0 {
            pool[place].next = UInt32(pool.count - place)
            place = pool.count
            pool.append(FieldPart(run))
          } else {
            pool[place] = FieldPart(run)
          }
        }
      }
    }
    return pool
  }

  /// The instruction that `bits` encodes, of `length` bytes (2 or 4); nil for an encoding without a row.
  @inlinable @inline(__always)
  public func decode(_ bits: UInt32, length: Int) -> Instruction? {
    length == 2 ? find(bits, short) : find(bits, long)
  }

  @inlinable @inline(__always) func find(_ bits: UInt32, _ index: DecodeIndex) -> Instruction? {
    var place = Int(index.starts[index.bucket(of: bits)])
    while true {
      let candidate = candidates[place]
      if bits & candidate.mask == candidate.value {
        let instruction = unsafe Instruction(
          bits: bits, row: Int(candidate.row),
          fields: UnsafePointer(parts.memory + Int(candidate.row) &* PatternField.count))
        if candidate.exclusionCount == 0 || admits(candidate, instruction) { return instruction }
      }
      if candidate.isLast { return nil }
      place &+= 1
    }
  }

  /// Whether no field has a value that the candidate's row excludes.
  @inline(never)
  @usableFromInline func admits(_ candidate: Candidate, _ instruction: Instruction) -> Bool {
    let first = Int(candidate.firstExclusion)
    for index in first..<first + Int(candidate.exclusionCount) {
      if instruction[exclusions[index].field] == exclusions[index].value { return false }
    }
    return true
  }

  @inlinable public func translate(_ instruction: Instruction, with translator: inout Translator) {
    unsafe translators[instruction.row]._withUnsafeGuaranteedRef { $0.translate(&translator, instruction) }
  }

  /// Numbers of the rows of the group called `name`.
  public func rows(of name: String) -> [Int] { groups.indices.filter { groups[$0] == name } }

  /// Pairs of rows that claim the same encodings without one being a special case of the other: none in a sound table.
  public func overlaps() -> [(String, String)] {
    var found: [(String, String)] = []
    for first in rows.indices {
      for second in rows.indices where second > first && patterns[first].conflicts(with: patterns[second]) {
        found.append((rows[first].name, rows[second].name))
      }
    }
    return found
  }
}

/// Which bits of an encoding choose the bucket of rows to try.
public struct DecodeIndex {
  /// For each range: how far to shift right, and what to keep then.
  @usableFromInline struct Piece: Sendable {
    @usableFromInline var shift: UInt32
    @usableFromInline var mask: UInt32
  }
  @usableFromInline var pieces: (Piece, Piece, Piece)
  @usableFromInline var count: Int
  /// Where each bucket's candidates start.
  @usableFromInline let starts: RawTable<UInt16>

  init(_ ranges: [Range<Int>]) {
    precondition(ranges.count <= 3, "a decode index has at most three ranges")
    let none = Piece(shift: 0, mask: 0)
    var list = [none, none, none]
    var place = 0
    for (number, range) in ranges.enumerated() {
      precondition(range.lowerBound >= place, "a decode index has its ranges in order")
      list[number] = Piece(
        shift: UInt32(range.lowerBound - place), mask: ((1 << UInt32(range.count)) - 1) << UInt32(place))
      place += range.count
    }
    pieces = (list[0], list[1], list[2])
    count = 1 << place
    starts = RawTable(capacity: count)
  }

  @inlinable @inline(__always)
  func bucket(of bits: UInt32) -> Int {
    Int(
      bits &>> pieces.0.shift & pieces.0.mask | bits &>> pieces.1.shift & pieces.1.mask
        | bits &>> pieces.2.shift & pieces.2.mask)
  }

  /// Every bucket that encodings with these fixed bits can fall into.
  func forEachBucket(mask: UInt32, value: UInt32, _ body: (Int) -> Void) {
    let fixed = bucket(of: value)
    let free = (count - 1) & ~bucket(of: mask)
    var subset = 0
    repeat {
      body(fixed | subset)
      subset = (subset &- free) & free
    } while subset != 0
  }
}
