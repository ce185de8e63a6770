import Foundation
import Limits
import Logging
import SRUP
import Storage
import Synchronization

@testable import C2
@testable import Party

/// A broker in memory and a clock that only the test moves: joins, retries, timeouts and restarts of minutes run in
/// milliseconds, in an order that a seed decides.
///
/// What one participant publishes reaches each subscriber in order; between subscribers any order is possible.
final class TestNetwork: @unchecked Sendable {
    // Used by one test at a time; participants publish from within the calls that the test awaits.
    private let lock = NSLock()
    private var inboxes: [DeviceID: [(topic: String, payload: [UInt8])]] = [:]
    private var confirmations: [DeviceID: [Int64]] = [:]
    private var filters: [DeviceID: Set<String>] = [:]
    private var offline: Set<DeviceID> = []
    private var handlers: [DeviceID: (BrokerEvent) async -> Void] = [:]
    private var tickers: [DeviceID: () async -> Void] = [:]
    /// What lets participants go that hold themselves; their files must not stay open: libmosquitto, in other tests of this
    /// process, can use no descriptor above 1023.
    private var cleanUps: [() -> Void] = []
    private let hands = Hands()
    var clock: Duration { hands.now }
    var random: SplitMix
    let folder: String
    /// Everything that was published, for looking on.
    private(set) var published: [(sender: DeviceID, topic: String, payload: [UInt8])] = []

    /// Outlives the network: a timeout that nobody waits for any more may still ask it.
    private final class Hands: Sendable {
        private let time = Mutex(Duration.zero)
        var now: Duration { time.withLock { $0 } }
        func move(to moment: Duration) { time.withLock { $0 = moment } }
    }

    struct SplitMix: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    init(seed: UInt64 = 1) throws {
        random = SplitMix(state: seed)
        // In memory where there is such a place: thousands of commits need not wait for a disk.
        let base = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm/" : NSTemporaryDirectory()
        folder = base + "srup-network-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        Self.leftOvers
        Self.folders.withLock { $0.append(folder) }
    }

    deinit { close() }

    /// Lets go of all participants, who hold the network as it holds them, and of their files.
    func close() {
        let cleanUps = lock.withLock {
            handlers.removeAll()
            tickers.removeAll()
            defer { self.cleanUps.removeAll() }
            return self.cleanUps
        }
        for cleanUp in cleanUps { cleanUp() }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Of networks that nobody has closed.
    private static let leftOvers: Void = {
        _ = atexit {
            for folder in TestNetwork.folders.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: folder) }
        }
    }()
    private static let folders = Mutex<[String]>([])

    var time: Timekeeper { .manual { [hands] in hands.now } }
    /// Seconds since 1970, moving with the clock.
    var wallClock: @Sendable () -> Double { { [hands] in 1_800_000_000 + hands.now / .seconds(1) } }

    // MARK: Keys

    /// Making one takes a tenth of a second; identities share these, which nothing here depends on.
    static let keys: [PrivateKey] = (0..<6).compactMap { _ in try? PrivateKey.generate() }
    static func key(_ id: DeviceID) -> PrivateKey { keys[Int(id.value % UInt64(keys.count))] }

    // MARK: Participants

    final class Link: MessageLink {
        let id: DeviceID
        private weak let network: TestNetwork?
        let events = BrokerEvents()
        var place: String { "memory" }
        var isConnected: Bool { network?.isOnline(id) ?? false }

        init(_ id: DeviceID, _ network: TestNetwork) {
            self.id = id
            self.network = network
        }

        func publish(_ payload: [UInt8], to topic: String, id number: Int64) {
            network?.publish(payload, to: topic, from: id, number)
        }
        func subscribe(_ filter: String) { network?.subscribe(id, filter) }
        func unsubscribe(_ filter: String) { network?.unsubscribe(id, filter) }
    }

    func isOnline(_ id: DeviceID) -> Bool { lock.withLock { !offline.contains(id) } }
    func subscribe(_ id: DeviceID, _ filter: String) { lock.withLock { _ = filters[id, default: []].insert(filter) } }
    func unsubscribe(_ id: DeviceID, _ filter: String) { lock.withLock { _ = filters[id]?.remove(filter) } }

    func isSubscribed(_ id: DeviceID, to filter: String) -> Bool {
        lock.withLock { filters[id]?.contains(filter) == true }
    }

    func publish(_ payload: [UInt8], to topic: String, from sender: DeviceID, _ number: Int64 = 0) {
        lock.withLock {
            published.append((sender, topic, payload))
            for (id, wanted) in filters where wanted.contains(where: { Self.matches($0, topic) }) {
                inboxes[id, default: []].append((topic, payload))
            }
            if number > 0 { confirmations[sender, default: []].append(number) }
        }
    }

    private static func matches(_ filter: String, _ topic: String) -> Bool {
        filter == topic || filter.hasSuffix("/#") && topic.hasPrefix(filter.dropLast(1))
    }

    func participant(_ id: DeviceID, key: PrivateKey? = nil, name: String? = nil) throws -> Participant {
        Participant(
            id: id, key: key ?? Self.key(id), state: try PartyState(path: "\(folder)/\(name ?? id.hex).db"),
            link: Link(id, self), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, wallClock: wallClock)
    }

    /// From now on `handle` gets what the broker has for `id`, and `tick` is called whenever the clock has moved.
    func attach(
        _ id: DeviceID, _ filters: [String], handle: @escaping (BrokerEvent) async -> Void,
        tick: @escaping () async -> Void = {}
    ) {
        lock.withLock {
            self.filters[id, default: []].formUnion(filters)
            handlers[id] = handle
            tickers[id] = tick
        }
    }

    func onClose(_ cleanUp: @escaping () -> Void) { lock.withLock { cleanUps.append(cleanUp) } }

    /// What is published to it waits, as for a persistent session.
    func disconnect(_ id: DeviceID) { lock.withLock { _ = offline.insert(id) } }

    func connect(_ id: DeviceID) async {
        let handler = lock.withLock { () -> ((BrokerEvent) async -> Void)? in
            offline.remove(id)
            return handlers[id]
        }
        await handler?(.connected)
    }

    // MARK: Time

    /// Delivers one message to somebody for whom there is one; `false` when there is none.
    func step() async -> Bool {
        let chosen = lock.withLock { () -> (handler: (BrokerEvent) async -> Void, event: BrokerEvent)? in
            let ready = handlers.keys.filter { id in
                !offline.contains(id) && (inboxes[id]?.isEmpty == false || confirmations[id]?.isEmpty == false)
            }.sorted()
            guard let id = ready.randomElement(using: &random), let handler = handlers[id] else { return nil }
            if let number = confirmations[id]?.first {
                confirmations[id]?.removeFirst()
                return (handler, .confirmed(number))
            }
            guard let message = inboxes[id]?.first else { return nil }
            inboxes[id]?.removeFirst()
            return (handler, .message(topic: message.topic, payload: message.payload))
        }
        guard let chosen else { return false }
        await chosen.handler(chosen.event)
        return true
    }

    /// Delivers until nothing is left.
    func settle() async {
        for _ in 0..<100_000 { guard await step() else { return } }
    }

    /// Moves the clock, in steps, with all deliveries and timeouts in between.
    func advance(by duration: Duration, step size: Duration = .milliseconds(500)) async {
        let end = clock + duration
        while clock < end {
            hands.move(to: min(clock + size, end))
            for tick in lock.withLock({ tickers.sorted { $0.key < $1.key }.map(\.value) }) { await tick() }
            await settle()
        }
    }

    /// The statuses that `server` has answered `device` with, in order.
    func answers(to device: DeviceID, from server: DeviceID) -> [Status] {
        lock.withLock { published }.compactMap { entry in
            guard entry.sender == server, entry.topic == "SRUP/\(device.hex)",
                let message = try? SignedMessage(parsing: entry.payload).message,
                case .response(let status) = message.body
            else { return nil }
            return status
        }
    }

    func count(_ type: MessageType, to device: DeviceID) -> Int {
        lock.withLock { published }.count { entry in
            entry.topic == "SRUP/\(device.hex)"
                && (try? SignedMessage(parsing: entry.payload).message.body.type) == type
        }
    }
}
