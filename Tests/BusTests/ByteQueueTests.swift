// Tests of waiting characters: their order, their form in snapshots, and what many of them cost.
import Bus
import TestSupport
import Testing

@Suite struct ByteQueueTests {
  @Test func bytesComeInOrder() {
    var random = SplitMix(seed: 1)
    var queue = ByteQueue()
    var model: [UInt8] = []
    for _ in 0..<2000 {
      switch Int.random(in: 0..<3, using: &random) {
      case 0:
        let more = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        queue += more
        model += more
      case 1:
        #expect(queue.popFirst() == model.first)
        model = Array(model.dropFirst())
      default:
        let count = Int.random(in: 0...30, using: &random)
        #expect(queue.take(count) == Array(model.prefix(count)))
        model = Array(model.dropFirst(count))
      }
      #expect(queue.count == model.count && queue.first == model.first && queue == ByteQueue(model))
    }
  }

  /// Equal queues have equal bytes, whatever was taken from them.
  @Test func snapshotsHoldWhatWaits() throws {
    var queue = ByteQueue([9, 9, 1, 2, 3])
    _ = queue.popFirst()
    _ = queue.popFirst()
    let bytes = try encodeSnapshot(queue)
    #expect(try bytes == encodeSnapshot(ByteQueue([1, 2, 3])))
    #expect(try decodeSnapshot(ByteQueue.self, from: bytes) == queue)
  }

  /// One by one out of many: a list would move the rest each time, 10¹³ bytes in all.
  @Test(.timeLimit(.minutes(1))) func takingOneByOneIsLinear() {
    var queue = ByteQueue([UInt8](repeating: 7, count: 4 << 20))
    var sum = 0
    while let byte = queue.popFirst() { sum += Int(byte) }
    #expect(sum == 7 * 4 << 20)
  }
}
