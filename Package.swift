// swift-tools-version: 6.3
import PackageDescription

/// Every Swift target: Swift 6 language mode, strict memory safety, no warnings.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

/// A module on one of the floors of the house (see CONTRIBUTING.md): it imports only lower ones.
func module(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
  .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name), "TestSupport"] + dependencies, resources: resources,
    swiftSettings: strict)
}

let package = Package(
  name: "martlet",
  products: [
    .executable(name: "martlet", targets: ["martlet"]),
    .executable(name: "martlet-bench", targets: ["martlet-bench"]),
    .library(name: "GDBRemote", targets: ["GDBRemote"]),
    .library(name: "Devicetree", targets: ["Devicetree"]),
    .library(name: "Engine", targets: ["Engine", "Machine"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
  ],
  targets: [
    // Floor 0
    // Swift's runtime is linked with it; demangling C++ names needs it said.
    .target(name: "CHost", linkerSettings: [.linkedLibrary("stdc++")]),
    .systemLibrary(name: "CReadline"),
    .systemLibrary(name: "CCapstone"),
    .systemLibrary(name: "CFDT"),
    module("Bits"),
    module("SoftFloat", ["Bits"]),
    module("GDBRemote"),
    // Floor 1
    module("IR", ["Bits"]),
    module("Bus", ["Bits", "CHost"]),
    module("Devicetree", ["CFDT", "CHost"]),
    // Floor 2
    module("Optimizer", ["IR"]),
    module("GuestKit", ["IR", "Bits"]),
    module("HostKit", ["IR", "Bits", "SoftFloat"]),
    module("Devices", ["Bus", "Bits"]),
    module("SVD", ["Bus", "Bits"]),
    // Floor 3
    module("GuestRISCV", ["GuestKit", "IR", "Bits", "SoftFloat"]),
    module("GuestARM", ["GuestKit", "IR", "Bus", "Bits", "SoftFloat"]),
    module("HostX86_64", ["HostKit", "IR", "Bits", "CHost", "CCapstone"]),
    module("HostInterpreter", ["HostKit", "IR", "Bits"]),
    module("Engine", ["IR", "Optimizer", "GuestKit", "HostKit", "Bus", "CHost", "Bits"]),
    // Floor 4
    // In the boards' own folder, because SwiftPM copies only what is inside a target's folder, and no links.
    .target(
      name: "Boards", path: "boards", exclude: ["swift", "README.md"], sources: ["Boards.swift"],
      resources: [.copy("arm"), .copy("riscv")],
      swiftSettings: strict),
    module("Machine", ["Engine", "Bus", "CHost", "Devicetree", "GuestKit", "HostKit", "SVD", "Bits"]),
    // Floor 5
    module("Monitor", ["Machine", "Engine", "IR", "GuestKit", "HostKit", "Bus", "SVD", "CReadline", "Bits"]),
    // Floor 6
    module(
      "DebugServer",
      [
        "Machine", "Monitor", "GDBRemote", "Engine", "GuestKit", "Bus", "IR", "Bits",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    // Floor 7
    .executableTarget(
      name: "martlet",
      dependencies: [
        "Engine", "Machine", "Monitor", "DebugServer", "Devices", "GuestARM", "GuestRISCV", "HostX86_64",
        "HostInterpreter",
        "SVD", "Boards",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "martlet-bench",
      dependencies: [
        "Machine", "Devices", "GuestRISCV", "HostX86_64", "HostInterpreter", "Boards",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      resources: [.copy("kernels")],
      swiftSettings: strict),
    // Tests
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    tests("SoftFloat", ["CHost"]),
    tests("GDBRemote", []),
    tests("Devicetree", []),
    tests("Bus", []),
    tests("Devices", ["Bus"]),
    tests("SVD", ["Bus", "Bits"]),
    tests("HostX86_64", ["HostKit", "IR"]),
    tests("GuestRISCV", ["GuestKit", "IR"]),
    tests(
      "Engine",
      ["IR", "Optimizer", "GuestKit", "GuestRISCV", "HostKit", "HostX86_64", "HostInterpreter", "Bus", "Bits"]),
    tests("GuestARM", ["GuestKit", "IR", "Engine", "Optimizer", "HostKit", "HostX86_64", "HostInterpreter", "Bus"]),
    tests("Machine", ["Boards", "Devices", "GuestARM", "GuestRISCV", "HostX86_64", "HostInterpreter", "Devicetree"]),
    tests("Monitor", ["Machine", "Boards", "Devices", "GuestRISCV", "HostX86_64", "HostInterpreter"]),
    tests(
      "DebugServer",
      ["Machine", "Monitor", "Bus", "Boards", "Devices", "GuestARM", "GuestRISCV", "HostX86_64", "HostInterpreter"]),
    .testTarget(name: "CommandLineTests", dependencies: ["TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "FileTests",
      dependencies: [
        "IR", "Optimizer", "GuestKit", "GuestRISCV", "HostKit", "HostX86_64", "HostInterpreter", "Engine", "Bus",
        "Bits", "TestSupport",
      ],
      exclude: ["cases"],
      swiftSettings: strict),
  ]
)
