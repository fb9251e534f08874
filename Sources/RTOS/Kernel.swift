// Owns the list of kernels, and how one is recognised.

/// A real-time kernel: by which symbols it is recognised, and how its tasks are read.
public struct Kernel: Sendable {
  typealias Reading = @Sendable (KernelReader) throws(KernelError) -> TaskList

  public let name: String
  /// Of each group one symbol: then it is this kernel.
  public let needed: [[String]]
  /// More that are of use.
  public let wanted: [String]
  private let reading: Reading

  init(_ name: String, needed: [[String]], wanted: [String] = [], _ reading: @escaping Reading) {
    self.name = name
    self.needed = needed
    self.wanted = wanted
    self.reading = reading
  }

  /// All that are known. A new one is a file in `Kernels/` and a word here.
  public static let all: [Kernel] = [.freeRTOS, .zephyr, .threadX, .nuttX]

  /// The one called so, in any case of letters.
  public static func named(_ name: String) -> Kernel? { all.first { $0.name.lowercased() == name.lowercased() } }

  /// The kernel whose symbols the guest's program has.
  public static func recognised(in guest: any KernelGuest) -> Kernel? { all.first { $0.isIn(guest) } }

  public func isIn(_ guest: any KernelGuest) -> Bool {
    needed.allSatisfy { group in group.contains { guest.symbol($0) != nil } }
  }

  /// - Throws: why nothing can be said of its tasks.
  public func tasks(of guest: any KernelGuest) throws(KernelError) -> TaskList {
    do throws(KernelError) { return try reading(KernelReader(guest)) } catch { throw KernelError("\(name): \(error)") }
  }
}
