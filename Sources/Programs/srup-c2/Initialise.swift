import ArgumentParser
import Cells
import Foundation
import HTTPServing
import KeyService
import Participant
import PostgreSQL
import Program
import SRUP
import ServiceLifecycle
import Settings
import Storage

struct Initialise: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract:
            "Make everything a C2 server needs: authority, certificates, the server's identity, broker configuration.",
        discussion: """
            Fills an empty folder (mode 0700):
              c2.toml               settings and join policies
              ca.crt, ca.key        the authority; devices need ca.crt to register
              https.*, broker.*     certificates of the key service and the broker
              mosquitto.conf, acl   the broker's configuration and who may do what there; with --broker rabbitmq:
              rabbitmq.conf, rabbitmq-env.conf, enabled_plugins, rabbitmq-*  the same for RabbitMQ
              revoked/, revoked.pem, ended  certificates and identities that do not count any more
              key-service.db        registered identities
              server/               the C2 server's own identity and state
              monitor/              an identity that may watch: srup listen --folder DIR/monitor
            RabbitMQ must be version 4, as in Debian 13. It asks the key service who may connect, and what for (docs/scale.md says \
            when to take it and what differs). A folder is made for one broker.
            With --database what would be in files (.db) is in a PostgreSQL database, which must be there and empty: \
            createdb --encoding UTF8 --template template0 srup.
            """)

    @OptionGroup var folder: FolderOptions
    @Option(
        help: ArgumentHelp(
            "How devices reach this machine; may be given several times, the first is told to them.", valueName: "name")
    )
    var host: [String]
    @Option(help: ArgumentHelp("The address to listen on.", valueName: "address"))
    var bind = "0.0.0.0"
    @Option(help: ArgumentHelp("The broker's port (a reference client knows only 8883).", valueName: "port"))
    var brokerPort = 8883
    @Option(help: ArgumentHelp("The key service's port.", valueName: "port"))
    var keyServicePort = 8443
    @Option(help: ArgumentHelp("The port of the operators' pages.", valueName: "port"))
    var pagesPort = 8444
    @Option(
        help: ArgumentHelp(
            "A PostgreSQL database in place of files: postgresql://user@host/database. A password is better put into a file "
                + "(?passfile=/path).", valueName: "address"))
    var database: String?

    @Option(help: ArgumentHelp("Who carries the messages: mosquitto or rabbitmq.", valueName: "name"))
    var broker = ServerSettings.BrokerEngine.mosquitto
    @Option(
        help: ArgumentHelp(
            "With rabbitmq: the port on this machine where the key service answers it.", valueName: "port"))
    var answersPort = ServerSettings.BrokerSettings().answersPort
    @Option(
        help: ArgumentHelp("With rabbitmq: the port on this machine where it takes commands.", valueName: "port"))
    var controlPort = ServerSettings.BrokerSettings().controlPort
    @Option(
        help: ArgumentHelp(
            "With rabbitmq: where its rabbitmq-server is, if not where Debian has it.", valueName: "path"))
    var rabbitmqProgram: String?

    private var settings: ServerSettings.BrokerSettings {
        .init(engine: broker, answersPort: answersPort, controlPort: controlPort, program: rabbitmqProgram)
    }

    func validate() throws {
        let more = broker == .rabbitmq ? [answersPort, controlPort] : []
        try NewFolder.check(host, bind, [brokerPort, keyServicePort, pagesPort] + more)
        guard rabbitmqProgram?.hasPrefix("/") ?? true else {
            throw ValidationError("--rabbitmq-program must begin with /")
        }
    }

    func run() throws {
        do {
            let folder = URL(fileURLWithPath: folder.folder).standardizedFileURL.path
            try NewFolder(
                hosts: host, bind: bind, brokerPort: brokerPort, keyServicePort: keyServicePort, pagesPort: pagesPort,
                database: database, broker: settings
            ).make(folder)
            let place = SettingsForm.inURL(SettingsForm.withoutBrackets(host[0]))
            print(
                """

                Now run "srup-c2 up --folder \(folder)", or each in a terminal of its own or as a service:
                  srup-c2 key-service --folder \(folder)
                  srup-c2 broker --folder \(folder)
                  srup-c2 run --folder \(folder)
                and give \(folder)/ca.crt to whoever registers:
                  srup-observer register --url https://\(place):\(keyServicePort) --ca ca.crt
                or show the code of "srup-c2 invite --folder \(folder)" to its camera.
                """)
        } catch {
            throw Program.failure(error)
        }
    }
}

/// Everything that a C2 server needs, in a folder that is not there yet.
struct NewFolder {
    /// How devices reach this machine; the first is told to them.
    let hosts: [String]
    var bind = "0.0.0.0"
    var brokerPort = 8883
    var keyServicePort = 8443
    var pagesPort = 8444
    /// A database server's address; `nil`: files.
    var database: String?
    /// Which broker, and how it is set up.
    var broker = ServerSettings.BrokerSettings()

    /// Whether these can be a server's, as the command line gives them.
    static func check(_ hosts: [String], _ bind: String, _ ports: [Int]) throws {
        guard !hosts.isEmpty else { throw ValidationError("--host is needed") }
        guard hosts.allSatisfy(SettingsForm.isHost) else {
            throw ValidationError("--host must be \(ServerSettings.hostForm)")
        }
        guard ServerSettings.isBind(bind) else { throw ValidationError("--bind must be \(ServerSettings.bindForm)") }
        guard Set(ports).count == ports.count else { throw ValidationError("no two ports may be the same") }
        guard ports.allSatisfy((1...65535).contains) else { throw ValidationError("ports are from 1 to 65535") }
    }

    private func checkIsNew(_ folder: String) throws {
        guard !PublicFile.isThere(folder + "/c2.toml") else {
            throw ParticipantError.identity("\(folder) has been initialised already")
        }
    }

    /// - Parameter folder: an absolute path.
    func make(_ folder: String) throws {
        try checkIsNew(folder)
        let stores = ServerStores(
            folder, try database.map { DatabasePlace(address: try PostgreSQLAddress($0), cell: CellBook.usual) })
        // Before anything is made.
        if stores.database != nil { try checkIsEmpty(stores) }
        let host = hosts.map(SettingsForm.withoutBrackets)
        try PrivateFile.makeFolder(folder)
        print("making the authority")
        let authority = try Authority.create(in: folder, name: "SRUP authority of \(host[0])")
        print("making the C2 server's identity")
        let id = DeviceID.random()
        let key = try PrivateKey.generate()
        try make(folder, authority, id, key, stores) { state in
            _ = try state.add(id, key: try key.publicKey, type: "C2", isServer: true, now: Participant.systemTime())
        }
        print("done: the C2 server's identity is \(id)")
    }

    /// The folder of another cell of a network, beside the one that is there: the same authority, the same server.
    func makeCell(_ cell: String, in folder: String, of network: ServerStores) throws {
        try checkIsNew(folder)
        let (identity, _) = try network.identity(use: .look)
        let stores = ServerStores(
            folder, network.database.map { DatabasePlace(address: $0.address, cell: cell) })
        try PrivateFile.makeFolder(folder)
        for (name, mode) in [("ca.key", 0o600), ("ca.crt", 0o644)] as [(String, mode_t)] {
            try PrivateFile.write(try PublicFile.read(network.folder + "/" + name), to: folder + "/" + name, mode: mode)
        }
        try make(folder, try Authority(folder: folder), identity.id, identity.key, stores, cell: cell) { _ in }
    }

    private func make(
        _ folder: String, _ authority: Authority, _ id: DeviceID, _ key: PrivateKey, _ stores: ServerStores,
        cell: String? = nil, register: (KeyServiceState) throws -> Void
    ) throws {
        let host = hosts.map(SettingsForm.withoutBrackets)
        let bind = SettingsForm.withoutBrackets(bind)
        let place = SettingsForm.inURL(host[0])
        print("making certificates for \(host.joined(separator: ", "))")
        for name in ["https", "broker"] {
            let key = try TLSKey()
            try key.pem().withBytes { try PrivateFile.write($0, to: "\(folder)/\(name).key") }
            try PrivateFile.write(try authority.server(key, hosts: host), to: "\(folder)/\(name).crt", mode: 0o644)
        }
        let accessKey = try PrivateKey.generate()
        let home = folder + "/server"
        try Identity.save(
            .init(
                id: id, key: key, accessKey: accessKey,
                certificate: try authority.client(id, key: try accessKey.publicKey), authority: authority.certificate,
                brokerHost: host[0], brokerPort: UInt16(brokerPort), keyService: "https://\(place):\(keyServicePort)",
                server: nil, serverKey: nil), in: home, state: stores.database == nil ? nil : stores.participant())
        try PrivateFile.write(authority.certificate, to: home + "/https-ca.pem", mode: 0o644)
        let state = try stores.keyService()
        try register(state)
        if let book = try stores.cells() {
            try book.put(stores.database?.cell ?? CellBook.usual, host: host[0], port: brokerPort)
        }
        switch broker.engine {
        case .mosquitto: try BrokerConfiguration(folder: folder, bind: bind, port: brokerPort, server: id).write(state)
        case .rabbitmq: try broker.rabbit(folder, bind: bind, port: brokerPort).write(state)
        }
        try Monitor.make(in: folder, authority: authority, host: host[0], port: brokerPort)
        // Last: a folder without it has not been initialised to the end.
        try PrivateFile.write(
            ServerSettings.text(
                host: host[0], bind: bind, keyServicePort: keyServicePort, brokerPort: brokerPort,
                pagesPort: pagesPort, database: database, cell: cell, broker: broker),
            to: folder + "/c2.toml")
    }

    private func checkIsEmpty(_ stores: ServerStores) throws {
        guard try stores.keyService().counts().all == 0, try stores.participant().value("identity") == nil else {
            throw ParticipantError.identity(
                "\(stores.database?.address.place ?? "?") holds a network already; another part of that is made by "
                    + "\"srup-c2 cell new\", and another network needs a database of its own")
        }
    }
}

extension ServerSettings.BrokerEngine: ExpressibleByArgument {}

extension ServerSettings.BrokerSettings {
    /// RabbitMQ's configuration in a folder.
    func rabbit(_ folder: String, bind: String, port: Int) -> RabbitConfiguration {
        RabbitConfiguration(
            folder: folder, bind: bind, port: port, answersPort: answersPort, controlPort: controlPort)
    }
}

struct KeyServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key-service",
        abstract: "Run the key service: registration and keys over HTTPS.",
        discussion:
            "Needs the folder of \"srup-c2 init\". It also renews the certificates in it, of key service, broker, C2 server and "
            + "authority, in good time. Stops on SIGTERM. On SIGHUP it reads log level and key_service.open again; when its terminal "
            + "has gone it stops. Exit codes: 0 stopped, 1 failed, 78 configuration."
    )

    @OptionGroup var folder: FolderOptions
    @Flag(help: "Say more.")
    var verbose = false

    func run() async throws {
        let logger = Program.logger("key-service", level: verbose ? .debug : .info)
        let folder = folder.folder
        do {
            let settings = try ServerSettings.load(folder)
            Program.setLogLevel(verbose ? .debug : settings.logLevel)
            let stores = ServerStores(folder, settings.database)
            let (identity, _) = try stores.identity(use: .look)
            try PrivateFile.withContents(of: folder + "/https.key") { _ in }
            var policy = KeyServicePolicy(
                brokerHost: SettingsForm.inURL(settings.host), brokerPort: settings.brokerPort, server: identity.id)
            policy.isActive = settings.isOpen
            policy.maximumIdentities = settings.identities
            policy.registrations = settings.registrations(from: policy.registrations)
            let authority = try Authority(folder: folder)
            let state = try stores.keyService()
            if let cells = try stores.cells() {
                let chooser = CellChooser(cells) { () throws(StorageError) in try state.countsByCell() }
                policy.cell = { zone in
                    try chooser.choose(zone).map {
                        CellPlace(name: $0.name, host: SettingsForm.inURL($0.host), port: $0.port)
                    }
                }
            }
            let server = try KeyServiceServer(
                authority: authority, state: state,
                policy: policy, key: identity.key, bind: settings.bind, port: settings.keyServicePort,
                certificateFile: folder + "/https.crt", keyFile: folder + "/https.key", logger: logger,
                releases: StaticFiles(
                    folder: ServerSettings.releases(folder), perAddress: settings.updates.downloadsPerAddress))
            let care = CertificateCare(
                folder: folder, certificates: ServerCertificates(folder: folder, authority: authority),
                broker: identity.broker, logger: logger)
            let revocations = RevocationCare(
                revocations: Revocations(folder: folder, authority: authority, state: state), logger: logger)
            var services: [any Service] = [care, revocations]
            if settings.broker.engine == .rabbitmq {
                services.append(
                    try BrokerAnswers(
                        folder: folder, state: state, server: identity.id, port: settings.broker.answersPort,
                        logger: logger))
            }
            do {
                services.append(
                    try ControlSocket(path: KeyServiceMetrics.socket(folder)) {
                        KeyServiceMetrics.text(server, state, Serve.certificates(folder))
                    })
            } catch {
                // Nothing else depends on it.
                logger.warning("\"srup-c2 metrics\" will get no answer: \(error)")
            }
            try await Program.run(services + [server], logger: logger) {
                do {
                    let settings = try ServerSettings.load(folder)
                    Program.setLogLevel(verbose ? .debug : settings.logLevel)
                    server.set(isActive: settings.isOpen)
                    logger.notice("read \(folder)/c2.toml again: log and key_service.open are as it says")
                } catch {
                    logger.error("the configuration is wrong, the earlier one stays in use: \(error)")
                }
            }
        } catch let error as SettingsError {
            throw Program.failure(error, code: .configuration)
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch let error as PrivateFileError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}
