import Glibc
import Linux
import Participant
import Releases
import SRUP
import Settings

/// How a device or an observer is updated: `[update]` of its configuration (docs/update.md, "The configuration").
public struct UpdateSettings: Sendable, Equatable {
    /// What is updated.
    public enum Kind: String, Sendable, CaseIterable {
        /// One file, which is replaced.
        case file
        /// A folder with a version in each of its folders, and a link to the one in use.
        case versions
        /// Whatever a command installs.
        case command
        /// A bundle for RAUC.
        case rauc
        /// This very program's Debian package.
        case package
    }

    /// Whose web servers are believed.
    public enum Authority: Sendable, Equatable {
        /// The one that signed the key service's certificate.
        case network
        /// The system's.
        case system
        /// In this PEM file.
        case file(String)
    }

    /// What is updated.
    public var kind = Kind.file
    /// This device's type: manifests for another one are refused.
    public var type = "default"
    /// Those whose manifests are obeyed.
    public var keys: [ReleasePublicKey] = []
    /// Without it INITIATE names the payload itself, as a reference server does.
    public var requiresReleaseKey = true
    /// Whether a lower or the same version is taken as well.
    public var allowsOlder = false
    /// The version that is installed before the first update.
    public var installed: ReleaseVersion?
    /// Whose web servers are believed.
    public var authority = Authority.network
    /// Larger payloads are refused, in bytes.
    public var maximumSize: UInt64 = 256 << 20
    /// So long is tried to fetch it.
    public var patience = Duration.seconds(6 * 3600)

    /// The file, or the link to the version in use.
    public var path = ""
    /// Of `versions`: where they are. Of `command`, `rauc` and `package`: where the payload is fetched to; empty:
    /// `update` in the state folder.
    public var folder = ""
    /// Of `versions`: what the payload is called in its folder; `nil`: the payload is an archive, which is unpacked.
    public var name: String?
    /// Of `file` and `versions`: whether the payload is a program.
    public var isProgram = true

    /// Of `command`: puts the new version to use.
    public var install: CommandRun.Command?
    /// Of `command`: puts the old one back.
    public var revert: CommandRun.Command?
    /// Of `command`: the new version stays.
    public var keep: CommandRun.Command?
    /// Run after each switch, there and back: restarts what is updated.
    public var after: CommandRun.Command?
    /// Whether the new version is well: it exits with 0.
    public var check: CommandRun.Command?
    /// Whether the new version says itself that it is well.
    public var waitsForReport = false
    /// So long the new version may take to be well.
    public var reportWithin = Duration.seconds(60)
    /// So long it must stay well.
    public var settle = Duration.seconds(10)
    /// As whom commands are run.
    public var user: CommandRun.User?

    /// A file that is nowhere; for tests, which say the rest.
    package init() {}

    static let commandTimes = Duration.seconds(1)...(.seconds(3600))
    private static let table = "update."

    /// Reads the table; `nil` when there is none: no update is taken.
    ///
    /// - Parameters:
    ///   - isRoot: whether this program runs as root.
    ///   - isProgramItself: whether `package` is possible.
    /// - Throws: ``SettingsError``.
    public static func read(
        _ file: inout SettingsFile, isRoot: Bool = geteuid() == 0, type: String? = nil, isProgramItself: Bool = false
    ) throws(SettingsError) -> UpdateSettings? {
        guard file.contains("update") else { return nil }
        var settings = UpdateSettings()
        settings.kind = try file.choice(table + "kind", default: isProgramItself ? .package : .file)
        if settings.kind == .package, !isProgramItself {
            throw file.problem(table + "kind", "must be another one: only an observer updates its own package")
        }
        settings.type = try file.deviceType(table + "type") ?? type ?? settings.type
        try settings.readTrust(&file)
        try settings.readFetching(&file)
        try settings.readPlaces(&file)
        try settings.readCommands(&file, isRoot: isRoot)
        return settings
    }

    private mutating func readTrust(_ file: inout SettingsFile) throws(SettingsError) {
        let table = Self.table
        requiresReleaseKey = try file.boolean(table + "require_release_key", default: true)
        for text in try file.strings(table + "release_keys") {
            guard let key = ReleasePublicKey(text) else {
                throw file.problem(
                    table + "release_keys", "must be public halves of release keys, 64 hexadecimal digits each")
            }
            keys.append(key)
        }
        if requiresReleaseKey, keys.isEmpty {
            throw file.problem(
                table + "release_keys",
                "is missing: what \"srup-release key\" prints (or require_release_key = false, for a reference server)")
        }
        if kind == .package, !requiresReleaseKey {
            throw file.problem(table + "require_release_key", "must be true for a package, which is installed as root")
        }
        allowsOlder = try file.boolean(table + "allow_older", default: false)
        installed = try file.value(table + "installed", allowed: "a version: \(ReleaseVersion.form)") {
            ReleaseVersion($0)
        }
    }

    private mutating func readFetching(_ file: inout SettingsFile) throws(SettingsError) {
        let table = Self.table
        switch try file.string(table + "authority") {
        case nil, "network": authority = .network
        case "system": authority = .system
        case let path? where path.hasPrefix("/"): authority = .file(path)
        default:
            throw file.problem(table + "authority", "must be \"network\", \"system\" or the whole path of a PEM file")
        }
        let megabytes = try file.integer(table + "maximum_size", default: 256, in: 1...16384)
        maximumSize = UInt64(megabytes) << 20
        patience = try file.duration(table + "patience", default: patience, in: .seconds(10)...(.seconds(7 * 86400)))
    }

    private mutating func readPlaces(_ file: inout SettingsFile) throws(SettingsError) {
        let table = Self.table
        func whole(_ key: String) throws(SettingsError) -> String {
            guard let path = try file.path(table + key) else {
                throw file.problem(table + key, "is missing for kind = \"\(kind.rawValue)\"")
            }
            guard path.hasPrefix("/"), !path.hasSuffix("/") else {
                throw file.problem(table + key, "must be a whole path, without a slash at its end")
            }
            return path
        }
        if kind == .file || kind == .versions { path = try whole("path") }
        if kind == .versions {
            folder = try whole("folder")
            name = try file.string(table + "name", allowed: "a file's name") {
                Identification.isName($0) && $0.first != "."
            }
        }
        if kind == .command || kind == .rauc { folder = file.contains(table + "folder") ? try whole("folder") : "" }
        if kind == .file || kind == .versions { isProgram = try file.boolean(table + "program", default: true) }
    }

    private mutating func readCommands(_ file: inout SettingsFile, isRoot: Bool) throws(SettingsError) {
        let table = Self.table
        let timeout = try file.duration(table + "timeout", default: .seconds(60), in: Self.commandTimes)
        func command(_ key: String) throws(SettingsError) -> CommandRun.Command? {
            try file.command(table + key, timeout: timeout)
        }
        if kind == .command {
            install = try command("install")
            revert = try command("revert")
            keep = try command("keep")
            if install == nil || revert == nil {
                throw file.problem(table + "install", "and update.revert are needed for kind = \"command\"")
            }
        }
        if kind != .package {
            after = try command("after")
            check = try command("check")
            waitsForReport = try file.boolean(table + "report", default: false)
        }
        // The card image copies a whole system first.
        let usual: Duration = kind == .package ? .seconds(7200) : kind == .rauc ? .seconds(1800) : .seconds(60)
        reportWithin = try file.duration(
            table + "report_within", default: usual, in: .seconds(1)...(.seconds(86400)))
        settle = try file.duration(table + "settle", default: .seconds(10), in: .zero...(.seconds(3600)))
        user = try file.user(table + "user", isRoot: isRoot)
        let hasCommands = [install, revert, keep, after, check].contains { $0 != nil }
        if isRoot, hasCommands, user == nil {
            throw file.problem(
                table + "user",
                "is missing: as root this program runs commands only as a user who is named, be it user = \"root\"")
        }
    }

    /// What the device says of itself besides: the values that go with its answers.
    public static func describe(in identification: inout Identification) {
        identification.sends[UpdateValue.version] = .string
        identification.sends[UpdateValue.problem] = .string
        identification.sends[UpdateValue.httpStatus] = .int32
        identification.sends[UpdateValue.httpBody] = .bytes
    }
}

/// The names of the values (DATA) that go before an answer, with the update's token.
public enum UpdateValue {
    /// The web server's status (2017 paper, 3.7): int32.
    public static let httpStatus = "HTTP_STATUS"
    /// The beginning of what it said besides: bytes.
    public static let httpBody = "HTTP_BODY"
    /// Why the update was not taken: string.
    public static let problem = "UPDATE_PROBLEM"
    /// The version that is in use now: string.
    public static let version = "UPDATE_VERSION"
}
