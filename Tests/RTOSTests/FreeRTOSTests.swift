// Owns the tests of FreeRTOS's reader over structures on paper.

import Bits
import RTOS
import Testing

@Suite struct FreeRTOSTests {
  static let configurations: [PaperFreeRTOS.Options] = {
    var all: [PaperFreeRTOS.Options] = []
    for (architecture, word, ticks) in [("armv7-m", 4, [4, 2, 8]), ("riscv32", 4, [4]), ("riscv64", 8, [8, 4])] {
      for tick in ticks {
        for (hasChecks, hasShortEnds) in [(false, true), (false, false), (true, true), (true, false)] {
          for hasSizes in [true, false] {
            all.append(
              .init(
                architecture: architecture, word: word, tick: tick, hasChecks: hasChecks, hasShortEnds: hasShortEnds,
                hasSizes: hasSizes))
          }
        }
      }
    }
    all.append(.init(extra: 0x70))
    all.append(.init(architecture: "riscv32", byteOrder: .big))
    return all
  }()

  @Test(arguments: configurations) func readsEveryConfiguration(_ options: PaperFreeRTOS.Options) throws {
    let paper = PaperFreeRTOS(options)
    let list = try tasks(paper.guest, "FreeRTOS")
    #expect(list.problems == [])
    #expect(list.current == paper.blocks["one"])
    let states = list.tasks.map { "\($0.name) \($0.state) \($0.priority ?? -1)" }
    #expect(
      states.sorted() == [
        "five deleted 1", "four suspended 4", "idle ready 0", "one running 2", "three blocked 3", "two blocked 2",
      ])
    let two = try #require(list["two"])
    #expect(two.stack?.used == 0x180)
    #expect(two.stack?.free == 0x280)
    #expect(two.stack?.untouched == 0x280)
    #expect(two.value("pc", paper.guest) == 0x2000_0100)
    let top = try #require(two.stack?.pointer)
    if options.architecture == "armv7-m" {
      #expect(two.value("r11", paper.guest) == 11)
      #expect(two.value("lr", paper.guest) == 0x105)
      #expect(two.value("sp", paper.guest) == top + 64)
      #expect(two.saved?.registers["d8"] == nil)
    } else {
      #expect(two.value("x31", paper.guest) == 0x1F0)
      #expect(two.value("sp", paper.guest) == top + UInt64(31 * options.word))
      #expect(two.saved?.registers["x3"] == .shared)
    }
    #expect(list["one"]?.context == .running)
  }

  @Test func takesNoArrayOfStacksForOneStack() throws {
    let paper = PaperFreeRTOS()
    let start = try #require(try tasks(paper.guest, "FreeRTOS")["one"]?.stack?.start)
    paper.guest.symbols["stack"] = (start, 0x400)
    #expect(try tasks(paper.guest, "FreeRTOS")["one"]?.stack?.size == 0x400)
    paper.guest.symbols["stack"] = (start, 0x2000)
    let list = try tasks(paper.guest, "FreeRTOS")
    #expect(list["one"]?.stack?.size == nil && list["one"]?.stack?.start == start)
    #expect(list["two"]?.stack?.size == 0x400)
    // As many stacks as tasks, one behind the other.
    let starts = list.tasks.compactMap(\.stack?.start).sorted()
    let each = starts[1] - starts[0]
    paper.guest.symbols["stack"] = (start, each * UInt64(starts.count))
    #expect(try tasks(paper.guest, "FreeRTOS")["one"]?.stack?.size == each)
  }

  /// A task that was interrupted while it used the floating-point unit, on a stack that had to be aligned.
  @Test func findsFloatingPointRegisters() throws {
    let paper = PaperFreeRTOS()
    let top = try #require(try tasks(paper.guest, "FreeRTOS")["two"]?.stack?.pointer)
    paper.guest.put(0xFFFF_FFED, top + 32, size: 4)
    for index in 0..<16 { paper.guest.put(0x1000 + UInt64(index), top + 36 + UInt64(4 * index), size: 4) }
    paper.guest.putException(at: top + 100, pc: 0x2000_0200, aligned: true)
    let two = try #require(try tasks(paper.guest, "FreeRTOS")["two"])
    #expect(two.value("pc", paper.guest) == 0x2000_0200)
    #expect(two.value("d15", paper.guest) == 0x0000_100F_0000_100E)
    #expect(two.value("sp", paper.guest) == top + 100 + 104 + 4)
    #expect(two.saved?.registers["fpscr"] == .memory(top + 196, size: 4))
  }

  @Test(arguments: [(29, 1, 30), (30, 1, 31)]) func knowsFramesOfOldPorts(_ frame: (Int, Int, Int)) throws {
    let (status, first, size) = frame
    let paper = PaperFreeRTOS(.init(architecture: "riscv32"))
    let top = try #require(try tasks(paper.guest, "FreeRTOS")["two"]?.stack?.pointer)
    paper.guest.put(0, top + 4, size: 4)
    for index in 0..<28 { paper.guest.put(0x4000 + UInt64(index), top + UInt64(4 * (first + index)), size: 4) }
    paper.guest.put(0x1880, top + UInt64(4 * status), size: 4)
    let two = try #require(try tasks(paper.guest, "FreeRTOS")["two"])
    #expect(two.value("x1", paper.guest) == 0x4000)
    #expect(two.value("x31", paper.guest) == 0x401B)
    #expect(two.value("sp", paper.guest) == top + UInt64(4 * size))
  }

  /// The stack's alignment tells whether floating-point registers are in the frame.
  @Test(arguments: [(0, 8), (33 * 8, 8), (33 * 8, 4), (33 * 4, 4)])
  func findsFloatingPointRegistersOfRISCV(_ frame: (float: Int, word: Int)) throws {
    let (float, word) = frame
    let paper = PaperFreeRTOS(.init(architecture: word == 8 ? "riscv64" : "riscv32", word: word, tick: word))
    let block = try #require(paper.blocks["two"])
    let old = try #require(try tasks(paper.guest, "FreeRTOS")["two"]?.stack?.pointer)
    let pointer = (old + 0x180).alignedDown(to: 16)
    let top = pointer - UInt64(31 * word + float)
    paper.guest.put(top, block)
    paper.guest.put(0x2000_0300, top)
    paper.guest.put(word == 8 ? 0x8000_000A_0000_7880 : 0x8000_7880, top + UInt64(word))
    for place in 2..<(31 + float / word) { paper.guest.put(UInt64(place) << 8, top + UInt64(place * word)) }
    let two = try #require(try tasks(paper.guest, "FreeRTOS")["two"])
    #expect(two.value("sp", paper.guest) == pointer)
    #expect(two.value("x1", paper.guest) == UInt64(2 + float / word) << 8)
    #expect((two.saved?.registers["f31"] == nil) == (float == 0))
  }

  @Test func saysWhatItDoesNotUnderstand() throws {
    let several = PaperFreeRTOS()
    several.guest.symbols["pxCurrentTCBs"] = several.guest.symbols.removeValue(forKey: "pxCurrentTCB")
    #expect(throws: KernelError("FreeRTOS: a kernel that runs tasks on several cores (pxCurrentTCBs) is not supported"))
    {
      try tasks(several.guest, "FreeRTOS")
    }
    let early = PaperGuest("armv7-m")
    for name in ["pxReadyTasksLists", "pxCurrentTCB", "uxCurrentNumberOfTasks"] { _ = early.place(4, symbol: name) }
    #expect(throws: KernelError("FreeRTOS: no task has been created yet")) { try tasks(early, "FreeRTOS") }
    let broken = PaperFreeRTOS()
    let top = try #require(try tasks(broken.guest, "FreeRTOS")["two"]?.stack?.pointer)
    broken.guest.fill(0, top + 32, 32)
    let context = try tasks(broken.guest, "FreeRTOS")["two"]?.context
    #expect(
      context
        == .unknown(KernelError("no task's registers are saved at \((top + 32).hex0x()): xPSR would be 0x00000000")))
  }

  /// A list that was left in the middle of a change.
  @Test func showsWhatItCanOfABrokenList() throws {
    let paper = PaperFreeRTOS()
    let list = try #require(paper.guest.symbols["xSuspendedTaskList"]?.address)
    paper.guest.put(7, list)
    let read = try tasks(paper.guest, "FreeRTOS")
    #expect(read.tasks.count == 6)
    #expect(read.problems == ["xSuspendedTaskList at \(list.hex0x()): it has 2 entries, not 7"])
  }
}
