// SEGGER RTT: the control block found in memory, characters both ways.

import Bus
import Devices
import Testing

/// A guest's memory with a control block in it.
private struct Memory {
  static let base: UInt64 = 0x2000_0000
  let bench = Bench()
  let ram: RAMRegion

  init(size: Int = 0x10_0000) throws {
    ram = try RAMRegion(name: "ram", size: size)
    try bench.space.map("ram", at: Self.base, size: UInt64(size), .ram(ram, offset: 0))
  }

  /// One up-buffer of 16 bytes and one down-buffer of 4, behind the control block at `offset`.
  func putBlock(at offset: Int) {
    ram.write(Array("SEGGER RTT".utf8) + [0, 0, 0, 0, 0, 0], at: offset)
    let buffers = Self.base + UInt64(offset) + 0x80
    let words: [UInt64] = [1, 1, 0, buffers, 16, 0, 0, 0, 0, buffers + 16, 4, 0, 0, 0]
    for (index, word) in words.enumerated() { ram.store(word, at: offset + 16 + 4 * index, size: 4) }
  }

  /// The guest writes into the up-buffer.
  func send(_ text: String, at offset: Int) {
    for byte in text.utf8 {
      let place = ram.load(offset + 36, size: 4)
      ram.store(UInt64(byte), at: offset + 0x80 + Int(place), size: 1)
      ram.store((place + 1) % 16, at: offset + 36, size: 4)
    }
  }

  func device(address: UInt64? = nil) throws -> RTT {
    var node = FakeNode(name: "rtt", regions: [])
    if let address { node.values["martlet,address"] = [UInt32(address >> 32), UInt32(truncatingIfNeeded: address)] }
    return try RTT(context: bench.context(node, interrupts: []))
  }
}

struct RTTTests {
  @Test func charactersGoUpAndAroundTheEnd() throws {
    let memory = try Memory()
    memory.putBlock(at: 0x1000)
    let rtt = try memory.device()
    memory.send("hello ", at: 0x1000)
    memory.bench.run(to: 1_000_000, rtt)
    #expect(memory.bench.text == "hello ")
    memory.send("to all there", at: 0x1000)
    memory.bench.run(to: 1_999_999, rtt)
    #expect(memory.bench.text == "hello ")
    memory.bench.run(to: 2_000_000, rtt)
    #expect(memory.bench.text == "hello to all there")
    #expect(memory.ram.load(0x1000 + 40, size: 4) == memory.ram.load(0x1000 + 36, size: 4))
  }

  @Test func charactersGoDownAsThereIsRoom() throws {
    let memory = try Memory()
    memory.putBlock(at: 0x1000)
    let rtt = try memory.device(address: Memory.base + 0x1000)
    rtt.receive(Array("abcde".utf8))
    memory.bench.run(to: 1_000_000, rtt)
    #expect(memory.ram.bytes(at: 0x1090, count: 4) == Array("abc".utf8) + [0])
    #expect(memory.ram.load(0x1000 + 60, size: 4) == 3)
    memory.ram.store(2, at: 0x1000 + 64, size: 4)
    memory.bench.run(to: 2_000_000, rtt)
    #expect(memory.ram.bytes(at: 0x1090, count: 4) == Array("ebcd".utf8))
    #expect(memory.ram.load(0x1000 + 60, size: 4) == 1)
  }

  @Test func blocksAreSearchedForInAllMemory() throws {
    let memory = try Memory()
    // A copy that is never used, such as initial values in memory for code, hides no other.
    memory.putBlock(at: 0x1000)
    memory.putBlock(at: 0xF_0000)
    memory.send("here", at: 0xF_0000)
    let rtt = try memory.device()
    memory.bench.run(to: 20_000_000, rtt)
    #expect(memory.bench.text == "here")
    // The guest starts anew.
    memory.ram.fill(0, at: 0, count: memory.ram.size)
    rtt.reset(.pin)
    memory.bench.run(to: 40_000_000, rtt)
    memory.putBlock(at: 0x2000)
    memory.send("again", at: 0x2000)
    memory.bench.run(to: 60_000_000, rtt)
    #expect(memory.bench.text == "hereagain")
  }

  /// The image of `.data` has a copy of the control block. Input waits until all memory is searched, and goes to the copy
  /// in use, not to the image; so does it once a program loaded later has its block elsewhere.
  @Test func inputGoesToTheBlockInUse() throws {
    let memory = try Memory()
    memory.putBlock(at: 0x1000)
    memory.putBlock(at: 0x8_0000)
    let rtt = try memory.device()
    rtt.receive(Array("ab".utf8))
    memory.bench.run(to: 30_000_000, rtt)
    #expect(memory.ram.load(0x1000 + 60, size: 4) == 0 && memory.ram.load(0x8_0000 + 60, size: 4) == 2)
    memory.putBlock(at: 0x4_0000)
    memory.send("new", at: 0x4_0000)
    memory.bench.run(to: 200_000_000, rtt)
    rtt.receive(Array("c".utf8))
    memory.bench.run(to: 300_000_000, rtt)
    #expect(memory.bench.text == "new")
    #expect(memory.ram.load(0x4_0000 + 60, size: 4) == 1 && memory.ram.load(0x8_0000 + 60, size: 4) == 2)
  }

  @Test func nonsenseIsNoBlock() throws {
    let memory = try Memory()
    let rtt = try memory.device(address: Memory.base + 0x1000)
    for (offset, value) in [
      (16, 0), (16, 65), (20, 99), (28, 0x5000_0000), (32, 0), (32, 0xFFFF_FFFF), (36, 16), (40, 77),
    ] {
      memory.putBlock(at: 0x1000)
      memory.send("no", at: 0x1000)
      memory.ram.store(UInt64(value), at: 0x1000 + offset, size: 4)
      rtt.drain()
      #expect(memory.bench.text.isEmpty, "\(value) at \(offset)")
    }
    memory.putBlock(at: 0x1000)
    memory.send("yes", at: 0x1000)
    rtt.drain()
    #expect(memory.bench.text == "yes")
  }

  @Test func itsConditionIsAValue() throws {
    let memory = try Memory()
    memory.putBlock(at: 0x1000)
    let rtt = try memory.device()
    rtt.receive([1, 2, 3, 4, 5])
    memory.bench.run(to: 3_000_000, rtt)
    let saved = try rtt.saveState()
    let state = rtt.state
    rtt.reset(.pin)
    try rtt.restoreState(saved)
    #expect(rtt.state == state)
  }
}
