// A register of a device with what accesses to it do: one row is the whole truth about it.

/// A register of a device, or an array of equal ones: its description, and its behaviour.
///
/// A row without behaviour of its own is kept by its owner (``RegisterDevice/held(at:)``). Handlers get the device, and for
/// arrays the number of the register in it.
public struct DeviceRegister<Owner: RegisterDevice>: Sendable {
  private var register: RegisterInfo
  @usableFromInline var reader: (@Sendable (Owner, _ index: Int) -> UInt64)?
  @usableFromInline var readEffect: (@Sendable (Owner, _ index: Int) -> Void)?
  /// The reader has side effects: debuggers are not shown a value.
  @usableFromInline var isDestructive = false
  @usableFromInline var writer: (@Sendable (Owner, _ value: UInt64, _ index: Int) -> Void)?
  /// A narrow write is completed with what the register reads as, not with what its owner holds.
  @usableFromInline var completesWithValue = false

  /// The parameters are those of ``RegisterInfo``.
  public init(
    _ name: String, _ offset: UInt64, width: Int = 4, _ access: RegisterInfo.Access = .readWrite, reset: UInt64 = 0,
    count: Int = 1, stride: UInt64? = nil, _ fields: [Field] = []
  ) {
    register = RegisterInfo(name, offset, width: width, access, reset: reset, count: count, stride: stride, fields)
  }

  /// A readable and writable register with these fields.
  public init(
    _ name: String, _ offset: UInt64, width: Int = 4, reset: UInt64 = 0, count: Int = 1, stride: UInt64? = nil,
    _ fields: [Field]
  ) {
    self.init(name, offset, width: width, .readWrite, reset: reset, count: count, stride: stride, fields)
  }

  /// Bytes from the start of the region to the register, or the first of an array.
  public var offset: UInt64 { register.offset }

  var description: RegisterInfo {
    readEffect == nil && !isDestructive
      ? register
      : RegisterInfo(
        register.name, register.offset, width: register.width, register.access, reset: register.resetValue,
        sideEffectOnRead: true, count: register.count, stride: register.stride, register.fields)
  }

  @inlinable @inline(__always)
  func with(_ change: (inout Self) -> Void) -> Self {
    var copy = self
    change(&copy)
    return copy
  }

  // MARK: Reads

  /// What the register reads as, to the guest and to debuggers. Without side effects.
  @inlinable @inline(__always)
  public func onRead(_ value: @escaping @Sendable (Owner) -> UInt32) -> Self {
    with { $0.reader = { device, _ in UInt64(value(device)) } }
  }

  @inlinable @inline(__always)
  public func onRead(_ value: @escaping @Sendable (Owner, _ index: Int) -> UInt32) -> Self {
    with { $0.reader = { UInt64(value($0, $1)) } }
  }

  /// What a read by the guest changes besides.
  @inlinable @inline(__always)
  public func afterRead(_ effect: @escaping @Sendable (Owner) -> Void) -> Self {
    with { $0.readEffect = { device, _ in effect(device) } }
  }

  @inlinable @inline(__always)
  public func afterRead(_ effect: @escaping @Sendable (Owner, _ index: Int) -> Void) -> Self {
    with { $0.readEffect = effect }
  }

  /// The value, by having which the guest changes it: debuggers are not shown it.
  @inlinable @inline(__always)
  public func onDestructiveRead(_ value: @escaping @Sendable (Owner) -> UInt32) -> Self {
    onRead(value).with { $0.isDestructive = true }
  }

  @inlinable @inline(__always)
  public func onDestructiveRead(_ value: @escaping @Sendable (Owner, _ index: Int) -> UInt32) -> Self {
    onRead(value).with { $0.isDestructive = true }
  }

  // MARK: Writes

  /// What is to be done with a value that is written: whole, and of its bits those of the fields.
  @inlinable @inline(__always)
  public func onWrite(_ body: @escaping @Sendable (Owner, _ value: UInt32) -> Void) -> Self {
    with { $0.writer = { device, value, _ in body(device, UInt32(truncatingIfNeeded: value)) } }
  }

  @inlinable @inline(__always)
  public func onWrite(_ body: @escaping @Sendable (Owner, _ value: UInt32, _ index: Int) -> Void) -> Self {
    with { $0.writer = { body($0, UInt32(truncatingIfNeeded: $1), $2) } }
  }

  // MARK: Registers that are written in parts

  /// A narrow write leaves the rest of the register as it reads.
  @inlinable @inline(__always)
  public func inParts() -> Self { with { $0.completesWithValue = true } }

  /// As ``onRead(_:)`` and ``onWrite(_:)`` of a register of up to 64 bits, of which a narrow write leaves the rest as it reads.
  @inlinable @inline(__always)
  public func inParts(
    read: @escaping @Sendable (Owner, _ index: Int) -> UInt64,
    write: @escaping @Sendable (Owner, _ value: UInt64, _ index: Int) -> Void
  ) -> Self {
    with {
      $0.reader = read
      $0.writer = write
      $0.completesWithValue = true
    }
  }
}
