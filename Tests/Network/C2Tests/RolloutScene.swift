import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// A device that is updated: it remembers which version it runs, so that the server's figures can be compared with it.
/// It keeps its counters in memory: hundreds of them are hundreds of files otherwise.
final class SimulatedDevice {
    /// What it does when it is told something.
    struct Manners {
        var download = Status.updateSuccess
        /// `nil`: it does not answer ACTIVATE, as no reference device does.
        var activation: Status? = .activateSuccess
        /// How long downloading takes.
        var takes = Duration.zero
        /// Whether it names its version when it is asked what it is.
        var namesVersion = true
        /// Whether it says what it is as our programs do, which answer ACTIVATE.
        var isOurs = false
        var protocolVersion = ProtocolVersion.v5
    }

    let id: DeviceID
    var manners = Manners()
    private(set) var version = "1.0.0"
    private(set) var heard: [Message] = []
    /// The version that the last INITIATE was about, by the rollout's release.
    private var offered = "2.0.0"
    private var due: (at: Duration, token: Token)?
    private var number: UInt64 = 0
    private var lastReceived: UInt64 = 0
    private let network: TestNetwork

    init(_ number: UInt64, _ server: TestServer, type: String = "lamp") throws {
        id = DeviceID(number)
        network = server.network
        try server.know(id, type: type)
        try server.participant.state.setJoined(id, true)
        server.network.subscribe(TestServer.id, "SRUP/\(id.hex)")
        server.network.attach(id, ["SRUP/\(id.hex)"]) { [weak self] event in
            if case .message(_, let payload) = event { try? self?.take(payload) }
        } tick: { [weak self] in
            try? self?.work()
        }
    }

    private func take(_ payload: [UInt8]) throws {
        let message = try SignedMessage(parsing: payload).message
        guard message.sender == TestServer.id else { return }
        // After a restart the server publishes again what was not confirmed: the same message, which counts once.
        guard message.sequence.value > lastReceived else { return }
        lastReceived = message.sequence.value
        number = max(number, lastReceived)
        heard.append(message)
        switch message.body {
        case .initiate:
            due = (network.clock + manners.takes, message.token)
            if manners.takes == .zero { try work() }
        case .activate:
            if manners.activation != .activateFail { version = offered }
            if let status = manners.activation { try say(.response(status), message.token) }
        case .idRequest:
            let text =
                (manners.namesVersion ? "lamp \(version)" : "pySRUP version 2.0")
                + (manners.isOurs ? " session=1f" : "")
            try say(.data(id: Array(DataName.identification.utf8), value: Array(text.utf8)), .random())
        default: break
        }
    }

    /// The network's clock has moved.
    private func work() throws {
        guard let due, due.at <= network.clock else { return }
        self.due = nil
        try say(.response(manners.download), due.token)
    }

    func say(_ body: Body, _ token: Token) throws {
        number += 1
        let message = Message(
            version: manners.protocolVersion, sequence: SequenceNumber(number), sender: id, token: token, body: body)
        network.publish(
            try message.signed(with: TestNetwork.key(id)).bytes, to: "SRUP/\(id.hex)", from: id)
    }

    func count(_ type: MessageType) -> Int { heard.count { $0.body.type == type } }
    func tokens(_ type: MessageType) -> [Token] { heard.filter { $0.body.type == type }.map(\.token) }
}

/// A server with a release, and devices for it.
struct RolloutScene {
    let network: TestNetwork
    let server: TestServer
    let devices: [SimulatedDevice]
    let release: Int64

    init(_ count: Int, seed: UInt64 = 1) async throws {
        network = try TestNetwork(seed: seed)
        let server = try await TestServer(network)
        self.server = server
        devices = try (0..<count).map { try SimulatedDevice(0x1000 + UInt64($0), server) }
        release = try Self.add("2.0.0", to: server)
    }

    @discardableResult
    static func add(_ version: String, payload: String = "aa", to server: TestServer) throws -> Int64 {
        let digest = String(repeating: payload, count: 32)
        return try server.shelf.add(
            bare: "https://files.example.net/lamp-\(version)", size: 4, digest: digest, type: "lamp", version: version,
            by: "anna", now: server.network.wallClock()
        ).number
    }

    static func plan(_ change: (inout RolloutPlan) -> Void = { _ in }) -> RolloutPlan {
        var plan = RolloutPlan(.type("lamp"))
        (plan.underWay, plan.startsPerMinute) = (1000, 10_000)
        change(&plan)
        return plan
    }

    func start(_ change: (inout RolloutPlan) -> Void = { _ in }, seed: UInt64 = 7) async throws -> Int64 {
        try await server.server.startRollout(of: release, Self.plan(change), seed: seed, by: "anna")
    }

    func rollout(_ number: Int64) async throws -> Rollout { try await server.server.rollout(number) }

    /// Those that run the release, by what they know themselves.
    var updated: Set<DeviceID> { Set(devices.filter { $0.version == "2.0.0" }.map(\.id)) }

    func device(_ id: DeviceID) throws -> SimulatedDevice { try #require(devices.first { $0.id == id }) }

    /// What the server says must be what is on its disk, and what the devices know of themselves.
    func expectFiguresToBeTrue(_ number: Int64) async throws {
        let rollout = try await rollout(number)
        let stored = try #require(try server.shelf.store.rollout(number, now: network.wallClock()))
        #expect(stored.devices == rollout.devices && stored.state == rollout.state && stored.step == rollout.step)
        #expect(Set(rollout.devices.filter { $0.phase == .updated }.map(\.id)) == updated)
        for phase in RolloutDevice.Phase.allCases {
            #expect(rollout.count(phase) == rollout.devices.count { $0.phase == phase })
        }
        for device in devices {
            let tokens = device.tokens(.activate)
            #expect(Set(tokens).count == tokens.count, "no token is activated twice")
        }
    }
}
