// Owns raw memory for the flat tables of hot code.

/// Uninitialised, unmanaged memory for `capacity` elements; untouched pages cost nothing. Indices are checked in debug
/// builds only, so whoever owns the table bounds what is indexed with.
@safe public struct RawTable<Element: BitwiseCopyable> {
  @usableFromInline let base: UnsafeMutablePointer<Element>
  public let capacity: Int

  /// Allocates; ``deallocate()`` frees.
  @inlinable public init(capacity: Int) {
    unsafe base = .allocate(capacity: capacity)
    self.capacity = capacity
  }

  /// Borrows memory that outlives the table.
  @inlinable public init(borrowing buffer: UnsafeMutableBufferPointer<Element>) {
    unsafe base = buffer.baseAddress!
    capacity = buffer.count
  }

  @inlinable public func deallocate() { unsafe base.deallocate() }

  @inlinable public func fill(_ element: Element) { unsafe base.update(repeating: element, count: capacity) }

  @inlinable public subscript(index: Int) -> Element {
    @inline(__always)
    get {
      assert(index >= 0 && index < capacity)
      return unsafe base[index]
    }
    @inline(__always)
    nonmutating set {
      assert(index >= 0 && index < capacity)
      unsafe base[index] = newValue
    }
  }
}
