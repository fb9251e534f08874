// What `derivedFrom` means on each level: where the name is looked for, what is taken over, what is added.

import Bus
import SVD
import Testing

private func chip(_ peripherals: String) throws -> RegisterDescription {
  try RegisterDescription(
    svd: Array("<device><name>X</name><peripherals>\(peripherals)</peripherals></device>".utf8))
}

private let timer = """
  <peripheral><name>TIM1</name><baseAddress>0x100</baseAddress><size>16</size><registers>
    <register><name>CR</name><addressOffset>0</addressOffset><fields>
      <field><name>MODE</name><bitRange>[2:1]</bitRange><enumeratedValues><name>ModeNames</name>
        <enumeratedValue><name>Up</name><value>0</value></enumeratedValue>
        <enumeratedValue><name>Odd</name><value>#x1</value></enumeratedValue>
        <enumeratedValue><name>Other</name><isDefault>true</isDefault></enumeratedValue></enumeratedValues></field>
      <field><name>ON</name><bitOffset>0</bitOffset></field></fields></register>
    <cluster><name>CH</name><addressOffset>0x10</addressOffset>
      <register><name>CC</name><addressOffset>2</addressOffset><access>read-only</access></register></cluster>
  </registers></peripheral>
  """

struct DerivationTests {
  @Test func peripheralsAddRegistersOfTheirOwn() throws {
    let chip = try chip(
      timer + """
        <peripheral derivedFrom="TIM1"><name>TIM2</name><baseAddress>0x200</baseAddress><registers>
          <register><name>EXTRA</name><addressOffset>0x20</addressOffset></register>
          <register><name>CR</name><addressOffset>4</addressOffset></register></registers></peripheral>
        <peripheral derivedFrom="TIM2"><name>TIM3</name><baseAddress>0x300</baseAddress></peripheral>
        """)
    #expect(chip.problems.isEmpty)
    for name in ["TIM2", "TIM3"] {
      let registers = try #require(chip.peripheral(name)).registers
      #expect(registers.map(\.name) == ["CR", "CH_CC", "EXTRA"] && registers.map(\.offset) == [4, 0x12, 0x20])
      #expect(registers.allSatisfy { $0.width == 2 } && registers[0].fields.isEmpty)
    }
  }

  @Test func registersAndClustersAddToWhatTheyTakeOver() throws {
    let chip = try chip(
      timer + """
        <peripheral><name>P</name><baseAddress>0x200</baseAddress><registers>
          <register derivedFrom="TIM1.CR"><name>CR2</name><addressOffset>8</addressOffset><fields>
            <field><name>NEW</name><bitOffset>7</bitOffset></field>
            <field><name>ON</name><bitOffset>6</bitOffset></field></fields></register>
          <cluster derivedFrom="TIM1.CH"><dim>2</dim><dimIncrement>8</dimIncrement><name>CH[%s]</name>
            <addressOffset>0x40</addressOffset>
            <register><name>OWN</name><addressOffset>4</addressOffset></register>
            <register derivedFrom="CC"><name>TWIN</name><addressOffset>6</addressOffset></register></cluster>
        </registers></peripheral>
        """)
    #expect(chip.problems.isEmpty)
    let registers = try #require(chip.peripheral("P")).registers
    #expect(
      registers.map(\.name)
        == ["CR2", "CH[0]_CC", "CH[0]_OWN", "CH[0]_TWIN", "CH[1]_CC", "CH[1]_OWN", "CH[1]_TWIN"])
    #expect(registers.map(\.offset) == [8, 0x42, 0x44, 0x46, 0x4A, 0x4C, 0x4E])
    #expect(registers[0].fields.map(\.name) == ["MODE", "ON", "NEW"])
    #expect(registers[0].fields.map(\.bits) == [1..<3, 6..<7, 7..<8])
    #expect(registers[1].access == .readOnly && registers[3].access == .readOnly && registers[2].access == .readWrite)
  }

  @Test(arguments: ["MODE", "CR.MODE", "TIM1.CR.MODE"])
  func fieldsKeepTheirWidthAtAnotherPlace(path: String) throws {
    let chip = try chip(
      timer.replacing(
        "<field><name>ON</name>",
        with: "<field derivedFrom='\(path)'><name>MODE2</name><bitOffset>8</bitOffset></field><field><name>ON</name>"))
    #expect(chip.problems.isEmpty)
    let field = try #require(chip.peripherals[0].registers[0].fields.last)
    #expect(field.name == "MODE2" && field.bits == 8..<10)
    #expect(field.values == chip.peripherals[0].registers[0].fields[1].values)
  }

  /// A name that occurs once in the file needs no path.
  @Test(arguments: ["ModeNames", "MODE.ModeNames", "CR.MODE.ModeNames", "TIM1.CR.MODE.ModeNames"])
  func enumeratedValuesAreFoundByNameOrPath(path: String) throws {
    let chip = try chip(
      timer.replacing(
        "<field><name>ON</name><bitOffset>0</bitOffset>",
        with: "<field><name>ON</name><bitOffset>4</bitOffset><bitWidth>2</bitWidth>"
          + "<enumeratedValues derivedFrom='\(path)'/>"))
    #expect(chip.problems.isEmpty)
    let field = try #require(chip.peripherals[0].registers[0].fields.last)
    #expect((0..<4).map { field.name(of: $0) } == ["Up", "Odd", "Other", "Odd"])
  }

  @Test func anArrayIsFoundWithoutItsIndexAndHasItsOwnDimensions() throws {
    let chip = try chip(
      """
      <peripheral><name>P</name><baseAddress>0</baseAddress><registers>
        <register><dim>2</dim><dimIncrement>4</dimIncrement><name>A[%s]</name><size>8</size></register>
        <register derivedFrom="A[%s]"><name>B[%s]</name><addressOffset>0x10</addressOffset></register>
        <register derivedFrom="A"><name>C</name><addressOffset>0x20</addressOffset></register>
        <register derivedFrom="A[1]"><name>D</name><addressOffset>0x24</addressOffset></register>
      </registers></peripheral>
      """)
    #expect(chip.problems.isEmpty)
    #expect(chip.peripherals[0].registers.map(\.name) == ["A[0]", "A[1]", "B[0]", "B[1]", "C", "D"])
    #expect(chip.peripherals[0].registers.allSatisfy { $0.width == 1 })
  }

  @Test func aMissingOriginLeavesOutItsElementOnly() throws {
    let chip = try chip(
      timer + "<peripheral derivedFrom='NONE'><name>TIM2</name><baseAddress>0x200</baseAddress></peripheral>")
    #expect(chip.peripherals.map(\.name) == ["TIM1"])
    #expect(
      chip.problems.map(\.message) == ["TIM2: derivedFrom 'NONE': there is no peripheral of that name"])
  }
}
