// Owns what is known of OpenSBI, the firmware that supervisors need below them: where it is installed, and for whom.

public enum OpenSBI {
  /// Where Debian's package, QEMU's and OpenSBI's own installation put the generic `fw_dynamic`.
  public static func places(xlen: Int) -> [String] {
    [
      "/usr/lib/riscv\(xlen)-linux-gnu/opensbi/generic/fw_dynamic.bin",
      "/usr/share/opensbi/\(xlen == 64 ? "lp64" : "ilp32")/generic/firmware/fw_dynamic.bin",
      "/usr/share/qemu/opensbi-riscv\(xlen)-generic-fw_dynamic.bin",
      "/usr/local/share/qemu/opensbi-riscv\(xlen)-generic-fw_dynamic.bin",
    ]
  }

  /// Whether a file is a Linux kernel, which calls the firmware: by the magic number at byte 56 of its header (Linux,
  /// Documentation/arch/riscv/boot-image-header).
  public static func isNeeded(by kernel: [UInt8]) -> Bool {
    kernel.count >= 64 && kernel[56..<60].elementsEqual([0x52, 0x53, 0x43, 0x05])
  }
}
