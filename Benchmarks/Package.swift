// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the main one draws in nothing for it. Run: Benchmarks/run
let package = Package(
    name: "Benchmarks",
    dependencies: [.package(name: "srup-observer", path: "..")],
    targets: [
        .executableTarget(
            name: "crypto-benchmark", dependencies: [.product(name: "SRUP", package: "srup-observer")]),
        .executableTarget(
            name: "latency-benchmark", dependencies: [.product(name: "TestProcesses", package: "srup-observer")]),
        .executableTarget(
            name: "tap-benchmark", dependencies: [.product(name: "TestProcesses", package: "srup-observer")]),
        .executableTarget(
            name: "revocation-benchmark", dependencies: [.product(name: "TestProcesses", package: "srup-observer")]),
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
