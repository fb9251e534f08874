// Owns the convenient way to write floating-point IR.

extension Builder {
  /// Any floating-point op whose result has the type of `a`.
  @inlinable public mutating func float(
    _ opcode: Opcode, _ control: FloatControl, _ a: ValueID, _ b: ValueID = .none, _ c: ValueID = .none
  ) -> ValueID {
    float(opcode, control, to: type(of: a), a, b, c)
  }

  /// Any floating-point op whose result has type `type`.
  @inlinable public mutating func float(
    _ opcode: Opcode, _ control: FloatControl, to type: Type, _ a: ValueID, _ b: ValueID = .none,
    _ c: ValueID = .none
  ) -> ValueID {
    emit(Op(opcode, type, a: a, b: b, c: c, aux: control.rawValue), result: type, as: .float)
  }

  /// How `a` stands to `b`, an `i32`.
  @inlinable public mutating func floatOrder(_ control: FloatControl, _ a: ValueID, _ b: ValueID) -> ValueID {
    float(.floatOrder, control, to: .i32, a, b)
  }

  @inlinable public mutating func floatCompare(_ relation: FloatRelation, _ a: ValueID, _ b: ValueID) -> ValueID {
    emit(
      Op(.floatCompare, type(of: a), a: a, b: b, aux: FloatControl(relation).rawValue), result: .i1, as: .float)
  }
}
