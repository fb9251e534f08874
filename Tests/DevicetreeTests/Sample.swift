// A small board as source text, compiled by dtc.
import Devicetree
import Foundation

let sampleSource = """
  /dts-v1/;
  /memreserve/ 0x80000000 0x1000;
  / {
    #address-cells = <2>;
    #size-cells = <2>;
    compatible = "vendor,board", "vendor,family";
    interrupt-parent = <&plic>;
    aliases { serial0 = "/soc/serial@1000"; };
    chosen { stdout-path = "serial0:115200n8"; };
    memory@80000000 { device_type = "memory"; reg = <0 0x80000000 0 0x8000000>; };
    cpus {
      #address-cells = <1>;
      #size-cells = <0>;
      cpu@0 { reg = <0>; intc: interrupt-controller { #interrupt-cells = <1>; interrupt-controller; }; };
    };
    soc {
      #address-cells = <1>;
      #size-cells = <1>;
      ranges = <0x0 0x0 0x10000000 0x100000>, <0x40000000 0x1 0x0 0x1000>;
      serial@1000 { compatible = "ns16550a"; reg = <0x1000 0x100>, <0x40000800 8>; interrupts = <10 11>; };
      plic: plic@4000 {
        reg = <0x4000 0x1000>;
        #interrupt-cells = <1>;
        interrupt-controller;
        interrupts-extended = <&intc 11>, <&intc 9>;
      };
      far@200000 { reg = <0x200000 4>; };
      bus { #address-cells = <1>; #size-cells = <1>; sensor@48 { reg = <0x48 1>; }; };
    };
  };
  """

/// Writes `text` to a temporary file, runs `body` on its path, removes it.
@discardableResult
func withFile<T>(_ text: [UInt8], suffix: String, _ body: (String) throws -> T) throws -> T {
  let path = NSTemporaryDirectory() + "martlet-test-\(UUID().uuidString)\(suffix)"
  try Data(text).write(to: URL(fileURLWithPath: path))
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}

func sample() throws -> Devicetree {
  try withFile(Array(sampleSource.utf8), suffix: ".dts") { try Devicetree(contentsOf: $0) }
}
