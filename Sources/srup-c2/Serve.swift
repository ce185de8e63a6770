import ArgumentParser
import C2
import Logging
import Party
import Program
import SRUP
import ServiceLifecycle
import Settings

struct FolderOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The folder that \"srup-c2 init\" has made.", valueName: "dir"))
    var folder = "/var/lib/srup-c2"
}

/// The operator's rules, from `c2.toml` and the command line.
struct RuleOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How devices of a type come in: simple, observed, human or refuse. May be given several times; \"*\" stands for "
                + "all other types.", valueName: "type=policy"))
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
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, let policy = JoinPolicy(rawValue: parts[1]) else {
                throw ValidationError("--policy takes type=policy, with policy one of simple, observed, human, refuse")
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
            Needs the folder of "srup-c2 init", the broker (mosquitto -c DIR/mosquitto.conf) and the key service \
            (srup-c2 key-service). Rules come from [policy] and [observation] in DIR/c2.toml; options add to them. An observer \
            vouches only after "srup-c2 trust <identity>". Stops on SIGTERM; joins under way go on after a restart.

            Exit codes: 0 stopped, 1 failed, 78 the folder or its configuration is wrong.
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
            let rules = try rules.apply(to: try ServerSettings.load(folder.folder).rules)
            let home = folder.folder + "/server"
            let (identity, state) = try Identity.load(from: home)
            let link = try BrokerLink(
                identity.broker, clientID: identity.clientID, subscriptions: C2Server.subscriptions(identity.id),
                logger: logger)
            let participant = Participant(
                id: identity.id, key: identity.key, state: state, link: link, logger: logger)
            let client = try Registrar.client(identity, folder: home, timeout: .seconds(5))
            let events = try EventLog(path: events)
            let server = C2Server(
                participant, state: try C2State(path: home + "/c2.db"), directory: KeyServiceDirectory(client: client),
                rules: rules, events: events)
            logger.notice("C2 server \(identity.id)")
            events.record("started", ["id": identity.id.hex])
            try await Program.run([server, link], logger: logger)
        } catch let error as SettingsError {
            throw Program.failure(error, code: .configuration)
        } catch let error as PartyError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}

/// The key service as the server's source of keys.
struct KeyServiceDirectory: KeyDirectory {
    let client: KeyServiceClient

    func lookUp(_ id: DeviceID) async throws -> (key: PublicKey, type: String)? {
        guard let key = try await client.key(of: id), let type = try await client.type(of: id) else { return nil }
        return (key, type)
    }
}

struct Trust: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let an observer vouch for devices, or take that back; without an identity, list who may.",
        discussion: "Takes effect at once, also on a running server.")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The observer's identity, as \"srup-observer status\" shows it.")
    var identity: String?
    @Flag(help: "Take the trust back.")
    var remove = false

    func run() throws {
        do {
            let home = folder.folder + "/server"
            guard Identity.exists(in: home) else { throw PartyError.notRegistered(folder: home) }
            let state = try C2State(path: home + "/c2.db")
            guard let identity else {
                for id in try state.trusted() { print(id) }
                return
            }
            guard let id = DeviceID(hex: identity) else {
                throw ValidationError("an identity is 1 to 16 lower-case hexadecimal digits, not \"\(identity)\"")
            }
            if remove {
                try state.distrust(id)
                print("\(id) may not vouch any more")
            } else {
                try state.trust(id, now: Participant.systemTime())
                print("\(id) may vouch for devices")
            }
        } catch let error as ValidationError {
            throw error
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the devices and observers that have joined, and the joins under way.")

    @OptionGroup var folder: FolderOptions

    func run() throws {
        do {
            let home = folder.folder + "/server"
            let (_, state) = try Identity.load(from: home)
            let c2 = try C2State(path: home + "/c2.db")
            let trusted = Set(try c2.trusted())
            for peer in try state.joinedPeers() {
                print("\(peer.id)  \(peer.type ?? "?")\(trusted.contains(peer.id) ? "  trusted observer" : "")")
            }
            for join in try c2.pending() {
                print("\(join.device)  joining, observed by \(join.observer), try \(join.attempt)")
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}
