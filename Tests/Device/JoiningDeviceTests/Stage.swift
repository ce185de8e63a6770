import Foundation
import Limits
import Logging
import Participant
import Presentation
import SRUP
import Synchronization
import TestNetwork
import Testing

@testable import JoiningDevice

/// A display that keeps what it shows, and can be broken.
final class Screen: NoncePresenter {
    struct Broken: Error, CustomStringConvertible {
        let description = "no screen there"
    }
    private let text = Mutex<String?>(nil)
    private let isBroken = Mutex(false)

    var shown: String? { text.withLock { $0 } }
    func breaks(_ broken: Bool = true) { isBroken.withLock { $0 = broken } }

    func show(_ hex: UnsafeRawBufferPointer) throws {
        if isBroken.withLock({ $0 }) { throw Broken() }
        text.withLock { $0 = String(decoding: hex, as: UTF8.self) }
    }

    func clear() throws {
        if isBroken.withLock({ $0 }) { throw Broken() }
        text.withLock { $0 = nil }
    }
}

/// A driver with a real member on a network in memory, whose events the test says.
final class Stage {
    static let device = DeviceID(0xD1)
    static let observer = DeviceID(0xB1)

    let network: TestNetwork
    let driver: JoinDriver
    let outcome: Outcome
    let screen = Screen()
    private let participant: Participant
    private let events: String

    init(once: Bool = false, _ change: (inout JoinDriver.Behaviour) -> Void = { _ in }) async throws {
        network = try TestNetwork()
        participant = try network.participant(Self.device)
        events = network.folder + "/events"
        outcome = Outcome(once: once)
        var behaviour = JoinDriver.Behaviour()
        change(&behaviour)
        driver = JoinDriver(
            presenter: screen, events: try EventLog(path: events), logger: participant.logger, outcome: outcome,
            behaviour: behaviour, time: network.time)
        let member = Member(
            participant, server: TestServer.id, serverKey: try TestNetwork.key(TestServer.id).publicKey,
            behaviour: .init(rejoin: nil, identification: Identification(program: "test")), time: network.time
        ) { _ in }
        try await member.begin()
        await driver.use(member)
        // Only the clock: what happens to the member is said by the test.
        let driver = driver
        network.attach(Self.device, []) { _ in
        } tick: {
            await driver.tick()
        }
    }

    deinit { network.close() }

    func say(_ events: MemberEvent...) async {
        for event in events { await driver.handle(event) }
    }

    func wait(_ duration: Duration) async { await network.advance(by: duration, step: .milliseconds(100)) }

    /// What it has asked the server for since the last call.
    func asked() -> [Body] {
        network.takePublished().compactMap { entry in
            entry.topic == "SRUP/servers/\(TestServer.id.hex)/\(Self.device.hex)"
                ? try? SignedMessage(parsing: entry.payload).message.body : nil
        }
    }

    /// The lines of its event log.
    func recorded() throws -> [[String: String]] {
        try String(contentsOfFile: events, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
        }
    }

    func names() throws -> [String] { try recorded().compactMap { $0["event"] } }

    var result: Outcome.Result? { get async { await outcome.result } }
}

/// A nonce whose digits are known.
func nonce(_ byte: UInt8) throws -> Nonce { try #require(Nonce(hex: String(repeating: "\(byte)", count: 32))) }

/// Whether something has happened, told by another task.
final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
}
