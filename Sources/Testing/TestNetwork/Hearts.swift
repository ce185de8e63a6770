import JoiningDevice
import Keeper
import Limits
import Logging
import Observation
import ObservedValue
import Participant
import Presentation
import SRUP
import Synchronization
import WitnessLink

/// A joining device of ours on the test network; can be restarted over the same state.
package final class TestDevice {
    package let id: DeviceID
    package let participant: Participant
    private let network: TestNetwork
    private let behaviour: JoinDriver.Behaviour
    private let timeout: Duration?
    private let once: Bool
    package private(set) var member: Member
    package private(set) var driver: JoinDriver
    /// How its join has ended, of the present run.
    package private(set) var outcome: Outcome
    private let display = Display()
    private let deeds: Deeds

    /// What it was told, and does.
    private final class Deeds: Sendable {
        let actions: [UInt8: String]
        let done = Mutex<[(number: UInt8, token: Token)]>([])
        let values = Mutex<[String: [UInt8]]>([:])
        let member = Mutex<Member?>(nil)
        init(_ actions: [UInt8: String]) { self.actions = actions }
    }

    /// What it shows.
    private final class Display: NoncePresenter {
        let value = Mutex<[UInt8]?>(nil)
        func show(_ text: UnsafeRawBufferPointer) throws {
            value.withLock { $0 = Hex.decode(String(decoding: text, as: UTF8.self)) }
        }
        func clear() throws { value.withLock { $0 = nil } }
    }

    /// - Parameters:
    ///   - once: as with `--once`: its joins have an end.
    ///   - timeout: for an answer to a simple join, and an eighth of all others; `nil`: as in the programs.
    ///   - actions: what it does when it is told to, and says that it has done. It takes values named "level" of 2 bytes.
    package init(
        _ id: DeviceID, _ network: TestNetwork, _ behaviour: JoinDriver.Behaviour = .init(), once: Bool = false,
        timeout: Duration? = nil, actions: [UInt8: String] = [:]
    ) async throws {
        deeds = Deeds(actions)
        self.id = id
        self.network = network
        self.behaviour = behaviour
        self.timeout = timeout
        self.once = once
        participant = try network.participant(id)
        outcome = Outcome(once: once)
        (member, driver) = try await Self.made(participant, network, behaviour, display, deeds, outcome, timeout)
        try await start()
    }

    private static func made(
        _ participant: Participant, _ network: TestNetwork, _ behaviour: JoinDriver.Behaviour, _ display: Display,
        _ deeds: Deeds, _ outcome: Outcome, _ timeout: Duration?
    ) async throws -> (Member, JoinDriver) {
        let driver = JoinDriver(
            presenter: display, events: try EventLog(path: nil), logger: participant.logger, outcome: outcome,
            behaviour: behaviour, time: network.time)
        var manners = Member.Behaviour(rejoin: nil, identification: Identification(program: "test"))
        manners.identification.actions = deeds.actions
        manners.identification.takes = ["level": .int16]
        if let timeout {
            manners.joinTimeout = timeout
            manners.moderatedTimeout = timeout * 8
            manners.earlierTokens = timeout * 8
        }
        let member = Member(
            participant, server: TestServer.id, serverKey: TestNetwork.publicKey(TestServer.id),
            behaviour: manners, time: network.time
        ) { [weak driver] event in
            // The driver holds the member; the device holds both.
            await driver?.handle(event)
            if case .data(let id, let value) = event {
                deeds.values.withLock { $0[String(decoding: id, as: UTF8.self)] = value }
            }
            guard case .action(let number, let token) = event else { return }
            deeds.done.withLock { $0.append((number, token)) }
            try? await deeds.member.withLock { $0 }?.answer(token, .done)
        }
        deeds.member.withLock { $0 = member }
        network.onClose { deeds.member.withLock { $0 = nil } }
        await driver.use(member)
        return (member, driver)
    }

    private func start() async throws {
        let (member, driver) = (member, driver)
        network.attach(id, ["SRUP/\(id.hex)"]) {
            await member.handle($0)
        } tick: {
            await member.tick()
            await driver.tick()
        }
        try await member.begin()
        await network.connect(id)
    }

    /// As after a crash: what was in memory is gone, and with it what the display showed.
    package func restart() async throws {
        try? display.clear()
        network.cut(id, after: nil)
        outcome = Outcome(once: once)
        (member, driver) = try await Self.made(participant, network, behaviour, display, deeds, outcome, timeout)
        try await start()
    }

    /// The numbers of the actions that it has done, in order.
    package var done: [UInt8] { deeds.done.withLock { $0.map(\.number) } }
    /// The tokens of what it has done, since the last call.
    package func takeDone() -> [Token] {
        deeds.done.withLock { done in
            defer { done.removeAll() }
            return done.map(\.token)
        }
    }
    /// The values that it was sent last, by name.
    package var values: [String: [UInt8]] { deeds.values.withLock { $0 } }

    /// The 16 bytes that can be seen on it.
    package var shown: [UInt8]? { display.value.withLock { $0 } }
}

/// An observer of ours on the test network: its membership and its observations, with a camera that sees what the test says.
package final class TestObserver {
    package let id: DeviceID
    package let participant: Participant
    private let network: TestNetwork
    private let rules: WatchRules
    private let timeout: Duration
    package private(set) var member: Member
    package private(set) var service: ObservationService
    private let signals: SignalBoard?
    private let ledger: AcceptanceLink.Ledger?
    private let eye = Eye()

    private final class Eye: ObservingWitness {
        let isAwake = Mutex(false)
        let wakes = Mutex(0)
        func wake() {
            isAwake.withLock { $0 = true }
            wakes.withLock { $0 += 1 }
        }
        func rest() { isAwake.withLock { $0 = false } }
    }

    /// - Parameters:
    ///   - signals: where it says what its lamp shows.
    ///   - ledger: where it notes the cards of an acceptance check, when its configuration says that they count.
    package init(
        _ id: DeviceID, _ network: TestNetwork, rules: WatchRules, timeout: Duration = .seconds(20),
        signals: SignalBoard? = nil, ledger: AcceptanceLink.Ledger? = nil
    ) async throws {
        self.id = id
        self.ledger = ledger
        self.signals = signals
        self.network = network
        self.rules = rules
        self.timeout = timeout
        participant = try network.participant(id)
        (member, service) = try Self.made(participant, network, rules, timeout, signals, ledger)
        try await start()
    }

    private static func made(
        _ participant: Participant, _ network: TestNetwork, _ rules: WatchRules, _ timeout: Duration,
        _ signals: SignalBoard?, _ ledger: AcceptanceLink.Ledger?
    ) throws -> (Member, ObservationService) {
        let service = ObservationService(
            participant, server: TestServer.id, rules: rules, events: try EventLog(path: nil), signals: signals,
            ledger: ledger, time: network.time)
        var manners = Member.Behaviour(
            rejoin: timeout * 3, identification: Identification(program: "test", observations: rules.maximumWatches))
        manners.joinTimeout = timeout
        manners.isModerated = true
        let member = Member(
            participant, server: TestServer.id, serverKey: TestNetwork.publicKey(TestServer.id),
            behaviour: manners, time: network.time
        ) { event in await service.handle(event) }
        return (member, service)
    }

    private func start() async throws {
        let (member, service) = (member, service)
        eye.rest()
        await service.use([eye])
        await service.heard(.ready("the test"), from: "camera")
        network.attach(id, ["SRUP/\(id.hex)"]) {
            await member.handle($0)
        } tick: {
            await member.tick()
            await service.tick()
        }
        try await member.begin()
        await network.connect(id)
    }

    /// As after a crash: what was in memory is gone.
    package func restart() async throws {
        network.cut(id, after: nil)
        (member, service) = try Self.made(participant, network, rules, timeout, signals, ledger)
        try await start()
    }

    /// How often its eye has been told to open.
    package var wakes: Int { eye.wakes.withLock { $0 } }

    /// Whether its eye is open.
    package var isAwake: Bool { eye.isAwake.withLock { $0 } }

    /// Sees a value once, if it is looking.
    ///
    /// - Returns: whether it was.
    package func see(_ value: [UInt8]) async -> Bool {
        guard eye.isAwake.withLock({ $0 }) else { return false }
        await service.heard(.seen(value, how: "qr at 0,0 to 9,9 of 64x64"), from: "camera")
        return true
    }
}
