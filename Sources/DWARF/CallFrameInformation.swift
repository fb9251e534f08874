// Owns unwinding by call frame information: `.debug_frame`, and `.eh_frame` where that knows nothing (DWARF 5, 6.4).

@unsafe @preconcurrency import CDW
import Glibc

@safe final class CallFrameInformation {
  /// The tables there are, in the order they are asked.
  private var tables: [OpaquePointer]
  /// Of `tables`, the one that is to be closed.
  private var exceptionTable: OpaquePointer? = nil
  private let name: String
  private let addressSize: Int

  init(_ information: DebugInformation) {
    name = information.name
    addressSize = information.addressSize
    unsafe tables = []
    let isModest = unsafe CallFrameCheck.sections(of: information.elf, addressSize: addressSize)
    if isModest.frames, let dwarf = unsafe information.dwarf, let table = unsafe dwarf_getcfi(dwarf) {
      unsafe tables.append(table)
    }
    guard isModest.exceptions else { return }
    unsafe exceptionTable = dwarf_getcfi_elf(information.elf)
    if let table = unsafe exceptionTable { unsafe tables.append(table) }
  }

  func close() {
    if let table = unsafe exceptionTable { _ = unsafe dwarf_cfi_end(table) }
    unsafe (tables, exceptionTable) = ([], nil)
  }

  func caller(
    ofCodeAt address: UInt64, registers: [Int], _ state: FrameState
  ) throws(DWARFError) -> CallerState? {
    for index in unsafe tables.indices {
      let table = unsafe tables[index]
      var frame: OpaquePointer?
      guard unsafe dwarf_cfi_addrframe(table, address, &frame) == 0, let frame = unsafe frame else { continue }
      defer { unsafe free(UnsafeMutableRawPointer(frame)) }
      return try unsafe caller(frame, registers, state)
    }
    return nil
  }

  private func caller(
    _ frame: OpaquePointer, _ registers: [Int], _ state: FrameState
  ) throws(DWARFError) -> CallerState {
    var isSignalFrame = false
    let column = Int(unsafe dwarf_frame_info(frame, nil, nil, &isSignalFrame))
    guard column >= 0 else { throw DWARFError("call frame information", of: name) }
    var operations: UnsafeMutablePointer<Dwarf_Op>?
    var count = 0
    guard unsafe dwarf_frame_cfa(frame, &operations, &count) == 0, count > 0, let operations = unsafe operations else {
      throw DWARFError("\(name): call frame information does not say where the frame is")
    }
    var machine = ExpressionMachine(state, addressSize: addressSize, frameAddress: nil)
    let cfa = unsafe try machine.value(UnsafeBufferPointer(start: operations, count: count))
    var result = CallerState(
      frameAddress: cfa, registers: [:], returnColumn: column, isOutermost: false, isSignalFrame: isSignalFrame)
    for number in Set(registers + [column]) {
      do throws(DWARFError) {
        switch unsafe try rule(frame, number, state, cfa) {
        case .known(let value): result.registers[number] = value
        case .unchanged: result.registers[number] = state.register(number)
        case .lost: if number == column { result.isOutermost = true }
        }
      } catch {
        // Others may be where nothing is known.
        if number == column { throw error }
      }
    }
    return result
  }

  private enum Rule {
    case known(UInt64)
    case unchanged, lost
  }

  private func rule(
    _ frame: OpaquePointer, _ number: Int, _ state: FrameState, _ cfa: UInt64
  ) throws(DWARFError) -> Rule {
    let memory = UnsafeMutablePointer<Dwarf_Op>.allocate(capacity: 3)
    defer { unsafe memory.deallocate() }
    var operations: UnsafeMutablePointer<Dwarf_Op>?
    var count = 0
    guard let number = Int32(exactly: number),
      unsafe dwarf_frame_register(frame, number, memory, &operations, &count) == 0
    else { throw DWARFError("call frame information", of: name) }
    guard let operations = unsafe operations else { return .unchanged }
    guard count > 0 else { return .lost }
    var machine = ExpressionMachine(state, addressSize: addressSize, frameAddress: cfa)
    let list = unsafe UnsafeBufferPointer(start: operations, count: count)
    return .known(unsafe try machine.located(list))
  }
}
