// A firmware in Embedded Swift to debug: a traffic light driven by a timer interrupt, and a console on the UART.
// `boards/swift/build` builds it. Good places for a breakpoint: onTimerInterrupt, report. Good to watch: ticks.

/// Hundredths of a second since the start.
nonisolated(unsafe) var ticks: UInt32 = 0
nonisolated(unsafe) var light = TrafficLight()
/// Set by the interrupt handler, cleared by the main loop.
nonisolated(unsafe) var hasChanged = false

/// Called in an exception handler's context, 100 times a second.
@c(on_timer_interrupt)
func onTimerInterrupt() {
  Board.acknowledgeTimer()
  ticks &+= 1
  let changed = light.tick()
  if changed { hasChanged = true }
}

func report(_ phase: Phase, at tick: UInt32) {
  let seconds = tick / 100
  Console.write("[")
  Console.write(seconds)
  Console.write(" s] ")
  Console.write(phase)
  Console.write("\n")
}

@main
struct Firmware {
  static func main() {
    var line = CommandLine()
    Board.start()
    Console.write("Hello from Embedded Swift on ")
    Console.write(Board.name)
    Console.write(". Commands: phase, ticks, walk, quit\n> ")
    Board.startTimer(hertz: 100)
    while true {
      wait_for_interrupt()
      if hasChanged {
        hasChanged = false
        report(light.phase, at: ticks)
      }
      while let byte = Board.receive() { line.receive(byte) }
    }
  }
}

/// In start.S.
@_extern(c)
func wait_for_interrupt()
