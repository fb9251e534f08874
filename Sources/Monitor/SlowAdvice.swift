// Owns the words for what slows guest code: each cause's name, and what its user can do about it.

import Engine
import HostKit
import IR
import Machine

/// Names causes, as the machine's options have them.
struct SlowAdvice {
  private let strategy: InterruptStrategy
  private let isAdaptive: Bool

  init(_ machine: Machine) {
    strategy = machine.engine.options.interrupts
    isAdaptive = machine.engine.options.tiers == .adaptive
  }

  func name(_ cause: SlowCause) -> String {
    switch cause {
    case .exit(let obstacle): name(obstacle)
    case .jumpMiss: "indirect jump to where none has led before"
    case .jumpNotKept: "indirect jump that is looked up each time"
    case .interrupt: "an interrupt was taken"
    case .sliceEnd: "a time slice, or the time to a device's event, was over"
    case .sample: "a sample of what runs was taken"
    case .request: "a command, input or another thread wanted in"
    case .recheck: "something that decides about interrupts changed"
    case .kick: "a kick came whose cause had been seen to"
    case .left(let reason): name(reason)
    case .device: "access of a device's register"
    case .tlbFill: "first access of a page in this mode: its address was translated"
    case .besideCode: "store into a page that holds translated code"
    case .watched: "access of a page with a watchpoint"
    case .twoPages: "access across the border of two pages"
    case .otherAccess: "access with more to check than translated code does"
    case .hostFault: "access that began as a fault of the host's"
    case .helper(let name): "call of the helper '\(name)'"
    }
  }

  private func name(_ obstacle: ChainObstacle) -> String {
    switch obstacle {
    case .notTaken: "exit not taken since it was translated, or cut"
    case .untranslated: "exit to where nothing is translated"
    case .interpreted: "exit between interpreted and compiled code"
    case .kicksNeedExits: "exit of interpreted code, which --interrupts \(strategy.rawValue) leaves unchained"
    case .mayMove: "exit that is looked up, since other code may be mapped there"
    case .forbidden: "exit that 'chain forbid' keeps unchained"
    case .switchedOff: "exit while chaining is switched off"
    case .otherFlags: "exit to code translated for other flags"
    case .twoPages: "exit to an instruction that lies in two pages"
    case .breakpoint: "exit to a breakpoint"
    case .otherPage: "exit into a page that had to be looked up"
    case .attention: "exit behind which the engine had something to see to"
    case .replaced: "exit to a block that has just been replaced"
    }
  }

  private func name(_ reason: ExitReason) -> String {
    switch reason {
    case .exception: "an exception was raised"
    case .stateChanged: "an instruction changed the mode, or other state that translation depends on"
    case .wait: "the guest waited for an interrupt"
    case .yield: "the guest waited for another hart"
    case .breakpoint: "a breakpoint was reached"
    case .watchpoint: "a watchpoint was hit"
    case .step: "an instruction had to run in a block of its own"
    case .semihosting: "a call of semihosting"
    case .codeFence: "code was written, and fenced"
    case .unchained, .indirectMiss, .budget: "\(reason.name)"
    }
  }

  func whatToDo(_ cause: SlowCause) -> String {
    switch cause {
    case .exit(let obstacle): whatToDo(obstacle)
    case .jumpMiss:
      strategy == .unchain
        ? "Once for each target, and again after each stop: --interrupts unchain empties the jump cache; budget, flag "
          + "and page keep it."
        : "Once for each target; more often where very many targets share the jump cache, or code is dropped "
          + "('events' says why)."
    case .jumpNotKept:
      "Targets in IT blocks, on the border of two pages, and all while the log shows 'nochain' are looked up. Align "
        + "the target, or switch that off ('log')."
    case .interrupt:
      "The guest's timers and devices ask for it: a slower tick, or fewer events, make fewer ('info irq')."
    case .sliceEnd:
      "A slice is 400,000 instructions, 100,000 of each of several harts; nearer ends are devices' events: timers set "
        + "less often."
    case .sample: "Fewer as less is found hot. --tiers thorough or quick takes none."
    case .request:
      "Commands, GDB, input and --realtime pause the guest; each costs as long as it takes ('stops' measures)."
    case .recheck:
      "Interrupt lines move, or masks are written, without an interrupt: acknowledge devices once, mask less often."
    case .kick:
      strategy == .unchain
        ? "A kick turns loops back to their exits for a moment: --interrupts flag or budget leave chains alone."
        : "Rare. Two causes at a time make one."
    case .left(let reason): whatToDo(reason)
    case .device:
      "Each is a call of the device's model. Poll less: take its interrupt, use its FIFO or DMA, or wait between two "
        + "looks."
    case .tlbFill:
      "Once for each page after each change of the mapping. Large pages, an ASID, and fewer fences (sfence.vma of one "
        + "address) help."
    case .besideCode:
      "Keep data that is written out of pages with code: align .data to 4096 bytes; literals that are only read do no "
        + "harm."
    case .watched:
      "Watchpoints take their page's accesses off the fast path until the instructions are compiled anew; 'delete' "
        + "those not needed."
    case .twoPages: "Align what is accessed to its size."
    case .otherAccess:
      "Atomics on devices, accesses in another mode's rights (MPRV), regions smaller than a page (PMP, MPU): align "
        + "those to 4096 bytes."
    case .hostFault:
      "The first access of a device, or beside code, faults on the host; after a few the instruction is compiled to "
        + "ask first. Many: code is dropped and made again ('events')."
    case .helper:
      "These instructions are not compiled: counters, system registers, wide arithmetic. Take them out of the hot "
        + "loop, or read them once."
    }
  }

  private func whatToDo(_ obstacle: ChainObstacle) -> String {
    switch obstacle {
    case .notTaken:
      "Nothing: the first time it is taken it is chained. Often: something cuts the chain or drops the block "
        + "('events' says what)."
    case .untranslated: "Nothing: it is translated and chained when it is taken."
    case .interpreted:
      isAdaptive
        ? "Nothing: what runs often is compiled. --tiers quick compiles all at once."
        : "'retranslate' compiles a block at once."
    case .kicksNeedExits:
      "Nothing: what runs often is compiled. --tiers quick compiles all at once, --interrupts budget chains it."
    case .mayMove:
      "Paging, or a change of mode: what is there is looked up, as the page may be mapped otherwise. Keep loops and "
        + "what they call in one page of 4096 bytes: align hot functions."
    case .forbidden: "'chain allow FROM TO' lets it."
    case .switchedOff: "The log's item 'nochain' does it: 'log' with the items but that."
    case .otherFlags:
      "Code is translated for each mode by itself; the way between two is looked up. Change modes less often."
    case .twoPages:
      "Its second half may be mapped elsewhere: it is looked up. Align the instruction by a nop, or its function to "
        + "16 bytes."
    case .breakpoint: "'delete' or 'disable' the breakpoint: what starts at one is looked at each time."
    case .otherPage:
      "Once for each page of code, and again where hot code is spread over more than 64 of them: keep it close "
        + "together."
    case .attention:
      "The mode changes there, a kick came, or an instruction was to run by itself: see the other causes."
    case .replaced: "Nothing: better code takes its place, and is chained the next time."
    }
  }

  private func whatToDo(_ reason: ExitReason) -> String {
    switch reason {
    case .exception:
      "Entering a handler costs some hundred instructions' time. Page faults, calls of the environment, unaligned "
        + "accesses that are emulated: 'log int' shows which."
    case .stateChanged: "Written masks, modes and translation tables are looked at: write them outside of the hot loop."
    case .wait: "Nothing: the guest is idle, and its time is skipped or slept."
    case .yield: "Harts run in turn: spinning ends its turn early. Nothing to do, or fewer harts (-smp)."
    case .breakpoint:
      "A condition that is evaluated each time stops code too, for less than a stop: 'info breakpoints' shows hits."
    case .watchpoint: "'info breakpoints' shows hits; 'delete' those not needed, or watch 'change' or a condition."
    case .step:
      "It stores into its own block, is watched, stands at a breakpoint, or decides about interrupts. Keep what is "
        + "written apart from code."
    case .semihosting: "Each is a call of the host: gather output, or use a UART or RTT."
    case .codeFence: "Each fence.i, isb or write of code has code looked at again: write it all, then fence once."
    case .unchained, .indirectMiss, .budget: "Nothing."
    }
  }
}
