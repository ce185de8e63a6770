import ArgumentParser
import Logging
import Observation
import Party
import Program
import SRUP
import ServiceLifecycle
import Settings
import Witness

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Options that every command with a configuration file has.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .customLong("config")], help: "The configuration file.")
    var path = ObserverSettings.defaultPath

    func load() throws -> ObserverSettings {
        do {
            return try ObserverSettings.load(path)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Be an observer: join the C2 server and look at devices when it asks.",
        discussion: """
            Needs an identity (srup-observer register). Holds the keys and the broker connection; opens no device: each eye \
            runs as a process of its own (srup-witness), started from here. Stops on SIGTERM.

            Exit codes: 0 stopped, 1 failed, 69 something outside is missing, 78 configuration or identity is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: ArgumentHelp("Append what happens to this file, one JSON object per line.", valueName: "file"))
    var events: String?

    func run() async throws {
        let settings = try configuration.load()
        let logger = Program.logger("srup-observer", level: Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info)
        do {
            try await observe(settings, logger)
        } catch let error as BrokerLinkError {
            throw Program.failure(error, code: .configuration)
        } catch let error as PartyError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }

    private func observe(_ settings: ObserverSettings, _ logger: Logger) async throws {
        let (identity, state) = try Identity.load(from: settings.stateFolder)
        let events = try EventLog(path: events)
        guard let server = try settings.server.map({ try parsed($0) }) ?? identity.server else {
            throw PartyError.identity("which C2 server to join is not known: set server.id in \(configuration.path)")
        }
        let link = try BrokerLink(
            identity.broker, clientID: identity.clientID, subscriptions: ["SRUP/\(identity.id.hex)"], logger: logger)
        let participant = Participant(id: identity.id, key: identity.key, state: state, link: link, logger: logger)
        guard
            let serverKey = try await Registrar.serverKey(
                server, identity: identity, state: state, folder: settings.stateFolder)
        else {
            throw PartyError.identity("the key service does not know the C2 server \(server)")
        }
        let desk = ObservationDesk(participant, server: server, rules: settings.rules, events: events)
        let witnesses = witnesses(settings, desk, logger)
        await desk.use(witnesses)
        try await desk.answerLeftOvers()
        let member = Member(
            participant, server: server, serverKey: serverKey,
            behaviour: .init(rejoin: settings.rejoin, identification: "srup-observer \(Version.text)")
        ) { event in
            await handle(event, desk, events, logger)
        }
        let started = ContinuousClock.now
        let control = try ControlSocket(path: settings.stateFolder + "/control.sock") {
            await StatusCommand.report(identity, server, member, desk, since: started)
        }
        logger.notice("observer \(identity.id), server \(server)")
        events.record("started", ["id": identity.id.hex])
        try await Program.run([control, member, link] + witnesses, logger: logger)
        events.record("stopped")
    }

    private func parsed(_ text: String) throws -> DeviceID {
        guard let id = DeviceID(hex: text) else {
            throw PartyError.identity(
                "server.id must be the server's identity in lower-case hexadecimal, not \"\(text)\"")
        }
        return id
    }

    private func witnesses(_ settings: ObserverSettings, _ desk: ObservationDesk, _ logger: Logger) -> [WitnessProcess]
    {
        guard let camera = settings.camera else { return [] }
        var arguments = [
            "camera", "--device", camera, "--size", "\(settings.cameraWidth)x\(settings.cameraHeight)",
        ]
        if !settings.symbologies.isEmpty {
            arguments += ["--symbologies", settings.symbologies.joined(separator: ",")]
        }
        // In the order of the thread's calls: one stream per witness, drained by one task.
        let (stream, continuation) = AsyncStream<WitnessEvent>.makeStream(bufferingPolicy: .bufferingOldest(1024))
        Task { for await event in stream { await desk.heard(event, from: "camera") } }
        return [
            WitnessProcess(
                name: "camera", executable: Program.sibling("srup-witness"), arguments: arguments, logger: logger
            ) {
                continuation.yield($0)
            }
        ]
    }

    private func handle(
        _ event: MemberEvent, _ desk: ObservationDesk, _ events: EventLog, _ logger: Logger
    ) async {
        switch event {
        case .observationRequested(let token, let device, let nonce): await desk.observe(device, nonce, token: token)
        case .connected: events.record("connected")
        case .disconnected(let why): events.record("disconnected", ["why": why])
        case .joined(let again): if !again { events.record("joined") }
        case .refused: logger.error("the server refuses us as an observer; asking again later")
        case .joinFailed: logger.error("the server does not let us in; asking again later")
        case .joinTimedOut: logger.warning("the server does not answer our request to join; asking again")
        case .left(let why): logger.warning("the server has sent us away (\(why))")
        case .data, .action, .nonce: break
        }
    }
}

enum Version {
    static let text = "0.1.0"
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what the observer on this machine is doing.",
        discussion:
            "Exit codes: 0 it runs and has joined, 1 it does not run or has not joined, 78 configuration is wrong.")

    @OptionGroup var configuration: ConfigurationOptions
    @Flag(help: "One JSON object.")
    var json = false

    /// What a running observer answers.
    struct Report: Codable {
        var running = false
        var version = Version.text
        var identity: String?
        var server: String?
        var broker: String?
        var connected = false
        var joined = false
        var openWatches = 0
        var eyes: [String: String] = [:]
        var verdicts: [String: Int] = [:]
        var rejected: [String: UInt64] = [:]
        var uptimeSeconds = 0
        var lastObservations: [String] = []
    }

    static func report(
        _ identity: Identity, _ server: DeviceID, _ member: Member, _ desk: ObservationDesk,
        since start: ContinuousClock.Instant
    ) async -> String {
        var report = Report()
        report.running = true
        report.identity = identity.id.hex
        report.server = server.hex
        report.broker = "\(identity.broker.host):\(identity.broker.port)"
        report.connected = member.participant.link.isConnected
        report.joined = member.isJoined
        report.openWatches = await desk.openWatches
        report.eyes = await desk.eyes
        report.verdicts = await desk.verdicts
        report.rejected = member.participant.rejections.counts
        report.uptimeSeconds = Int((ContinuousClock.now - start) / .seconds(1))
        report.lastObservations = observations(member.participant.state)
        return encoded(report)
    }

    private static func observations(_ state: PartyState) -> [String] {
        ((try? state.auditLog(last: 50)) ?? []).filter { $0.event == "observation" }.prefix(5).map { line in
            "\(Date(timeIntervalSince1970: line.time).formatted(.iso8601)) \(line.detail)"
        }
    }

    private static func encoded(_ report: Report) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(report)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    func run() async throws {
        let settings = try configuration.load()
        var report = Report()
        if let answer = ControlSocket.ask(settings.stateFolder + "/control.sock"),
            let live = try? JSONDecoder().decode(Report.self, from: Data(answer.utf8))
        {
            report = live
        } else if Identity.exists(in: settings.stateFolder) {
            do {
                let (identity, state) = try Identity.load(from: settings.stateFolder)
                report.identity = identity.id.hex
                report.server = settings.server ?? identity.server?.hex
                report.broker = "\(identity.broker.host):\(identity.broker.port)"
                report.joined = try !state.joinedPeers().isEmpty
                report.lastObservations = Self.observations(state)
            } catch {
                throw Program.failure(error, code: .configuration)
            }
        }
        print(json ? Self.encoded(report) : text(report))
        if !report.running || !report.joined { throw ExitCode(1) }
    }

    private func text(_ report: Report) -> String {
        guard let identity = report.identity else {
            return "not registered (srup-observer register --help)"
        }
        var lines = [
            "observer    \(identity)",
            "running     \(report.running ? "yes, for \(report.uptimeSeconds) s" : "no (srup-observer run)")",
            "broker      \(report.broker ?? "?")\(report.running ? report.connected ? ", connected" : ", NOT connected" : "")",
            "server      \(report.server ?? "?")\(report.joined ? ", joined" : ", not joined")",
        ]
        for (eye, state) in report.eyes.sorted(by: { $0.key < $1.key }) {
            lines.append(eye.padding(12) + state)
        }
        if report.running {
            lines.append("watches     \(report.openWatches) open")
            lines.append(
                "verdicts    "
                    + ["VALID", "INVALID", "FAILED"].map { "\($0) \(report.verdicts[$0] ?? 0)" }.joined(separator: ", ")
            )
        }
        for (reason, count) in report.rejected.sorted(by: { $0.key < $1.key }) {
            lines.append("rejected    \(count) × \(reason)")
        }
        for line in report.lastObservations { lines.append("            \(line)") }
        return lines.joined(separator: "\n")
    }
}

extension String {
    func padding(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
