import ArgumentParser
import C2
import Cells
import Console
import KeyService
import Limits
import Linux
import Logging
import Operators
import Participant
import PhoneObserver
import Program
import SRUP
import ServiceLifecycle
import Settings
import Storage

struct FolderOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The folder that \"srup-c2 init\" has made.", valueName: "dir"))
    var folder = "/var/lib/srup-c2"
}

/// The operator's rules, from `c2.toml` and the command line.
struct RuleOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How devices of a type come in: simple (by their word alone), trusted (after \"srup-c2 trust\"), observed, human or "
                + "refuse. May be given several times; \"*\" stands for all other types.", valueName: "type=policy"))
    var policy: [String] = []
    @Option(help: "How often an observation is tried before the join fails.")
    var tries: Int?
    @Option(help: ArgumentHelp("How long an observer may take, in seconds.", valueName: "seconds"))
    var observationTimeout: Double?

    func validate() throws {
        _ = try apply(to: C2Rules())
    }

    func apply(to rules: C2Rules) throws -> C2Rules {
        var rules = rules
        for text in policy {
            // At the last one: a type may hold any character.
            let cut = text.lastIndex(of: "=") ?? text.startIndex
            let parts = [String(text[..<cut]), String(text[cut...].dropFirst())]
            guard !parts[0].isEmpty, let policy = JoinPolicy(rawValue: parts[1]) else {
                throw ValidationError(
                    "--policy takes type=policy, with policy \(JoinPolicy.words)")
            }
            if parts[0] == "*" { rules.otherwise = policy } else { rules.policies[parts[0]] = policy }
        }
        if let tries {
            guard (1...20).contains(tries) else { throw ValidationError("--tries must be from 1 to 20") }
            rules.tries = tries
        }
        if let observationTimeout {
            guard (1...3600).contains(observationTimeout) else {
                throw ValidationError("--observation-timeout must be from 1 to 3600 seconds")
            }
            rules.observationTimeout = .seconds(observationTimeout)
        }
        return rules
    }
}

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the C2 server: let devices in by the rules, with observers' help.",
        discussion: """
            Needs the folder of "srup-c2 init", the broker (srup-c2 broker) and the key service \
            (srup-c2 key-service). Rules come from [policy] and [observation] in DIR/c2.toml; options add to them. An observer \
            comes in and vouches only after "srup-c2 trust <identity>". Stops on SIGTERM; joins under way go on after a restart.
            On SIGHUP it reads policies, observation, limits and log level again; when its terminal has gone it stops.

            Exit codes: 0 stopped, 1 failed, 78 the folder or its configuration is wrong, or a server runs in it already.
            """)

    @OptionGroup var folder: FolderOptions
    @OptionGroup var rules: RuleOptions
    @Option(help: ArgumentHelp("Append what happens to this file, one JSON object per line.", valueName: "file"))
    var events: String?
    @Flag(help: "Say more.")
    var verbose = false

    func run() async throws {
        let logger = Program.logger("srup-c2", level: verbose ? .debug : .info)
        do {
            let settings = try ServerSettings.load(folder.folder)
            Program.setLogLevel(verbose ? .debug : settings.logLevel)
            let rules = try rules.apply(to: settings.rules)
            let home = folder.folder + "/server"
            guard try Identity.exists(in: home) else { throw ParticipantError.notRegistered(folder: home) }
            let lock = try FolderLock(home)
            defer { withExtendedLifetime(lock) {} }
            let stores = ServerStores(folder.folder, settings.database)
            let turnOfDuty = try await TurnOfDuty.begun(stores, settings, logger)
            defer { turnOfDuty?.end() }
            let (identity, state) = try stores.identity()
            if turnOfDuty?.isFromAnother == true { try state.jumpAhead() }
            let closer = try RabbitCloser(settings.broker, folder.folder)
            let link = try BrokerLink(
                identity.broker, clientID: identity.clientID,
                subscriptions: C2Server.subscriptions(identity.id, hearsBroker: closer == nil), logger: logger,
                isDeafToItself: true)
            let participant = Participant(
                id: identity.id, key: identity.key, state: state, link: link, logger: logger)
            let client = try Registrar.client(identity, folder: home, timeout: .seconds(5))
            let events = try EventLog(path: events)
            let revocations = try stores.revocations()
            for id in try revocations.endAgain() {
                logger.warning("\(id) had ended, and a backup has brought it back: it ends again")
            }
            let server = C2Server(
                participant, state: try stores.state(), commands: try stores.commands(),
                access: GroupFile(folder: folder.folder), closer: closer,
                directory: KeyServiceDirectory(
                    client: client, identities: try stores.keyService(), cell: settings.database?.cell,
                    revocations: revocations, logger: logger, causedLog: BoundedLog(logger)),
                neighbours: try stores.neighbours(), updates: try ReleaseShelf(settings, stores), rules: rules,
                events: events,
                evidence: settings.evidence)
            logger.notice("C2 server \(identity.id)")
            for problem in settings.brokerProblems(folder.folder) { logger.warning("\(problem)") }
            events.record("started", ["id": identity.id.hex])
            let watch = CertificateWatch(folder: folder.folder, link: link, logger: logger)
            let commands = try CommandSocket(path: ServerOrder.socket(folder.folder)) { line in
                await ServerOrder.obeyed(line, by: server)
            }
            var services: [any Service] = [watch, commands]
            if let turnOfDuty { services.append(turnOfDuty.keeper) }
            let phones = try phones(settings, server, identity, logger)
            services.append(phones)
            if settings.pages.isOn {
                let cells = try cellPages(settings, stores, logger)
                if let cells { services.append(cells) }
                services.append(
                    try pages(settings, stores, server, settings.pages.phone ? phones : nil, cells, logger))
            }
            if let webhook = settings.webhook {
                services.append(
                    Webhook(
                        server, settings: webhook.settings, secret: try WebhookSecret(file: webhook.secretFile),
                        logger: logger))
            }
            try await Program.run(services + [server, link], logger: logger) { await reload(server, logger) }
        } catch let error as SettingsError {
            throw Program.failure(error, code: .configuration)
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch let error as FolderLockError {
            throw Program.failure(error, code: .configuration)
        } catch let error as WebhookSecret.Failure {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}

extension Serve {
    /// The operators' pages.
    private func pages(
        _ settings: ServerSettings, _ stores: ServerStores, _ server: C2Server, _ phones: PhoneDesk?,
        _ cells: CellPages?, _ logger: Logger
    ) throws -> ConsoleServer {
        let folder = folder.folder
        var lifetimes = OperatorStore.Lifetimes()
        lifetimes.idle = settings.pages.idle
        lifetimes.absolute = max(lifetimes.absolute, settings.pages.idle)
        let place = SettingsForm.inURL(settings.host)
        let operators = try stores.operators(lifetimes: lifetimes)
        var form = ConsoleSettings(
            name: settings.pages.name ?? "SRUP at \(settings.host)",
            keyService: "https://\(place):\(settings.keyServicePort)")
        form.callsPerSecond = Double(settings.pages.callsPerSecond)
        form.authorityFile = folder + "/ca.crt"
        form.folder = folder
        form.keyServicePlace = (settings.host, settings.keyServicePort)
        let pages = try Console(
            server: server, signIn: SignIn(operators),
            identities: try stores.keyService(), settings: form, phones: phones, cells: cells,
            logger: logger, certificates: Self.certificates(folder))
        return try ConsoleServer(
            pages, bind: settings.pages.bind ?? settings.bind, port: settings.pages.port,
            certificateFile: folder + "/https.crt", keyFile: folder + "/https.key")
    }

    /// Those of the network's cells, where it may have several.
    private func cellPages(_ settings: ServerSettings, _ stores: ServerStores, _ logger: Logger) throws -> CellPages? {
        guard let place = stores.database, let book = try stores.cells() else { return nil }
        return CellPages(own: place.cell, authorityFile: folder.folder + "/ca.crt", logger: logger) {
            try book.cells().map { cell in
                CellPages.Cell(
                    name: cell.name, place: cell.pagesPort.map { "\(SettingsForm.inURL(cell.host)):\($0)" })
            }
        }
    }

    /// Those whose ends are told at /metrics.
    static func certificates(_ folder: String) -> [String: String] {
        [
            "authority": folder + "/ca.crt", "https": folder + "/https.crt", "broker": folder + "/broker.crt",
            "server": folder + "/server/certificate.pem",
        ]
    }

    /// Operators' phones. Also where they are not allowed any more: an earlier run may have left one trusted.
    private func phones(
        _ settings: ServerSettings, _ server: C2Server, _ identity: Identity, _ logger: Logger
    ) throws -> PhoneDesk {
        let home = folder.folder + "/server"
        let places = RegisteredPhones(
            folder: home + "/phones", keyService: identity.keyService, authorityFile: home + "/https-ca.pem",
            server: identity.id, serverKey: try identity.key.publicKey, logger: logger)
        return PhoneDesk(
            server: server, places: places,
            rules: PhoneDesk.rules(observationTimeout: try rules.apply(to: settings.rules).observationTimeout),
            logger: logger)
    }

    /// A configuration that is wrong changes nothing.
    private func reload(_ server: C2Server, _ logger: Logger) async {
        do {
            let settings = try ServerSettings.load(folder.folder)
            let rules = try self.rules.apply(to: settings.rules)
            Program.setLogLevel(verbose ? .debug : settings.logLevel)
            await server.use(rules)
            logger.notice("read \(folder.folder)/c2.toml again: log, policies, observation and limits are as it says")
        } catch {
            logger.error("the configuration is wrong, the earlier one stays in use: \(error)")
        }
    }
}

/// Has connections closed at RabbitMQ.
struct RabbitCloser: ConnectionCloser {
    let control: RabbitControl

    /// `nil` where another broker runs.
    init?(_ settings: ServerSettings.BrokerSettings, _ folder: String) throws {
        guard settings.engine == .rabbitmq else { return nil }
        control = try RabbitControl(folder: folder, port: settings.controlPort)
    }

    func close(_ id: DeviceID) async throws {
        try await DetachedThread.value { Result { try control.end(id) } }.get()
    }
}

extension ServerSettings {
    /// What in the broker's files is older than this version, or missing, in words with the remedy.
    func brokerProblems(_ folder: String) -> [String] {
        switch broker.engine {
        case .mosquitto: BrokerConfiguration.problems(folder: folder)
        case .rabbitmq: broker.rabbit(folder, bind: bind, port: brokerPort).problems()
        }
    }
}

/// Tells the broker who is in which group: Mosquitto's plugin, or for RabbitMQ the key service, by a file.
struct GroupFile: BrokerAccess {
    let folder: String

    func setGroups(_ members: [GroupID: [DeviceID]]) throws {
        try BrokerConfiguration.setGroups(members, folder: folder)
    }
}

/// The key service as the server's source of keys.
struct KeyServiceDirectory: KeyDirectory {
    let client: KeyServiceClient
    /// Its database, which lies beside the server's state.
    let identities: KeyServiceState
    /// The part of the network that is worked here; `nil`: there is one.
    let cell: String?
    /// What the broker is told of who has ended.
    let revocations: Revocations
    let logger: Logger
    /// For lines that strangers cause.
    let causedLog: BoundedLog

    func belong(_ ids: [DeviceID]) {
        do {
            try identities.markJoined(ids, now: Participant.systemTime())
        } catch {
            let names = ids.prefix(3).map(\.description).joined(separator: ", ") + (ids.count > 3 ? " …" : "")
            logger.error("the key service's database could not be told that \(names) belong: \(error)")
        }
    }

    func end(_ id: DeviceID, why: String, by name: String?, since: Double) throws {
        try identities.end(id, why: why, by: name, now: since)
    }

    func revoke() throws { try revocations.publish() }

    /// Each server sees to it that its own broker closes the connection.
    func openEndings() throws -> [EndedIdentity] {
        try identities.openEndings().filter { isHere($0.cell) }.map(EndedIdentity.init)
    }

    func ended() throws -> [EndedIdentity] { try identities.allEnded().map(EndedIdentity.init) }

    func closed(_ id: DeviceID, confirmed: Bool, at: Double) throws {
        try identities.markClosed(id, confirmed: confirmed, now: at)
    }

    func lookUp(_ id: DeviceID) async throws -> DirectoryEntry? {
        // Our own key service's book lies here; over the network it would be as busy as strangers make it.
        if let known = try identities.entry(id) {
            guard isHere(known.cell) else {
                // Its counters are another server's.
                causedLog.log(
                    .notice, about: id,
                    "\(id) belongs to the cell \"\(known.cell ?? CellBook.usual)\", and came to this one's broker")
                return nil
            }
            return DirectoryEntry(key: known.key, type: known.type, zone: known.zone)
        }
        if try identities.ended(id) != nil { return nil }
        guard let key = try await client.key(of: id), let type = try await client.type(of: id) else { return nil }
        return DirectoryEntry(key: key, type: type)
    }

    private func isHere(_ other: String?) -> Bool { cell == nil || (other ?? CellBook.usual) == cell }
}

/// The time in which this server works its cell, where it has a database server: others may wait to take its place.
struct TurnOfDuty {
    let keeper: LeaseKeeper
    let isFromAnother: Bool

    /// Waits for the cell, if somebody works it; `nil` where there is no database server.
    static func begun(_ stores: ServerStores, _ settings: ServerSettings, _ logger: Logger) async throws -> TurnOfDuty?
    {
        guard let place = stores.database, let book = try stores.cells() else { return nil }
        try book.put(place.cell, host: settings.host, port: settings.brokerPort)
        guard let lease = try await LeaseKeeper.take(place.cell, as: stores.holder, from: book, logger: logger) else {
            throw CancellationError()
        }
        stores.use(lease)
        try book.set(lease, pagesPort: settings.pages.isOn ? settings.pages.port : nil)
        return TurnOfDuty(keeper: LeaseKeeper(book, lease, logger: logger), isFromAnother: lease.isFromAnother)
    }

    func end() { keeper.giveBack() }
}

extension EndedIdentity {
    init(_ ended: KeyServiceState.Ended) {
        self.init(id: ended.id, since: ended.since, why: ended.why, by: ended.by)
    }
}

/// An identity on the command line.
struct IdentityArgument: ExpressibleByArgument {
    let id: DeviceID

    init?(argument: String) {
        guard let id = DeviceID(participant: argument) else { return nil }
        self.id = id
    }
}

extension FolderOptions {
    /// The server's own state, for commands that leave a word for the running server.
    func state() throws -> C2State {
        let home = folder + "/server"
        guard try Identity.exists(in: home) else { throw ParticipantError.notRegistered(folder: home) }
        return try stores().state()
    }
}

struct Trust: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Let an observer in and let it vouch for devices, or take that back; without an identity, list who may.",
        discussion:
            "Takes effect at once, also on a running server; an observer that waits asks again within a minute.")

    @OptionGroup var folder: FolderOptions
    @Argument(
        help: "The observer's identity, 1 to 16 lower-case hexadecimal digits, as \"srup-observer status\" shows it.")
    var identity: IdentityArgument?
    @Flag(help: "Take the trust back.")
    var remove = false

    func run() throws {
        do {
            let state = try folder.state()
            guard let id = identity?.id else {
                for id in try state.trusted() { print(id) }
                return
            }
            if remove {
                try state.distrust(id)
                print("\(id) may not vouch any more")
            } else {
                try state.trust(id, now: Participant.systemTime())
                print("\(id) may come in as an observer and vouch for devices")
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check c2.toml, say what its policies mean, and what is wrong with broker and certificates.",
        discussion: "Exit codes: 0 nothing is wrong, 78 the configuration is wrong.")

    @OptionGroup var folder: FolderOptions

    func run() throws {
        do {
            let settings = try ServerSettings.load(folder.folder)
            let rules = settings.rules
            for (type, policy) in rules.policies.sorted(by: { $0.key < $1.key }) {
                print("\(type): \(policy.words)")
            }
            print("all other types: \(rules.otherwise.words)")
            for line in rules.places { print(line) }
            let problems = settings.brokerProblems(folder.folder)
            for warning in rules.warnings + problems + ServerCertificates.problems(folder: folder.folder) {
                print("warning: \(warning)")
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

extension C2Rules {
    /// Zones and roll calls, a line each.
    var places: [String] {
        zones.sorted { $0.key < $1.key }.map { "\($0.key): belong in the zone \($0.value)" }
            + rollCall.every.sorted { $0.key < $1.key }.map { type, interval in
                let whom = type == "*" ? "all other types" : type
                let end = rollCall.failures == 0 ? "" : ", and are put out when they fail \(rollCall.failures) in a row"
                return "\(whom): show themselves again every \(Int(interval / .seconds(60))) min\(end)"
            }
    }
}

extension JoinPolicy {
    /// What can be written, for help texts and errors.
    static let words = "simple, trusted, observed, \"observed by 2\", \"observed by camera and tap\", human or refuse"

    fileprivate var words: String {
        switch self {
        case .simple: "come in by their word alone"
        case .trusted: "come in when the operator has named their identity (srup-c2 trust)"
        case .observed: "must be seen by a trusted observer"
        case .severally(let quorum): "must be seen by several trusted observers (\(quorum))"
        case .human: "must be compared by a person"
        case .refuse: "are never let in"
        }
    }
}

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the devices and observers that have joined, and the joins under way.",
        discussion: "With --json one object per line for each that is known, members or not.")

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    func run() throws {
        do {
            let stores = try folder.stores()
            let (_, state) = try stores.identity()
            let c2 = try stores.state()
            guard !json else { return try Self.printJSON(state, c2) }
            let trusted = Set(try c2.trusted())
            for peer in try state.joinedPeers() {
                print("\(peer.id)  \(peer.type ?? "?")\(trusted.contains(peer.id) ? "  trusted observer" : "")")
            }
            for join in try c2.pending() {
                let state = join.attempt == 0 ? "waits for its turn with" : "try \(join.attempt), observed by"
                let whom = join.named.map(\.description) ?? join.zone.map { "observers of \($0)" } ?? "any observer"
                print("\(join.device)  \(join.isRollCall ? "roll call" : "joining"), \(state) \(whom)")
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}
