// Owns all translated code: the blocks of both tiers, what is chained to what, which blocks are regions, and which pages
// have their code guarded.

import Bits
import Bus
import GuestKit
import HostKit
import IR

/// Translated code and the hosts that keep it, in step with each other.
public final class CodeStore {
  let host: any Host
  /// Executes code that has not run often, where there is one.
  let interpreter: (any PackedTier)?
  private let space: FlatMap
  let profile: Profile
  unowned let runners: Runners
  private let historyCell = RawCell(CodeHistory())
  /// Whether interpreted code may go on by itself; false where a kick could not stop it.
  let chainsInterpreted: Bool
  /// Whether code may go on at other code without a look in between, by chains, jump caches or regions.
  var mayChain = true
  private let blocksCell = RawCell(BlockStore())
  private let observersCell = RawCell([any TranslationObserver]())
  /// Exits that may not be chained by order of the user: (source PC, target PC).
  public internal(set) var forbiddenChains: Set<ChainEdge> = []
  /// The ``GuestKit/MemoryProtection/protectionState(_:)`` that chains were made under, where there are several vCPUs.
  private var chainProtection: [UInt64] = []
  /// Blocks whose one instruction straddles two pages, by the second page.
  var straddlers: [UInt64: [BlockID]] = [:]
  /// The regions among the blocks.
  public internal(set) var regions: [BlockID: CodeRegion] = [:]

  init(
    _ host: any Host, _ interpreter: (any PackedTier)?, _ space: FlatMap, _ profile: Profile,
    _ runners: Runners, chainsInterpreted: Bool
  ) {
    self.host = host
    self.interpreter = interpreter
    self.space = space
    self.profile = profile
    self.runners = runners
    self.chainsInterpreted = chainsInterpreted
  }

  public internal(set) var blocks: BlockStore {
    @inline(__always)
    _read { yield blocksCell.value }
    @inline(__always)
    _modify { yield &blocksCell.value }
  }

  var history: CodeHistory {
    _read { yield historyCell.value }
    _modify { yield &historyCell.value }
  }

  var observers: [any TranslationObserver] {
    @inline(__always)
    _read { yield observersCell.value }
    @inline(__always)
    _modify { yield &observersCell.value }
  }

  /// Whether a block of packed code was interpreted as often as may be.
  @inline(__always)
  func isWorn(_ id: BlockID) -> Bool { interpreter?.isWorn(blocks[id].compiled.entry) ?? false }

  /// Sees to it that a vCPU under `protection` looks itself whether it may execute what another one chained.
  func cutForeignChains(_ protection: [UInt64]) {
    if protection == chainProtection { return }
    chainProtection = protection
    unchainAll(because: .remapped)
  }

  /// Physical pages whose code is guarded.
  var guardedPages: [UInt64] { blocks.codePages + Array(straddlers.keys) }

  /// Whether stores to a page are caught because of the code in it, wherever it was translated.
  func isGuarded(_ page: UInt64) -> Bool {
    if guards(page) { return true }
    return space.aliases(of: page, count: 0x1000).contains { guards($0.address & ~0xFFF) }
  }

  private func guards(_ page: UInt64) -> Bool {
    blocks.hasCode(inPage: page) || !straddlers.isEmpty && straddlers[page] != nil
  }

  /// Whether an instruction that straddles pages may have a byte at `physical`, in its second one.
  @inline(__always)
  func mayStraddle(_ physical: UInt64) -> Bool {
    !straddlers.isEmpty && physical & 0xFFF < 16 && straddlers[physical & ~0xFFF] != nil
  }

  /// Drops all of it. Not while translated code runs.
  func removeAll() {
    host.reset()
    interpreter?.reset()
    blocks.clear()
    regions.removeAll()
    straddlers.removeAll()
  }
}
