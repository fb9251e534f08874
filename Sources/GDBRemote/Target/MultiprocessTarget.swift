/// A target with several processes, such as clusters of cores, of which a client may leave one and stay with the others. Each
/// call may come while the guest runs, and none for the last process that the client has: that is `Resumable.detach`.
public protocol MultiprocessTarget: Resumable {
  /// The client leaves a process, whose threads run from now on whenever the guest does.
  func detach(process: UInt32)

  /// The client takes up a process that it has left, or not had.
  func attach(process: UInt32)
}
