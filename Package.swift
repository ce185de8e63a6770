// swift-tools-version: 6.2
import PackageDescription

// The rooms and the arrows between them are drawn in docs/architecture.md.
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

/// The server's web stack. Whoever builds the observer alone neither fetches nor builds it:
/// `swift build --product srup-observer --disable-default-traits`.
func web(_ product: String) -> Target.Dependency {
    .product(name: product, package: "hummingbird", condition: .when(traits: ["Server"]))
}

let mustache: Target.Dependency = .product(
    name: "Mustache", package: "swift-mustache", condition: .when(traits: ["Server"]))

let webClient: Target.Dependency = .product(
    name: "AsyncHTTPClient", package: "async-http-client", condition: .when(traits: ["Server"]))

/// A room: a module of the house, in the folder that says its domain.
func room(
    _ name: String, in domain: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = []
) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(domain)/\(name)", swiftSettings: settings)
}

/// A program. It is imported by nobody.
func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: "Sources/Programs/\(name)")
}

func tests(
    _ name: String, in domain: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil
) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(domain)/\(name)", resources: resources)
}

/// Rooms that work on every pixel are optimised in debug builds too: unoptimised they take seconds a frame, and
/// what is tested in them is a stream. Overflow and bounds are checked all the same. (As whole modules they would build in
/// five sixths of the time, and anew as a whole after each change.)
let fast: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// Loaded into foreign programs: nothing of Swift's comes along.
let preloaded: [LinkerSetting] = [.unsafeFlags(["-static-stdlib", "-nostartfiles", "-Xlinker", "--as-needed"])]

/// With the C++ library inside, of which little is used: from this folder, which has it for static linking alone (deploy/release).
let ownStandardLibrary: [LinkerSetting] =
    Context.environment["SRUP_STATIC_CXX"].map { [.unsafeFlags(["-L\($0)", "-Xclang-linker", "-static-libgcc"])] } ?? []

let package = Package(
    name: "srup-observer",
    products: [
        .executable(name: "srup-observer", targets: ["srup-observer"]),
        .executable(name: "srup-witness", targets: ["srup-witness"]),
        .executable(name: "srup-scene", targets: ["srup-scene"]),
        .executable(name: "srup", targets: ["srup"]),
        .executable(name: "srup-device", targets: ["srup-device"]),
        .executable(name: "srup-c2", targets: ["srup-c2"]),
        .executable(name: "srup-release", targets: ["srup-release"]),
        .executable(name: "srup-demo", targets: ["srup-demo"]),
        .executable(name: "srup-pn532-simulator", targets: ["srup-pn532-simulator"]),
        .library(name: "I2CShim", type: .dynamic, targets: ["I2CShim"]),
        .library(name: "BrokerGuard", type: .dynamic, targets: ["BrokerGuard"]),
        .library(name: "ClockShim", type: .dynamic, targets: ["ClockShim"]),
        .library(name: "SRUP", targets: ["SRUP"]),
        .library(name: "SRUPJSON", targets: ["SRUPJSON"]),
        .library(name: "Participant", targets: ["Participant"]),
        .library(name: "TestProcesses", targets: ["TestProcesses"]),
        .library(name: "Camera", targets: ["Camera"]),
        .library(name: "Luma", targets: ["Luma"]),
        .library(name: "CodeReader", targets: ["CodeReader"]),
        .library(name: "Scene", targets: ["Scene"]),
        .library(name: "SeededRandom", targets: ["SeededRandom"]),
    ],
    traits: [
        .trait(name: "Server", description: "The key service and the C2 server, with their web stack."),
        .default(enabledTraits: ["Server"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        // The server side only; without its default traits, which draw in a configuration library.
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
    ],
    targets: [
        // MARK: C: one folder a library

        library("COpenSSL", at: "openssl", pkgConfig: "openssl", apt: "libssl-dev"),
        library("CMosquitto", at: "mosquitto", pkgConfig: "libmosquitto", apt: "libmosquitto-dev"),
        library("CSQLite", at: "sqlite", pkgConfig: "sqlite3", apt: "libsqlite3-dev"),
        // The server side alone: it does not go onto a Raspberry Pi.
        library("CPostgres", at: "postgres", pkgConfig: "libpq", apt: "libpq-dev"),
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
        .target(name: "CTOML", path: "Sources/C/toml", linkerSettings: ownStandardLibrary),
        // Loaded when they are first used, not linked: deploy/packages/build knows of them by their file names.
        .target(name: "CLazy", path: "Sources/C/lazy"),
        .target(name: "CCurl", dependencies: ["CLazy"], path: "Sources/C/curl"),
        .target(name: "CMicroHTTPD", dependencies: ["CLazy"], path: "Sources/C/microhttpd"),
        .target(name: "CNFCSleep", path: "Sources/C/nfcsleep"),
        // What links it wipes all memory that it frees: the programs that come to know a nonce.
        .target(name: "CWiping", path: "Sources/C/wiping"),
        // What links it keeps its heap small: what runs for years on a small board, and does little at a time.
        .target(name: "CSmallHeap", path: "Sources/C/smallheap"),
        // Loaded by Mosquitto. It needs nothing of Swift's, which the linker would bring along.
        .target(
            name: "BrokerGuard", path: "Sources/C/brokerguard",
            linkerSettings: preloaded),

        // MARK: Support: what every room may lean on

        room("Linux", in: "Support", ["CLinux"]),
        room("Addresses", in: "Support"),
        room("CodeWriter", in: "Support", ["CQREncode", "CPNG", "Linux"]),
        room("PrintedSheet", in: "Support", ["Linux"]),
        // A session with real devices as a file: what it is made of.
        room("Recording", in: "Support", ["Linux"]),
        room("OLED", in: "Support", ["Addresses", "CLinux", "Linux"]),
        room("Limits", in: "Support", [log]),
        room("Storage", in: "Support", ["CSQLite", "Linux"]),
        room("PostgreSQL", in: "Support", ["CPostgres", "Storage"]),
        room("Settings", in: "Support", ["CTOML", "Linux"]),
        room(
            "Program", in: "Support",
            [
                "Linux", "CLinux", arguments, log, lifecycle,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),

        // MARK: Protocol: the messages, on the wire and as JSON

        // The one room here that the hardware knows: what is shown, whatever shows it.
        room("ObservedValue", in: "Protocol"),
        // The other value: what people compare.
        room("ValueForms", in: "Protocol", ["Linux"]),
        room("SRUP", in: "Protocol", ["COpenSSL", "ObservedValue"]),
        room("SRUPJSON", in: "Protocol", ["ObservedValue", "SRUP", "Linux", "SeededRandom"]),

        // MARK: Network: who takes part, the C2 server, the key service

        // Each message of a log is checked again, and each line hashed: 100,000 of them.
        room("Evidence", in: "Network", ["ObservedValue", "SRUP", "Linux", "COpenSSL"], settings: fast),
        room(
            "Participant", in: "Network",
            ["Evidence", "SRUP", "Storage", "Linux", "Limits", "CMosquitto", "CCurl", "COpenSSL", log, lifecycle]),
        room(
            "C2", in: "Network",
            [
                "Evidence", "ObservedValue", "ValueForms", "SRUP", "Participant", "Releases", "Limits", "Storage",
                "Linux", "COpenSSL", log, lifecycle,
            ]),
        room("Releases", in: "Network", ["ObservedValue", "SRUP", "Storage", "COpenSSL"]),
        room(
            "Updates", in: "Network",
            [
                "ObservedValue", "Releases", "SRUP", "Participant", "Storage", "Settings", "Limits", "Linux", "CCurl",
                log,
            ]),
        room("Operators", in: "Network", ["SRUP", "Storage", "Limits", "Linux", "COpenSSL"]),
        room("Invitations", in: "Network", ["Participant", "Settings", "Linux"]),
        room("CertificateRequests", in: "Network", ["SRUP", "COpenSSL"]),
        room(
            "HTTPServing", in: "Network",
            ["Limits", log, web("Hummingbird"), web("HummingbirdCore"), web("HummingbirdTLS")]),
        room(
            "KeyService", in: "Network",
            [
                "CertificateRequests", "HTTPServing", "SRUP", "Storage", "Limits", "Linux", "COpenSSL", log, lifecycle,
                web("Hummingbird"), web("HummingbirdCore"),
            ]),

        // The parts of a network, each with a broker and a server: who works which, and who belongs where.
        room("Cells", in: "Network", ["PostgreSQL", "Storage", log, lifecycle]),

        // An operator's phone as an observer: its pictures come by way of the pages.
        room(
            "PhoneObserver", in: "Network",
            [
                "C2", "CLinux", "Camera", "CodeReader", "Keeper", "Limits", "Linux", "Luma", "Observation",
                "ObservedValue",
                "Participant", "Program", "SRUP", "Storage", "WitnessLink", log, lifecycle,
            ]),

        // What operators look at and decide with: pages, API, events.
        room(
            "Console", in: "Network",
            [
                "C2", "CodeWriter", "Invitations", "PhoneObserver", "HTTPServing", "KeyService", "Operators",
                "Participant", "SRUP", "ValueForms", "Storage",
                "Limits",
                "Linux", "Program", "CCurl", "COpenSSL", log, lifecycle, web("Hummingbird"), mustache,
                webClient,
            ]),

        // MARK: Observer: verdicts, the witness's line, what it shows and examines

        room("Observation", in: "Observer", ["ObservedValue"]),
        room("WitnessLink", in: "Observer", ["ObservedValue", "CLinux", "Linux", "Limits", log, lifecycle]),
        room("Signals", in: "Observer", ["CGPIO"]),
        room("Acceptance", in: "Observer", ["Linux", "ObservedValue"]),
        room("Doctor", in: "Observer", ["Linux", "CLinux", "Program"]),
        // Root's side of the observer's own update.
        room("PackageInstall", in: "Observer", ["Linux", "Releases", "Storage"]),

        room(
            "Keeper", in: "Observer",
            [
                "Addresses", "ObservedValue", "SRUP", "Participant", "Updates", "Observation", "WitnessLink", "Limits",
                "Settings",
                "Program",
                "Linux",
                "Signals", "Storage",
                "CLinux",
                log, lifecycle,
            ]),

        // MARK: Vision: from the camera to the code's text

        room("Luma", in: "Vision", settings: fast),
        room("Geometry", in: "Vision", ["Luma"], settings: fast),
        room("Camera", in: "Vision", ["Addresses", "Luma", "Linux", "CLinux", "CV4L2", "CTurboJPEG", "CPNG"]),
        room("ReedSolomon", in: "Vision", settings: fast),
        room("DataMatrix", in: "Vision", ["Luma", "Geometry", "ReedSolomon"], settings: fast),
        room(
            "CodeReader", in: "Vision", ["ObservedValue", "Luma", "Geometry", "CZbar", "DataMatrix", "ReedSolomon"],
            settings: fast),
        room("Aiming", in: "Vision", ["Luma", "Geometry", "CodeReader"]),
        room("AimPage", in: "Vision", ["Luma", "CMicroHTTPD", "CTurboJPEG"]),
        room("Eyes", in: "Vision", ["Addresses", "Camera", "CodeReader", "Luma", arguments]),

        room(
            "CameraRecording", in: "Vision",
            [
                "Addresses", "Aiming", "Camera", "CodeReader", "CPNG", "Geometry", "Luma", "ObservedValue", "Recording",
            ]),

        room("Optics", in: "Vision"),

        // MARK: NFC: the protocols of a tap, and the reader behind libnfc

        room("NFCProtocols", in: "NFC", ["ObservedValue"]),
        room("NFCReader", in: "NFC", ["Addresses", "NFCProtocols", "Linux", "CNFC", "CI2C", "CNFCSleep"]),

        room(
            "ReaderRecording", in: "NFC",
            ["Addresses", "CLinux", "Linux", "NFCProtocols", "NFCReader", "ObservedValue", "Recording"]),

        // MARK: Device: what joins, and how it shows its value

        room(
            "Presentation", in: "Device",
            ["Addresses", "CodeWriter", "ObservedValue", "OLED", "ValueForms", "CPNG", "CFramebuffer", "Linux"]),
        room("JoiningDevice", in: "Device", ["SRUP", "Participant", "Limits", "Presentation", log, lifecycle]),
        room(
            "Agent", in: "Device",
            ["SRUP", "Participant", "Updates", "Limits", "Linux", "Settings", "Program", log, lifecycle]),

        // MARK: Programs: one command line each

        program(
            "srup-witness",
            [
                "Addresses",
                "ObservedValue",
                "Eyes", "WitnessLink", "Camera", "CodeReader", "Luma", "Geometry", "Aiming", "AimPage", "CodeWriter",
                "NFCProtocols",
                "NFCReader", "Linux", "Optics", "PrintedSheet", "Program", "CWiping", "Recording", "CameraRecording",
                "ReaderRecording", arguments,
            ]),
        program(
            "srup-observer",
            [
                "ValueForms", "ObservedValue", "Addresses", "OLED", "Invitations",
                "Keeper", "SRUP", "Participant", "Observation", "WitnessLink", "Settings", "Program", "Storage",
                "Acceptance", "Doctor", "PackageInstall",
                "Signals", "Linux", "Optics", "CSmallHeap", "CWiping", log, lifecycle, arguments,
            ]),
        program(
            "srup-device",
            [
                "Addresses", "CodeWriter", "SRUP", "Invitations", "Linux", "Participant", "JoiningDevice",
                "Presentation", "Agent", "Updates",
                "Settings",
                "Program", "Storage", "CSmallHeap", "CWiping", log, lifecycle,
                arguments,
            ]),
        program(
            "srup-c2",
            [
                "Cells", "CodeWriter", "Evidence", "Invitations", "ObservedValue", "ValueForms", "SRUP", "Participant",
                "C2",
                "KeyService", "PostgreSQL", "HTTPServing", "Releases", "Operators", "Console", "PhoneObserver",
                "Doctor", "Settings",
                "Storage", "Program", "Linux",
                "Limits", "CWiping", log, lifecycle, arguments,
            ]),
        program(
            "srup",
            [
                "ObservedValue", "SRUP", "Participant", "Storage", "Program", "SRUPJSON", "Linux", log, lifecycle,
                arguments,
            ]),
        program("srup-release", ["ObservedValue", "Releases", "Storage", "Program", arguments]),
        // The programs are not imported: they are what it plays with, built by the same call.
        program(
            "srup-demo",
            [
                "Program", "TestProcesses", "srup-observer", "srup-witness", "srup-device", "srup-c2", "srup-release",
                "srup-scene",
                "srup-pn532-simulator", arguments,
            ]),
        program("srup-scene", ["Scene", "Camera", "Luma", "Linux", "CPNG", arguments]),
        program("srup-model", ["Model", arguments]),
        program(
            "srup-fuzz",
            [
                "ObservedValue",
                "FuzzTargets", "SRUP", "SRUPJSON", "CodeReader", "DataMatrix", "Linux", "Luma", "Scene",
                "SeededRandom",
                arguments,
            ]),

        // MARK: Testing: what tests, demo and benchmarks stand on

        room("SeededRandom", in: "Testing", settings: fast),
        room("TestProcesses", in: "Testing", ["Linux"]),
        room("DisplaySimulator", in: "Testing", ["ValueForms", "Linux"], settings: fast),
        room(
            "Scene", in: "Testing", ["Luma", "CodeWriter", "DataMatrix", "ReedSolomon", "SeededRandom", "CDmtx"],
            settings: fast),
        room(
            "FuzzTargets", in: "Testing",
            [
                "Addresses",
                "ObservedValue",
                "Agent", "SRUP", "SRUPJSON", "NFCProtocols", "CodeReader", "DataMatrix", "Camera", "Settings",
                "WitnessLink", "Invitations", "Participant",
                "CertificateRequests", "Recording",
            ]),
        room(
            "TestNetwork", in: "Testing",
            [
                "ObservedValue",
                "C2", "JoiningDevice", "Keeper", "Limits", "Observation", "Participant", "Presentation",
                "SeededRandom", "SRUP",
                "Storage", "WitnessLink", log,
            ]),
        room(
            "Model", in: "Testing",
            ["TestNetwork", "C2", "JoiningDevice", "Observation", "Participant", "SRUP", "SeededRandom"]),
        // Simulated hardware: PN532 chips that share one field.
        .target(
            name: "ChipSimulator", dependencies: ["NFCProtocols", "Recording", "Linux", "CLinux"],
            path: "hardware/pn532-simulator/Simulator"),
        .executableTarget(
            name: "srup-pn532-simulator", dependencies: ["ChipSimulator", "Recording", "Linux", arguments],
            path: "hardware/pn532-simulator/Program"),
        .target(name: "I2CShim", path: "hardware/pn532-simulator/I2CShim"),
        // Years in minutes.
        .target(name: "ClockShim", path: "Tests/Testing/ClockShim", linkerSettings: preloaded),

        // MARK: Tests, in the same order

        tests("LinuxTests", in: "Support", ["Linux", "Program", log, lifecycle]),
        tests("LimitsTests", in: "Support", ["Limits", log]),
        tests("AddressesTests", in: "Support", ["Addresses"]),
        tests("StorageTests", in: "Support", ["PostgreSQL", "Storage", "TestProcesses", "Linux"]),
        tests("SettingsTests", in: "Support", ["Settings"]),
        tests("ProgramTests", in: "Support", ["Program", "Linux", arguments, log, lifecycle]),
        tests("CodeWriterTests", in: "Support", ["CodeReader", "CodeWriter", "Luma"]),
        tests("PrintedSheetTests", in: "Support", ["PrintedSheet"]),
        tests("RecordingTests", in: "Support", ["Recording"]),
        tests("OLEDTests", in: "Support", ["Addresses", "DisplaySimulator", "OLED", "ValueForms"]),
        tests("ObservedValueTests", in: "Protocol", ["ObservedValue"]),
        tests(
            "ValueFormsTests", in: "Protocol", ["ValueForms", "DisplaySimulator"],
            resources: [.copy("displays.json")]),
        tests("SRUPTests", in: "Protocol", ["ObservedValue", "SRUP", "COpenSSL"], resources: [.copy("vectors")]),
        tests("SRUPJSONTests", in: "Protocol", ["ObservedValue", "SRUPJSON", "SRUP"]),
        tests(
            "EvidenceTests", in: "Network",
            ["Evidence", "Linux", "ObservedValue", "Participant", "SeededRandom", "SRUP", "Storage"],
            resources: [.copy("check-evidence")]),
        tests("ParticipantTests", in: "Network", ["Participant", "SRUP", "Storage", "COpenSSL", log]),
        tests(
            "InvitationsTests", in: "Network",
            ["Invitations", "Participant"]),
        tests("MemberTests", in: "Network", ["TestNetwork", "Participant", "SRUP", log]),
        tests(
            "C2Tests", in: "Network",
            [
                "TestNetwork", "C2", "Evidence", "JoiningDevice", "Limits", "Observation", "Participant",
                "Presentation", "ObservedValue", "Releases", "SRUP", "Storage", "ValueForms", log,
            ]),
        tests("ReleasesTests", in: "Network", ["Releases", "Storage"]),
        tests(
            "UpdatesTests", in: "Network",
            [
                "Updates", "Releases", "TestNetwork", "Participant", "Settings", "SRUP", "Storage", "Linux",
                "ObservedValue",
                "COpenSSL",
            ], resources: [.copy("webserver.py")]),
        tests(
            "StoresTests", in: "Network",
            [
                "C2", "Evidence", "KeyService", "Operators", "Participant", "PostgreSQL", "SRUP", "Storage",
                "TestProcesses",
            ]),
        tests("CellsTests", in: "Network", ["Cells", "PostgreSQL", "Storage", "TestProcesses", log, lifecycle]),
        tests("OperatorsTests", in: "Network", ["Operators", "Limits", "SRUP", "Storage"]),
        tests(
            "PhoneObserverTests", in: "Network",
            ["CodeWriter", "PhoneObserver", "AimPage", "Linux", "Luma", "Participant", "SRUP", "TestProcesses", log]),
        tests(
            "ConsoleTests", in: "Network",
            [
                "CodeWriter", "Console", "C2", "COpenSSL", "HTTPServing", "JoiningDevice", "KeyService", "Limits",
                "ObservedValue", "Operators", "Releases",
                "Participant", "PhoneObserver", "Program", "SRUP", "Storage", "TestNetwork",
                "ValueForms",
                log, lifecycle, web("Hummingbird"),
            ]),
        tests(
            "KeyServiceTests", in: "Network",
            [
                "KeyService", "HTTPServing", "Limits", "Linux", "Participant", "PostgreSQL", "SRUP", "TestProcesses",
                "Storage", "COpenSSL", log, web("Hummingbird"),
            ]),
        tests("ObservationTests", in: "Observer", ["ObservedValue", "Observation", "WitnessLink", log]),
        tests("WitnessLinkTests", in: "Observer", ["WitnessLink", "Linux", log]),
        tests(
            "KeeperTests", in: "Observer",
            [
                "Addresses", "C2", "Keeper", "TestNetwork", "Observation", "ObservedValue", "Participant", "Program",
                "SRUP", "Settings", "Signals", "Storage", "WitnessLink",
            ]),
        tests("SignalsTests", in: "Observer", ["Signals", "Linux", "Program"]),
        tests(
            "PackageInstallTests", in: "Observer",
            ["PackageInstall", "Linux", "Releases", "Storage", "COpenSSL"]),
        tests(
            "AcceptanceTests", in: "Observer",
            ["Acceptance", "AimPage", "CodeWriter", "Linux", "Luma", "ObservedValue", "TestProcesses"]),
        tests("DoctorTests", in: "Observer", ["Doctor", "Linux", "Program"]),
        tests(
            "ApplianceTests", in: "Observer",
            ["TestProcesses", "WitnessLink", "Linux", "Participant", "SRUP", "Storage", log]),
        tests("GeometryTests", in: "Vision", ["Geometry", "Luma", "SeededRandom"]),
        tests("LumaTests", in: "Vision", ["Geometry", "Luma", "SeededRandom"]),
        tests(
            "CameraTests", in: "Vision",
            [
                "Addresses", "AimPage", "Camera", "CameraRecording", "CodeReader", "CodeWriter", "Linux", "Luma",
                "ObservedValue",
                "Recording", "Scene", "TestProcesses",
            ],
            resources: [.copy("cameras")]),
        tests("OpticsTests", in: "Vision", ["CodeReader", "Luma", "ObservedValue", "Optics", "TestProcesses"]),
        tests("ReedSolomonTests", in: "Vision", ["ReedSolomon"]),
        tests(
            "DataMatrixTests", in: "Vision",
            ["DataMatrix", "Luma", "Geometry", "Scene", "SeededRandom", "ReedSolomon", "CDmtx"]),
        tests(
            "CodeReaderTests", in: "Vision",
            ["ObservedValue", "CodeReader", "CodeWriter", "Camera", "Luma", "Geometry", "Scene", "SeededRandom"],
            resources: [.copy("cases")]),
        tests(
            "AimTests", in: "Vision",
            [
                "Aiming", "AimPage", "Camera", "CodeReader", "Eyes", "Luma", "Geometry", "Scene",
                "SeededRandom", "Linux",
                "TestProcesses",
            ]),
        tests("NFCProtocolsTests", in: "NFC", ["NFCProtocols", "ChipSimulator"], resources: [.copy("cases")]),
        tests(
            "NFCReaderTests", in: "NFC",
            [
                "TestProcesses", "WitnessLink", "NFCProtocols", "NFCReader", "ChipSimulator", "Linux", "ObservedValue",
                "ReaderRecording", "Recording", log, lifecycle,
            ],
            resources: [.copy("nfcpy")]),
        tests(
            "PresentationTests", in: "Device",
            [
                "Addresses", "Camera", "CodeReader", "CodeWriter", "DisplaySimulator", "Luma", "Presentation",
                "TestProcesses",
                "ValueForms",
            ]),
        tests(
            "JoiningDeviceTests", in: "Device",
            ["JoiningDevice", "TestNetwork", "Limits", "Participant", "Presentation", "SRUP", log]),
        tests(
            "AgentTests", in: "Device",
            [
                "Agent", "TestNetwork", "Participant", "Program", "Linux", "SRUP", "Settings", "Storage", "Updates",
                log,
                lifecycle,
            ]),
        tests(
            "SceneTests", in: "Testing",
            ["Scene", "CodeReader", "CodeWriter", "Luma", "SeededRandom", "TestProcesses"]),
        tests("FuzzTests", in: "Testing", ["FuzzTargets"]),
        tests("ModelTests", in: "EndToEnd", ["Model"]),
        tests(
            "SystemTests", in: "EndToEnd",
            [
                "ObservedValue",
                "CodeWriter", "DisplaySimulator",
                "TestProcesses", "SRUP", "Participant", "Storage", "Linux", "CLinux", "Program", "Camera", "CodeReader",
                "Luma",
                "Scene", log, lifecycle,
            ]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

// The fuzzer that goes by coverage brings its own main, and links only with its runtime: Tests/Lanes/Fuzz/run asks for it.
if Context.environment["SRUP_FUZZ_COVERAGE"] != nil {
    package.targets.append(
        .executableTarget(
            name: "srup-fuzz-coverage", dependencies: ["FuzzTargets"], path: "Sources/Programs/srup-fuzz-coverage",
            swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
}
