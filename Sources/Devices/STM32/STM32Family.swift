// Which of ST's series a device belongs to: the same `compatible` strings stand for different register layouts.

import Bus

/// The generations of STM32 peripherals that are modelled.
enum STM32Family {
  case f1, f4, f7

  /// As the tree's `/soc` node, or else its root, says by a `compatible` such as `st,stm32f4` or `st,stm32f407`.
  init(_ context: DeviceContext) {
    let names = ["/soc", "/"].flatMap { context.node.node(path: $0)?.compatible ?? [] }
    let isSeries: (String) -> Bool = { prefix in names.contains { $0.hasPrefix(prefix) } }
    self = isSeries("st,stm32f1") ? .f1 : isSeries("st,stm32f7") ? .f7 : .f4
  }
}

extension DeviceContext {
  /// The device of the node that the first cell of a property refers to.
  func device(_ property: String) -> (any MMIOTarget)? {
    node.u32(property).flatMap { node.node(phandle: $0) }.flatMap { directory[$0.path] }
  }
}
