/// A target that can take the addresses of memory packets for physical ones, as the client switches (QEMU's
/// `qqemu.PhyMemMode`, documented in its manual, section "GDB usage").
public protocol PhysicalMemoryTarget: Target {
  /// False at the start of a session.
  var usesPhysicalAddresses: Bool { get set }
}
