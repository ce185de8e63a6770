import C2
import Foundation
import Limits
import Logging
import Participant
import SRUP
import SeededRandom
import Storage
import Synchronization

/// A broker in memory and a clock that only the test moves: joins, retries, timeouts and restarts of minutes run in
/// milliseconds, in an order that a seed decides.
///
/// What one participant publishes reaches each subscriber in order; between subscribers any order is possible.
package final class TestNetwork: @unchecked Sendable {
    // Used by one test at a time; participants publish from within the calls that the test awaits.
    private let lock = NSLock()
    private var inboxes: [DeviceID: [(topic: String, payload: [UInt8])]] = [:]
    private var confirmations: [DeviceID: [Int64]] = [:]
    private var filters: [DeviceID: Set<String>] = [:]
    private var returnTimes: [DeviceID: Duration] = [:]
    private var offline: Set<DeviceID> = []
    private var publishesLeft: [DeviceID: Int] = [:]
    private var handlers: [DeviceID: (BrokerEvent) async -> Void] = [:]
    private var tickers: [DeviceID: () async -> Void] = [:]
    /// What lets participants go that hold themselves; their files must not stay open: libmosquitto, in other tests of this
    /// process, can use no descriptor above 1023.
    private var cleanUps: [() -> Void] = []
    /// Whether the broker does what the server commands, and whom it has disconnected by that, in order.
    package var obeysControl = true
    package private(set) var disconnected: [DeviceID] = []
    private let hands = Hands()
    package var clock: Duration { hands.now }
    package var random: SplitMix64
    package let folder: String
    /// Everything that was published, for looking on.
    package private(set) var published: [(sender: DeviceID, topic: String, payload: [UInt8])] = []

    /// Outlives the network: a timeout that nobody waits for any more may still ask it.
    private final class Hands: Sendable {
        private let time = Mutex(Duration.zero)
        var now: Duration { time.withLock { $0 } }
        func move(to moment: Duration) { time.withLock { $0 = moment } }
    }

    package init(seed: UInt64 = 1) throws {
        random = SplitMix64(seed: seed)
        // In memory where there is such a place: thousands of commits need not wait for a disk.
        let base = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm/" : NSTemporaryDirectory()
        folder = base + "srup-network-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        Self.leftOvers
        Self.folders.withLock { $0.append(folder) }
    }

    deinit { close() }

    /// Lets go of all participants, who hold the network as it holds them, and of their files.
    package func close() {
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

    package var time: Timekeeper { .manual { [hands] in hands.now } }
    /// Seconds since 1970, moving with the clock.
    package var wallClock: @Sendable () -> Double { { [hands] in 1_800_000_000 + hands.now / .seconds(1) } }

    // MARK: Keys

    /// Networks that run at the same time wait for each other's signatures unless each has a set of its own.
    @TaskLocal package static var keySet = 0
    private static let keySets = Mutex<[Int: [(own: PrivateKey, shown: PublicKey)]]>([:])

    /// Making one takes a tenth of a second; identities share six, which nothing here depends on.
    private static func keys(_ id: DeviceID) -> (own: PrivateKey, shown: PublicKey) {
        let set = keySets.withLock { sets in
            if let known = sets[keySet] { return known }
            let made = (0..<6).compactMap { _ in
                (try? PrivateKey.generate()).flatMap { key in (try? key.publicKey).map { (key, $0) } }
            }
            sets[keySet] = made
            return made
        }
        return set[Int(id.value % UInt64(set.count))]
    }

    package static func key(_ id: DeviceID) -> PrivateKey { keys(id).own }
    package static func publicKey(_ id: DeviceID) -> PublicKey { keys(id).shown }

    // MARK: Participants

    package final class Link: MessageLink {
        package let id: DeviceID
        private weak let network: TestNetwork?
        package let events = BrokerEvents()
        package var place: String { "memory" }
        package var isConnected: Bool { network?.isOnline(id) ?? false }

        package init(_ id: DeviceID, _ network: TestNetwork) {
            self.id = id
            self.network = network
        }

        package func publish(_ payload: [UInt8], to topic: String, id number: Int64) {
            network?.publish(payload, to: topic, from: id, number)
        }
        package func subscribe(_ filter: String) { network?.subscribe(id, filter) }
        package func unsubscribe(_ filter: String) { network?.unsubscribe(id, filter) }
        package func returnWithin(_ time: Duration) { network?.returnWithin(id, time) }
    }

    /// Within which time a participant would come back now, if its connection were lost.
    package func returnTime(of id: DeviceID) -> Duration { lock.withLock { returnTimes[id] ?? .zero } }
    func returnWithin(_ id: DeviceID, _ time: Duration) { lock.withLock { returnTimes[id] = time } }

    package func isOnline(_ id: DeviceID) -> Bool { lock.withLock { !offline.contains(id) } }
    package func subscribe(_ id: DeviceID, _ filter: String) {
        lock.withLock { _ = filters[id, default: []].insert(filter) }
    }
    package func unsubscribe(_ id: DeviceID, _ filter: String) { lock.withLock { _ = filters[id]?.remove(filter) } }

    package func isSubscribed(_ id: DeviceID, to filter: String) -> Bool {
        lock.withLock { filters[id]?.contains(filter) == true }
    }

    package func publish(_ payload: [UInt8], to topic: String, from sender: DeviceID, _ number: Int64 = 0) {
        lock.withLock {
            if let left = publishesLeft[sender] {
                guard left > 0 else { return }
                publishesLeft[sender] = left - 1
            }
            published.append((sender, topic, payload))
            if topic.hasPrefix("$CONTROL/") { control(payload, by: sender) }
            for (id, wanted) in filters where wanted.contains(where: { Self.matches($0, topic) }) {
                inboxes[id, default: []].append((topic, payload))
            }
            if number > 0 { confirmations[sender, default: []].append(number) }
        }
    }

    /// As the broker does: whoever is made known and dropped again is disconnected. It answers whoever has asked.
    private func control(_ payload: [UInt8], by sender: DeviceID) {
        guard obeysControl,
            let order = try? JSONDecoder().decode([String: [[String: String]]].self, from: Data(payload))
        else { return }
        let responses = (order["commands"] ?? []).map { command in
            if command["command"] == "deleteClient", let id = command["username"].flatMap({ DeviceID(hex: $0) }) {
                disconnected.append(id)
                offline.insert(id)
            }
            return ["command": command["command"] ?? "", "correlationData": command["correlationData"] ?? ""]
        }
        let answer = (try? JSONEncoder().encode(["responses": responses])) ?? Data()
        inboxes[sender, default: []].append(("$CONTROL/dynamic-security/v1/response", Array(answer)))
    }

    private static func matches(_ filter: String, _ topic: String) -> Bool {
        filter == topic || filter.hasSuffix("/#") && topic.hasPrefix(filter.dropLast(1))
    }

    package func participant(_ id: DeviceID, key: PrivateKey? = nil, name: String? = nil) throws -> Participant {
        Participant(
            id: id, key: key ?? Self.key(id), state: try ParticipantStore(path: "\(folder)/\(name ?? id.hex).db"),
            link: Link(id, self), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, wallClock: wallClock)
    }

    /// From now on `handle` gets what the broker has for `id`, and `tick` is called whenever the clock has moved.
    package func attach(
        _ id: DeviceID, _ filters: [String], handle: @escaping (BrokerEvent) async -> Void,
        tick: @escaping () async -> Void = {}
    ) {
        lock.withLock {
            self.filters[id, default: []].formUnion(filters)
            handlers[id] = handle
            tickers[id] = tick
        }
    }

    package func onClose(_ cleanUp: @escaping () -> Void) { lock.withLock { cleanUps.append(cleanUp) } }

    /// What is published to it waits, as for a persistent session.
    package func disconnect(_ id: DeviceID) { lock.withLock { _ = offline.insert(id) } }

    package func connect(_ id: DeviceID) async {
        let handler = lock.withLock { () -> ((BrokerEvent) async -> Void)? in
            offline.remove(id)
            return handlers[id]
        }
        await handler?(.connected)
    }

    // MARK: Faults

    /// After so many more messages nothing that `id` publishes arrives or is confirmed, as when it crashes between storing a
    /// message and sending it. `nil` ends that.
    package func cut(_ id: DeviceID, after messages: Int?) { lock.withLock { publishesLeft[id] = messages } }

    /// Those for whom there is a message.
    package var waiting: [DeviceID] { lock.withLock { inboxes.filter { !$0.value.isEmpty }.keys.sorted() } }

    /// A message arrives that its sender has not sent now.
    package func inject(_ payload: [UInt8], to topic: String) {
        lock.withLock {
            for (id, wanted) in filters where wanted.contains(where: { Self.matches($0, topic) }) {
                inboxes[id, default: []].append((topic, payload))
            }
        }
    }

    /// The next message for `id` never arrives.
    package func lose(_ id: DeviceID) {
        lock.withLock { if inboxes[id]?.isEmpty == false { inboxes[id]?.removeFirst() } }
    }

    /// The next message for `id` arrives twice.
    package func duplicate(_ id: DeviceID) {
        lock.withLock {
            guard let first = inboxes[id]?.first else { return }
            inboxes[id]?.insert(first, at: 0)
        }
    }

    /// The next message for `id` comes last.
    package func delay(_ id: DeviceID) {
        lock.withLock {
            guard inboxes[id]?.isEmpty == false, let first = inboxes[id]?.removeFirst() else { return }
            inboxes[id]?.append(first)
        }
    }

    /// What was published since the last call, oldest first; it is forgotten here.
    package func takePublished() -> [(sender: DeviceID, topic: String, payload: [UInt8])] {
        lock.withLock {
            defer { published.removeAll(keepingCapacity: true) }
            return published
        }
    }

    // MARK: Time

    /// Delivers one message to somebody for whom there is one; `false` when there is none.
    package func step() async -> Bool {
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
    package func settle() async {
        for _ in 0..<100_000 { guard await step() else { return } }
    }

    /// Moves the clock, in steps, with all deliveries and timeouts in between.
    ///
    /// - Parameter delivers: without it only the clock moves and what is due happens.
    package func advance(
        by duration: Duration, step size: Duration = .milliseconds(500), delivers: Bool = true
    ) async {
        let end = clock + duration
        while clock < end {
            hands.move(to: min(clock + size, end))
            for tick in lock.withLock({ tickers.sorted { $0.key < $1.key }.map(\.value) }) { await tick() }
            if delivers { await settle() }
        }
    }

    /// The statuses that `server` has answered `device` with, in order.
    package func answers(to device: DeviceID, from server: DeviceID) -> [Status] {
        lock.withLock { published }.compactMap { entry in
            guard entry.sender == server, entry.topic == "SRUP/\(device.hex)",
                let message = try? SignedMessage(parsing: entry.payload).message,
                case .response(let status) = message.body
            else { return nil }
            return status
        }
    }

    package func count(_ type: MessageType, to device: DeviceID) -> Int {
        lock.withLock { published }.count { entry in
            entry.topic == "SRUP/\(device.hex)"
                && (try? SignedMessage(parsing: entry.payload).message.body.type) == type
        }
    }
}
