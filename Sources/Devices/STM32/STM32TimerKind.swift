// What the timers of STM32 have, each of its own: width, channels, break and repetition, and their registers.
//
// Sources: RM0008 chapters 14 to 17, RM0090 chapters 17 to 20, RM0385 chapters 22 to 24.

import Bus

struct STM32TimerKind {
  private typealias Register = STM32Timer.Register

  /// Capture and compare channels.
  var channels = 4
  /// TIM1 and TIM8: complementary outputs, break, a repetition counter.
  var isAdvanced = false
  /// 32 bits.
  var isWide = false
  /// CR1.UIFREMAP
  var remapsUpdateFlag = false

  /// The timer at an address; one at an address of no known timer is a general-purpose one, or with four interrupts an
  /// advanced one.
  init(_ family: STM32Family, base: UInt64, interrupts: Int) {
    let isFirst = family == .f1
    remapsUpdateFlag = family == .f7
    switch base {
    case 0x4000_0000, 0x4000_0C00: isWide = !isFirst
    case 0x4000_1000, 0x4000_1400: channels = 0
    case 0x4000_1800, isFirst ? 0x4001_4C00 : 0x4001_4000: channels = 2
    case 0x4000_1C00, 0x4000_2000, isFirst ? 0x4001_5000 : 0x4001_4400, isFirst ? 0x4001_5400 : 0x4001_4800:
      channels = 1
    default: isAdvanced = interrupts >= 4
    }
  }

  /// The largest count.
  var limit: UInt32 { isWide ? .max : 0xFFFF }
  /// Timers with four channels count both ways.
  private var countsDown: Bool { channels == 4 }
  private var width: Int { isWide ? 32 : 16 }

  /// The registers, with what is not modelled.
  var registers: STM32Timer.Registers {
    var control: [Field] = [.field("CEN", 0), .field("UDIS", 1), .field("URS", 2), .field("OPM", 3), .field("ARPE", 7)]
    if channels > 0 { control.append(.field("CKD", 8..<10)) }
    if countsDown { control += [.field("DIR", 4), .field("CMS", 5..<7)] }
    if remapsUpdateFlag { control.append(.field("UIFREMAP", 11)) }
    var list: STM32Timer.Registers = [
      Register("CR1", 0x00, control)
        .onRead { $0.controlValue }.onWrite { $0.writeControl($1) },
      Register("DIER", 0x0C, interruptEnables), Register("SR", 0x10, status).onWrite { $0.bank[0x10] &= $1 },
      Register("EGR", 0x14, .writeOnly).onWrite { $0.generate($1) },
      Register("CNT", 0x24, [.field("CNT", 0..<(remapsUpdateFlag ? 32 : width))])
        .onRead { $0.countValue }.onWrite { $0.setCount($1) },
      Register("PSC", 0x28, [.field("PSC", 0..<16)]),
      Register("ARR", 0x2C, reset: UInt64(limit), [.field("ARR", 0..<width)]).onWrite { $0.setPeriod($1) },
    ]
    if channels != 1 {
      list.append(Register("CR2", 0x04, secondControl).onWrite { $0.store($1, at: 0x04, frozenBy: 1, 0xFF00) })
    }
    guard channels > 0 else { return list }
    if channels != 1 { list.append(Register("SMCR", 0x08, slave)) }
    list += [
      Register("CCMR", 0x18, count: (channels + 1) / 2).onWrite { $0.setMode($1, of: $2) },
      Register("CCER", 0x20).onWrite { $0.store($1, at: 0x20, frozenBy: 2, 0xAAAA) },
      Register("CCR", 0x34, count: channels, [.field("CCR", 0..<width)]).onWrite { $0.setCompare($1, of: $2) },
    ]
    if channels == 4 {
      list += [
        Register("DCR", 0x48, [.unimplemented("DMA", 0..<13)]),
        Register("DMAR", 0x4C, [.unimplemented("DMAB", 0..<32)]),
      ]
    }
    if isAdvanced {
      list += [
        Register("RCR", 0x30, [.field("REP", 0..<(remapsUpdateFlag ? 16 : 8))]),
        Register(
          "BDTR", 0x44,
          [
            .field("DTG", 0..<8), .field("LOCK", 8..<10), .field("OSSI", 10), .field("OSSR", 11), .field("BKE", 12),
            .field("BKP", 13), .field("AOE", 14), .field("MOE", 15),
          ] + (remapsUpdateFlag ? [.field("BKF", 16..<24), .unimplemented("BK2E", 24), .field("BK2P", 25)] : [])
        ).onWrite { $0.writeOutputs($1) },
      ]
      if remapsUpdateFlag {
        list += [
          Register("CCMR3", 0x54, [.unimplemented("OC5M", 0..<8), .unimplemented("OC6M", 8..<16)]),
          Register("CCR5", 0x58, [.unimplemented("CCR5", 0..<32)]),
          Register("CCR6", 0x5C, [.unimplemented("CCR6", 0..<16)]),
        ]
      }
    } else {
      list.append(Register("OR", 0x50, [.unimplemented("RMP", 0..<12)]))
    }
    return list
  }

  private var interruptEnables: [Field] {
    var fields: [Field] = [.field("UIE", 0), .unimplemented("UDE", 8)]
    guard channels > 0 else { return fields }
    fields += [
      .field("CCIE", 1..<channels + 1), .field("TIE", 6), .unimplemented("CCDE", 9..<13), .unimplemented("TDE", 14),
    ]
    if isAdvanced { fields += [.field("COMIE", 5), .field("BIE", 7), .unimplemented("COMDE", 13)] }
    return fields
  }

  private var status: [Field] {
    var fields: [Field] = [.field("UIF", 0)]
    guard channels > 0 else { return fields }
    fields += [.field("CCIF", 1..<channels + 1), .field("TIF", 6), .field("CCOF", 9..<channels + 9)]
    if isAdvanced { fields += [.field("COMIF", 5), .field("BIF", 7)] }
    return fields
  }

  private var secondControl: [Field] {
    let fields: [Field] = [.unimplemented("CCDS", 3), .unimplemented("MMS", 4..<7), .unimplemented("TI1S", 7)]
    return isAdvanced ? fields + [.field("CCPC", 0), .field("CCUS", 2), .field("OIS", 8..<15)] : fields
  }

  private var slave: [Field] {
    [
      .unimplemented("SMS", 0..<3), .field("TS", 4..<7), .field("MSM", 7), .field("ETF", 8..<12),
      .field("ETPS", 12..<14),
      .unimplemented("ECE", 14), .field("ETP", 15),
    ]
  }
}
