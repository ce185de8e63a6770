import Glibc
import Linux
import Participant
import SRUP
import Settings
import Updates

/// What a device does when its server tells it to, and which values it sends and takes: `device.toml`
/// (docs/agent.md, "The configuration").
public struct AgentSettings: Sendable, Equatable {
    /// A program that is run, without a shell.
    public typealias Command = CommandRun.Command
    /// A user of this machine.
    public typealias User = CommandRun.User

    /// Something that the server can tell the device to do.
    public struct Action: Sendable, Equatable {
        /// Its name, which the server learns.
        public var name: String
        /// What does it; `nil`: a program at the socket.
        public var command: Command?
        /// The value that the command's output is sent as.
        public var sends: String?
        /// How long a program at the socket may take.
        public var timeout: Duration
    }

    /// A value that the device sends.
    public struct Sent: Sendable, Equatable {
        /// Its type.
        public var type: DataType
        /// What writes it to its output; `nil`: only programs at the socket, and actions, send it.
        public var command: Command?
        /// How often the command is run.
        public var every: Duration
    }

    /// A value that the device takes from its server.
    public struct Taken: Sendable, Equatable {
        /// Its type.
        public var type: DataType
        /// What reads it from its input; `nil`: programs at the socket hear of it.
        public var command: Command?
    }

    /// Of the Unix socket for local programs; `nil`: there is none.
    public var socket: String?
    /// The group that may use the socket beside this program's own user.
    public var socketGroup: gid_t?
    /// Who commands are run as.
    public var user: User?
    /// By number.
    public var actions: [UInt8: Action] = [:]
    /// By name.
    public var sends: [String: Sent] = [:]
    /// By name.
    public var takes: [String: Taken] = [:]
    /// How the device is updated; `nil`: it is not.
    public var update: UpdateSettings?

    /// Nothing.
    public init() {}

    /// Whether there is a command in it.
    public var hasCommands: Bool {
        actions.values.contains { $0.command != nil } || sends.values.contains { $0.command != nil }
            || takes.values.contains { $0.command != nil }
    }

    /// What the device says of itself.
    public func describe(in identification: inout Identification) {
        identification.actions = actions.mapValues(\.name)
        identification.sends = sends.mapValues(\.type)
        identification.takes = takes.mapValues(\.type)
        if update != nil { UpdateSettings.describe(in: &identification) }
    }

    /// Of each kind.
    static let maximumNames = 32
    private static let times = Duration.milliseconds(100)...(.seconds(300))

    /// Reads the file.
    ///
    /// - Parameter isRoot: whether this program runs as root: then commands need a user of their own.
    /// - Throws: ``SettingsError``.
    public static func load(_ path: String, isRoot: Bool = geteuid() == 0) throws(SettingsError) -> AgentSettings {
        try read(try SettingsFile(path: path), isRoot: isRoot)
    }

    static func read(_ file: SettingsFile, isRoot: Bool) throws(SettingsError) -> AgentSettings {
        var file = file
        var settings = AgentSettings()
        settings.socket = try file.path("socket")
        settings.socketGroup = try group(&file)
        settings.user = try user(&file, isRoot: isRoot)
        for key in try names(of: "sends", &file) {
            let table = SettingsFile.path("sends", key)
            let command = try command(&file, table)
            let every = try file.duration("\(table).every", default: .seconds(60), in: .seconds(1)...(.seconds(86400)))
            if command == nil, file.contains("\(table).every") {
                throw file.problem("\(table).every", "needs a command, which is run so often")
            }
            settings.sends[key] = Sent(type: try type(&file, table), command: command, every: every)
        }
        for key in try names(of: "takes", &file) {
            let table = SettingsFile.path("takes", key)
            settings.takes[key] = Taken(type: try type(&file, table), command: try command(&file, table))
        }
        for key in try names(of: "action", &file) {
            guard let number = UInt8(key), String(number) == key else {
                throw file.problem(SettingsFile.path("action", key), "an action has a number from 0 to 255")
            }
            settings.actions[number] = try action(&file, SettingsFile.path("action", key), settings.sends)
        }
        settings.update = try UpdateSettings.read(&file, isRoot: isRoot)
        try file.finish()
        if isRoot, settings.hasCommands, settings.user == nil {
            throw file.problem(
                "user",
                "is missing: as root this program runs commands only as a user of their own; for example user = \"srup-handler\""
            )
        }
        if settings.update?.waitsForReport == true, settings.socket == nil {
            throw file.problem("socket", "is missing: at it a new version reports in (update.report)")
        }
        let isNeeded = settings.actions.values.contains { $0.command == nil }
        if isNeeded, settings.socket == nil {
            throw file.problem("socket", "is missing: an action without a command is done by a program at the socket")
        }
        return settings
    }

    private static func names(of table: String, _ file: inout SettingsFile) throws(SettingsError) -> [String] {
        let names = try file.keys(of: table)
        guard names.count <= maximumNames else { throw file.problem(table, "there are more than \(maximumNames)") }
        for name in names {
            let key = SettingsFile.path(table, name)
            guard Identification.isName(name) else {
                throw file.problem(key, "a name has 1 to 64 letters, digits, dots, hyphens and underscores")
            }
            if try file.keys(of: key).isEmpty { throw file.problem(key, "must be a table: [\(key)]") }
        }
        return names
    }

    private static func action(
        _ file: inout SettingsFile, _ table: String, _ sends: [String: Sent]
    ) throws(SettingsError) -> Action {
        let nameForm = "1 to 64 letters, digits, dots, hyphens and underscores"
        guard let name = try file.string("\(table).name", allowed: nameForm, Identification.isName) else {
            throw file.problem("\(table).name", "is missing; for example name = \"on\"")
        }
        let command = try command(&file, table)
        let sent = try file.string("\(table).sends", allowed: "the name of a [sends.NAME] table") { sends[$0] != nil }
        if sent != nil, command == nil { throw file.problem("\(table).sends", "needs a command, whose output it is") }
        let timeout = try file.duration("\(table).timeout", default: .seconds(10), in: times)
        return Action(name: name, command: command, sends: sent, timeout: timeout)
    }

    private static func type(_ file: inout SettingsFile, _ table: String) throws(SettingsError) -> DataType {
        let type = try file.value("\(table).type", allowed: "one of \(DataType.names)") { DataType(name: $0) }
        guard let type else { throw file.problem("\(table).type", "is missing: one of \(DataType.names)") }
        return type
    }

    private static func command(_ file: inout SettingsFile, _ table: String) throws(SettingsError) -> Command? {
        let timeout = try file.duration("\(table).timeout", default: .seconds(10), in: times)
        return try file.command("\(table).command", timeout: timeout)
    }

    private static func user(_ file: inout SettingsFile, isRoot: Bool) throws(SettingsError) -> User? {
        guard let user = try file.user("user", isRoot: isRoot) else { return nil }
        guard user.id != 0 else { throw file.problem("user", "must not be root") }
        return user
    }

    private static func group(_ file: inout SettingsFile) throws(SettingsError) -> gid_t? {
        guard let name = try file.string("socket_group") else { return nil }
        guard let entry = getgrnam(name) else {
            throw file.problem("socket_group", "there is no group \"\(name)\" here")
        }
        return entry.pointee.gr_gid
    }
}
