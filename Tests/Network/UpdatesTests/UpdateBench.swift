import COpenSSL
import Foundation
import ObservedValue
import Participant
import Releases
import SRUP
import Synchronization
import TestNetwork
import Testing

@testable import Updates

/// A device on a network in memory that takes updates from a real web server, and a server that says what the test wants.
final class UpdateBench {
    static let id = DeviceID(0xD1)
    static let type = "thermometer"

    let network: TestNetwork
    let web: WebServer
    let key: ReleaseKey
    private(set) var settings: UpdateSettings
    private let participant: Participant
    private let server: Participant
    private(set) var member: Member
    private(set) var updater: Updater
    private let heard = Mutex<[(status: Status, token: Token)]>([])
    private let values = Mutex<[String: [UInt8]]>([:])
    private let versions = Mutex<ProtocolVersion?>(nil)
    /// In which the device has answered last.
    var lastVersion: ProtocolVersion? { versions.withLock { $0 } }
    func serverSpeaks(_ version: ProtocolVersion) throws { try server.state.setVersion(version, of: Self.id) }
    /// Where what is updated lies.
    let place: String
    var path: String { place + "/thermometer" }
    private let cut = PowerCut()

    /// Cuts the power when a step is reached: whatever comes after it does not happen while the bench is there.
    final class PowerCut: Sendable {
        /// Those that wait for ever; they hold files that must not stay open (see `TestNetwork.onClose`).
        private let waiting = Mutex<[UnsafeContinuation<Void, Never>]>([])
        private let state = Mutex<(step: Updater.Step?, came: Bool)>((nil, false))
        func plan(_ step: Updater.Step?) { state.withLock { $0 = (step, false) } }
        var came: Bool { state.withLock { $0.came } }
        func reached(_ step: Updater.Step) async {
            let isNow = state.withLock { state in
                guard state.step == step, !state.came else { return false }
                state.came = true
                return true
            }
            if isNow { await withUnsafeContinuation { one in waiting.withLock { $0.append(one) } } }
        }
        func end() { for one in waiting.withLock({ $0 }) { one.resume() } }
    }

    init(_ change: (inout UpdateSettings) throws -> Void = { _ in }) async throws {
        network = try TestNetwork()
        web = try WebServer()
        key = try ReleaseKey.generate()
        place = network.folder + "/place"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        participant = try network.participant(Self.id)
        server = try network.participant(TestServer.id, name: "server")
        var settings = UpdateSettings()
        settings.path = place + "/thermometer"
        settings.folder = place
        settings.type = Self.type
        settings.keys = [try key.publicKey]
        settings.authority = .file(web.authority)
        settings.settle = .seconds(4)
        try change(&settings)
        self.settings = settings
        try Data("old".utf8).write(to: URL(fileURLWithPath: place + "/thermometer"))
        (member, updater) = try Self.made(participant, settings, network, cut)
        listen()
        try await restart(cutting: nil, joins: true)
    }

    deinit {
        network.close()
        cut.end()
    }

    private static func made(
        _ participant: Participant, _ settings: UpdateSettings, _ network: TestNetwork, _ cut: PowerCut,
        _ program: String = "1.0.0"
    ) throws -> (Member, Updater) {
        let updater = try Updater(
            settings, folder: network.folder, participant: participant, events: try EventLog(path: nil),
            program: program, time: network.time
        ) { await cut.reached($0) }
        var behaviour = Member.Behaviour(rejoin: nil, identification: Identification(program: "test 1"))
        behaviour.takesUpdates = true
        let member = Member(
            participant, server: TestServer.id, serverKey: try TestNetwork.key(TestServer.id).publicKey,
            behaviour: behaviour, time: network.time
        ) { [weak updater] in await updater?.handle($0) }
        return (member, updater)
    }

    private func listen() {
        let filters = ["SRUP/servers/\(TestServer.id.hex)/#", "SRUP/\(Self.id.hex)"]
        network.attach(TestServer.id, filters) { [weak self] event in
            guard let self, case .message(let topic, let payload) = event,
                let (signed, _) = try? server.read(payload, topic: topic), signed.message.sender == Self.id,
                let message = try? server.admit(signed, key: TestNetwork.key(Self.id).publicKey)
            else { return }
            versions.withLock { $0 = message.version }
            switch message.body {
            case .response(let status): heard.withLock { $0.append((status, message.token)) }
            case .data(let name, let value):
                values.withLock { $0[String(decoding: name, as: UTF8.self)] = value }
            case .joinRequest:
                try? server.send(.response(.joinSuccess), to: Self.id, on: .member(Self.id), token: message.token)
            default: break
            }
        }
    }

    /// As after a power cut: what was in memory is gone.
    ///
    /// - Parameter program: the version of the program that runs now.
    func restart(
        cutting step: Updater.Step? = nil, joins: Bool = false, program: String = "1.0.0",
        _ change: (inout UpdateSettings) -> Void = { _ in }
    ) async throws {
        change(&settings)
        cut.plan(step)
        (member, updater) = try Self.made(participant, settings, network, cut, program)
        let (member, updater) = (member, updater)
        network.attach(Self.id, ["SRUP/\(Self.id.hex)"]) {
            await member.handle($0)
        } tick: {
            await member.tick()
            await updater.tick()
        }
        try await member.begin()
        await network.connect(Self.id)
        if joins { try await member.join(.simple) }
        await network.settle()
        try await until { try await updater.use(member) }
    }

    /// Until the body is through and there is nothing more to do now, or the power is cut.
    private func until(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let updater = updater
        let isThrough = Mutex(false)
        let task = Task {
            try await body()
            await updater.idle()
            isThrough.withLock { $0 = true }
        }
        while !cut.came, !isThrough.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(2)) }
        if !cut.came {
            try await task.value
            await network.settle()
        }
    }

    /// The power will be cut at this step.
    func planCut(_ step: Updater.Step?) { cut.plan(step) }
    var wasCut: Bool { cut.came }

    /// The server says something.
    func say(_ body: Body, _ token: Token = .random()) async throws {
        try server.send(body, to: Self.id, on: .member(Self.id), token: token)
        let network = UncheckedBox(network)
        try await until { await network.value.settle() }
    }

    /// The network is used by one task at a time: `until` waits for it, or never lets it go on.
    private struct UncheckedBox: @unchecked Sendable {
        let value: TestNetwork
        init(_ value: TestNetwork) { self.value = value }
    }

    /// Moves the clock, and lets whatever is due be done.
    func wait(_ duration: Duration, step: Duration = .seconds(1)) async throws {
        let end = network.clock + duration
        while network.clock < end, !cut.came {
            let network = UncheckedBox(network)
            try await until { await network.value.advance(by: step, step: step) }
        }
    }

    // MARK: Releases

    static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &digest)
        return digest
    }

    /// Puts payload and manifest onto the web server, and offers it.
    @discardableResult
    func offer(
        _ payload: [UInt8], version: String = "2.0.0", signedBy key: ReleaseKey? = nil, token: Token = .random(),
        served: [UInt8]? = nil, _ change: (inout ReleaseManifest.Content) -> Void = { _ in }
    ) async throws -> Token {
        try web.put(served ?? payload, as: "payload")
        var content = ReleaseManifest.Content(
            type: Self.type, version: try #require(ReleaseVersion(version)), size: UInt64(payload.count),
            digest: Self.digest(payload), expires: 1_900_000_000, url: web.url("payload"))
        change(&content)
        let manifest = try ReleaseManifest(content, signedBy: key ?? self.key)
        try web.put(manifest.bytes, as: "manifest")
        try await say(
            .initiate(
                url: TerminatedText(web.url("manifest")),
                digest: TerminatedText(Hex.encode(Self.digest(manifest.bytes)))),
            token)
        return token
    }

    /// What the device has answered to a token, in order.
    func answers(_ token: Token) -> [Status] {
        heard.withLock { $0.filter { $0.token == token }.map(\.status) }
    }

    func value(_ name: String) -> [UInt8]? { values.withLock { $0[name] } }
    var problem: String { value("UPDATE_PROBLEM").map { String(decoding: $0, as: UTF8.self) } ?? "" }

    /// What is in use now.
    var inUse: String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "nothing" }

    /// Whatever lies beside what is in use.
    var leftOvers: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).filter { $0 != "thermometer" }.sorted()
    }

    /// Both sides forget each other's numbers, as when the device registers anew.
    func beginAnew() async throws {
        try participant.state.beginAnew()
        try server.state.beginAnew()
        try await restart(joins: true)
    }

    func state() throws -> ParticipantStore { participant.state }

    /// The old one runs, the server knows why not, nothing is left behind.
    func expectOld(
        _ token: Token, _ status: Status, _ why: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(answers(token).last == status, "\(problem)", sourceLocation: sourceLocation)
        #expect(problem.contains(why), "\(problem)", sourceLocation: sourceLocation)
        #expect(inUse == "old", sourceLocation: sourceLocation)
        #expect(leftOvers == [], sourceLocation: sourceLocation)
    }
}
