import CLinux
import Foundation
import Linux
import Logging
import Participant
import SRUP
import ServiceLifecycle
import TestProcesses
import Storage
import Synchronization
import Testing

/// One stranger with ten identities does all at once, for as long as twenty honest devices come in one after the other.
@Suite(.serialized) struct HostileRunTests {
    /// A registered identity in the stranger's hands: its true key and certificate, and no manners.
    final class Hand: Sendable {
        let identity: Identity
        private let link: BrokerLink
        private let running: Task<Void, any Error>
        private let reading: Task<Void, Never>
        private let sequence = Mutex(UInt64(1))
        private let number = Mutex(Int64(0))

        init(_ folder: String) throws {
            identity = try Identity.load(from: folder).0
            let link = try BrokerLink(
                identity.broker, clientID: identity.clientID, subscriptions: ["SRUP/\(identity.id.hex)"],
                logger: Logger(label: "stranger") { _ in SwiftLogNoOpLogHandler() })
            self.link = link
            running = Task { try await link.run() }
            // Reads nothing out of it but keeps the connection going.
            reading = Task { for await _ in link.events {} }
        }

        func publish(_ bytes: [UInt8], _ topic: String) {
            // As much as the connection takes, and no more in memory here.
            guard link.isConnected else { return }
            link.publish(
                bytes, to: topic,
                id: number.withLock {
                    $0 += 1; return $0
                })
        }

        func say(_ body: Body, joins server: DeviceID? = nil, sequence wanted: UInt64? = nil) {
            let next =
                wanted
                ?? sequence.withLock {
                    $0 += 20; return $0
                }
            let message = Message(
                sequence: SequenceNumber(next), sender: identity.id, token: .random(), body: body)
            guard let signed = try? message.signed(with: identity.key) else { return }
            let topic = server.map { Topic.joins(server: $0, from: identity.id) } ?? .member(identity.id)
            publish(signed.bytes, topic.description)
        }

        func stop() async {
            running.cancel()
            _ = await running.result
            reading.cancel()
        }
    }

    /// Notes how long the machine stood still, so that its pauses are not taken for the network's.
    final class Standstills: Sendable {
        private let pauses = Mutex<[(end: Double, length: Double)]>([])
        private let isOver = Mutex(false)

        init() {
            DetachedThread.start(stack: 64) { [self] in
                var last = EventFollower.clock()
                while !isOver.withLock({ $0 }) {
                    usleep(10_000)
                    let now = EventFollower.clock()
                    if now - last > 0.1 { pauses.withLock { $0.append((now, now - last)) } }
                    last = now
                }
            }
        }

        func between(_ begin: Double, _ end: Double) -> Double {
            pauses.withLock { $0 }.filter { $0.end > begin && $0.end - $0.length < end }.map(\.length).reduce(0, +)
        }

        func stop() { isOver.withLock { $0 = true } }
    }

    private struct Network {
        let loopback: LoopbackNetwork
        let standstills: Standstills

        /// What happened in a join that took long.
        private func tell(_ name: String, since begin: Double) {
            let id = loopback.identities[name] ?? ""
            _ = loopback.events.news()
            for event in loopback.events.all
            where event.time >= begin && (event.who == name || event.details["device"] == id) {
                print(String(format: "%@ %+.3f s %@: %@", name, event.time - begin, event.who, event.name))
            }
        }

        /// Lets an honest device in; how long its join took, from its asking to its knowing.
        func honestJoin(_ name: String) throws -> Double {
            let begin = EventFollower.clock()
            try loopback.startDevice(name, present: "png:\(loopback.runner.path("display.png"))")
            let asked = try loopback.events.wait(for: name, ["asked"], since: begin, within: 60)
            let joined = try loopback.events.wait(for: name, ["joined", "not-let-in"], since: begin, within: 120)
            #expect(joined.name == "joined", "\(name)")
            loopback.runner.stop(name)
            if joined.time - asked.time > 1 { tell(name, since: begin) }
            return joined.time - asked.time - standstills.between(asked.time, joined.time)
        }
    }

    private func size(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }

    @Test func whileAStrangerDoesItsWorstTwentyHonestDevicesComeIn() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        let standstills = Standstills()
        defer { standstills.stop() }
        try loopback.startServer([
            "--policy", "sensor=observed", "--policy", "lamp=simple", "--tries", "3", "--observation-timeout", "30",
        ])
        let fifo = try loopback.makeCamera("camera")
        try loopback.startScene(on: fifo, picture: runner.path("display.png"))
        try loopback.bringObserver(
            camera: "fifo:\(fifo)",
            settings: LoopbackNetwork.quick.replacingOccurrences(of: "\"4 s\"", with: "\"20 s\""))
        let network = Network(loopback: loopback, standstills: standstills)
        let server = try #require(DeviceID(hex: try Identity.load(from: runner.path("observer")).0.server?.hex ?? ""))
        let observer = try #require(DeviceID(hex: loopback.identities["observer"] ?? ""))
        for number in 1...25 { try loopback.registerDevice("honest-\(number)", type: "sensor") }
        for number in 1...10 {
            try loopback.registerDevice("stranger-\(number)", type: number <= 5 ? "lamp" : "sensor")
        }
        let calm = try (21...25).map { try network.honestJoin("honest-\($0)") }.sorted()[2]

        // The stranger begins, and goes on for a minute at least.
        let hands = try (1...10).map { try Hand(runner.path("stranger-\($0)")) }
        let begin = EventFollower.clock()
        let isOver = Mutex(false)
        let attacks = Self.attacks(hands, server, observer, url: loopback.url, port: loopback.keyServicePort) {
            isOver.withLock { $0 } || EventFollower.clock() - begin > 300
        }
        try Self.startTakingTheServersName(loopback, runner)
        let logBefore = size(runner.path("log/c2.log"))
        let readBefore = Self.written(runner.processIdentifier("broker"))
        var times: [Double] = []
        for number in 1...20 {
            times.append(try network.honestJoin("honest-\(number)"))
            // Twenty joins in a minute.
            while EventFollower.clock() - begin < 3 * Double(number) { usleep(20_000) }
        }
        isOver.withLock { $0 = true }
        let c2Log = (try? String(contentsOfFile: runner.path("log/c2.log"), encoding: .utf8)) ?? ""
        for line in c2Log.split(separator: "\n") where line.contains("could not be asked") || line.contains("too many")
        {
            print("c2: \(line)")
        }
        for attack in attacks { await attack.value }
        for hand in hands { await hand.stop() }
        runner.stop("name-taker")

        let seconds = EventFollower.clock() - begin
        let log = Double(size(runner.path("log/c2.log")) - logBefore) / seconds * 60
        let store = Double(Self.written(runner.processIdentifier("broker")) - readBefore) / seconds
        let sorted = times.sorted()
        print(
            String(
                format: "hostile run: %.0f s, 20 of 20 honest joins; median %.2f s, longest %.2f s (calm: %.2f s); "
                    + "c2 log %.0f KB a minute; broker wrote %.0f KB a second",
                seconds, sorted[10], sorted[19], calm, log / 1000, store / 1000))
        // On a machine where a calm join takes long, longer.
        #expect(sorted[19] < max(2, 4 * calm))
        // The log has a bounded number of lines for each of them, and the broker's store does not grow with the flood.
        #expect(log < 100_000)
        #expect(store < 5_000_000)

        // Nothing of it stops a restart, and nobody of them got in unseen.
        runner.kill9("c2")
        try loopback.startC2([
            "--policy", "sensor=observed", "--policy", "lamp=simple", "--tries", "3", "--observation-timeout", "30",
        ])
        _ = loopback.events.news()
        let strangers = Set((6...10).compactMap { loopback.identities["stranger-\($0)"] })
        #expect(
            !loopback.events.all.contains {
                strangers.contains($0.details["device"] ?? "") && $0.details["status"] == "JOIN_SUCCESS"
            })
        #expect(loopback.events.all.filter { $0.who == "c2" && $0.name == "connected" }.count == 2)
    }

    /// Bytes that a process has had written to disk.
    private static func written(_ process: Int32?) -> Int {
        guard let process, let text = try? String(contentsOfFile: "/proc/\(process)/io", encoding: .utf8) else {
            return 0
        }
        return text.split(separator: "\n").first { $0.hasPrefix("write_bytes:") }.flatMap {
            Int($0.dropFirst("write_bytes:".count).trimmingCharacters(in: .whitespaces))
        } ?? 0
    }

    /// With a stranger's certificate, under the name of the server's session.
    private static func startTakingTheServersName(_ loopback: LoopbackNetwork, _ runner: ProgramRunner) throws {
        let home = runner.path("stranger-10")
        let name = try Identity.load(from: runner.path("c2/server")).0.clientID
        let loop = """
            while :; do
                timeout 5 mosquitto_pub -h localhost -p \(loopback.brokerPort) --cafile \(home)/ca.pem --cert \
            \(home)/certificate.pem --key \(home)/access.pem -i '\(name)' -t SRUP/x -m x
                sleep 0.5
            done
            """
        try runner.start("bash", ["-c", loop], as: "name-taker")
    }

    /// All at once, each in a task of its own.
    private static func attacks(
        _ hands: [Hand], _ server: DeviceID, _ observer: DeviceID, url: String, port: Int,
        until isOver: @escaping @Sendable () -> Bool
    ) -> [Task<Void, Never>] {
        func every(_ pause: Duration, _ body: @escaping @Sendable (Int) -> Void) -> Task<Void, Never> {
            Task.detached {
                var round = 0
                while !isOver() {
                    body(round)
                    round += 1
                    try? await Task.sleep(for: pause)
                }
            }
        }
        var tasks: [Task<Void, Never>] = []
        for hand in hands {
            // Signed beforehand: this machine's processors are the others', too.
            let notes = (0..<50).compactMap { number in
                try? Message(
                    sequence: SequenceNumber(UInt64(1_000_000 + number)), sender: hand.identity.id, token: .random(),
                    body: .data(id: Array("NOTE".utf8), value: Array("\u{202E}flood".utf8))
                ).signed(with: hand.identity.key).bytes
            }
            // Numbers that leave no room for an answer; joins that never end, asked for again and again.
            tasks.append(
                every(.seconds(1)) { round in
                    if round % 5 == 0 {
                        hand.say(.observedJoinRequest(observer: observer), joins: server, sequence: .max)
                    }
                    hand.say(.observedJoinRequest(observer: observer), joins: server)
                })
            // Signed messages and garbage, a hundred a second from each of the ten, and some that are as large as may be.
            let topic = "SRUP/\(hand.identity.id.hex)"
            tasks.append(
                every(.milliseconds(100)) { round in
                    for number in 0..<5 where !notes.isEmpty {
                        hand.publish(notes[(5 * round + number) % notes.count], topic)
                    }
                    for _ in 0..<5 { hand.publish([UInt8](repeating: UInt8.random(in: 0...255), count: 300), topic) }
                    if round % 10 == 0 { hand.publish([UInt8](repeating: 7, count: 60_000), topic) }
                })
        }
        // Five are let in as lamps, and leave, and come.
        for hand in hands.prefix(5) {
            tasks.append(
                every(.seconds(2)) { round in
                    round % 3 == 2 ? hand.say(.resignRequest) : hand.say(.joinRequest, joins: server)
                })
        }
        tasks.append(
            Task.detached {
                let slow = SlowBodies(port: port)
                while !isOver() {
                    slow.drip()
                    try? await Task.sleep(for: .milliseconds(500))
                }
                slow.close()
            })
        return tasks
    }

    /// Connections to the key service that say as little as keeps them open.
    private final class SlowBodies {
        private var sockets: [Int32] = []
        private let port: Int

        init(port: Int) {
            self.port = port
        }

        func drip() {
            for socket in sockets where send(socket, "x", 1, SocketFlags.noSignal) < 0 && errno != EAGAIN {
                Glibc.close(socket)
                sockets.removeAll { $0 == socket }
            }
            while sockets.count < 300, let socket = connected() { sockets.append(socket) }
        }

        func close() {
            for socket in sockets { Glibc.close(socket) }
        }

        private func connected() -> Int32? {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            // From an address of its own, as strangers have.
            _ = Self.with(0x7F00_0002, port: 0) { bind(descriptor, $0, $1) }
            let code = Self.with(0x7F00_0001, port: port) { connect(descriptor, $0, $1) }
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            guard code == 0 else {
                Glibc.close(descriptor)
                return nil
            }
            return descriptor
        }

        private static func with(
            _ host: in_addr_t, port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
        ) -> Int32 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = host.bigEndian
            address.sin_port = in_port_t(UInt16(port)).bigEndian
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
    }
}
