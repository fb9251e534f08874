// Owns the reading of a recording, as far as its file is whole.

import Bus
import Storage

/// What a file of `--record` holds.
public struct Recording: Sendable {
  public private(set) var header = RecordingHeader(program: "", directory: "", arguments: [])
  /// Contents of files that are inside, by their number in the header.
  public private(set) var contents: [Int: [UInt8]] = [:]
  /// What the guest was given, in its order.
  public private(set) var inputs: [RecordedInput] = []
  var answers: [HostAnswer] = []
  var moments: [(moment: RecordedMoment, pages: [RecordedPages])] = []
  /// How far the run had come, as far as is known.
  public private(set) var reached: Position?
  /// Nil if whoever wrote it was killed.
  public private(set) var ending: RecordedEnding?
  /// What is wrong with the file; what is here came before it.
  public private(set) var problem: String?

  /// Bytes that all pieces together may hold.
  private static let most = 4 << 30

  /// Reads one.
  /// - Parameter name: of the file, for errors.
  /// - Throws: ``MachineError/badInput(_:)`` if it is no recording.
  public init(_ bytes: [UInt8], name: String) throws(MachineError) {
    var reader = PieceReader(bytes)
    var pages: [RecordedPages] = []
    var room = Self.most
    var isBegun = false
    while true {
      let start = reader.offset
      do throws(PieceError) {
        guard let piece = try reader.next() else { break }
        room -= piece.bytes.count
        let isFormat = piece.kind == RecordedPart.format.rawValue
        guard isBegun || isFormat && piece.bytes == Array(RecordedPart.name.utf8) else {
          throw .damaged(offset: start, reason: "it does not begin as a recording of this version of Martlet does")
        }
        isBegun = true
        guard room >= 0 else { throw .damaged(offset: start, reason: "it holds more than \(Self.most >> 30) GiB") }
        if !isFormat { try take(piece, start, &pages) }
      } catch {
        guard isBegun, header.origin != "" || !header.board.isEmpty else {
          throw .badInput("\(name): this is no recording: \(Self.words(error)); make one with --record")
        }
        if ending == nil { problem = "\(name): \(Self.words(error)); what comes before is used" }
        break
      }
    }
    guard !header.board.isEmpty else { throw .badInput("\(name): this is no recording; make one with --record") }
  }

  private static func words(_ error: PieceError) -> String {
    switch error {
    case .cut(let offset): "the file ends within the piece at byte \(offset)"
    case .damaged(let offset, let reason): "the piece at byte \(offset) is damaged (\(reason))"
    }
  }

  private mutating func take(_ piece: Piece, _ start: Int, _ pages: inout [RecordedPages]) throws(PieceError) {
    do throws(SnapshotError) {
      switch RecordedPart(rawValue: piece.kind) {
      case .format, nil: throw .unsupported("a part of kind \(piece.kind)")
      case .header: header = try decodeSnapshot(RecordingHeader.self, from: piece.bytes)
      case .file:
        let stretch = try decodeSnapshot(RecordedStretch.self, from: piece.bytes)
        contents[Int(stretch.file), default: []] += stretch.bytes
      case .input: inputs.append(try decodeSnapshot(RecordedInput.self, from: piece.bytes))
      case .answers: answers += try decodeSnapshot([HostAnswer].self, from: piece.bytes)
      case .pages: pages.append(try decodeSnapshot(RecordedPages.self, from: piece.bytes))
      case .moment:
        let moment = try decodeSnapshot(RecordedMoment.self, from: piece.bytes)
        if moment.cut == nil { begin(moment) }
        moments.append((moment, pages))
        (pages, reached) = ([], moment.position)
      case .turn:
        let turn = try decodeSnapshot(RecordedTurn.self, from: piece.bytes)
        let counts = turn.counts
        reached = turn.reached
        keep(&inputs, counts.inputs)
        keep(&answers, counts.answers - (moments.first.map { $0.moment.cut == nil ? $0.moment.answers : 0 } ?? 0))
        keep(&moments, counts.moments)
      case .reached: reached = try decodeSnapshot(Position.self, from: piece.bytes)
      case .ending: ending = try decodeSnapshot(RecordedEnding.self, from: piece.bytes)
      }
    } catch { throw .damaged(offset: start, reason: "\(error)") }
  }

  /// The past begins anew.
  private mutating func begin(_ moment: RecordedMoment) {
    keep(&inputs, moment.condition.inputCount)
    (answers, moments) = ([], [])
  }

  private func keep<Element>(_ list: inout [Element], _ count: Int) {
    list.removeLast(max(0, list.count - max(0, count)))
  }
}
