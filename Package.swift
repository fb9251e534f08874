// swift-tools-version: 6.3
import PackageDescription

/// `Tests/Fuzz/run` builds with the fuzzer: code reports to it which way it went.
let fuzzes = Context.environment["MARTLET_FUZZ"] == "1"

/// Every Swift target: Swift 6 language mode, strict memory safety, no warnings.
let strict: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
  ] + (fuzzes ? [.unsafeFlags(["-sanitize=fuzzer"])] : [])

/// A module on one of the floors of the house (see CONTRIBUTING.md): it imports only lower ones.
func module(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name), "TestSupport"] + dependencies, exclude: exclude,
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
    .systemLibrary(name: "CDW"),
    .systemLibrary(name: "CZstd"),
    .systemLibrary(name: "CMessageDigest"),
    module("Bits"),
    module("SoftFloat"),
    module("GDBRemote"),
    // Floor 1
    module("IR", ["Bits"]),
    module("Bus", ["Bits", "CHost"]),
    module("Processes", ["Bits", "CHost"]),
    module("Devicetree", ["CFDT", "Processes"]),
    module("RTOS", ["Bits"]),
    module("DWARF", ["CDW"]),
    module("Storage", ["CZstd", "CMessageDigest"]),
    // Floor 2
    module("Optimizer", ["Bits", "IR"]),
    module("GuestKit", ["Bits", "IR"]),
    module("HostKit", ["Bits", "IR", "SoftFloat", "CHost"]),
    module("Devices", ["Bus", "Bits"]),
    module("SVD", ["Bus", "Bits"]),
    // Floor 3
    module("GuestRISCV", ["GuestKit", "IR", "SoftFloat"]),
    module("GuestARM", ["GuestKit", "IR", "Bus", "Bits", "SoftFloat"]),
    module("HostX86_64", ["Bits", "HostKit", "IR", "CHost", "CCapstone"]),
    module("HostAArch64", ["Bits", "HostKit", "IR"]),
    module("HostInterpreter", ["Bits", "HostKit", "IR"]),
    module("Engine", ["IR", "Optimizer", "GuestKit", "HostKit", "Bus", "Bits"]),
    // Floor 4
    // In the boards' own folder, because SwiftPM copies only what is inside a target's folder, and no links.
    .target(
      name: "Boards", path: "boards", exclude: ["swift", "README.md"], sources: ["Boards.swift"],
      resources: [.copy("arm"), .copy("riscv")],
      swiftSettings: strict),
    module(
      "Machine",
      ["Engine", "Bus", "CHost", "Devicetree", "DWARF", "GuestKit", "HostKit", "IR", "RTOS", "SVD", "Bits", "Storage"]),
    // Floor 5
    module(
      "Monitor",
      [
        "Machine", "Engine", "IR", "DWARF", "GuestKit", "HostKit", "Bus", "Devicetree", "RTOS", "SVD", "CReadline",
        "Bits", "CHost", "Processes",
      ], exclude: ["Schemas"]),
    // Floor 6
    module(
      "DebugServer",
      [
        "Machine", "Monitor", "GDBRemote", "Engine", "GuestKit", "Bits", "Bus", "IR", "RTOS",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    // Floor 7
    .executableTarget(
      name: "martlet",
      dependencies: [
        "Engine", "Machine", "Monitor", "DebugServer", "Devices", "GuestARM", "GuestRISCV", "HostX86_64",
        "HostInterpreter", "GuestKit", "HostKit", "Optimizer", "Bits", "Bus", "CHost", "SVD", "Boards",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "martlet-bench",
      dependencies: [.product(name: "ArgumentParser", package: "swift-argument-parser")],
      resources: [.copy("kernels")],
      swiftSettings: strict),
    // Tests
    .target(
      name: "TestSupport", dependencies: ["Bits", "GuestKit", "IR"], path: "Tests/TestSupport",
      exclude: ["Calls", "Scheduler"],
      swiftSettings: strict),
    tests("SoftFloat", ["CHost"]),
    .target(
      name: "GDBRemoteSupport", dependencies: ["GDBRemote"], path: "Tests/GDBRemoteSupport", swiftSettings: strict),
    tests("GDBRemote", ["GDBRemoteSupport"]),
    tests("Devicetree", []),
    tests("Bus", []),
    tests("Devices", ["Bus"]),
    tests("SVD", ["Bus"]),
    tests("RTOS", ["Bits"]),
    tests("Storage", []),
    tests("DWARF", []),
    tests("IR", [], exclude: ["cases"]),
    tests("Optimizer", ["IR"], exclude: ["cases"]),
    tests("GuestKit", ["Bits", "Engine", "HostKit", "HostX86_64", "HostInterpreter", "Bus"]),
    tests("HostKit", ["IR"]),
    tests("HostX86_64", ["HostKit", "IR"]),
    tests("HostAArch64", []),
    tests("GuestRISCV", ["GuestKit", "IR"]),
    tests(
      "Engine",
      ["IR", "GuestKit", "GuestRISCV", "HostKit", "HostX86_64", "HostInterpreter", "Bus"]),
    tests("GuestARM", ["GuestKit", "IR", "Engine", "Optimizer", "HostKit", "HostX86_64", "HostInterpreter", "Bus"]),
    tests(
      "Machine",
      [
        "Storage", "Engine", "GuestKit", "HostKit", "Bus", "Boards", "Devices", "GuestARM", "GuestRISCV", "HostX86_64",
        "HostInterpreter", "Devicetree",
      ]),
    tests(
      "Monitor",
      [
        "Bits", "Machine", "Engine", "GuestKit", "HostKit", "IR", "Optimizer", "Bus", "Devices", "GuestARM",
        "GuestRISCV",
        "HostX86_64",
        "HostInterpreter",
      ]),
    tests(
      "DebugServer",
      [
        "Machine", "Monitor", "GDBRemote", "Bits", "Bus", "Devices", "GuestARM", "GuestRISCV", "HostX86_64",
        "HostInterpreter",
      ]),
    .target(
      name: "FuzzTargets",
      dependencies: [
        "GDBRemote", "GDBRemoteSupport", "Devicetree", "SVD", "Machine", "Monitor", "Engine", "GuestKit", "HostKit",
        "Devices", "GuestRISCV", "HostX86_64", "HostInterpreter", "Storage", "TestSupport",
      ],
      path: "Tests/Fuzz/Targets", swiftSettings: strict),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"], swiftSettings: strict),
    .testTarget(name: "CommandLineTests", dependencies: ["TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "FileTests",
      dependencies: [
        "Bits",
        "IR", "Optimizer", "GuestKit", "GuestARM", "GuestRISCV", "HostKit", "HostAArch64", "HostX86_64",
        "HostInterpreter", "TestSupport",
      ],
      exclude: ["cases"],
      swiftSettings: strict),
  ]
)

if fuzzes {
  package.targets += [
    .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
    .executableTarget(
      name: "martlet-fuzz", dependencies: ["FuzzTargets", "CFuzzer"], path: "Tests/Fuzz/Main",
      swiftSettings: strict, linkerSettings: [.linkedLibrary("stdc++")]),
  ]
}
