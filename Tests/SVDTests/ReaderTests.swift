// What register descriptions come to, and what is said of nonsense.

import Bus
import SVD
import TestSupport
import Testing

private func device(_ peripherals: String) -> [UInt8] {
  Array(
    "<?xml version='1.0'?>\n<device><name>X</name><size>32</size><peripherals>\(peripherals)</peripherals></device>"
      .utf8)
}

private func peripheral(_ registers: String) -> [UInt8] {
  device(
    "<peripheral><name>P</name><baseAddress>0x40000000</baseAddress><registers>\(registers)</registers></peripheral>")
}

struct ReaderTests {
  @Test func registersAndFieldsAreFound() throws {
    let chip = try RegisterDescription(
      svd: peripheral(
        """
        <register><name>CR</name><addressOffset>0x0</addressOffset><resetValue>#1010</resetValue>
          <!-- <ignored> --><fields>
            <field><name>ON</name><bitOffset>0</bitOffset></field>
            <field><name>HPRE</name><lsb>4</lsb><msb>7</msb></field>
            <field><name>A&amp;B</name><bitRange>[31:30]</bitRange></field></fields></register>
        <register><name>DR</name><addressOffset>4</addressOffset><size>8</size><access>read-only</access></register>
        """))
    #expect(chip.name == "X")
    let part = try #require(chip.peripheral("p"))
    #expect(part.base == 0x4000_0000 && part.size == 5)
    #expect(part.registers.map(\.name) == ["CR", "DR"])
    #expect(part.registers[0].resetValue == 10)
    #expect(part.registers[0].fields.map(\.name) == ["ON", "HPRE", "A&B"])
    #expect(part.registers[0].fields.map(\.bits) == [0..<1, 4..<8, 30..<32])
    #expect(part.registers[0].fieldText(0x4000_0091) == "ON HPRE=0x9 A&B=0x1")
    #expect(part.registers[1].width == 1 && part.registers[1].access == .readOnly)
    #expect(chip.label(0x4000_0002) == "P.CR+2")
    #expect(chip.label(0x4000_0004) == "P.DR")
    #expect(chip.label(0x4000_0005) == nil)
  }

  @Test func arraysClustersAndDerivationsAreWrittenOut() throws {
    let chip = try RegisterDescription(
      svd: device(
        """
        <peripheral><name>GPIOA</name><baseAddress>0x100</baseAddress>
          <addressBlock><offset>0</offset><size>0x40</size></addressBlock>
          <registers>
            <register><dim>2</dim><dimIncrement>4</dimIncrement><dimIndex>A,B</dimIndex><name>CR%s</name>
              <addressOffset>0</addressOffset></register>
            <cluster><dim>2</dim><dimIncrement>0x10</dimIncrement><name>CH[%s]</name><addressOffset>0x10</addressOffset>
              <register derivedFrom="LAST"><name>FIRST</name><addressOffset>0</addressOffset></register>
              <register><name>LAST</name><addressOffset>8</addressOffset><size>16</size></register></cluster>
          </registers></peripheral>
        <peripheral derivedFrom="GPIOA"><name>GPIOB</name><baseAddress>0x200</baseAddress></peripheral>
        """))
    let names = ["CRA", "CRB", "CH[0]_FIRST", "CH[0]_LAST", "CH[1]_FIRST", "CH[1]_LAST"]
    #expect(chip.peripherals.map(\.name) == ["GPIOA", "GPIOB"])
    for part in chip.peripherals {
      #expect(part.registers.map(\.name) == names)
      #expect(part.registers.map(\.offset) == [0, 4, 0x10, 0x18, 0x20, 0x28])
      #expect(part.registers.map(\.width) == [4, 4, 2, 2, 2, 2])
      #expect(part.size == 0x40)
    }
    #expect(chip.label(0x228) == "GPIOB.CH[1]_LAST")
    #expect(chip.label(0x230) == "GPIOB")
  }

  @Test(arguments: [
    ("", "line 1: this is no XML: there is no element"),
    ("hello", "line 1: this is no XML"),
    ("<device>", "line 1: <device> is never closed"),
    ("<a></b>", "</b> closes nothing; <a> of line 1 is open"),
    ("<a><b></a>", "</a> closes nothing; <b> of line 1 is open"),
    ("<a x=1/>", "'x' is not in quotes"),
    ("<a>&nonsense;</a>", "'&nonsense;' is no character"),
    ("<a>&#xD800;</a>", "is no character"),
    ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "a document type of its own"),
    ("<a/><b/>", "a second root element"),
    ("<svd/>", "<svd> is not the <device>"),
    ("<device>\n<name>X</name></device>", "<device> has no <peripherals>"),
  ])
  func documentsThatAreNone(text: String, message: String) {
    let error = #expect(throws: SVDError.self) { try RegisterDescription(svd: Array(text.utf8)) }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }

  /// One odd element is reported and left out; the others are read.
  @Test(arguments: [
    ("<register><name>R</name><addressOffset>zero</addressOffset></register>", "<addressOffset> 'zero' is no number"),
    ("<register><addressOffset>0</addressOffset></register>", "a register without a <name>"),
    ("<register><name>R</name><size>0</size></register>", "P.R: a register of 0 bits"),
    (
      "<register><name>R%s</name><dim>4000000000</dim><dimIncrement>4</dimIncrement></register>",
      "an array of 4000000000"
    ),
    ("<register><name>R%s</name><dim>4</dim></register>", "R%s has no <dimIncrement>"),
    (
      "<register><name>R%s</name><dim>4</dim><dimIncrement>4</dimIncrement><dimIndex>A,B</dimIndex></register>",
      "dimIndex 'A,B' does not name 4 elements"
    ),
    ("<register derivedFrom='Q'><name>R</name></register>", "derivedFrom 'Q': there is no register of that name"),
    ("<register derivedFrom='R'><name>R</name></register>", "goes round in a circle"),
    (
      "<register><name>R</name><addressOffset>0xffffffffffffffff</addressOffset></register>",
      "no possible addressOffset"
    ),
    ("<register><name>\(String(repeating: "R", count: 2000))</name></register>", "a name of 2000 bytes"),
  ])
  func registersThatAreNone(text: String, message: String) throws {
    let chip = try RegisterDescription(
      svd: peripheral("\(text)<register><name>GOOD</name><addressOffset>8</addressOffset></register>"))
    #expect(chip.peripherals.map { $0.registers.map(\.name) } == [["GOOD"]])
    #expect(chip.problems.count == 1 && chip.problems[0].line == 2)
    #expect(chip.problems.first?.description.contains(message) == true, "\(chip.problems)")
  }

  @Test(arguments: [
    ("<name>F</name><bitOffset>31</bitOffset><bitWidth>2</bitWidth>", "P.R.F: it is outside of its register's 32 bits"),
    ("<name>F</name><bitRange>nonsense</bitRange>", "field F does not say which bits"),
    ("<name>F</name><bitOffset>0</bitOffset><bitWidth>0</bitWidth>", "field F does not say which bits"),
    ("<bitOffset>0</bitOffset>", "a field without a <name>"),
  ])
  func fieldsThatAreNone(text: String, message: String) throws {
    let chip = try RegisterDescription(
      svd: peripheral(
        "<register><name>R</name><fields><field>\(text)</field><field><name>G</name><bitOffset>1</bitOffset></field>"
          + "</fields></register>"))
    #expect(chip.peripherals[0].registers[0].fields == [.field("G", 1)])
    #expect(chip.problems.first?.description.contains(message) == true, "\(chip.problems)")
  }

  @Test func anUnknownAccessIsReportedAndTheRestKept() throws {
    let chip = try RegisterDescription(
      svd: peripheral("<register><name>R</name><access>sometimes</access><size>16</size></register>"))
    #expect(chip.peripherals[0].registers.map(\.width) == [2])
    #expect(chip.problems.map(\.message) == ["P.R: access 'sometimes' is none of read-only, write-only, read-write"])
  }

  @Test(
    arguments: [
      ("4k", 0x1000), ("4K", 0x1000), ("0x2K", 0x800), ("1M", 0x10_0000), ("#101", 5), ("+12", 12), ("0X1f", 31),
      ("0b1x1", 5),
    ] as [(String, UInt64)])
  func numbers(text: String, value: UInt64) throws {
    let chip = try RegisterDescription(
      svd: peripheral("<register><name>R</name><addressOffset>\(text)</addressOffset></register>"))
    #expect(chip.peripherals[0].registers.map(\.offset) == [value])
  }

  @Test func registersHaveAnyNumberOfBits() throws {
    let chip = try RegisterDescription(
      svd: peripheral(
        """
        <register><name>A</name><size>1</size><addressOffset>0</addressOffset></register>
        <register><name>B</name><size>24</size><addressOffset>4</addressOffset></register>
        <register><name>KEY</name><size>128</size><addressOffset>8</addressOffset><fields>
          <field><name>TOP</name><bitRange>[127:120]</bitRange></field></fields></register>
        <register><name>C</name><addressOffset>0x18</addressOffset></register>
        """))
    #expect(chip.problems.isEmpty)
    #expect(chip.peripherals[0].registers.map(\.width) == [1, 3, 16, 4])
    #expect(chip.peripherals[0].registers[2].fields == [.field("TOP", 120..<128)])
    #expect(chip.peripherals[0].registers[2].fieldText(.max) == "")
    #expect(chip.label(0x4000_0017) == "P.KEY+15" && chip.label(0x4000_0007) == "P")
  }

  // MARK: Limits

  @Test func manyArraysInsideOneAnotherAreRefused() {
    var text = "<register><name>R</name></register>"
    for level in 0..<8 {
      text =
        "<cluster><name>C\(level)_%s</name><dim>60</dim><dimIncrement>4</dimIncrement>\(text)</cluster>"
    }
    let error = #expect(throws: SVDError.self) { try RegisterDescription(svd: peripheral(text)) }
    #expect(error?.description.contains("more than 262144 registers") == true)
  }

  @Test func arraysOfNothingAreNothing() throws {
    var text = ""
    for level in 0..<20 {
      text =
        "<cluster><name>C\(level)_%s</name><dim>65536</dim><dimIncrement>4</dimIncrement>\(text)</cluster>"
    }
    #expect(try RegisterDescription(svd: peripheral(text)).peripherals[0].registers.isEmpty)
  }

  /// Each cluster contains the one before twice.
  @Test func derivationsThatDoubleAreRefused() {
    var text = "<cluster><name>C0</name></cluster>"
    for level in 1..<40 {
      let inner = "<cluster derivedFrom='P.C\(level - 1)'><name>A</name></cluster>"
      text += "<cluster><name>C\(level)</name>\(inner)\(inner.replacing("A", with: "B"))</cluster>"
    }
    let error = #expect(throws: SVDError.self) { try RegisterDescription(svd: peripheral(text)) }
    #expect(error?.description.contains("more than 65536 derivations") == true)
  }

  /// Whatever is done to a file, it is read or refused.
  @Test func mutatedFilesDoNoHarm() throws {
    let original = peripheral(
      """
      <cluster><dim>2</dim><dimIncrement>16</dimIncrement><name>C%s</name><addressOffset>0x10</addressOffset>
      <register derivedFrom="B"><name>A</name><addressOffset>0</addressOffset></register>
      <register><name>B</name><addressOffset>8</addressOffset><size>16</size><fields><field><name>F</name>
      <bitRange>[7:0]</bitRange></field></fields></register></cluster>
      """)
    var random = Mutations.random
    var refused = 0
    let count = Mutations.count(3000)
    for _ in 0..<count {
      var bytes = original
      Mutations.damage(&bytes, &random)
      do { _ = try RegisterDescription(svd: bytes) } catch { refused += 1 }
    }
    #expect(refused > count / 10 && refused < count)
  }

  @Test func whatIsWrittenReadsTheSame() throws {
    let part = RegisterDescription.Peripheral(
      name: "UART0", base: 0x4000_4000, size: 0x1000, summary: "a<b",
      registers: [
        RegisterInfo("DATA", 0, sideEffectOnRead: true),
        RegisterInfo("STATE", 4, .readOnly, reset: 3, [.field("TXFULL", 0)]),
        RegisterInfo(
          "CTRL", 8, width: 2,
          [.field("MODE", 4..<7, [.init("OFF", 0), .init("ODD", 1, mask: ~6), .init("OTHER", 0, mask: 0)])]),
      ])
    let chip = RegisterDescription(name: "board", peripherals: [part])
    #expect(try RegisterDescription(svd: Array(chip.svd().utf8)) == chip)
  }
}
