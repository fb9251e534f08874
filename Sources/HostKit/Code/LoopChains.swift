// Owns the ways of making running code come back: a flag, a page, jumps that are turned back. All may be used by any
// thread, while another runs the code.

import Glibc
import IR
import Synchronization

/// A page that translated code reads where loops close.
@safe
public final class PollPage: Sendable {
  private let address: UInt64
  private let isClosed = Mutex(false)

  /// - Parameter address: of a page of executable memory that holds no code.
  public init(at address: UInt64) { self.address = address }

  public func set(closed: Bool) {
    isClosed.withLock { state in
      guard state != closed else { return }
      state = closed
      unsafe mprotect(
        UnsafeMutableRawPointer(bitPattern: UInt(address)), Self.size, closed ? PROT_NONE : PROT_READ | PROT_EXEC)
    }
  }

  public static var size: Int { 4096 }
}

/// The jumps that close loops, and the empty jump cache that replaces the real one while they are turned back.
///
/// One lock makes one owner of the table: a jump that is chained while the others are turned back stays so until all are
/// let go on, and no jump cache is published meanwhile. So no kick is lost between the look at what is due and the
/// entry into translated code, nor by chaining anew. What is replaced are aligned 4-byte words, stored at once.
@safe
public final class LoopChains: @unchecked Sendable {
  private struct Chain {
    var site: UInt32
    /// Offset in the code cache of what is replaced.
    var place: UInt32
    var chained: Int32
    var stub: Int32
  }

  private struct State {
    var chains: [Chain] = []
    var placeOfSite: [UInt32: Int] = [:]
    var areCut = false
  }

  private let state = Mutex(State())
  private let writable: UnsafeMutableRawPointer
  private let emptyJumpCache: UnsafeMutableRawPointer

  /// - Parameter writable: the writable mapping of the code cache.
  public init(patching writable: UnsafeMutableRawPointer) {
    unsafe self.writable = writable
    let size = JumpCache.count * JumpCache.entrySize
    unsafe emptyJumpCache = .allocate(byteCount: size, alignment: 64)
    for index in 0..<JumpCache.count {
      unsafe emptyJumpCache.storeBytes(
        of: JumpCache.emptyPC, toByteOffset: index * JumpCache.entrySize, as: UInt64.self)
    }
  }

  deinit { unsafe emptyJumpCache.deallocate() }

  public var count: Int { state.withLock { $0.chains.count } }

  private func patch(_ chain: Chain, _ value: Int32) {
    unsafe writable.storeBytes(of: value, toByteOffset: Int(chain.place), as: Int32.self)
  }

  /// Chains an exit: `chained` and `stub` are the words at `place` that lead to the target and to the exit's own stub.
  public func chain(_ site: UInt32, place: UInt32, chained: Int32, stub: Int32) {
    state.withLock { state in
      let chain = Chain(site: site, place: place, chained: chained, stub: stub)
      if let place = state.placeOfSite[site] {
        state.chains[place] = chain
      } else {
        state.placeOfSite[site] = state.chains.count
        state.chains.append(chain)
      }
      patch(chain, state.areCut ? stub : chained)
    }
  }

  public func unchain(_ site: UInt32) {
    state.withLock { state in
      guard let place = state.placeOfSite.removeValue(forKey: site) else { return }
      patch(state.chains[place], state.chains[place].stub)
      let last = state.chains.removeLast()
      guard place < state.chains.count else { return }
      state.chains[place] = last
      state.placeOfSite[last.site] = place
    }
  }

  public func removeAll() {
    state.withLock { state in
      state.chains.removeAll(keepingCapacity: true)
      state.placeOfSite.removeAll(keepingCapacity: true)
    }
  }

  /// Turns all jumps back, and lets `cpu` find no target in its jump cache.
  public func cut(_ cpu: VCPUState) {
    state.withLock { state in
      unsafe cpu.store(UInt(bitPattern: emptyJumpCache), at: StateOffset.jumpCache)
      if !state.areCut { for chain in state.chains { patch(chain, chain.stub) } }
      state.areCut = true
    }
  }

  /// Lets all jumps go on.
  public func mend() {
    state.withLock { state in
      if state.areCut { for chain in state.chains { patch(chain, chain.chained) } }
      state.areCut = false
    }
  }

  public func publish(_ jumpCache: UInt, _ cpu: VCPUState) {
    state.withLock { state in
      let used = unsafe state.areCut ? UInt(bitPattern: emptyJumpCache) : jumpCache
      cpu.store(used, at: StateOffset.jumpCache)
    }
  }
}
