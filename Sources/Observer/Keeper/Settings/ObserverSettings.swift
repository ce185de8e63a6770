import Addresses
import Observation
import SRUP
import Settings
import Updates

/// The appliance's configuration file.
package struct ObserverSettings {
    /// An identity of its own on the network, and what it looks with.
    package struct LogicalObserver {
        /// Empty when there is only one and it has no name.
        package var name = ""
        package var stateFolder: String
        package var keyServiceURL: String?
        package var authorityFile: String?
        /// Whose invitations are taken without asking anybody.
        package var hosts: [String] = []
        package var deviceType: String
        /// Overrides what registration has told.
        package var server: DeviceID?
        package var eyes: [Eye]
    }

    /// What an observer looks with.
    package enum Eye {
        case camera(CameraSettings)
        case nfc(NFCSettings)
    }

    package struct CameraSettings {
        package var device = CameraAddress.automatic
        package var width = 1280
        package var height = 720
        package var symbologies: [String] = []
        /// Of QR codes: own, zbar.
        package var readers: [String] = []

        package init() {}
    }

    package struct NFCSettings {
        package var device = ReaderAddress.auto

        package init() {}
    }

    package static let defaultState = "/var/lib/srup-observer"

    package var stateFolder = defaultState
    package var rejoin: Duration = .seconds(600)
    /// 4 or 5.
    package var firstVersion = 5
    package var rules = WatchRules()
    package var signal = SignalSettings()
    package var logLevel = LogLevel.info
    package var observers: [LogicalObserver] = []
    /// How the observer is updated; `nil`: not over SRUP. Of several logical observers the first one takes updates.
    package var update: UpdateSettings?

    private init() {}

    /// Only the image's first steps (``Prepare``) use it.
    package var appliance: ApplianceSettings?

    package enum LogLevel: String, CaseIterable { case debug, info, notice, warning, error }

    package static let defaultPath = "/etc/srup-observer/srup-observer.toml"
    /// How many logical observers one box may hold.
    package static let maximumObservers = 16

    /// Reads and checks the file; paths in it are placed in its folder.
    ///
    /// - Throws: ``SettingsError``.
    package static func load(_ path: String) throws(SettingsError) -> ObserverSettings {
        var file = try SettingsFile(path: path)
        var settings = try ObserverSettings(&file)
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        settings.placeBeside(folder)
        return settings
    }

    /// The one rule for paths without a leading slash: they begin in the configuration file's folder, wherever the program was
    /// started.
    private mutating func placeBeside(_ folder: String) {
        func placed(_ path: String) -> String { path.hasPrefix("/") ? path : folder + path }
        stateFolder = placed(stateFolder)
        // Where root looks for it, however many [[observer]] blocks there are.
        if update?.kind == .package { update?.folder = stateFolder + "/update" }
        for index in observers.indices {
            observers[index].stateFolder = placed(observers[index].stateFolder)
            observers[index].authorityFile = observers[index].authorityFile.map(placed)
            observers[index].eyes = observers[index].eyes.map { eye in
                guard case .camera(var camera) = eye else { return eye }
                camera.device = camera.device.placed(placed)
                return .camera(camera)
            }
        }
    }

    package init(_ file: inout SettingsFile) throws(SettingsError) {
        var settings = ObserverSettings()
        settings.stateFolder = try file.path("state") ?? settings.stateFolder
        settings.logLevel = try file.choice("log", default: settings.logLevel)
        settings.rejoin = try file.duration(
            "server.rejoin", default: settings.rejoin, in: .seconds(1)...(.seconds(86400)))
        settings.firstVersion = try file.integer("server.first_version", default: settings.firstVersion, in: 4...5)
        settings.rules.timeout = try file.duration(
            "observe.timeout", default: settings.rules.timeout, in: .milliseconds(500)...(.seconds(3600)))
        settings.rules.invalidAfter = try file.duration(
            "observe.invalid_after", default: settings.rules.invalidAfter, in: .milliseconds(100)...(.seconds(600)))
        settings.rules.displayTime = try file.duration(
            "observe.display_time", default: min(settings.rules.displayTime, settings.rules.timeout / 2),
            in: .zero...(.seconds(600)))
        settings.rules.settle = try file.duration(
            "observe.settle", default: settings.rules.settle, in: .zero...(.seconds(60)))
        settings.rules.witnessGrace = try file.duration(
            "observe.witness_grace", default: settings.rules.witnessGrace, in: .milliseconds(500)...(.seconds(3600)))
        settings.signal = try SignalSettings(&file)
        var common = LogicalObserver(stateFolder: settings.stateFolder, deviceType: "observer", eyes: [])
        common.keyServiceURL = try file.https("registration.url")
        common.authorityFile = try file.path("registration.ca")
        common.hosts = try file.strings("registration.hosts")
        if let wrong = common.hosts.first(where: { !SettingsForm.isHost($0) }) {
            throw file.problem("registration.hosts", "\"\(wrong)\" is no host name and no address")
        }
        common.deviceType = try file.deviceType("registration.type") ?? common.deviceType
        common.server = try Self.identity(&file, "server.id")
        let blocks = try file.blocks(of: "observer")
        if blocks.isEmpty {
            common.eyes = try Self.eyes(&file, "")
            if common.eyes.isEmpty { common.eyes = [.camera(CameraSettings())] }
            settings.observers = [common]
        } else {
            try settings.read(blocks, common, &file)
        }
        settings.update = try UpdateSettings.read(
            &file, type: settings.observers.first?.deviceType, isProgramItself: true)
        settings.appliance = try ApplianceSettings(&file)
        try file.finish()
        self = settings
    }

    private mutating func read(
        _ blocks: [String], _ common: LogicalObserver, _ file: inout SettingsFile
    ) throws(SettingsError) {
        for table in ["camera", "nfc"] where file.contains(table) {
            throw file.problem(table, "belongs in one of the [[observer]] blocks, as [observer.\(table)]")
        }
        guard blocks.count <= Self.maximumObservers else {
            throw file.problem("observer", "at most \(Self.maximumObservers) blocks are possible")
        }
        for block in blocks {
            var observer = common
            observer.name = try file.required(block + "name", example: "door")
            guard observer.name.utf8.count <= 32,
                observer.name.utf8.allSatisfy({ character in
                    (0x61...0x7A).contains(character) || (0x30...0x39).contains(character)
                        || character == UInt8(ascii: "-")
                })
            else { throw file.problem(block + "name", "must be 1 to 32 lower-case letters, digits and hyphens") }
            guard !observers.contains(where: { $0.name == observer.name }) else {
                throw file.problem(block + "name", "is used twice")
            }
            observer.stateFolder = common.stateFolder + "/" + observer.name
            observer.keyServiceURL = try file.https(block + "url") ?? common.keyServiceURL
            observer.authorityFile = try file.path(block + "ca") ?? common.authorityFile
            observer.deviceType = try file.deviceType(block + "type") ?? common.deviceType
            observer.server = try Self.identity(&file, block + "server") ?? common.server
            observer.eyes = try Self.eyes(&file, block)
            guard observer.eyes.count == 1 else {
                throw file.problem(block + "name", "needs either [observer.camera] or [observer.nfc]")
            }
            observers.append(observer)
        }
    }

    private static func identity(_ file: inout SettingsFile, _ key: String) throws(SettingsError) -> DeviceID? {
        try file.value(
            key,
            allowed: "an identity, 1 to 16 lower-case hexadecimal digits without leading zeros: \"b9d077e223834cf6\""
        ) { DeviceID(participant: $0) }
    }

    private static func names(
        _ file: inout SettingsFile, _ key: String, of known: [String]
    ) throws(SettingsError) -> [String] {
        let names = try file.strings(key)
        guard names.allSatisfy(known.contains) else {
            throw file.problem(key, "each must be one of \(known.map { "\"\($0)\"" }.joined(separator: ", "))")
        }
        return names
    }

    private static func eyes(_ file: inout SettingsFile, _ prefix: String) throws(SettingsError) -> [Eye] {
        var eyes: [Eye] = []
        if file.contains(prefix + "camera") {
            var camera = CameraSettings()
            let table = prefix + "camera."
            camera.device =
                try file.value(table + "device", allowed: CameraAddress.forms) { try? CameraAddress($0) }
                ?? camera.device
            camera.width = try file.integer(table + "width", default: camera.width, in: 64...8192)
            camera.height = try file.integer(table + "height", default: camera.height, in: 64...8192)
            camera.symbologies = try names(
                &file, table + "symbologies", of: ["qr", "datamatrix", "code128", "code93", "code39"])
            camera.readers = try names(&file, table + "readers", of: ["own", "zbar"])
            eyes.append(.camera(camera))
        }
        if file.contains(prefix + "nfc") {
            var nfc = NFCSettings()
            nfc.device =
                try file.value(prefix + "nfc.device", allowed: ReaderAddress.forms) { try? ReaderAddress($0) }
                ?? nfc.device
            eyes.append(.nfc(nfc))
        }
        return eyes
    }
}
