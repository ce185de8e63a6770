import Foundation
import JoiningDevice
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// Our devices at a server that is not ours.
@Suite struct BusyServerTests {
    /// A server as the reference implementation makes one, on a slow machine: it takes its time for each join, one after the
    /// other, remembers the last token of each device only, and after a restart knows nobody.
    final class SlowServer {
        let puppet: Participant
        private let network: TestNetwork
        private let perJoin: Duration
        private let version: ProtocolVersion
        private var waiting: [(device: DeviceID, token: Token)] = []
        private var busyUntil = Duration.zero
        private(set) var members: Set<DeviceID> = []
        /// What it answers, by default success.
        var answers: (DeviceID) -> [Status] = { _ in [.joinSuccess] }

        init(_ network: TestNetwork, perJoin: Duration, version: ProtocolVersion = .v5) throws {
            self.network = network
            self.perJoin = perJoin
            self.version = version
            puppet = try network.participant(TestServer.id, name: "slow")
            network.attach(TestServer.id, C2Server.subscriptions(TestServer.id)) { event in
                guard case .message(let topic, let payload) = event,
                    let (signed, _) = try? self.puppet.read(payload, topic: topic),
                    signed.message.version == self.version,
                    let message = try? self.puppet.admit(
                        signed, key: TestNetwork.key(signed.message.sender).publicKey)
                else { return }
                self.waiting.append((message.sender, message.token))
            } tick: {
                self.work()
            }
        }

        private func work() {
            while let next = waiting.first, network.clock >= max(busyUntil, .zero) {
                waiting.removeFirst()
                busyUntil = network.clock + perJoin
                for status in answers(next.device) {
                    if status == .joinSuccess { members.insert(next.device) }
                    try? puppet.send(
                        .response(status), to: next.device, on: .member(next.device), token: next.token)
                }
            }
        }

        /// Forgets everything.
        func restart() {
            waiting.removeAll()
            members.removeAll()
            busyUntil = network.clock + .seconds(10)
        }
    }

    private func device(_ id: UInt64, _ network: TestNetwork, once: Bool = false) async throws -> TestDevice {
        var behaviour = JoinDriver.Behaviour()
        behaviour.confirm = .seconds(120)
        return try await TestDevice(DeviceID(id), network, behaviour, once: once)
    }

    @Test func sixteenDevicesAllJoinASlowServerThatLosesItsState() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try SlowServer(network, perJoin: .seconds(2))
        var devices: [TestDevice] = []
        for number in 0..<16 as Range<UInt64> { devices.append(try await device(0x100 + number, network)) }
        await network.advance(by: .seconds(17), step: .seconds(1))
        #expect((4..<16).contains(server.members.count), "in the middle: \(server.members.count)")
        server.restart()
        await network.advance(by: .seconds(400), step: .seconds(1))
        #expect(server.members.count == 16)
        #expect(devices.allSatisfy { $0.member.isJoined })
    }

    @Test func anAnswerToAnEarlierRequestStillCounts() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        // Every answer comes after the device has asked again.
        let server = try SlowServer(network, perJoin: .seconds(30))
        let first = try await device(0x101, network)
        let second = try await device(0x102, network)
        await network.advance(by: .seconds(70), step: .seconds(1))
        #expect(server.members.count == 2)
        #expect(first.member.isJoined && second.member.isJoined)
    }

    @Test func theVersionThatTheServerUnderstandsIsFound() async throws {
        for version in ProtocolVersion.allCases {
            let network = try TestNetwork()
            defer { network.close() }
            let server = try SlowServer(network, perJoin: .zero, version: version)
            let device = try await self.device(0x101, network)
            await network.advance(by: .seconds(120), step: .seconds(1))
            #expect(server.members.count == 1, "version \(version)")
            #expect(device.member.isJoined)
        }
    }

    @Test func refusedAfterAnObservationMeansAskAgain() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try SlowServer(network, perJoin: .zero)
        let device = try await self.device(0x101, network, once: true)
        var refusals = 3
        server.answers = { _ in
            refusals -= 1
            return [refusals > 0 ? .joinRefused : .joinSuccess]
        }
        await network.settle()
        // The first is the answer to the simple join: nobody names an observer, so the device asks for one itself.
        try await device.member.join(.observed(by: DeviceID(0x0B)))
        await network.advance(by: .seconds(100), step: .seconds(1))
        #expect(device.member.isJoined)
        #expect(await device.outcome.result == .joined)
    }

    @Test func onceEndsWithoutAnyAnswer() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let device = try await self.device(0x101, network, once: true)
        await network.advance(by: .seconds(1000), step: .seconds(5))
        #expect(await device.outcome.result == .noAnswer)
    }

    @Test func aRemovalThatWaitedAtTheBrokerEndsNoJoinThatIsUnderWay() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try SlowServer(network, perJoin: .seconds(3))
        let device = try await self.device(0x101, network, once: true)
        try server.puppet.send(
            .terminateCommand, to: DeviceID(0x101), on: .member(DeviceID(0x101)), token: .random())
        await network.advance(by: .seconds(10), step: .seconds(1))
        #expect(await device.outcome.result == .joined)
        #expect(device.member.isJoined)
    }

    @Test func afterTerminateAMemberObeysNothingButJoins() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try SlowServer(network, perJoin: .zero)
        let device = try await self.device(0x101, network)
        await network.advance(by: .seconds(2), step: .seconds(1))
        #expect(device.member.isJoined)
        func say(_ body: Body) async throws {
            try server.puppet.send(body, to: DeviceID(0x101), on: .member(DeviceID(0x101)), token: .random())
            await network.settle()
        }
        func saidByDevice() -> Int { network.published.count { $0.sender == DeviceID(0x101) } }
        try await say(.idRequest)
        let before = saidByDevice()
        for end in [Body.terminateCommand, .deregisterCommand] {
            try await say(end)
            #expect(!device.member.isJoined)
            for command in [Body.idRequest, .action(7), .data(id: [1], value: [2])] { try await say(command) }
            #expect(saidByDevice() == before)
        }
        #expect(device.member.participant.rejections.counts["not-joined"] ?? 0 >= 6)
    }

    @Test func anObserverLooksAtNothingThatWaitedAtTheBroker() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try SlowServer(network, perJoin: .zero)
        let id = DeviceID(0x0B)
        let participant = try network.participant(id)
        nonisolated(unsafe) var looks = 0
        let member = Member(
            participant, server: TestServer.id, serverKey: try TestNetwork.key(TestServer.id).publicKey,
            behaviour: .init(rejoin: .seconds(600), identification: .init(program: "test", observations: 4)),
            time: network.time
        ) { event in if case .observationRequested = event { looks += 1 } }
        network.attach(id, ["SRUP/\(id.hex)"]) {
            await member.handle($0)
        } tick: {
            await member.tick()
        }
        try await member.begin()
        await network.connect(id)
        await network.advance(by: .seconds(2), step: .seconds(1))
        #expect(member.isJoined)
        func request() throws {
            let envelope = try Envelope.sealing(.random(), for: TestNetwork.key(id).publicKey)
            try server.puppet.send(
                .observationRequest(device: DeviceID(7), envelope), to: id, on: .member(id), token: .random())
        }
        try request()
        await network.settle()
        #expect(looks == 1)
        // Away; what comes meanwhile waits at the broker.
        network.disconnect(id)
        try request()
        await network.connect(id)
        await network.settle()
        #expect(looks == 1)
        await network.advance(by: .seconds(2), step: .seconds(1))
        try request()
        await network.settle()
        #expect(looks == 2)
    }
}
