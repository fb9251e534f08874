// Owns the seam through which profilers learn what host code belongs to which guest code.

/// Told of translations as they happen, on the engine's thread.
public protocol TranslationObserver: AnyObject {
  /// A block was compiled; its host code is in place.
  func didTranslate(_ id: BlockID, in engine: Engine)
  /// All host code was dropped; its addresses will be used again.
  func didFlush()
}

extension Engine {
  /// Tells `observer` of every translation from now on.
  public func add(_ observer: any TranslationObserver) { code.observers.append(observer) }
}
