import Limits
import Logging
import Observation
import Participant
import Program
import SRUP
import ServiceLifecycle
import Storage
import Updates
import WitnessLink

/// One logical observer at work: its identity, its membership, its desk and its witnesses.
package struct RunningObserver {
    private let name: String
    private let folder: String
    private let identity: Identity
    private let server: DeviceID
    private let member: Member
    package let desk: ObservationService
    private let witnesses: [WitnessProcess]
    private let reports: [WitnessReports]
    private let orders: ObserverOrders
    private let link: BrokerLink
    private let end: IdentityEnd
    /// Nobody throws its identity away meanwhile.
    private let lock: FolderLock
    private let logger: Logger
    package let events: EventLog

    /// - Parameter path: the configuration file, for error messages.
    /// - Throws: ``ParticipantError``, ``BrokerLinkError``, ``FolderLockError``.
    package init(
        _ observer: ObserverSettings.LogicalObserver, _ settings: ObserverSettings, events: EventLog, _ path: String,
        witnessSockets: String?, signals: SignalBoard, ledger: AcceptanceLink.Ledger?, _ logger: Logger
    ) async throws {
        name = observer.name
        folder = observer.stateFolder
        self.events = events
        var logger = logger
        if !name.isEmpty { logger[metadataKey: "observer"] = "\(name)" }
        self.logger = logger
        lock = try FolderLock(observer.stateFolder)
        if try Identity.bind(in: observer.stateFolder) { logger.notice("the keys are encrypted for this machine now") }
        let state: ParticipantStore
        (identity, state) = try Identity.load(from: observer.stateFolder)
        guard let server = observer.server ?? identity.server else {
            throw ParticipantError.identity("which C2 server to join is not known: set server.id in \(path)")
        }
        self.server = server
        link = try BrokerLink(
            identity.broker, clientID: identity.clientID, subscriptions: ["SRUP/\(identity.id.hex)"], logger: logger)
        let participant = Participant(id: identity.id, key: identity.key, state: state, link: link, logger: logger)
        guard
            let serverKey = try await Registrar.serverKey(
                server, identity: identity, state: state, folder: observer.stateFolder)
        else {
            throw ParticipantError.identity("the key service does not know the C2 server \(server)")
        }
        let desk = ObservationService(
            participant, server: server, rules: settings.rules, events: events, name: observer.name, signals: signals,
            ledger: ledger)
        self.desk = desk
        let eyes = observer.eyes.map {
            Self.witness($0, observer.name, in: witnessSockets, desk, ledger != nil, logger)
        }
        witnesses = eyes.map(\.process)
        reports = eyes.map(\.reports)
        await desk.use(witnesses)
        await desk.aim(for: .seconds(60 * (settings.appliance?.aimMinutes ?? 0)))
        let log = logger
        let end = IdentityEnd(folder: observer.stateFolder, participant: participant)
        self.end = end
        var identification = Identification(
            program: "srup-observer \(Release.version)", observations: settings.rules.maximumWatches)
        ObserverAction.describe(in: &identification)
        // One machine, one update: the first observer's server says it.
        let update = observer.name == settings.observers.first?.name ? settings.update : nil
        if update != nil { UpdateSettings.describe(in: &identification) }
        let updater = try update.map {
            try Updater(
                $0, folder: observer.stateFolder, participant: participant, events: events, program: Release.version)
        }
        identification.eyes = Set(observer.eyes.map(\.word)).sorted()
        let outside = BoundedLog(logger, perSubject: 2)
        let id = identity.id
        let orders = ObserverOrders(
            desk: desk, witnesses: witnesses, signals: signals, participant: participant, events: events)
        self.orders = orders
        var behaviour = Member.Behaviour(rejoin: settings.rejoin, identification: identification)
        behaviour.isModerated = true
        behaviour.takesUpdates = update != nil
        behaviour.firstVersion = ProtocolVersion(rawValue: UInt8(settings.firstVersion)) ?? .preferred
        member = Member(
            participant, server: server, serverKey: serverKey, behaviour: behaviour
        ) { [name] event in
            signals.heard(event, by: name, isJoined: (try? state.peer(server))??.isJoined ?? false)
            await Self.handle(event, desk, events, log, outside, id)
            if case .identityEnded = event { end.begin() }
            await orders.handle(event)
            await updater?.handle(event)
        }
        let member = member
        await orders.use { token, outcome in
            try await member.answer(token, outcome)
        } report: {
            try await member.report($0, $1)
        }
        try await updater?.use(member)
    }

    package var services: [any Service] {
        [Renewal(folder: folder, link: link, logger: logger), member, link, end] + reports + witnesses
    }

    package func use(_ rules: WatchRules) async { await desk.use(rules) }

    package func announce() {
        logger.notice("observer \(identity.id), server \(server)")
        events.record("started", ["id": identity.id.hex])
    }

    private static func witness(
        _ eye: ObserverSettings.Eye, _ observer: String, in sockets: String?, _ desk: ObservationService,
        _ saysCommands: Bool, _ logger: Logger
    ) -> (process: WitnessProcess, reports: WitnessReports) {
        let kind = eye.kind
        let reports = WitnessReports { await desk.heard($0, from: kind) }
        // "camera.sock", or "camera-door.sock" for the [[observer]] named "door".
        let origin: WitnessProcess.Origin =
            if let sockets {
                .socket("\(sockets)/\(observer.isEmpty ? kind : kind + "-" + observer).sock")
            } else {
                .program(Program.sibling("srup-witness"))
            }
        let process = WitnessProcess(
            name: kind, origin: origin, arguments: eye.arguments + (saysCommands ? ["--commands"] : []), logger: logger,
            longestPause: eye.longestPause,
            onEvent: reports.add)
        return (process, reports)
    }

    private static func handle(
        _ event: MemberEvent, _ desk: ObservationService, _ events: EventLog, _ logger: Logger, _ outside: BoundedLog,
        _ id: DeviceID
    ) async {
        await desk.handle(event)
        switch event {
        case .connected: events.record("connected")
        case .disconnected(let why): events.record("disconnected", ["why": why])
        case .joined(let again):
            if !again { events.record("joined") }
        case .refused:
            events.record("refused")
            outside.log(.warning, about: "refused", ObserverReport.waitingWords(id.hex) + "; asking again")
        case .joinFailed:
            events.record("refused")
            outside.log(.error, about: "refused", "the server does not let this observer in; asking again later")
        case .joinTimedOut:
            outside.log(.warning, about: "no answer", "the server does not answer our request to join; asking again")
        case .left(let why):
            outside.log(.warning, about: "left", "the server has removed this observer from its network (\(why))")
        case .identityEnded:
            events.record("identity-ended")
            outside.log(.warning, about: "ended", "the server has ended this observer's identity")
        default: break
        }
    }

    package func report(since start: ContinuousClock.Instant) async -> ObserverReport {
        var report = ObserverReport()
        report.name = name.isEmpty ? nil : name
        report.running = true
        report.identity = identity.id.hex
        report.server = server.hex
        report.broker = "\(identity.broker.host):\(identity.broker.port)"
        report.connected = link.isConnected
        report.joined = member.isJoined
        report.waitsForOperator = await member.wasRefused
        report.value = await desk.ownValue?.withHex { String(decoding: $0, as: UTF8.self) }
        report.openWatches = await desk.openWatches
        report.eyes = await desk.eyes
        report.verdicts = await desk.verdicts
        report.rejected = member.participant.rejections.counts
        report.uptimeSeconds = Int((ContinuousClock.now - start) / .seconds(1))
        report.lastObservations = ObserverReport.observations(member.participant.state)
        return report
    }
}

/// Hands on what a witness says in the order of its thread's calls, until the service group stops it.
private struct WitnessReports: Service {
    private let stream: AsyncStream<WitnessEvent>
    private let continuation: AsyncStream<WitnessEvent>.Continuation
    private let heard: @Sendable (WitnessEvent) async -> Void

    init(_ heard: @escaping @Sendable (WitnessEvent) async -> Void) {
        self.heard = heard
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1024))
    }

    /// From any thread, and before the service runs.
    @Sendable func add(_ event: WitnessEvent) { continuation.yield(event) }

    func run() async throws {
        await withGracefulShutdownHandler {
            for await event in stream { await heard(event) }
        } onGracefulShutdown: {
            continuation.finish()
        }
    }
}

extension ObserverSettings.LogicalObserver {
    /// What marks its events when there are several.
    package var tag: [String: String] { name.isEmpty ? [:] : ["observer": name] }
}

extension ObserverSettings.Eye {
    package var kind: String {
        switch self {
        case .camera: "camera"
        case .nfc: "nfc"
        }
    }

    /// As a server knows it: ``Identification/eyes``.
    fileprivate var word: String {
        switch self {
        case .camera: "camera"
        case .nfc: "tap"
        }
    }

    /// The witness's arguments.
    package var arguments: [String] {
        switch self {
        case .camera(let camera):
            ["camera", "--device", camera.device.description, "--size", "\(camera.width)x\(camera.height)"]
                + (camera.symbologies.isEmpty ? [] : ["--symbologies", camera.symbologies.joined(separator: ",")])
                + (camera.readers.isEmpty ? [] : ["--readers", camera.readers.joined(separator: ",")])
        case .nfc(let nfc): ["nfc", "witness", "--device", nfc.device.description]
        }
    }

    /// How long to wait at most before a witness that has died is started again: libnfc's `abort()` at one garbled byte
    /// must not cost a tap.
    package var longestPause: Duration {
        switch self {
        case .camera: .seconds(10)
        case .nfc: .milliseconds(400)
        }
    }
}
