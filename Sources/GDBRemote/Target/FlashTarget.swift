/// A target with flash memory that GDB's `load` programs: erase, write, and at the end once `flashDone`. The regions
/// are those of the memory map.
public protocol FlashTarget: MemoryMapProviding {
  /// Erases whole blocks. The range does not wrap.
  func eraseFlash(at address: UInt64, length: UInt64) throws(TargetError)

  /// Programs bytes that were erased before. The range does not wrap.
  func writeFlash(_ bytes: [UInt8], at address: UInt64) throws(TargetError)

  /// No more erasing and writing follows: make it take effect.
  func flashDone() throws(TargetError)
}
