// Owns the tests of the readers of Zephyr, ThreadX and NuttX over structures on paper.

import Bits
import RTOS
import Testing

@Suite struct OtherKernelTests {
  // MARK: Zephyr

  /// Three threads: `main` runs, `logger` is pending, one without a name is suspended.
  static func zephyr(_ architecture: String, word: Int = 4, oldNames: Bool = false) -> PaperGuest {
    let guest = PaperGuest(architecture, pointerSize: word)
    let isArm = architecture.hasPrefix("armv")
    let kernel = guest.place(0x100, symbol: "_kernel")
    let name: UInt64 = 0xC0
    let stack: UInt64 = isArm ? 0x60 : 0x40
    let offsets: [UInt64] = [
      1, 8, 0x28, 0xB8, 0xB0, 0x1D, 0x1C, 0x1E, stack, name, 0x140, isArm ? 8 : 0xFFFF_FFFF, 0xFFFF_FFFF,
      isArm ? 0x49 : 0xFFFF_FFFF, 0xFFFF_FFFF,
    ]
    let prefix = oldNames ? "_kernel_openocd" : "_kernel_thread_info"
    let table = guest.place(offsets.count * word, symbol: prefix + "_offsets")
    for (index, offset) in offsets.enumerated() { guest.put(offset, table + UInt64(index * word)) }
    guest.put(UInt64(offsets.count), guest.place(word, symbol: prefix + "_num_offsets"))
    guest.put(UInt64(word), guest.place(1, symbol: prefix + "_size_t_size"), size: 1)
    if !isArm { _ = guest.place(4, symbol: "z_riscv_switch") }
    let threads = (0..<3).map { _ in guest.place(0x200) }
    guest.put(threads[0], kernel + 8)
    guest.put(threads[0], kernel + 0x28)
    for (index, thread) in threads.enumerated() {
      let area = guest.place(0x400)
      let pointer = area + 0x300
      guest.fill(0xAA, area, 0x200)
      guest.put(index < 2 ? threads[index + 1] : 0, thread + 0xB0)
      guest.put(0x2000_0040, thread + 0xB8)
      guest.put([0, 2, 0x10][index], thread + 0x1D, size: 1)
      guest.put(UInt64(bitPattern: [-1, 5, 15][index]), thread + 0x1E, size: 1)
      guest.put(["main", "logger", ""][index], thread + name)
      // errno, then start, size and delta of the stack.
      guest.put(area, thread + name + 32 + UInt64(word))
      guest.put(0x400, thread + name + 32 + UInt64(2 * word))
      guest.put(pointer, thread + stack)
      if isArm {
        for number in 0..<8 { guest.put(0x40 + UInt64(number), thread + stack - 32 + UInt64(4 * number)) }
        guest.put(0xFD00, thread + 0x140 + 0x48, size: 4)
        guest.putException(at: pointer, pc: 0x2000_0100)
      } else {
        for number in 0..<13 { guest.put(0x2000_0000 + UInt64(number), thread + stack + UInt64(word * (number + 1))) }
      }
    }
    return guest
  }

  @Test(arguments: [("armv7e-m", 4), ("riscv32", 4), ("riscv64", 8)], [false, true])
  func readsZephyr(_ machine: (String, Int), oldNames: Bool) throws {
    let guest = Self.zephyr(machine.0, word: machine.1, oldNames: oldNames)
    let list = try tasks(guest, "Zephyr")
    #expect(list.problems == [])
    #expect(
      list.tasks.map { "\($0.name) \($0.state) \($0.priority ?? 99)" } == [
        "main running -1", "logger pending 5", "thread 0x20000040 suspended 15",
      ])
    let logger = try #require(list["logger"])
    #expect(logger.stack?.size == 0x400)
    #expect(logger.stack?.untouched == 0x200)
    if machine.0 == "armv7e-m" {
      #expect(logger.value("r4", guest) == 0x40)
      #expect(logger.value("pc", guest) == 0x2000_0100)
      #expect(logger.value("sp", guest) == logger.stack.map { $0.pointer })
      #expect(logger.stack?.used == 0x100 - 32)
    } else {
      #expect(logger.value("pc", guest) == 0x2000_0000)
      #expect(logger.value("x8", guest) == 0x2000_0001)
      #expect(logger.value("x27", guest) == 0x2000_000C)
      #expect(logger.saved?.registers["x10"] == nil)
      #expect(logger.stack?.used == 0x100)
    }
  }

  @Test func zephyrWithFloatingPoint() throws {
    let guest = Self.zephyr("armv7e-m")
    let thread = try #require(try tasks(guest, "Zephyr")["logger"])
    guest.put(0xED00, thread.id + 0x140 + 0x48, size: 4)
    let logger = try #require(try tasks(guest, "Zephyr")["logger"])
    #expect(logger.saved?.registers["d8"] == .memory(thread.id + 0x148, size: 8))
    #expect(logger.value("sp", guest) == thread.value("sp", guest).map { $0 + 72 })
  }

  // MARK: ThreadX

  /// `a` runs, `b` sleeps, `c` waits for a queue.
  static func threadX(_ architecture: String, word: Int = 4, extra: Int = 0) -> PaperGuest {
    let guest = PaperGuest(architecture, pointerSize: word)
    let w = UInt64(word)
    let created = UInt64((word == 4 ? 136 : 248) + extra)
    let threads = (0..<3).map { _ in guest.place(0x180) }
    guest.put(threads[0], guest.place(word, symbol: "_tx_thread_created_ptr"))
    guest.put(threads[0], guest.place(word, symbol: "_tx_thread_current_ptr"))
    for (index, thread) in threads.enumerated() {
      let area = guest.place(0x400)
      let pointer = area + 0x200
      guest.fill(0xEF, area, 0x100)
      guest.put(0x5448_5244, thread)
      guest.put(pointer, thread + 2 * w)
      guest.put(area, thread + 3 * w)
      guest.put(area + 0x3FF, thread + 4 * w)
      guest.put(0x400, thread + 5 * w)
      let name = guest.place(16)
      guest.put(["a", "b", "c"][index], name)
      guest.put(name, thread + 10 * w)
      guest.put(UInt64(10 + index), thread + 11 * w, size: 4)
      guest.put([0, 4, 5][index], thread + 11 * w + 4, size: 4)
      guest.put(threads[(index + 1) % 3], thread + created)
      guest.put(threads[(index + 2) % 3], thread + created + w)
      if architecture.hasPrefix("armv") {
        guest.put(0xFFFF_FFFD, pointer)
        for number in 4...11 { guest.put(UInt64(number), pointer + UInt64(4 * (number - 3))) }
        guest.putException(at: pointer + 36, pc: 0x2000_0100)
      } else {
        guest.put(index == 2 ? 1 : 0, pointer)
        for place in 1..<32 { guest.put(0x2000_0000 + UInt64(place), pointer + UInt64(place) * w) }
      }
    }
    return guest
  }

  @Test(arguments: [("armv7-m", 4), ("riscv32", 4), ("riscv64", 8)], [0, 8])
  func readsThreadX(_ machine: (String, Int), extra: Int) throws {
    let guest = Self.threadX(machine.0, word: machine.1, extra: extra)
    let list = try tasks(guest, "ThreadX")
    #expect(list.problems == [])
    #expect(
      list.tasks.map { "\($0.name) \($0.state) \($0.priority ?? 99)" } == [
        "a running 10", "b sleeping 11", "c waits for a queue 12",
      ])
    let (b, c) = (try #require(list["b"]), try #require(list["c"]))
    #expect(b.stack?.used == 0x200)
    #expect(b.stack?.untouched == 0x100)
    let pointer = try #require(b.stack?.pointer)
    if machine.0 == "armv7-m" {
      #expect(b.value("r11", guest) == 11)
      #expect(b.value("pc", guest) == 0x2000_0100)
      #expect(b.value("sp", guest) == pointer + 68)
    } else {
      #expect(b.value("pc", guest) == 0x2000_000D)
      #expect(b.value("x8", guest) == 0x2000_000C)
      #expect(b.value("sp", guest) == pointer + UInt64(16 * machine.1))
      #expect(c.value("pc", guest) == 0x2000_001E)
      #expect(c.value("x10", guest) == 0x2000_001B)
      #expect(c.value("x31", guest) == 0x2000_000D)
      #expect(c.value("sp", guest) == c.stack.map { $0.pointer + UInt64(32 * machine.1) })
    }
  }

  // MARK: NuttX

  /// Of three versions of its table. `Idle` is ready, `init` runs, `nsh` waits for a semaphore.
  static func nuttX(_ architecture: String, word: Int = 4, version: Int, hasSizes: Bool = true) -> PaperGuest {
    let guest = PaperGuest(architecture, pointerSize: word)
    let isArm = architecture.hasPrefix("armv")
    let names = isArm ? 17 : 33
    let registers = guest.place(2 * names)
    for index in 0..<names { guest.put(UInt64(index * word), registers + UInt64(2 * index), size: 2) }
    let (pid, state, priority, name, stack, stackSize, regs): (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
      (
        0x10, 0x20, 0x14, 0x80, 0x40, 0x48, 0x70
      )
    let numbers: [UInt64] =
      switch version {
      case 0: [pid, state, priority, name, regs, 17, UInt64(names)]
      case 1: [pid, state, priority, name, stack, stackSize, regs, 17, UInt64(names)]
      default: [pid, state, priority, name, stack, stackSize, regs, UInt64(names)]
      }
    let table = guest.place(2 * numbers.count + 8, symbol: "g_tcbinfo", hasSize: hasSizes)
    for (index, number) in numbers.enumerated() { guest.put(number, table + UInt64(2 * index), size: 2) }
    guest.put(registers, table + UInt64(2 * numbers.count))
    let hash = guest.place(4 * word)
    guest.put(hash, guest.place(word, symbol: "g_pidhash"))
    guest.put(4, guest.place(4, symbol: "g_npidhash"), size: 4)
    let blocks = (0..<3).map { _ in guest.place(0x100) }
    guest.put(blocks[1], guest.place(word, symbol: version == 0 ? "g_readytorun" : "g_running_tasks"))
    for (index, block) in blocks.enumerated() {
      guest.put(block, hash + UInt64(index * word))
      let area = guest.place(0x400)
      let frame = area + 0x200
      guest.put(UInt64(index), block + pid, size: 4)
      guest.put([2, 3, 5][index], block + state, size: 1)
      guest.put([0, 100, 110][index], block + priority, size: 1)
      guest.put(["Idle", "init", "nsh"][index], block + name)
      guest.put(area, block + stack)
      guest.put(0x400, block + stackSize)
      guest.put(frame, block + regs)
      for place in 0..<names { guest.put(0x2000_0000 + UInt64(place), frame + UInt64(place * word)) }
      guest.put(frame + 0x100, frame + UInt64((isArm ? 13 : 2) * word))
      if isArm { guest.put(0x0100_0200, frame + 64) }
    }
    return guest
  }

  @Test(arguments: [("armv7-m", 4), ("riscv32", 4), ("riscv64", 8)], [0, 1, 2, 3])
  func readsNuttX(_ machine: (String, Int), version: Int) throws {
    let guest = Self.nuttX(machine.0, word: machine.1, version: version, hasSizes: version != 3)
    let list = try tasks(guest, "NuttX")
    #expect(list.problems == [])
    #expect(
      list.tasks.map { "\($0.name) \($0.state) \($0.priority ?? 99)" } == [
        "Idle ready 0", "init running 100", "nsh waits for a semaphore 110",
      ])
    let nsh = try #require(list["nsh"])
    let isArm = machine.0 == "armv7-m"
    #expect(nsh.value("pc", guest) == 0x2000_0000 + (isArm ? 15 : 32))
    #expect(nsh.value(isArm ? "r4" : "x9", guest) == 0x2000_0000 + (isArm ? 4 : 9))
    let frame = try #require(nsh.saved?.stackPointer)
    #expect(nsh.value("sp", guest) == frame)
    if version > 0 {
      #expect(nsh.stack?.size == 0x400)
      #expect(nsh.stack?.used == 0x100 - (isArm ? 4 : 0))
    }
  }
}
