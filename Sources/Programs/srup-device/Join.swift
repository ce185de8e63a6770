import Agent
import ArgumentParser
import JoiningDevice
import Logging
import Participant
import Presentation
import Program
import SRUP
import ServiceLifecycle
import Settings
import Storage
import Updates

struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Join the C2 server, showing the nonce to an observer when asked to, and stay.",
        discussion: """
            Asks for a simple join first. When the server wants the device observed, it asks again for an observed join by the \
            observer that the server has named (or --observer), shows the nonce as a QR code or presents it by tap (--present), \
            and takes it down when the answer has come. With a form for people (--present words) it asks for a human-moderated \
            join instead: a person compares what it shows, and lets it in. A member asks now and then whether it still belongs (--confirm).

            With --config it also does what the server tells it to (ACTION), sends and takes values (DATA), and connects local \
            programs with the network: docs/agent.md. Without, it answers that it knows no action and no value.

            The certificate for the broker is renewed in its last two months. Stops on SIGTERM, SIGINT and SIGHUP, and takes \
            down what it shows.

            With --once it ends with the answer, or after --patience without one. Exit codes: 0 joined (without --once: \
            stopped), 1 not let in, 69 no answer, 78 no usable identity or configuration, or another program runs with it; also when the server \
            has ended the identity (DEREGISTER), whose keys are removed then.
            """)

    @OptionGroup var state: StateOptions
    @OptionGroup var display: DisplayOptions
    @Option(help: ArgumentHelp("What to do when told to, and which values to send and take.", valueName: "device.toml"))
    var config: String?
    @Option(
        help: ArgumentHelp("Ask for this observer instead of the one that the server names.", valueName: "identity"))
    var observer: String?
    @Option(
        help: ArgumentHelp("Join this C2 server instead of the one that registration has told.", valueName: "identity"))
    var server: String?
    @Flag(help: "End when the server has answered.")
    var once = false
    @Option(
        help: ArgumentHelp("Without --once: seconds before a join that failed is tried again.", valueName: "seconds"))
    var retry = 60.0
    @Option(
        help: ArgumentHelp(
            "How long a moderated join may take, and with --once all of it, in seconds.", valueName: "seconds"))
    var patience = 900.0
    @Option(
        help: ArgumentHelp("How often a member asks whether it still belongs, in seconds.", valueName: "seconds"))
    var confirm = 600.0
    @Option(
        help: ArgumentHelp(
            "The protocol version to try first with a server that has not answered yet: 4 or 5.", valueName: "version"))
    var firstVersion: UInt8 = 5
    @Option(help: ArgumentHelp("Append what happens to this file, one JSON object per line.", valueName: "file"))
    var events: String?
    @Flag(help: "Say more.")
    var verbose = false

    func validate() throws {
        for (option, text) in [("--observer", observer), ("--server", server)] {
            if let text, DeviceID(hex: text) == nil {
                throw ValidationError("\(option) must be an identity in lower-case hexadecimal")
            }
        }
        let seconds = 1.0...1e9
        guard seconds.contains(retry), seconds.contains(patience), seconds.contains(confirm) else {
            throw ValidationError("--retry, --patience and --confirm must be at least 1 second")
        }
        guard ProtocolVersion(rawValue: firstVersion) != nil else {
            throw ValidationError("--first-version must be 4 or 5")
        }
    }

    func run() async throws {
        let logger = Program.logger("srup-device", level: verbose ? .debug : .info)
        let outcome: Outcome
        do {
            outcome = try await join(logger)
        } catch let error as SettingsError {
            throw Program.failure(error, code: .configuration)
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch let error as FolderLockError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
        switch await outcome.result {
        case .joined: break
        case nil where !once: break
        case nil: throw ExitCode(Program.Code.unavailable.rawValue)
        case .notLetIn: throw ExitCode(1)
        case .noAnswer: throw ExitCode(Program.Code.unavailable.rawValue)
        }
    }

    private func join(_ logger: Logger) async throws -> Outcome {
        let settings = try config.map { try AgentSettings.load($0) } ?? AgentSettings()
        let (identity, state) = try Identity.load(from: state.folder)
        let lock = try FolderLock(self.state.folder)
        defer { withExtendedLifetime(lock) {} }
        let events = try EventLog(path: events)
        guard let server = server.flatMap({ DeviceID(hex: $0) }) ?? identity.server,
            let serverKey = try await Registrar.serverKey(
                server, identity: identity, state: state, folder: self.state.folder)
        else {
            throw ParticipantError.identity(
                "the key service has not told which C2 server to join, or does not know it: give its identity with --server"
            )
        }
        let presenter = try display.presenter()
        display.takeDownLeftOvers()
        let link = try BrokerLink(
            identity.broker, clientID: identity.clientID, subscriptions: ["SRUP/\(identity.id.hex)"], logger: logger)
        let participant = Participant(id: identity.id, key: identity.key, state: state, link: link, logger: logger)
        var identification = Identification(program: "srup-device \(Release.version)")
        settings.describe(in: &identification)
        identification.returns = 0
        var behaviour = Member.Behaviour(rejoin: nil, identification: identification)
        behaviour.takesUpdates = settings.update != nil
        behaviour.moderatedTimeout = .seconds(patience)
        behaviour.firstVersion = ProtocolVersion(rawValue: firstVersion) ?? .preferred
        let outcome = Outcome(once: once)
        var manners = JoinDriver.Behaviour()
        manners.observer = observer.flatMap { DeviceID(hex: $0) }
        manners.isForPeople = display.isForPeople
        manners.retry = .seconds(retry)
        manners.confirm = .seconds(confirm)
        manners.patience = .seconds(patience)
        let driver = JoinDriver(
            presenter: presenter, events: events, logger: logger, outcome: outcome, behaviour: manners)
        let agent = Agent(settings, events: events, logger: logger)
        let updater = try settings.update.map {
            try Updater(
                $0, folder: self.state.folder, participant: participant, events: events, program: Release.version)
        }
        let end = IdentityEnd(folder: self.state.folder, participant: participant)
        let member = Member(participant, server: server, serverKey: serverKey, behaviour: behaviour) { event in
            await driver.handle(event)
            await agent.handle(event)
            await updater?.handle(event)
            if case .identityEnded = event { end.begin() }
        }
        await driver.use(member)
        await agent.use(member, updater: updater)
        try await updater?.use(member)
        let socket = try await agent.makeSocket()
        logger.notice("device \(identity.id), server \(server)")
        events.record("started", ["id": identity.id.hex])
        let renewal = Renewal(folder: self.state.folder, link: link, logger: logger)
        let local: [any Service] = socket.map { [$0] } ?? []
        do {
            try await Program.run(local + [renewal, member, link, outcome, end], logger: logger)
        } catch {
            await driver.takeDown()
            throw error
        }
        await driver.takeDown()
        return outcome
    }
}
