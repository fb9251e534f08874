// Owns the timeline: which moments of a run are kept, and the going back to one.
//
// A moment holds the machine's condition and copies of those pages of memory that differ from the moment before. Moments
// stand close together near the present and further apart with age, so that a short step back runs little again and a long
// one at most a second.

import Bits
import Bus
import Engine

/// The past of a machine. Used on the machine's thread.
final class Timeline {
  /// Bytes that moments may take.
  let limit: Int
  private(set) var moments: [Moment] = []
  /// The first moment is the machine as it was made.
  private(set) var isWhole = true
  /// The furthest that this history has come.
  private(set) var end = Position([], Round())
  /// Where the recording ends that the history was taken from.
  var recordingEnd: Position?
  /// Writes along what is kept.
  var writer: RecordingWriter?
  /// Places with names.
  var bookmarks: [String: Position] = [:]
  private let pool: PagePool
  /// By memory and page: its copy as of moment ``base``.
  private var latest: [[PagePool.Copy]] = []
  /// The moment from which memory differs in ``carried`` and in what was written since pages were last asked for.
  private(set) var base = 0
  private var carried: Set<PageKey> = []
  /// Seconds of the host's time that the run up to here has taken, as of `lastLook`.
  private var cost = 0.0
  private var lastLook = 0.0
  /// When, by ``cost``, the next moment is due.
  private var due = 0.0
  /// Where the machine stood when somebody began to change it, since it last ran; nil: nobody has.
  var changedAt: Position?

  /// Seconds between moments near the present.
  private let spacing: Double
  /// Seconds between moments far back.
  private static let longest = 1.0
  /// The share of the host's time that keeping moments may take.
  private static let share = 0.02
  /// Seconds that the first write to a stretch of pages costs.
  private static let faultCost = 7e-6

  init(limit: Int, spacing: Double) throws(MemoryError) {
    self.limit = limit
    self.spacing = spacing
    pool = try PagePool(limit: limit)
  }

  /// Bytes that the moments take.
  var bytes: Int { pool.bytes + moments.reduce(0) { $0 + $1.bytes } }

  // MARK: Keeping moments

  /// Keeps the first moment.
  func begin(_ machine: Machine) throws(MachineError) {
    do throws(MemoryError) { for memory in machine.memories { try memory.beginTracking() } } catch {
      throw .setup("the timeline: \(error)")
    }
    latest = machine.memories.map {
      [PagePool.Copy](repeating: PagePool.zeros, count: ($0.size + pageSize - 1) / pageSize)
    }
    for (number, memory) in machine.memories.enumerated() {
      for range in memory.populatedRanges() { carry(number, range) }
    }
    lastLook = HostClock.threadSeconds
    machine.semihosting.files.answers.isKept = true
    try keep(machine, cut: nil)
    guard !moments.isEmpty else {
      throw .badInput(
        "what the guest's memory holds takes up to \(carried.count * pageSize >> 10) KiB, and there are \(limit >> 10)")
    }
  }

  /// Forgets everything, and begins where the machine stands.
  func beginAgain(_ machine: Machine) throws(MachineError) {
    for moment in moments { moment.pages.values.forEach(pool.release) }
    (moments, base, isWhole, recordingEnd, changedAt) = ([], 0, false, nil, nil)
    bookmarks = [:]
    machine.taps.forgetShown()
    machine.semihosting.files.answers.forgetFuture()
    try begin(machine)
    writer?.noteBeginning(machine, self)
  }

  /// Keeps a moment if one is due; at the end of a round of a run.
  func roundEnded(_ machine: Machine) throws(MachineError) {
    let now = HostClock.threadSeconds
    cost += now - lastLook
    lastLook = now
    guard cost >= due else { return }
    if isPast(machine) || cutAhead != nil { try keepBetween(machine) } else { try keep(machine, cut: nil) }
  }

  /// Somebody has changed the machine: what was known of its future is no more, and the present does not follow from the past.
  /// - Parameter cut: where the machine stood before.
  func noteChange(_ machine: Machine, cut: Position) throws(MachineError) {
    let isPast = cut.isBefore(end) || cutAhead != nil
    if let cutAhead { while moments.count > cutAhead { dropLast() } }
    while moments.count > base + 1, let last = moments.last, cut.isBefore(last.position) { dropLast() }
    if isPast {
      bookmarks = bookmarks.filter { !cut.isBefore($0.value) }
      machine.replay = []
      writer?.noteOtherFuture(machine, at: cut)
      recordingEnd = nil
      machine.taps.forgetShown()
      machine.semihosting.files.answers.forgetFuture()
    }
    try keep(machine, cut: cut)
  }

  private func keep(_ machine: Machine, cut: Position?) throws(MachineError) {
    let (start, condition) = (HostClock.threadSeconds, try machine.saveCondition())
    let answers = machine.semihosting.files.answers
    let faults = collect(machine)
    advance(to: max(0, moments.count - 1))
    cost = max(cost, moments.last?.cost ?? 0)
    if let pages = copyChanges(machine) {
      take(pages)
      let moment = moment(machine, condition, pages, cut: cut)
      moments.append(moment)
      base = moments.count - 1
      writer?.noteMoment(moment, machine, self)
      thin()
      answers.forget(before: moments[0].files.answers)
    } else if cut != nil {
      // The way from the last moment does not lead to here.
      throw .setup("there is no room in its \(limit >> 10) KiB for what has been changed from outside")
    }
    end = machine.position
    rest(HostClock.threadSeconds - start, faults)
  }

  /// Keeps a moment of a future that is known, on the way through it.
  private func keepBetween(_ machine: Machine) throws(MachineError) {
    let (start, condition) = (HostClock.threadSeconds, try machine.saveCondition())
    let faults = collect(machine)
    advance(to: moment(upTo: machine.position, from: base) ?? base)
    if moments[base].position != machine.position, let pages = copyChanges(machine, isBetween: true) {
      if base + 1 < moments.count {
        // What the next one leaves out has its contents from before this one.
        for key in pages.keys where moments[base + 1].pages[key] == nil {
          moments[base + 1].pages[key] = pool.duplicate(content(key))
        }
        cost = min(cost, moments[base + 1].cost)
      }
      take(pages)
      moments.insert(moment(machine, condition, pages, cut: nil), at: base + 1)
      base += 1
      thin()
    }
    rest(HostClock.threadSeconds - start, faults)
  }

  private func moment(
    _ machine: Machine, _ condition: MachineCondition, _ pages: [PageKey: PagePool.Copy], cut: Position?
  ) -> Moment {
    Moment(
      cost: cost, condition: condition, pages: pages, printed: machine.taps.printed,
      files: (machine.semihosting.files.table, machine.semihosting.files.answers.position), cut: cut)
  }

  /// Keeping a moment has taken so many seconds, and its pages so many faults: the next one is due by that.
  private func rest(_ taken: Double, _ faults: Int) {
    due = cost + max(spacing, (taken + Double(faults) * Self.faultCost) / Self.share)
    lastLook += taken
  }

  /// The run has come to a moment that is kept.
  private func advance(to index: Int) {
    for passed in moments.indices.prefix(index + 1).dropFirst(base + 1) {
      carried.formUnion(moments[passed].pages.keys)
      apply(passed)
    }
    base = index
  }

  /// Takes what has been written. Returns the number of stretches.
  private func collect(_ machine: Machine) -> Int {
    var count = 0
    for (number, memory) in machine.memories.enumerated() {
      for range in memory.takeDirtyPages() {
        carry(number, range)
        count += 1
      }
    }
    return count
  }

  private func carry(_ memory: Int, _ range: Range<Int>) {
    for page in range.lowerBound / pageSize..<(range.upperBound + pageSize - 1) / pageSize {
      carried.insert(PageKey(memory: memory, page: page))
    }
  }

  /// Copies the pages that differ from the last moment; nil if there is no room for them.
  /// - Parameter isBetween: the moment that follows may need copies of as many.
  private func copyChanges(_ machine: Machine, isBetween: Bool = false) -> [PageKey: PagePool.Copy]? {
    var pages: [PageKey: PagePool.Copy] = [:]
    for key in carried {
      let memory = machine.memories[key.memory]
      guard pool.differs(latest[key.memory][key.page], from: key.page, of: memory) else { continue }
      let wanted = isBetween ? pages.count + 2 : 1
      if pool.bytes + wanted * pageSize > limit, !makeRoom() {
        pages.values.forEach(pool.release)
        return nil
      }
      pages[key] = pool.copy(key.page, of: memory)
    }
    carried.removeAll(keepingCapacity: carried.count < 1 << 16)
    return pages
  }

  private func apply(_ index: Int) { take(moments[index].pages) }

  private func take(_ pages: [PageKey: PagePool.Copy]) {
    for (key, copy) in pages { latest[key.memory][key.page] = copy }
  }

  /// What a page held at moment ``base``.
  private func content(_ key: PageKey) -> PagePool.Copy { latest[key.memory][key.page] }
  func bytes(of copy: PagePool.Copy) -> [UInt8] { pool.bytes(of: copy) }

  /// A copy of a page that was recorded; nil if there is no room for it.
  func copy(_ bytes: ArraySlice<UInt8>) -> PagePool.Copy? {
    pool.bytes + pageSize <= limit ? pool.copy(bytes) : nil
  }

  /// Takes over a past.
  func take(_ past: [Moment], end: Position, isWhole: Bool) {
    for key in moments.flatMap({ $0.pages.keys }) { carried.insert(key) }
    if !isWhole { moments.forEach { $0.pages.values.forEach(pool.release) } }
    (moments, self.end, self.isWhole) = (past, end, isWhole)
    for key in past[0].pages.keys { carried.insert(key) }
    rebuild()
  }

  // MARK: Recording

  /// The recording that is written has the last moment, or its beginning, and all before.
  func noteRecorded() { for index in moments.indices where isToRecord(index) { moments[index].isRecorded = true } }

  private func isToRecord(_ index: Int) -> Bool { index == 0 || moments[index].cut != nil }

  /// The pages that may differ between what the recording has last and the last moment.
  var changesSinceRecorded: [PageKey: PagePool.Copy] {
    let recorded = moments.lastIndex(where: \.isRecorded)
    return moments[((recorded ?? -1) + 1)...].reduce(into: [:]) { $0.merge($1.pages) { _, new in new } }
  }

  // MARK: Forgetting moments

  /// Forgets moments that stand closer together than their age asks for.
  private func thin() {
    for index in stride(from: moments.count - 2, to: 0, by: -1) where moments[index].cut == nil && index != base {
      let age = cost - moments[index].cost
      let gap = moments[index + 1].cost - moments[index - 1].cost
      if gap <= min(Self.longest, max(spacing, age / 8)) { merge(index) }
    }
    while bytes > limit, makeRoom() {}
  }

  /// Forgets the moment that is missed least. Returns false if there is none.
  private func makeRoom() -> Bool {
    func density(_ index: Int) -> Double {
      (moments[index + 1].cost - moments[index - 1].cost) / max(spacing, cost - moments[index].cost)
    }
    let inner = moments.indices.dropFirst().dropLast().filter { moments[$0].cut == nil && $0 != base }
    if let least = inner.min(by: { density($0) < density($1) }) {
      merge(least)
    } else if moments.count > 2, base > 0 {
      merge(0)
    } else {
      return false
    }
    return true
  }

  /// Takes a moment out; the next one takes over its pages.
  private func merge(_ index: Int) {
    for (key, copy) in moments[index].pages {
      if moments[index + 1].pages[key] == nil { moments[index + 1].pages[key] = copy } else { pool.release(copy) }
    }
    if index == 0 { (moments[1].cut, isWhole) = (nil, false) }
    moments.remove(at: index)
    if base > index { base -= 1 }
  }

  private func dropLast() {
    let last = moments.removeLast()
    writer?.noteDrop(last)
    if base == moments.count {
      carried.formUnion(last.pages.keys)
      base -= 1
      rebuild()
    }
    last.pages.values.forEach(pool.release)
  }

  /// What pages held at moment ``base``.
  private func rebuild() {
    for memory in latest.indices {
      for page in latest[memory].indices { latest[memory][page] = PagePool.zeros }
    }
    for index in 0...base { apply(index) }
  }

  // MARK: Going back

  /// Whether the machine stands before the furthest point that it has come to.
  func isPast(_ machine: Machine) -> Bool { machine.position.isBefore(end) }

  /// Where the machine has come to is the furthest, if it is.
  func noteEnd(_ machine: Machine) { if !isPast(machine) { end = machine.position } }

  /// The moment of the next change that somebody has made in the future as it is known.
  var cutAhead: Int? { moments.indices.dropFirst(base + 1).first { moments[$0].cut != nil } }

  /// The last moment before a position, of those from one on that no change lies between.
  func moment(before position: Position, from first: Int) -> Int? {
    stretch(first).last { moments[$0].position.isBefore(position) }
  }

  /// Likewise, or at it.
  func moment(upTo position: Position, from first: Int) -> Int? {
    stretch(first).last { moments[$0].position.isBefore(position) || moments[$0].position == position }
  }

  /// The last of all moments up to a position.
  func moment(upTo position: Position) -> Int? {
    moments.lastIndex { $0.position.isBefore(position) || $0.position == position }
  }

  private func stretch(_ first: Int) -> Range<Int> {
    first..<(moments.indices.dropFirst(first + 1).first { moments[$0].cut != nil } ?? moments.count)
  }

  /// Puts the machine into the condition of a moment. Input that came after it comes again.
  func restore(_ index: Int, _ machine: Machine) throws(MachineError) {
    noteEnd(machine)
    _ = collect(machine)
    for other in min(base, index) + 1..<max(base, index) + 1 { carried.formUnion(moments[other].pages.keys) }
    let isBack = index < base
    if !isBack { for other in base + 1..<index + 1 { apply(other) } }
    base = index
    if isBack { rebuild() }
    for key in carried
    where pool.differs(latest[key.memory][key.page], from: key.page, of: machine.memories[key.memory]) {
      pool.restore(latest[key.memory][key.page], to: key.page, of: machine.memories[key.memory])
      machine.memoryWasRestored(key)
    }
    _ = collect(machine)
    carried.removeAll(keepingCapacity: carried.count < 1 << 16)
    (cost, lastLook) = (moments[index].cost, HostClock.threadSeconds)
    due = cost + spacing
    let inputs = machine.recorded + machine.replay.reversed()
    let moment = moments[index]
    try machine.restoreCondition(moment.condition)
    machine.recorded = Array(inputs.prefix(moment.condition.inputCount))
    machine.replay = inputs.dropFirst(moment.condition.inputCount).reversed()
    machine.taps.restore(printed: moment.printed)
    machine.semihosting.files.table = moment.files.table
    machine.semihosting.files.answers.position = moment.files.answers
  }
}

extension Machine {
  /// Where the harts stand.
  public var position: Position {
    Position(engine.vcpus.map { Position.Hart(ticks: $0.ticks, pc: $0.state.pc) }, round)
  }

  /// A page of memory was put back: code that was made of it is so no more.
  fileprivate func memoryWasRestored(_ key: PageKey) {
    let page = key.page * pageSize..<(key.page + 1) * pageSize
    for region in space.regions {
      guard let (memory, offset) = region.memory, memory === memories[key.memory] else { continue }
      let part = page.clamped(to: offset..<offset + Int(region.size))
      if !part.isEmpty { space.flat.noteWrite(region.base + UInt64(part.lowerBound - offset), part.count) }
    }
  }
}
