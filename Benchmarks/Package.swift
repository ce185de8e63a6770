// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the main one draws in nothing for it. Run: Benchmarks/run
let package = Package(
    name: "Benchmarks",
    products: [.library(name: "SyncCounter", type: .dynamic, targets: ["SyncCounter"])],
    dependencies: [
        .package(name: "srup-observer", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    ],
    targets: [
        .executableTarget(
            name: "crypto-benchmark", dependencies: [.product(name: "SRUP", package: "srup-observer")]),
        .executableTarget(
            name: "latency-benchmark", dependencies: [.product(name: "TestProcesses", package: "srup-observer")]),
        .executableTarget(
            name: "tap-benchmark", dependencies: [.product(name: "TestProcesses", package: "srup-observer")]),
        .executableTarget(
            name: "revocation-benchmark", dependencies: [.product(name: "TestProcesses", package: "srup-observer")]),
        // It shares the machine with what it measures, so it is optimised in debug builds, too.
        .executableTarget(
            name: "load-benchmark",
            dependencies: [
                "CLoad",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Participant", package: "srup-observer"),
                .product(name: "SRUP", package: "srup-observer"),
                .product(name: "SeededRandom", package: "srup-observer"),
                .product(name: "TestProcesses", package: "srup-observer"),
            ], swiftSettings: [.unsafeFlags(["-O"], .when(configuration: .debug))]),
        .target(name: "CLoad", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        // Loaded into the programs under load: nothing of Swift's comes along.
        .target(
            name: "SyncCounter",
            linkerSettings: [.unsafeFlags(["-static-stdlib", "-nostartfiles", "-Xlinker", "--as-needed"])]),
        .executableTarget(
            name: "recognition-benchmark",
            dependencies: [
                .product(name: "Camera", package: "srup-observer"),
                .product(name: "CodeReader", package: "srup-observer"),
                .product(name: "Luma", package: "srup-observer"),
                .product(name: "Scene", package: "srup-observer"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
