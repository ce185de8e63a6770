// swift-tools-version: 6.2
import PackageDescription

// The rooms and the arrows between them are drawn in README.md ("How it is built").
// What the appliance (srup-observer) links must stay free of NIO and of full Foundation:
// it runs on a Raspberry Pi Zero 2 W. Only the server side (srup-c2) may use them.

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// One folder per C library: its module map and the inline shims Swift needs, nothing else.
func library(_ module: String, at folder: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(
        name: module, path: "Sources/C/\(folder)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources)
}

/// Rooms that work on every pixel are optimised in debug builds too: unoptimised they take seconds a frame, and
/// what is tested in them is a stream. Overflow and bounds are checked all the same.
let fast: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

let package = Package(
    name: "srup-observer",
    products: [
        .executable(name: "srup-observer", targets: ["srup-observer"]),
        .executable(name: "srup-witness", targets: ["srup-witness"]),
        .executable(name: "srup-scene", targets: ["srup-scene"]),
        .executable(name: "srup", targets: ["srup"]),
        .executable(name: "srup-device", targets: ["srup-device"]),
        .executable(name: "srup-c2", targets: ["srup-c2"]),
        .executable(name: "srup-demo", targets: ["srup-demo"]),
        .executable(name: "srup-pn532-simulator", targets: ["srup-pn532-simulator"]),
        .library(name: "I2CShim", type: .dynamic, targets: ["I2CShim"]),
        .library(name: "BrokerGuard", type: .dynamic, targets: ["BrokerGuard"]),
        .library(name: "ClockShim", type: .dynamic, targets: ["ClockShim"]),
        .library(name: "SRUP", targets: ["SRUP"]),
        .library(name: "Workbench", targets: ["Workbench"]),
        .library(name: "Stage", targets: ["Stage"]),
        .library(name: "Camera", targets: ["Camera"]),
        .library(name: "Luma", targets: ["Luma"]),
        .library(name: "CodeReader", targets: ["CodeReader"]),
        .library(name: "Scene", targets: ["Scene"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        // The server side only; without its default traits, which draw in a configuration library.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    ],
    targets: [
        library("COpenSSL", at: "openssl", pkgConfig: "openssl", apt: "libssl-dev"),
        library("CMosquitto", at: "mosquitto", pkgConfig: "libmosquitto", apt: "libmosquitto-dev"),
        library("CSQLite", at: "sqlite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        library("CZbar", at: "zbar", pkgConfig: "zbar", apt: "libzbar-dev"),
        library("CV4L2", at: "v4l2", pkgConfig: "libv4l2", apt: "libv4l-dev"),
        library("CPNG", at: "png", pkgConfig: "libpng", apt: "libpng-dev"),
        library("CTurboJPEG", at: "turbojpeg", pkgConfig: "libturbojpeg", apt: "libturbojpeg0-dev"),
        library("CQREncode", at: "qrencode", pkgConfig: "libqrencode", apt: "libqrencode-dev"),
        library("CDmtx", at: "dmtx", pkgConfig: "libdmtx", apt: "libdmtx-dev"),
        .systemLibrary(name: "CNFC", path: "Sources/C/nfc", providers: [.apt(["libnfc-dev"])]),
        .systemLibrary(name: "CI2C", path: "Sources/C/i2c", providers: [.apt(["libi2c-dev"])]),
        .systemLibrary(name: "CLinux", path: "Sources/C/linux"),
        .systemLibrary(name: "CGPIO", path: "Sources/C/gpio"),
        .systemLibrary(name: "CFramebuffer", path: "Sources/C/framebuffer"),
        .target(name: "CTOML", path: "Sources/C/toml"),
        // Loaded when they are first used, not linked: deploy/packages/build knows of them by their file names.
        .target(name: "CLazy", path: "Sources/C/lazy"),
        .target(name: "CCurl", dependencies: ["CLazy"], path: "Sources/C/curl"),
        .target(name: "CMicroHTTPD", dependencies: ["CLazy"], path: "Sources/C/microhttpd"),
        .target(name: "CNFCSleep", path: "Sources/C/nfcsleep"),
        // What links it wipes all memory that it frees: the programs that come to know a nonce.
        .target(name: "CWiping", path: "Sources/C/wiping"),
        // Loaded by Mosquitto. It needs nothing of Swift's, which the linker would bring along.
        .target(
            name: "BrokerGuard", path: "Sources/C/brokerguard",
            linkerSettings: [.unsafeFlags(["-static-stdlib", "-nostartfiles", "-Xlinker", "--as-needed"])]),

        .target(name: "Linux", dependencies: ["CLinux"]),
        .target(name: "SRUP", dependencies: ["COpenSSL"]),
        .target(name: "Storage", dependencies: ["CSQLite"]),
        .target(name: "Settings", dependencies: ["CTOML", "Linux"]),
        .target(name: "Observation"),
        .target(name: "Witness", dependencies: ["CLinux", "Linux", "Limits", log, lifecycle]),
        .target(name: "Luma", swiftSettings: fast),
        .target(name: "Camera", dependencies: ["Luma", "Linux", "CLinux", "CV4L2", "CTurboJPEG", "CPNG"]),
        .target(name: "ReedSolomon", swiftSettings: fast),
        .target(name: "CodeReader", dependencies: ["Luma", "CZbar", "DataMatrix", "ReedSolomon"], swiftSettings: fast),
        .target(name: "DataMatrix", dependencies: ["Luma", "ReedSolomon"], swiftSettings: fast),
        .target(name: "Presentation", dependencies: ["CQREncode", "CPNG", "CFramebuffer", "Linux"]),
        .target(name: "Seeded", swiftSettings: fast),
        .target(
            name: "Scene", dependencies: ["Luma", "Presentation", "DataMatrix", "ReedSolomon", "Seeded", "CDmtx"],
            swiftSettings: fast),
        .target(name: "NearField"),
        .target(name: "NearFieldLink", dependencies: ["NearField", "Linux", "CNFC", "CI2C", "CNFCSleep"]),
        .target(name: "Limits", dependencies: [log]),
        .target(
            name: "Party",
            dependencies: ["SRUP", "Storage", "Linux", "Limits", "CMosquitto", "CCurl", "COpenSSL", log, lifecycle]),

        .target(name: "Program", dependencies: ["Linux", "CLinux", arguments, log, lifecycle]),
        .target(name: "Signals", dependencies: ["CGPIO"]),
        .target(name: "Doctor", dependencies: ["Linux", "CLinux", "Program"]),
        .target(name: "CertificateRequests", dependencies: ["SRUP", "COpenSSL"]),
        .target(
            name: "KeyService",
            dependencies: [
                "CertificateRequests", "SRUP", "Storage", "COpenSSL", log, lifecycle,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
            ]),
        .target(name: "C2", dependencies: ["SRUP", "Party", "Limits", "Storage", "Linux", log, lifecycle]),

        .target(name: "Eyes", dependencies: ["Camera", "CodeReader", "Luma", arguments]),
        .target(name: "Aiming", dependencies: ["Luma", "CodeReader"]),
        .target(name: "AimPage", dependencies: ["Luma", "CMicroHTTPD", "CTurboJPEG"]),
        .executableTarget(
            name: "srup-witness",
            dependencies: [
                "Eyes", "Witness", "Camera", "CodeReader", "Luma", "Aiming", "AimPage", "Presentation", "NearField",
                "NearFieldLink", "Linux", "Program", "CWiping", arguments,
            ]),
        .executableTarget(
            name: "srup-observer",
            dependencies: [
                "SRUP", "Party", "Observation", "Witness", "Limits", "Settings", "Program", "Storage", "Doctor",
                "Signals", "Linux", "CLinux", "CWiping",
                log, lifecycle, arguments,
            ]),
        .target(name: "Workbench", dependencies: ["SRUP", "Linux", "Seeded"]),
        .executableTarget(
            name: "srup",
            dependencies: ["SRUP", "Party", "Storage", "Program", "Workbench", "Linux", log, lifecycle, arguments]),
        .target(name: "JoiningDevice", dependencies: ["SRUP", "Party", "Limits", "Presentation", log, lifecycle]),
        .executableTarget(
            name: "srup-device",
            dependencies: [
                "SRUP", "Party", "JoiningDevice", "Presentation", "Program", "Storage", "CWiping", log, lifecycle,
                arguments,
            ]),
        .executableTarget(
            name: "srup-c2",
            dependencies: [
                "SRUP", "Party", "C2", "KeyService", "Settings", "Storage", "Program", "Linux", "CWiping", log,
                lifecycle, arguments,
            ]),
        .target(name: "Stage", dependencies: ["Linux"]),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "SRUP", "Workbench", "NearField", "CodeReader", "DataMatrix", "Camera", "Settings", "Witness", "Party",
                "CertificateRequests",
            ]),
        .executableTarget(
            name: "srup-fuzz",
            dependencies: [
                "FuzzTargets", "SRUP", "Workbench", "NearField", "CodeReader", "DataMatrix", "Luma", "Scene", "Seeded",
                arguments,
            ]),
        .executableTarget(name: "srup-demo", dependencies: ["Stage", arguments]),
        .executableTarget(name: "srup-scene", dependencies: ["Scene", "Camera", "Luma", "Linux", "CPNG", arguments]),

        // Simulated hardware: PN532 chips that share one field.
        .target(
            name: "ChipSimulator", dependencies: ["NearField", "CLinux"], path: "hardware/pn532-simulator/Simulator"),
        .executableTarget(
            name: "srup-pn532-simulator", dependencies: ["ChipSimulator", arguments],
            path: "hardware/pn532-simulator/Program"),
        .target(name: "I2CShim", path: "hardware/pn532-simulator/I2CShim"),
        // Preloaded in tests: years in minutes.
        .target(
            name: "ClockShim", path: "Tests/ClockShim",
            linkerSettings: [.unsafeFlags(["-static-stdlib", "-nostartfiles", "-Xlinker", "--as-needed"])]),

        tests("SRUPTests", ["SRUP", "COpenSSL"], resources: [.copy("vectors")]),
        tests("WorkbenchTests", ["Workbench", "SRUP"]),
        tests("LimitsTests", ["Limits", log]),
        tests("C2Tests", ["C2", "JoiningDevice", "Limits", "Party", "Presentation", "SRUP", "Storage", log]),
        tests("PartyTests", ["Party", "SRUP", "Storage", log]),
        tests("KeyServiceTests", ["KeyService", "Linux", "Party", "SRUP", "Stage", "Storage", "COpenSSL", log]),
        tests(
            "SystemTests",
            [
                "Stage", "SRUP", "Party", "Storage", "Linux", "CLinux", "Program", "Camera", "CodeReader", "Luma",
                "Scene",
                log, lifecycle,
            ]),
        tests("DoctorTests", ["Doctor", "Linux", "Program"]),
        tests("SignalsTests", ["Signals", "Linux", "Program"]),
        tests("SettingsTests", ["Settings", "Camera", "NearFieldLink"]),
        tests("LinuxTests", ["Linux", "Program", log]),
        tests("ApplianceTests", ["Stage", "Witness", "Linux", "Party", "SRUP", "Storage", log]),
        tests("NearFieldTests", ["NearField", "ChipSimulator"], resources: [.copy("cases")]),
        tests(
            "ReaderTests", ["Stage", "Witness", "NearFieldLink", "ChipSimulator", "Linux", log, lifecycle],
            resources: [.copy("nfcpy")]),
        tests(
            "CameraTests", ["Camera", "CodeReader", "Linux", "Luma", "Scene", "Stage"], resources: [.copy("cameras")]),
        tests(
            "CodeReaderTests", ["CodeReader", "Camera", "Luma", "Presentation", "Scene", "Seeded"],
            resources: [.copy("cases")]),
        tests("DataMatrixTests", ["DataMatrix", "Luma", "Scene", "Seeded", "ReedSolomon", "CDmtx"]),
        tests("ReedSolomonTests", ["ReedSolomon"]),
        tests("FuzzTests", ["FuzzTargets"]),
        tests("PresentationTests", ["Presentation", "CodeReader", "Camera", "Luma"]),
        tests("SceneTests", ["Scene", "CodeReader", "Presentation", "Luma", "Seeded"]),
        tests(
            "AimTests",
            ["Aiming", "AimPage", "Camera", "CodeReader", "Eyes", "Luma", "Presentation", "Scene", "Seeded", "Stage"]),
        tests("ObservationTests", ["Observation", "Witness", log]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

// The fuzzer that goes by coverage brings its own main, and links only with its runtime: Tests/Fuzz/run asks for it.
if Context.environment["SRUP_FUZZ_COVERAGE"] != nil {
    package.targets.append(
        .executableTarget(
            name: "srup-fuzz-coverage", dependencies: ["FuzzTargets"],
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}
