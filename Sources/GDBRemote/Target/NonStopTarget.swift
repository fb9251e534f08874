/// A target whose threads run and halt each for itself, for GDB's `set non-stop on`.
///
/// In non-stop mode a plan is for the threads that it names, and leaves others as they are: a halted thread goes on, a
/// running one that is to halt does so with the signal `.none`. `Session.stopped` is called for each thread that halts, and
/// `interrupt` halts one of those that run, with the signal `.interrupt`. All calls may come while threads run, but for
/// those of registers: they are for halted ones.
public protocol NonStopTarget: Resumable {
  /// Turns the mode on, with threads as they are, or off, which halts all of them without a report.
  func setNonStop(_ isOn: Bool) throws(TargetError)

  /// Why `thread` is halted, or nil while it runs. In non-stop mode.
  func stop(of thread: ThreadID) -> Stop?
}
