// Owns raw memory for the flat tables of hot code.

/// Uninitialised, unmanaged memory for `capacity` elements; untouched pages cost nothing. Indices are checked in debug
/// builds only, so whoever owns the table bounds what is indexed with.
@safe public struct RawTable<Element: BitwiseCopyable> {
  @usableFromInline let base: UnsafeMutablePointer<Element>
  public let capacity: Int

  /// Allocates; ``deallocate()`` frees.
  @inlinable public init(capacity: Int) {
    // Lines of the host's cache, for records that fill one.
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: capacity * MemoryLayout<Element>.stride, alignment: 64)
      .bindMemory(to: Element.self, capacity: capacity)
    self.capacity = capacity
  }

  /// Allocates a copy of `elements`.
  @inlinable public init(copying elements: [Element]) {
    self.init(capacity: elements.count)
    for index in elements.indices { self[index] = elements[index] }
  }

  /// Borrows memory that outlives the table.
  @inlinable public init(borrowing buffer: UnsafeMutableBufferPointer<Element>) {
    unsafe base = buffer.baseAddress!
    capacity = buffer.count
  }

  @inlinable public func deallocate() { unsafe base.deallocate() }

  /// The first element's address, for those who bound what they index with themselves.
  @inlinable public var memory: UnsafeMutablePointer<Element> { unsafe base }

  @inlinable public func fill(_ element: Element) { unsafe base.update(repeating: element, count: capacity) }

  @inlinable public subscript(index: Int) -> Element {
    @inline(__always)
    get {
      assert(index >= 0 && index < capacity)
      return unsafe base[index]
    }
    @inline(__always)
    nonmutating _modify {
      assert(index >= 0 && index < capacity)
      yield unsafe &base[index]
    }
  }
}

/// A list in raw memory that grows by doubling and gives none of it back. Copies share it, so only one may append;
/// whoever owns it deallocates. Indices are checked in debug builds only.
@safe public struct RawList<Element: BitwiseCopyable> {
  @usableFromInline var table: RawTable<Element>
  @usableFromInline var used = 0
  @inlinable public var count: Int { used }
  @inlinable public var isEmpty: Bool { used == 0 }

  /// Allocates room for `capacity` elements; untouched pages cost nothing.
  @inlinable public init(reserving capacity: Int) { table = RawTable(capacity: capacity) }

  @inlinable public func deallocate() { table.deallocate() }

  /// The elements' memory, until the next change; it has room for more than there are.
  @inlinable public var elements: RawTable<Element> { table }

  @inlinable @inline(__always)
  public mutating func append(_ element: Element) {
    if used == table.capacity { grow() }
    table[used] = element
    used &+= 1
  }

  @inlinable public mutating func removeAll() { used = 0 }

  /// Drops the elements from index `count` on.
  @inlinable public mutating func truncate(to count: Int) {
    assert(count >= 0 && count <= used)
    used = count
  }

  @inlinable public subscript(index: Int) -> Element {
    @inline(__always)
    get {
      assert(index >= 0 && index < used)
      return table[index]
    }
    @inline(__always)
    nonmutating _modify {
      assert(index >= 0 && index < used)
      yield &table[index]
    }
  }

  @inlinable mutating func grow() {
    let larger = RawTable<Element>(capacity: max(64, table.capacity * 2))
    for index in 0..<used { larger[index] = table[index] }
    table.deallocate()
    table = larger
  }
}

/// A value in memory of its own. As a constant of a class, it can be changed without the run-time check for overlapping
/// accesses that variables of classes have: some twenty calls for each block translated. Whoever changes it sees to it
/// that nothing else looks at it meanwhile.
@safe public struct RawCell<Value: ~Copyable>: ~Copyable {
  @usableFromInline let pointer: UnsafeMutablePointer<Value>

  @inlinable public init(_ value: consuming Value) {
    unsafe pointer = .allocate(capacity: 1)
    unsafe pointer.initialize(to: value)
  }

  deinit {
    unsafe pointer.deinitialize(count: 1)
    unsafe pointer.deallocate()
  }

  @inlinable public var value: Value {
    @inline(__always)
    _read { yield unsafe pointer.pointee }
    @inline(__always)
    nonmutating _modify { yield unsafe &pointer.pointee }
  }
}
