import C2
import Cells
import Console
import Foundation
import KeyService
import Linux
import Logging
import PostgreSQL
import Releases
import SRUP
import Settings
import Storage

/// `c2.toml` in the server's folder, which "srup-c2 init" writes.
struct ServerSettings {
    var host = "localhost"
    var bind = "0.0.0.0"
    var keyServicePort = 8443
    /// How many identities the key service keeps at most.
    var identities = 100_000
    /// How many registrations a minute one address may make in the long run.
    var registrationsPerMinute = 30
    var brokerPort = 8883
    var broker = BrokerSettings()
    var pages = PagesSettings()
    /// A database server in place of the files in the folder.
    var database: DatabasePlace?
    var isOpen = true
    var logLevel = Logger.Level.info
    var rules = C2Rules()
    var evidence = EvidenceRules()

    /// Who carries the messages.
    enum BrokerEngine: String, CaseIterable, Sendable {
        case mosquitto, rabbitmq
    }

    /// `[broker]`, but for the port.
    struct BrokerSettings {
        var engine = BrokerEngine.mosquitto
        /// Of RabbitMQ, on loopback: where the key service answers it, and where connections are closed.
        var (answersPort, controlPort) = (8881, 8882)
        /// RabbitMQ's own program; `nil`: where it usually is.
        var program: String?
    }

    /// `[pages]`.
    struct PagesSettings {
        var isOn = true
        var port = 8444
        /// `nil`: where the rest listens.
        var bind: String?
        /// On every page; `nil`: the host's name.
        var name: String?
        var idle = Duration.seconds(3600)
        /// Of one token, in the long run.
        var callsPerSecond = 50
        /// Whether an operator's phone may be an observer.
        var phone = true
    }

    /// `[updates]`.
    struct UpdateSettings {
        /// Whose manifests are taken; empty: those of any key.
        var keys: [ReleasePublicKey] = []
        /// Of all files of releases together, in bytes.
        var totalSize: Int64 = 4 << 30
        /// At once, by one address.
        var downloadsPerAddress = 8
    }
    var updates = UpdateSettings()

    /// Where releases are kept, in a server's folder.
    static func releases(_ folder: String) -> String { folder + "/releases" }

    /// Where devices find them.
    var releaseBase: String { "https://\(SettingsForm.inURL(host)):\(keyServicePort)/releases/" }

    /// `[webhook]`; `nil`: there is none.
    var webhook: (settings: WebhookSettings, secretFile: String)?

    static func load(_ folder: String) throws(SettingsError) -> ServerSettings {
        var file = try SettingsFile(path: folder + "/c2.toml")
        var settings = ServerSettings()
        settings.host = SettingsForm.withoutBrackets(try file.required("host", example: "c2.example.net"))
        guard SettingsForm.isHost(settings.host) else { throw file.problem("host", "must be \(hostForm)") }
        if let bind = try file.string("bind", allowed: bindForm, isBind) {
            settings.bind = SettingsForm.withoutBrackets(bind)
        }
        settings.database = try database(&file)
        settings.logLevel = try file.choice("log", default: LogWord.info).level
        settings.keyServicePort = try file.integer("key_service.port", default: 8443, in: 1...65535)
        settings.isOpen = try file.boolean("key_service.open", default: true)
        settings.identities = try file.integer(
            "key_service.identities", default: settings.identities, in: 100...10_000_000)
        settings.registrationsPerMinute = try file.integer(
            "key_service.registrations_per_minute", default: settings.registrationsPerMinute, in: 1...1_000_000)
        settings.brokerPort = try file.integer("broker.port", default: 8883, in: 1...65535)
        try loadBroker(&file, &settings.broker)
        settings.rules.tries = try file.integer("observation.tries", default: settings.rules.tries, in: 1...20)
        settings.rules.observationTimeout = try file.duration(
            "observation.timeout", default: settings.rules.observationTimeout, in: .seconds(1)...(.seconds(3600)))
        if file.contains("observation.rest") {
            settings.rules.observationRest = try file.duration(
                "observation.rest", default: .seconds(90), in: .seconds(1)...(.seconds(3600)))
        }
        settings.rules.tellsObserver = try file.boolean("observation.tell_observer", default: true)
        settings.rules.moderationTime = try file.duration(
            "moderation.time", default: settings.rules.moderationTime, in: .seconds(60)...(.seconds(86400)))
        settings.rules.limits.valuesPerHour = Double(
            try file.integer(
                "moderation.values_per_hour", default: Int(settings.rules.limits.valuesPerHour), in: 1...100_000))
        try loadPages(&file, &settings)
        try loadWebhook(&file, &settings, folder)
        try loadUpdates(&file, &settings.updates)
        try loadLimits(&file, &settings.rules.limits)
        try loadAudit(&file, &settings.evidence, folder)
        for name in try file.keys(of: "data") {
            let key = SettingsFile.path("data", name)
            guard (1...64).contains(name.utf8.count) else { throw file.problem(key, "a data name has 1 to 64 bytes") }
            settings.rules.dataTypes[name] = try file.value(key, allowed: "one of \(DataType.names)") {
                DataType(name: $0)
            }
        }
        try loadZones(&file, &settings.rules)
        settings.rules.otherwise = try file.policy("policy.otherwise", default: settings.rules.otherwise)
        for type in try file.keys(of: "policy") where type != "otherwise" {
            let key = SettingsFile.path("policy", type)
            guard SettingsForm.isDeviceType(type) else {
                throw file.problem(key, "no device can have this type: 1 to 64 printable ASCII characters")
            }
            settings.rules.policies[type] = try file.policy(key, default: .refuse)
        }
        try file.finish()
        try checkPorts(file, settings)
        guard settings.keyServicePort != settings.brokerPort else {
            throw file.problem("broker.port", "must not be that of the key service, \(settings.keyServicePort)")
        }
        guard !settings.pages.isOn || ![settings.keyServicePort, settings.brokerPort].contains(settings.pages.port)
        else {
            throw file.problem("pages.port", "must not be that of the key service or of the broker")
        }
        return settings
    }

    /// Which broker is to run, whatever the rest of c2.toml is like.
    static func broker(_ folder: String) throws(SettingsError) -> BrokerSettings {
        var broker = BrokerSettings()
        guard PublicFile.isThere(folder + "/c2.toml") else { return broker }
        var file = try SettingsFile(path: folder + "/c2.toml")
        try loadBroker(&file, &broker)
        return broker
    }

    private static func loadBroker(
        _ file: inout SettingsFile, _ broker: inout BrokerSettings
    ) throws(SettingsError) {
        broker.engine = try file.choice("broker.engine", default: broker.engine)
        broker.answersPort = try file.integer("broker.answers_port", default: broker.answersPort, in: 1...65535)
        broker.controlPort = try file.integer("broker.control_port", default: broker.controlPort, in: 1...65535)
        broker.program = try file.string("broker.program", allowed: "the path of RabbitMQ's rabbitmq-server") {
            $0.hasPrefix("/")
        }
    }

    private static func checkPorts(_ file: SettingsFile, _ settings: ServerSettings) throws(SettingsError) {
        guard settings.broker.engine == .rabbitmq else { return }
        var taken: Set = [settings.keyServicePort, settings.brokerPort]
        if settings.pages.isOn { taken.insert(settings.pages.port) }
        for (key, port) in [
            ("broker.answers_port", settings.broker.answersPort), ("broker.control_port", settings.broker.controlPort),
        ] {
            guard taken.insert(port).inserted else {
                throw file.problem(key, "must not be another port of this file, \(port)")
            }
        }
    }

    /// Where the stores are, whatever the rest of c2.toml is like; `nil`: in the folder.
    static func database(_ folder: String) throws(SettingsError) -> DatabasePlace? {
        guard PublicFile.isThere(folder + "/c2.toml") else { return nil }
        var file = try SettingsFile(path: folder + "/c2.toml")
        return try database(&file)
    }

    private static func database(_ file: inout SettingsFile) throws(SettingsError) -> DatabasePlace? {
        let address = try file.value(
            "database", allowed: "the address of a PostgreSQL database: \"postgresql://user@host/database\""
        ) { try? PostgreSQLAddress($0) }
        let cell = try file.string("cell", allowed: cellForm, CellBook.isName)
        guard let address else {
            guard cell == nil else { throw file.problem("cell", "needs a database: the cells of a network share it") }
            return nil
        }
        return DatabasePlace(address: address, cell: cell ?? CellBook.usual)
    }

    /// The database's address as c2.toml has it.
    static func addressText(_ folder: String) throws(SettingsError) -> String? {
        var file = try SettingsFile(path: folder + "/c2.toml")
        return try file.string("database")
    }

    /// As a basic string of TOML.
    static func quoted(_ text: String) -> String {
        let escaped = text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
        return "\"\(escaped)\""
    }

    static let cellForm = "1 to 20 lower-case letters and digits, a letter first: \"north\""

    private static func loadZones(_ file: inout SettingsFile, _ rules: inout C2Rules) throws(SettingsError) {
        for type in try file.keys(of: "zones") {
            let key = SettingsFile.path("zones", type)
            guard SettingsForm.isDeviceType(type) else {
                throw file.problem(key, "no device can have this type: 1 to 64 printable ASCII characters")
            }
            rules.zones[type] = try file.value(key, allowed: "1 to 64 letters, digits, and . _ -") {
                C2State.isZone($0) ? $0 : nil
            }
        }
        for type in try file.keys(of: "roll_call.every") {
            let key = SettingsFile.path("roll_call.every", type)
            guard type == "*" || SettingsForm.isDeviceType(type) else {
                throw file.problem(
                    key, "no device can have this type: 1 to 64 printable ASCII characters, or * for all others")
            }
            rules.rollCall.every[type] = try file.duration(
                key, default: .zero, in: .seconds(60)...(.seconds(86400 * 400)))
        }
        rules.rollCall.failures = try file.integer("roll_call.failures", default: 0, in: 0...100)
        rules.rollCall.atOnce = try file.integer("roll_call.at_once", default: 4, in: 1...256)
    }

    private static func loadPages(_ file: inout SettingsFile, _ settings: inout ServerSettings) throws(SettingsError) {
        settings.pages.isOn = try file.boolean("pages.on", default: true)
        // A folder of an earlier release may have the usual one for something else.
        let taken = [settings.keyServicePort, settings.brokerPort]
        let usual = (8444...8446).first { !taken.contains($0) } ?? 8444
        settings.pages.port = try file.integer("pages.port", default: usual, in: 1...65535)
        if let bind = try file.string("pages.bind", allowed: bindForm, isBind) {
            settings.pages.bind = SettingsForm.withoutBrackets(bind)
        }
        settings.pages.name = try file.string("pages.name", allowed: "1 to 60 printable characters") {
            (1...60).contains($0.count) && $0 == $0.withoutControls
        }
        settings.pages.phone = try file.boolean("pages.phone", default: true)
        settings.pages.idle = try file.duration(
            "pages.idle", default: settings.pages.idle, in: .seconds(60)...(.seconds(43200)))
    }

    private static func loadWebhook(
        _ file: inout SettingsFile, _ settings: inout ServerSettings, _ folder: String
    ) throws(SettingsError) {
        settings.pages.callsPerSecond = try file.integer(
            "api.calls_per_second", default: settings.pages.callsPerSecond, in: 1...100_000)
        let url = try file.string(
            "webhook.url", allowed: "a URL that begins with https://, without user and fragment", WebhookSettings.isURL)
        func path(_ key: String) throws(SettingsError) -> String? {
            try file.string(key, allowed: "the path of a file", { !$0.isEmpty }).map {
                $0.hasPrefix("/") ? $0 : folder + "/" + $0
            }
        }
        let (secret, authority) = (try path("webhook.secret_file"), try path("webhook.ca"))
        guard let url else {
            guard secret == nil, authority == nil else { throw file.problem("webhook.url", "is missing") }
            return
        }
        guard let secret else {
            throw file.problem("webhook.secret_file", "is missing: the file of the secret that calls are signed with")
        }
        settings.webhook = (WebhookSettings(url: url, authorityFile: authority), secret)
    }

    private static func loadUpdates(_ file: inout SettingsFile, _ updates: inout UpdateSettings) throws(SettingsError) {
        for text in try file.strings("updates.release_keys") {
            guard let key = ReleasePublicKey(text) else {
                throw file.problem(
                    "updates.release_keys",
                    "\"\(text.prefix(80))\" is no release key: 64 hexadecimal digits in lower case")
            }
            updates.keys.append(key)
        }
        let megabytes = try file.integer(
            "updates.total_size", default: Int(updates.totalSize >> 20), in: 1...16_777_216)
        updates.totalSize = Int64(megabytes) << 20
        updates.downloadsPerAddress = try file.integer(
            "updates.downloads_per_address", default: updates.downloadsPerAddress, in: 1...128)
    }

    private enum LogWord: String, CaseIterable {
        case debug, info, notice, warning, error
        var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
    }

    static let hostForm = "a host name or an address, as devices reach this machine: \"c2.example.net\", \"192.0.2.7\""
    static let bindForm = "an address of this machine: \"0.0.0.0\" for all, \"::\" for all with IPv6, \"127.0.0.1\""

    /// Whether a program can listen there: an address in numbers, with brackets or without.
    static func isBind(_ text: String) -> Bool {
        SettingsForm.isAddress(SettingsForm.withoutBrackets(text)) || text == "localhost"
    }

    private static func loadLimits(_ file: inout SettingsFile, _ limits: inout C2Rules.Limits) throws(SettingsError) {
        limits.joins = try file.integer("limits.joins", default: limits.joins, in: 1...100_000)
        limits.joinsOfOneType = try file.integer(
            "limits.joins_of_one_type", default: limits.joinsOfOneType, in: 1...100_000)
        limits.joinsByOneObserver = try file.integer(
            "limits.joins_by_one_observer", default: limits.joinsByOneObserver, in: 1...100_000)
        limits.longestJoin = try file.duration(
            "limits.longest_join", default: limits.longestJoin, in: .seconds(10)...(.seconds(86400)))
        limits.messagesPerSecond = Double(
            try file.integer("limits.messages_per_second", default: Int(limits.messagesPerSecond), in: 1...100_000))
        limits.messageBurst = max(limits.messageBurst, 6 * limits.messagesPerSecond)
        limits.joinsPerMinute = Double(
            try file.integer("limits.joins_per_minute", default: Int(limits.joinsPerMinute), in: 1...100_000))
        limits.joinBurst = max(limits.joinBurst, limits.joinsPerMinute)
        limits.returnsPerSecond = try file.integer(
            "limits.returns_per_second", default: limits.returnsPerSecond, in: 0...100_000)
    }

    private static func loadAudit(
        _ file: inout SettingsFile, _ evidence: inout EvidenceRules, _ folder: String
    ) throws(SettingsError) {
        evidence.lines = try file.integer("audit.lines", default: evidence.lines, in: 1000...10_000_000)
        if file.contains("audit.days") { evidence.days = try file.integer("audit.days", default: 0, in: 1...36_500) }
        let megabytes = try file.integer("audit.archive_megabytes", default: 1024, in: 0...1_000_000)
        evidence.archiveSize = megabytes << 20
        evidence.archive = megabytes == 0 ? nil : folder + "/server/audit"
    }

    /// How often one address may register.
    ///
    /// - Parameter usual: how often without a word of the configuration's; so many may come at once in any case.
    func registrations(from usual: Rate) -> Rate {
        let burst = max(usual.burst, 10 * Double(registrationsPerMinute))
        return Rate(burst: burst, perSecond: Double(registrationsPerMinute) / 60)
    }

    /// - Parameters:
    ///   - database: the address; `nil`: files in the folder.
    ///   - cell: `nil`: the usual one.
    static func text(
        host: String, bind: String, keyServicePort: Int, brokerPort: Int, pagesPort: Int, database: String? = nil,
        cell: String? = nil, broker: BrokerSettings = BrokerSettings()
    ) -> String {
        let isRabbit = broker.engine == .rabbitmq
        func padded(_ line: String) -> String { line.padding(toLength: 29, withPad: " ", startingAt: 0) }
        let off = isRabbit ? "" : "# "
        let engine = padded("engine = \"\(broker.engine.rawValue)\"")
        let other = isRabbit ? BrokerEngine.mosquitto : .rabbitmq
        let answers = padded("\(off)answers_port = \(broker.answersPort)")
        let control = padded("\(off)control_port = \(broker.controlPort)")
        let program =
            broker.program.map { "program = \(quoted($0))" } ?? "# program = \"/opt/rabbitmq/sbin/rabbitmq-server\""
        let example = "postgresql://srup@db.example.net/srup"
        let place = database.map { "database = \(quoted($0))" } ?? "# database = \(quoted(example))"
        let part = cell.map { "cell = \(quoted($0))" } ?? "# cell = \"main\""
        return """
            # The C2 server, its key service and its broker. Written by "srup-c2 init"; change it as you like.
            # Read again on SIGHUP (systemctl reload): log, open, [policy], [zones], [roll_call], [observation], [data], [limits]; the rest at the next start.
            # (After a change of host, bind or broker.port: srup-c2 init in a new folder, since certificates name the host.)
            host = "\(host)"             # as devices reach this machine
            bind = "\(bind)"
            log = "info"                 # debug, info, notice, warning, error
            \(place)   # in place of files in this folder (docs/scale.md)
            \(part)              # which part of the network is worked from here, where several share the database

            [key_service]
            port = \(keyServicePort)
            open = true                  # false: no new registrations
            identities = 100000          # kept at most; the oldest that have never joined make room
            registrations_per_minute = 30  # from one address, in the long run; 300 may come at once

            [broker]
            port = \(brokerPort)
            \(engine)# or "\(other.rawValue)", each in a folder made for it (docs/scale.md)
            \(answers)# of RabbitMQ, on loopback: where the key service answers it,
            \(control)# and where it is told to close connections
            \(program)   # where RabbitMQ is, if not where Debian has it

            # Pages for operators (srup-c2 operator add), over HTTPS.
            [pages]
            on = true
            port = \(pagesPort)
            # bind = "127.0.0.1"         # elsewhere than the rest
            # name = "Greenhouse 3"      # on every page; without it, the host
            idle = "1 h"                 # a session that is not used ends
            phone = true                 # an operator's phone may be an observer, while its page is open

            # Programs (srup-c2 token add) ask at the pages' port, below /api.
            [api]
            calls_per_second = 50        # of one token, in the long run

            # Another server that is told what happens (docs/api.md).
            # [webhook]
            # url = "https://hooks.example.net/srup"
            # secret_file = "webhook.secret"   # openssl rand -hex 32; mode 0600
            # ca = "hooks-ca.crt"              # who has signed its certificate; without it, the system's authorities

            # Releases that devices are updated to (docs/rollouts.md).
            [updates]
            # release_keys = ["64 hexadecimal digits"]   # whose manifests are taken (srup-release key); without, those of any key
            total_size = 4096            # MB, of all files that are served
            downloads_per_address = 8    # at once

            # How devices come in, by the type they register with. Everybody can register, and with any type, so:
            #   simple    whoever says that type is in
            #   trusted   after: srup-c2 trust <identity>
            #   observed  when a trusted observer has seen the device
            #             (observed by 2, observed by camera and tap, observed by 3 with person: when several have)
            #   human     when a person has compared what the device shows
            #   refuse    never
            [policy]
            otherwise = "observed"       # all types that are not named here
            observer = "trusted"         # observers vouch for others: by name only

            [observation]
            tries = 3                    # FAILED is tried again with a fresh nonce, up to this many tries in all
            timeout = "90 s"             # how long an observer may take
            # rest = "180 s"             # how long after that an observer that looks at one device at a time is left alone:
                                         # timeout and rest together must be longer than it ever looks
            tell_observer = true         # tell a device by whom it must be observed; a reference device needs false

            # In which zone the devices of a type are to be: the observers that serve it (srup-c2 zone serve) look at them.
            [zones]
            # lamp = "hall"

            # Devices that an observer has seen show themselves again, so long after they were seen last; * is for all other types.
            [roll_call]
            failures = 0                 # so many in a row put a device out; 0: it is only shown
            at_once = 4                  # under way at once
            [roll_call.every]
            # lamp = "24 h"

            [moderation]                 # joins that a person decides
            time = "1 h"                 # how long one waits; then the device is told to ask again
            values_per_hour = 30         # of one identity, in the long run

            # What values (DATA) are, by their names, where a device of ours does not say so itself: int8 to int64, float32,
            # float64, string, bytes; int is int32, float is float64, as the reference implementation sends them.
            [data]
            # temperature = "float64"

            [limits]                     # who asks for more than this pays for it alone
            joins = 256                  # under way at once
            joins_of_one_type = 160
            joins_by_one_observer = 96
            longest_join = "15 min"
            messages_per_second = 10     # of one sender
            joins_per_minute = 30        # of one identity
            returns_per_second = 250     # of all, after a lost connection; 0: at once

            [audit]                      # what is kept as evidence (docs/evidence.md)
            lines = 100000
            # days = 365                 # older lines go, too
            archive_megabytes = 1024     # of older lines, in server/audit; 0: none

            """
    }
}

extension SettingsFile {
    /// A policy for devices of a type.
    fileprivate mutating func policy(_ key: String, default value: JoinPolicy) throws(SettingsError) -> JoinPolicy {
        let allowed = JoinPolicy.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        return try self.value(key, allowed: "one of \(allowed) and the like") { JoinPolicy(rawValue: $0) } ?? value
    }
}
