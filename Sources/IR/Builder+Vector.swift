// Owns the convenient way to write vector IR.

extension Builder {
  /// - Parameter type: that of the result: of an extracted lane any of the lane's width, `i32` of a mask.
  @inlinable public mutating func vector(
    _ operation: VectorOperation, _ a: ValueID = .none, _ b: ValueID = .none, _ c: ValueID = .none,
    to type: Type = .v128
  ) -> ValueID {
    emit(Op(.vector, type, a: a, b: b, c: c, aux: operation.rawValue), result: type, as: .vector)
  }
}
