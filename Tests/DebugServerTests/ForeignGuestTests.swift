// Owns the tests of a guest unlike the others at a board: big-endian files and registers, a register of 128 bits.

import Bits
import Machine
import TestSupport
import Testing

@Suite struct ForeignGuestTests {
  private static let tree = """
    /dts-v1/;
    / {
      #address-cells = <1>;
      #size-cells = <1>;
      cpus {
        #address-cells = <1>;
        #size-cells = <0>;
        cpu@0 { device_type = "cpu"; compatible = "martlet,cuckoo"; reg = <0>; };
      };
      memory@0 { device_type = "memory"; reg = <0 0x10000>; };
    };
    """

  /// An executable of one segment, at 0.
  private static func elf(_ code: [UInt8], _ order: Endianness) -> [UInt8] {
    func half(_ value: UInt64) -> [UInt8] { order.bytes(value, count: 2) }
    func word(_ value: Int) -> [UInt8] { order.bytes(UInt64(value), count: 4) }
    let identification: [UInt8] =
      [0x7F, 0x45, 0x4C, 0x46, 1, order == .big ? 2 : 1, 1] + [UInt8](repeating: 0, count: 9)
    let header =
      half(2) + half(0xCC0) + word(1) + word(0) + word(52) + word(0) + word(0) + half(52) + half(32) + half(1)
    let segment = word(1) + word(84) + word(0) + word(0) + word(code.count) + word(code.count) + word(7) + word(1)
    return identification + header + half(0) + half(0) + half(0) + segment + code
  }

  /// `set r1, 0x01020304`, `stop`.
  private static let code: [UInt8] = [0x10, 1, 1, 2, 3, 4, 0x7F]

  private func board(_ order: Endianness, host: String) throws -> TestBoard {
    let tree = try TemporaryFile(Array(Self.tree.utf8))
    let image = try TemporaryFile(Self.elf(Self.code, order))
    return try TestBoard(host: host) { configuration in
      configuration.board = tree.path
      configuration.cpuModel = nil
      configuration.memorySize = nil
      configuration.loads = [ImageFile(path: image.path)]
    }
  }

  @Test(arguments: ["jit", "interpreter"]) func showsBytesInTheGuestsOrder(host: String) throws {
    let client = try attach(try board(.big, host: host))
    #expect(try client.ask("m0,7") == "1001010203047f")
    _ = try client.ask("s")
    #expect(try client.ask("p4") == "00000006" && client.ask("p1") == "01020304")
    #expect(try client.ask("P5=0102030405060708") == "OK" && client.ask("p5") == "0102030405060708")
  }

  @Test func showsWideRegisters() throws {
    let client = try attach(try board(.big, host: "jit"))
    let text = try client.ask("qXfer:features:read:target.xml:0,1ffff")
    #expect(text.contains("<architecture>cuckoo</architecture>"))
    #expect(text.contains("<vector id=\"v16w\" type=\"uint32\" count=\"4\"/>"))
    #expect(text.contains("<union id=\"vector16\">"))
    #expect(text.contains("<reg name=\"v0\" bitsize=\"128\" regnum=\"8\" type=\"vector16\" group=\"general\"/>"))
    let value = "000102030405060708090a0b0c0d0e0f"
    #expect(try client.ask("P8=" + value) == "OK")
    #expect(try client.ask("p8") == value)
    let all = try client.ask("g")
    #expect(all.hasSuffix(value) && all.count == 2 * (5 * 4 + 3 * 8 + 16))
    let changed = String(all.reversed())
    #expect(try client.ask("G" + changed) == "OK" && client.ask("p8") == String(changed.suffix(32)))
    #expect(try client.ask("P8=" + value + "00").hasPrefix("E"))
  }

  @Test func refusesFilesOfTheOtherOrder() throws {
    #expect { try board(.little, host: "jit") } throws: {
      "\($0)".contains("32 bits, little endian, but the CPU is cuckoo")
    }
  }
}
