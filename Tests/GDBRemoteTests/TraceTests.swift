// Tracing and the trace of branches, beside what transcripts say: buffers that go round, ends, bounds, deltas.

import GDBRemote
import GDBRemoteSupport
import TestSupport
import Testing

@Suite struct TraceTests {
  /// A trace with one tracepoint at 0x1000, and a thread that comes there.
  private static func trace(_ point: Tracepoint, capacity: Int = 1 << 16, isCircular: Bool = false) -> Trace {
    var trace = Trace()
    trace.capacity = capacity
    trace.buffer.isCircular = isCircular
    trace.tracepoints = [point]
    trace.start(at: 0)
    return trace
  }

  private static func context() -> FakeContext { FakeContext(target: FullTarget(), programCounter: 0x1000) }

  @Test(arguments: [false, true])
  func buffersKeepTheNewestFramesOrTheOldest(isCircular: Bool) {
    var random = SplitMix(seed: 5)
    var buffer = TraceBuffer(capacity: 4000, isCircular: isCircular)
    var frames: [TraceFrame] = []
    for number in 0..<9000 {
      let writer = TraceFrameWriter()
      let count = Int.random(in: 0..<300, using: &random)
      writer.addMemory(UInt64(number), UInt64(count)) { count in
        writer.append((0..<count).map { UInt8(truncatingIfNeeded: number + $0) })
      }
      let before = buffer.used
      if let size = buffer.append(tracepoint: number % 7, programCounter: UInt64(number), words: writer.words) {
        frames.append(TraceFrame(tracepoint: number % 7, programCounter: UInt64(number), words: writer.words))
        #expect(isCircular || buffer.used == before + size)
      } else {
        #expect(!isCircular)
      }
      #expect(buffer.used <= 4000)
    }
    #expect(buffer.created == UInt64(frames.count))
    #expect(buffer.count > 5)
    let kept = isCircular ? frames.suffix(buffer.count) : frames[...]
    #expect(kept.count == buffer.count)
    for (number, frame) in kept.enumerated() { #expect(buffer.frame(number) == frame) }
    #expect(buffer.frame(buffer.count) == nil)
    #expect(buffer.frame(-1) == nil)
    #expect(
      buffer.find(after: -1) { number, _ in number == 3 }
        == kept.firstIndex { $0.tracepoint == 3 }.map { $0 - kept.startIndex })
    #expect(buffer.find(after: buffer.count) { _, _ in true } == nil)
  }

  @Test func aTraceEndsForManyReasons() throws {
    let context = Self.context()
    let division = try AgentExpression([0x22, 1, 0x22, 0, 0x05, 0x27])
    var trace = Self.trace(Tracepoint(number: 1, address: 0x1000, passCount: 3))
    for _ in 0..<5 { #expect(trace.hit(0, in: context) == 0) }
    #expect(trace.end == .passCount(1))
    #expect(trace.tracepoints[0].hits == 3)
    #expect(trace.active.isEmpty)

    // The pass count waits for the steps behind the last hit.
    trace = Self.trace(Tracepoint(number: 1, address: 0x1000, stepCount: 2, passCount: 1))
    #expect(trace.hit(0, in: context) == 2)
    trace.step(0, isLast: false, in: context)
    #expect(trace.isRunning)
    trace.step(0, isLast: true, in: context)
    #expect(trace.end == .passCount(1))
    #expect(trace.buffer.count == 3)

    trace = Self.trace(Tracepoint(number: 4, address: 0x1000, condition: division))
    _ = trace.hit(0, in: context)
    #expect(trace.end == .failed(.divisionByZero, 4))
    #expect(trace.status.hasPrefix("T0;terror:6469766973696f6e206279207a65726f:4;tframes:0;"))

    trace = Self.trace(Tracepoint(number: 4, address: 0x1000, actions: [.expression(division)]))
    _ = trace.hit(0, in: context)
    #expect(trace.end == .failed(.divisionByZero, 4))

    trace = Self.trace(
      Tracepoint(number: 4, address: 0x1000, actions: [.memory(base: nil, offset: 0, count: 1 << 40)]))
    _ = trace.hit(0, in: context)
    #expect(trace.end == .overfull(4))

    trace = Self.trace(Tracepoint(number: 4, address: 0x1000), capacity: 100)
    for _ in 0..<5 { _ = trace.hit(0, in: context) }
    #expect(trace.end == .full)
    #expect(trace.buffer.count == 3)

    trace = Self.trace(Tracepoint(number: 4, address: 0x1000), capacity: 100, isCircular: true)
    for _ in 0..<5 { _ = trace.hit(0, in: context) }
    trace.clientLeft(at: 5)
    #expect(trace.end == .disconnected)
    #expect(trace.buffer.count == 3 && trace.buffer.created == 5)
  }

  @Test func whatCannotBeReadIsNotCollected() throws {
    let context = Self.context()
    // Memory that is partly there, a register that is not, memory behind one that is not, what a bad pointer leads to.
    let pointer = try AgentExpression([0x23, 0x90, 0, 0x19, 0x22, 4, 0x0C, 0x27])
    var trace = Self.trace(
      Tracepoint(
        number: 1, address: 0x1000,
        actions: [
          .memory(base: nil, offset: 0x1FFC, count: 16), .memory(base: nil, offset: 0x9000, count: 4),
          .registers([2, 77]),
          .memory(base: 77, offset: 0, count: 4), .expression(pointer), .memory(base: nil, offset: .max - 3, count: 64),
        ]))
    _ = trace.hit(0, in: context)
    let frame = try #require(trace.buffer.frame(0))
    #expect(trace.isRunning)
    #expect(frame.registers == [2: [1, 2, 0, 0]])
    #expect(frame.memory.map(\.address) == [0x1FFC, .max - 3])
    #expect(frame.memory.map(\.bytes.count) == [4, 4])
    #expect(frame.bytes(at: 0x1FFE, count: 16) == [0, 0])
    #expect(frame.bytes(at: .max, count: 16) == [0xEE])
    #expect(frame.bytes(at: 0x1FFB, count: 16).isEmpty)
  }

  @Test func endlessExpressionsEndTracing() throws {
    let context = Self.context()
    // Two expressions share what one hit may take.
    let long = try AgentExpression([0x22, 0, 0x22, 1, 0x02, 0x28, 0x24, 0, 0, 0x2E, 0xE0, 0x15, 0x20, 0, 2, 0x27])
    var trace = Self.trace(Tracepoint(number: 1, address: 0x1000, actions: [.expression(long)]))
    _ = trace.hit(0, in: context)
    #expect(trace.isRunning)
    trace = Self.trace(
      Tracepoint(number: 1, address: 0x1000, actions: [.expression(long), .expression(long)]))
    _ = trace.hit(0, in: context)
    #expect(trace.end == .failed(.endless, 1))
  }

  @Test func framesBecomeBlocksOfAFile() {
    var frame = TraceFrame(tracepoint: 3, programCounter: 0x1000)
    let general = [(number: 0, byteCount: 2), (number: 1, byteCount: 2)]
    #expect(frame.fileBlock(general, isBigEndian: false) == [3, 0, 0, 0, 0, 0])
    frame.registers = [1: [7, 8], 9: [1]]
    frame.variables = [1: -1]
    frame.memory = [.init(address: 0x10, bytes: [UInt8](repeating: 5, count: 0x10000))]
    let block = frame.fileBlock(general, isBigEndian: true)
    #expect(block.prefix(12) == [0, 3, 0, 1, 0, 0x28, 82, 0, 0, 7, 8, 77])
    #expect(block.count == 6 + 5 + 2 * 11 + 0x10000 + 13)
    #expect(block.suffix(13) == [86, 0, 0, 0, 1] + [UInt8](repeating: 0xFF, count: 8))
  }
}

@Suite struct BranchTraceTests {
  private typealias Block = BranchTrace.Block

  @Test func blocksEndWhereCodeDoesNotGoOn() {
    var trace = BranchTrace(size: 1 << 10)
    #expect(trace.read(.delta, at: 0x100) == [Block(begin: 0, end: 0x100)])
    for (pc, next) in [(0x100, 0x102), (0x102, 0x106), (0x200, 0x202)] as [(UInt64, UInt64)] {
      trace.execute(pc, next: next)
    }
    #expect(trace.read(.delta, at: 0x202) == [Block(begin: 0x200, end: 0x202), Block(begin: 0, end: 0x102)])
    #expect(trace.read(.delta, at: 0x202) == [Block(begin: 0, end: 0x202)])
    #expect(trace.read(.new, at: 0x202) == [])
    // A jump that is not followed yet, and then is.
    trace.execute(0x202, next: 0x204)
    #expect(trace.read(.delta, at: 0x300) == [Block(begin: 0x300, end: 0x300), Block(begin: 0, end: 0x202)])
    trace.execute(0x300, next: 0x304)
    #expect(trace.read(.delta, at: 0x304) == [Block(begin: 0, end: 0x304)])
    #expect(
      trace.read(.all, at: 0x304) == [
        Block(begin: 0x300, end: 0x304), Block(begin: 0x200, end: 0x202), Block(begin: 0x100, end: 0x102),
      ])
  }

  @Test func aDeltaThatDoesNotFollowIsNone() {
    var trace = BranchTrace(size: 1 << 10)
    trace.execute(0x100, next: 0x104)
    #expect(trace.read(.all, at: 0x104)?.count == 1)
    // An interrupt came before the instruction at which the thread stood.
    trace.execute(0x40, next: 0x44)
    #expect(trace.read(.delta, at: 0x44) == nil)
    #expect(trace.read(.new, at: 0x44)?.count == 2)
    // More blocks than are kept.
    for _ in 0..<100 { trace.execute(0x44, next: 0x48) }
    #expect(trace.read(.delta, at: 0x48) == nil)
    #expect(trace.read(.all, at: 0x48)?.count == 1024 / 24 + 1)
  }
}
