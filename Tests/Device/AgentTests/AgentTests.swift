import Foundation
import Logging
import ServiceLifecycle
import Participant
import Program
import SRUP
import Settings
import Storage
import Synchronization
import TestNetwork
import Testing

@testable import Agent

/// A device with an agent on a network in memory, whose commands really run, and a server that says what the test wants.
final class AgentBench {
    static let id = DeviceID(0xA9)
    let network: TestNetwork
    let agent: Agent
    let member: Member
    let folder: String
    private let server: Participant
    private let heard = Mutex<[(body: Body, token: Token)]>([])
    private var socketTask: Task<Void, any Error>?

    init(_ text: String) async throws {
        network = try TestNetwork()
        folder = network.folder
        let settings = try AgentSettings.read(
            try SettingsFile(text: text.replacingOccurrences(of: "FOLDER", with: folder), name: "device.toml"),
            isRoot: false)
        let participant = try network.participant(Self.id)
        server = try network.participant(TestServer.id, name: "server")
        let agent = Agent(
            settings, events: try EventLog(path: nil), logger: participant.logger, time: network.time)
        self.agent = agent
        var identification = Identification(program: "test")
        settings.describe(in: &identification)
        let member = Member(
            participant, server: TestServer.id, serverKey: TestNetwork.publicKey(TestServer.id),
            behaviour: Member.Behaviour(rejoin: .seconds(600), identification: identification), time: network.time
        ) { await agent.handle($0) }
        self.member = member
        await agent.use(member)
        network.attach(Self.id, ["SRUP/\(Self.id.hex)"]) {
            await member.handle($0)
        } tick: {
            await member.tick()
            await agent.tick()
        }
        listen()
        if let socket = try await agent.makeSocket() { socketTask = Task { try await socket.run() } }
        try await member.begin()
        await network.connect(Self.id)
        await network.settle()
        #expect(member.isJoined)
    }

    deinit {
        socketTask?.cancel()
        network.close()
    }

    /// A server that lets everybody in.
    private func listen() {
        network.attach(TestServer.id, ["SRUP/servers/\(TestServer.id.hex)/#", "SRUP/\(Self.id.hex)"]) {
            [weak self] event in
            guard let self, case .message(let topic, let payload) = event,
                let (signed, place) = try? server.read(payload, topic: topic), signed.message.sender == Self.id,
                let message = try? server.admit(signed, key: TestNetwork.publicKey(Self.id))
            else { return }
            if case .joins = place {
                try? server.send(.response(.joinSuccess), to: Self.id, on: .member(Self.id), token: message.token)
            } else {
                heard.withLock { $0.append((message.body, message.token)) }
            }
        }
    }

    func say(_ body: Body, _ token: Token = .random()) async throws {
        try server.send(body, to: Self.id, on: .member(Self.id), token: token)
        await network.settle()
    }

    /// What the server has heard so far, joins left out.
    var said: [(body: Body, token: Token)] { heard.withLock { $0 } }

    func statuses(_ token: Token) -> [Status] {
        said.compactMap { entry in
            if case .response(let status) = entry.body, entry.token == token { status } else { nil }
        }
    }

    func values(_ name: String) -> [[UInt8]] {
        said.compactMap { entry in
            if case .data(let id, let value) = entry.body, id == Array(name.utf8) { value } else { nil }
        }
    }

    /// Waits until commands, which take real time, have led to something.
    func wait(_ what: String = "it", _ condition: (AgentBench) async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            await network.settle()
            if try await condition(self) { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("\(what) has not happened")
    }

    var socket: String { folder + "/agent.sock" }
}

@Suite struct AgentTests {
    @Test func anActionRunsItsCommandAndItsEndIsTheAnswer() async throws {
        let bench = try await AgentBench(
            """
            [action.1]
            name = "on"
            command = ["/bin/sh", "-c", "echo $SRUP_ACTION $SRUP_ACTION_NAME > FOLDER/lamp"]
            [action.2]
            name = "off"
            command = ["/bin/false"]
            """)
        let (on, off, other) = (Token.random(), Token.random(), Token.random())
        try await bench.say(.action(1), on)
        try await bench.say(.action(2), off)
        try await bench.say(.action(3), other)
        try await bench.wait("three answers") { $0.said.count == 3 }
        #expect(bench.statuses(on) == [.actionSuccess])
        #expect(bench.statuses(off) == [.actionFail])
        #expect(bench.statuses(other) == [.actionUnknown])
        #expect(try String(contentsOfFile: bench.folder + "/lamp", encoding: .utf8) == "1 on\n")
    }

    @Test func oneThatHangsHoldsUpOnlyItself() async throws {
        let bench = try await AgentBench(
            """
            [action.1]
            name = "hang"
            command = ["/bin/sleep", "1000"]
            timeout = "2 s"
            [action.2]
            name = "quick"
            command = ["/bin/true"]
            """)
        let (hang, quick) = (Token.random(), Token.random())
        try await bench.say(.action(1), hang)
        try await bench.say(.action(2), quick)
        try await bench.wait("the quick one's answer") { $0.statuses(quick) == [.actionSuccess] }
        #expect(bench.statuses(hang).isEmpty)
        try await bench.wait("the other's") { $0.statuses(hang) == [.actionFail] }
    }

    @Test func aFloodOfActionsIsAnsweredAndBounded() async throws {
        let bench = try await AgentBench(
            """
            [action.1]
            name = "slow"
            command = ["/bin/sleep", "0.2"]
            """)
        let tokens = (0..<30).map { _ in Token.random() }
        for token in tokens { try await bench.say(.action(1), token) }
        try await bench.wait("every answer") { bench in tokens.allSatisfy { bench.statuses($0).count == 1 } }
        let done = tokens.count { bench.statuses($0) == [.actionSuccess] }
        // One runs and eight wait; more only when some have ended meanwhile.
        #expect((9..<30).contains(done), "\(done) were done")
    }

    @Test func whatWritesTooMuchHasFailed() async throws {
        let bench = try await AgentBench(
            """
            [action.1]
            name = "flood"
            command = ["/bin/cat", "/dev/zero"]
            """)
        let token = Token.random()
        try await bench.say(.action(1), token)
        try await bench.wait("the answer") { $0.statuses(token) == [.actionFail] }
    }

    @Test func anActionsOutputIsSentAsAValueBeforeTheAnswer() async throws {
        let bench = try await AgentBench(
            """
            [action.1]
            name = "measure"
            command = ["/bin/echo", " 21.5 "]
            sends = "temperature"
            [action.2]
            name = "nonsense"
            command = ["/bin/echo", "warm"]
            sends = "temperature"
            [sends.temperature]
            type = "float64"
            """)
        let (good, bad) = (Token.random(), Token.random())
        try await bench.say(.action(1), good)
        try await bench.wait("the answer") { $0.statuses(good) == [.actionSuccess] }
        #expect(
            bench.said.map(\.body).first == .data(id: Array("temperature".utf8), value: DataValue.double(21.5).wire))
        try await bench.say(.action(2), bad)
        try await bench.wait("the answer") { $0.statuses(bad) == [.actionFail] }
        #expect(bench.values("temperature").count == 1)
    }

    @Test func aValueIsMeasuredAgainAndAgain() async throws {
        let bench = try await AgentBench(
            """
            [sends.temperature]
            type = "float32"
            command = ["/bin/sh", "-c", "n=$(cat FOLDER/n 2>/dev/null || echo 0); echo $((n+1)) > FOLDER/n; echo $n.5"]
            every = "10 s"
            """)
        await bench.network.advance(by: .seconds(1))
        for count in 1...3 {
            try await bench.wait("value \(count)") { $0.values("temperature").count == count }
            await bench.network.advance(by: .seconds(10), step: .seconds(5))
        }
        #expect(bench.values("temperature").prefix(3) == [0.5, 1.5, 2.5].map { DataValue.float($0).wire }[...])
    }

    @Test func aMeasurementThatHangsIsNotStartedTwice() async throws {
        let bench = try await AgentBench(
            """
            [sends.temperature]
            type = "int"
            command = ["/bin/sh", "-c", "echo x >> FOLDER/runs; sleep 3; echo 1"]
            timeout = "20 s"
            every = "1 s"
            """)
        await bench.network.advance(by: .seconds(30), step: .milliseconds(500))
        try await bench.wait("a value") { !$0.values("temperature").isEmpty }
        let runs = try String(contentsOfFile: bench.folder + "/runs", encoding: .utf8)
        #expect(runs.split(separator: "\n").count == 1)
    }

    @Test func aValueFromTheServerIsHandedToItsCommand() async throws {
        let bench = try await AgentBench(
            """
            [takes.setpoint]
            type = "int16"
            command = ["/bin/sh", "-c", "cat > FOLDER/setpoint.new; mv FOLDER/setpoint.new FOLDER/setpoint"]
            """)
        let wrong = Token.random()
        try await bench.say(.data(id: Array("setpoint".utf8), value: [1, 2, 3]), wrong)
        #expect(bench.statuses(wrong) == [.dataTypeUnknown])
        try await bench.say(.data(id: Array("setpoint".utf8), value: [0xFE, 0xFF]))
        try await bench.wait("the file") { FileManager.default.fileExists(atPath: $0.folder + "/setpoint") }
        #expect(try String(contentsOfFile: bench.folder + "/setpoint", encoding: .utf8) == "-2\n")
    }
}
