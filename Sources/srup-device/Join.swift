import ArgumentParser
import Logging
import Party
import Presentation
import Program
import SRUP
import ServiceLifecycle

struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Join the C2 server, showing the nonce to an observer when asked to, and stay.",
        discussion: """
            Asks for a simple join first. When the server wants the device observed, it asks again for an observed join by the \
            observer that the server has named (or --observer), shows the nonce as a QR code or presents it by tap (--present), \
            and takes it down when the answer has come.

            With --once it ends with the answer. Exit codes: 0 joined, 1 not let in, 69 no answer, 78 no usable identity.
            """)

    @OptionGroup var state: StateOptions
    @OptionGroup var display: DisplayOptions
    @Option(
        help: ArgumentHelp("Ask for this observer instead of the one that the server names.", valueName: "identity"))
    var observer: String?
    @Flag(help: "End when the server has answered.")
    var once = false
    @Option(
        help: ArgumentHelp("Without --once: seconds before a join that failed is tried again.", valueName: "seconds"))
    var retry = 60.0
    @Option(help: ArgumentHelp("How long a moderated join may take, in seconds.", valueName: "seconds"))
    var patience = 900.0
    @Option(help: ArgumentHelp("Append what happens to this file, one JSON object per line.", valueName: "file"))
    var events: String?
    @Flag(help: "Say more.")
    var verbose = false

    func validate() throws {
        if let observer, DeviceID(hex: observer) == nil {
            throw ValidationError("--observer must be an identity in lower-case hexadecimal")
        }
        guard retry >= 1, patience >= 1 else {
            throw ValidationError("--retry and --patience must be at least 1 second")
        }
    }

    func run() async throws {
        let logger = Program.logger("srup-device", level: verbose ? .debug : .info)
        let outcome: Outcome
        do {
            outcome = try await join(logger)
        } catch let error as PartyError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
        switch await outcome.result {
        case .joined, nil: break
        case .notLetIn: throw ExitCode(1)
        case .noAnswer: throw ExitCode(Program.Code.unavailable.rawValue)
        }
    }

    private func join(_ logger: Logger) async throws -> Outcome {
        let (identity, state) = try Identity.load(from: state.folder)
        let events = try EventLog(path: events)
        guard let server = identity.server,
            let serverKey = try await Registrar.serverKey(
                server, identity: identity, state: state, folder: self.state.folder)
        else { throw PartyError.identity("the key service has not told which C2 server to join; register again") }
        let presenter = try display.presenter()
        display.takeDownLeftOvers()
        let link = try BrokerLink(
            identity.broker, clientID: identity.clientID, subscriptions: ["SRUP/\(identity.id.hex)"], logger: logger)
        let participant = Participant(id: identity.id, key: identity.key, state: state, link: link, logger: logger)
        var behaviour = Member.Behaviour(rejoin: nil, identification: "srup-device")
        behaviour.moderatedTimeout = .seconds(patience)
        let outcome = Outcome(once: once)
        let driver = JoinDriver(
            presenter: presenter, events: events, logger: logger, outcome: outcome,
            observer: observer.flatMap { DeviceID(hex: $0) }, retry: .seconds(retry))
        let member = Member(participant, server: server, serverKey: serverKey, behaviour: behaviour) { event in
            await driver.handle(event)
        }
        await driver.use(member)
        logger.notice("device \(identity.id), server \(server)")
        events.record("started", ["id": identity.id.hex])
        try await Program.run([member, link, outcome], logger: logger)
        await driver.takeDown()
        return outcome
    }
}

/// How the join has ended; as a service it ends the program when it is known and `--once` was given.
actor Outcome: Service {
    enum Result: Sendable { case joined, notLetIn, noAnswer }
    private let once: Bool
    private(set) var result: Result?
    private nonisolated let end = AsyncStream<Void>.makeStream()

    init(once: Bool) {
        self.once = once
    }

    func set(_ result: Result) {
        self.result = result
        if once { self.end.continuation.finish() }
    }

    nonisolated func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                for await _ in self.end.stream {}
            } onGracefulShutdown: {
                self.end.continuation.finish()
            }
        } onCancel: {
            self.end.continuation.finish()
        }
        // The broker should have our last confirmation before we go.
        try? await Task.sleep(for: .milliseconds(50))
    }
}

/// What a device does about each event of its membership.
actor JoinDriver {
    private let presenter: any NoncePresenter
    private let events: EventLog
    private let logger: Logger
    private let outcome: Outcome
    private var observer: DeviceID?
    private let retry: Duration
    private var member: Member?
    private var waitingForObserver = false
    private var later: Task<Void, Never>?
    private var isShowing = false

    init(
        presenter: any NoncePresenter, events: EventLog, logger: Logger, outcome: Outcome, observer: DeviceID?,
        retry: Duration
    ) {
        self.presenter = presenter
        self.events = events
        self.logger = logger
        self.outcome = outcome
        self.observer = observer
        self.retry = retry
    }

    func use(_ member: Member) {
        self.member = member
    }

    func handle(_ event: MemberEvent) async {
        switch event {
        case .connected:
            events.record("connected")
            if !isShowing { await ask(.simple) }
        case .disconnected(let why): events.record("disconnected", ["why": why])
        case .joined(let again):
            takeDown()
            logger.notice(again ? "joined, as before" : "joined")
            events.record("joined", ["again": String(again)])
            await outcome.set(.joined)
        case .refused(let kind, let named):
            takeDown()
            if kind == .simple {
                await moderated(named)
            } else {
                await notLetIn("refused")
            }
        case .joinFailed:
            takeDown()
            await notLetIn("the join has failed")
        case .joinTimedOut(let kind):
            takeDown()
            events.record("no-answer")
            logger.warning("the server does not answer")
            if kind == .simple { await ask(.simple) } else { await outcome.set(.noAnswer); tryLater() }
        case .nonce(let nonce, _): show(nonce)
        case .data(let id, let value):
            if id == Array(DataName.observer.utf8), waitingForObserver,
                let named = DeviceID(hex: String(decoding: value.prefix(16), as: UTF8.self))
            {
                await moderated(named)
            }
        case .left(let why):
            logger.warning("the server has sent us away (\(why))")
            events.record("left", ["why": why])
        case .action(let id): logger.info("action \(id)")
        case .observationRequested: logger.warning("asked to observe, which this device cannot")
        }
    }

    private func ask(_ kind: JoinKind) async {
        do {
            try await member?.join(kind)
            events.record("asked", ["kind": String(describing: kind)])
        } catch {
            logger.error("\(error)")
        }
    }

    /// The server wants more than a simple join.
    private func moderated(_ named: DeviceID?) async {
        guard let chosen = observer ?? named else {
            waitingForObserver = true
            logger.notice("the server wants this device observed and has not said by whom; waiting for that")
            later?.cancel()
            later = Task { [weak self] in
                guard (try? await Task.sleep(for: .seconds(10))) != nil else { return }
                await self?.nobodyNamed()
            }
            return
        }
        waitingForObserver = false
        later?.cancel()
        logger.notice("the server wants this device observed: asking for observer \(chosen)")
        await ask(.observed(by: chosen))
    }

    private func nobodyNamed() async {
        guard waitingForObserver else { return }
        waitingForObserver = false
        await notLetIn("the server has named no observer (give one with --observer)")
    }

    private func notLetIn(_ why: String) async {
        logger.error("not let in: \(why)")
        events.record("not-let-in", ["why": why])
        await outcome.set(.notLetIn)
        tryLater()
    }

    private func tryLater() {
        later?.cancel()
        later = Task { [weak self, retry] in
            guard (try? await Task.sleep(for: retry)) != nil else { return }
            await self?.ask(.simple)
        }
    }

    private func show(_ nonce: Nonce) {
        do {
            try nonce.withHex { text in try presenter.show(text) }
            isShowing = true
            logger.notice("showing the nonce to the observer")
            events.record("showing")
        } catch {
            logger.error("the nonce cannot be shown: \(error)")
        }
    }

    func takeDown() {
        guard isShowing else { return }
        isShowing = false
        do {
            try presenter.clear()
        } catch {
            logger.error("the display cannot be cleared: \(error)")
        }
        events.record("taken-down")
    }
}
