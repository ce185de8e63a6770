import Participant
import SRUP
import TestNetwork
import Testing

/// Whom a member listens to, and what it does when it is told to.
@Suite struct ObeyingTests {
    // MARK: Strangers

    @Test func onlyItsServerIsListenedTo() async throws {
        let bench = try await Bench()
        let token = try await bench.join(.simple)
        _ = bench.events()
        let stranger = DeviceID(0x66)
        try await bench.forge(
            .response(.joinSuccess), token, sequence: 5000, sender: stranger, key: TestNetwork.key(stranger))
        try await bench.forge(.response(.joinSuccess), token, sequence: 5000, key: TestNetwork.key(DeviceID(0x5F)))
        #expect(bench.events().isEmpty && !bench.member.isJoined)
        #expect(bench.rejected == ["unknown-sender": 1, "bad-signature": 1])
        #expect(try bench.lastReceived == 0, "a forged number does not count")
    }

    @Test(arguments: [
        "SRUP/d2", "SRUP/servers/5e/d1", "SRUP", "", "SRUP/D1", "SRUP/d1/", "SRUP/d1\u{0}", "a/b/c",
    ])
    func onlyItsOwnTopicIsListenedTo(_ topic: String) async throws {
        let bench = try await Bench()
        let token = try await bench.join(.simple)
        try await bench.forge(.response(.joinSuccess), token, sequence: 5000, topic: topic)
        #expect(!bench.member.isJoined)
        #expect(bench.rejected == ["wrong-topic": 1])
    }

    @Test(
        arguments: [[], [5], [5, 1], Array(repeating: 0, count: 64), Array(repeating: 0xFF, count: 65_535)] as [[UInt8]]
    )
    func whatIsNoMessageIsCountedAndForgotten(_ payload: [UInt8]) async throws {
        let bench = try await Bench()
        _ = bench.events()
        await bench.member.handle(.message(topic: "SRUP/\(Bench.id.hex)", payload: payload))
        #expect(bench.events().isEmpty)
        #expect(bench.rejected.values.reduce(0, +) == 1)
        #expect(bench.rejected.keys.first?.hasPrefix("malformed-") == true)
    }

    @Test func itsOwnMessagesComeBackAndMeanNothing() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.say(.idRequest)
        let own = try #require(bench.network.published.last { $0.sender == Bench.id })
        await bench.member.handle(.message(topic: own.topic, payload: own.payload))
        #expect(bench.rejected.isEmpty)
    }

    @Test func aMessageCountsOnceAndOldOnesNever() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        let next = try bench.lastReceived + 1
        try await bench.forge(.action(1), sequence: next)
        try await bench.forge(.action(1), sequence: next)
        try await bench.forge(.action(2), sequence: next - 1)
        try await bench.forge(.action(3), sequence: 0)
        #expect(bench.events() == ["action 1"])
        #expect(bench.rejected == ["replayed": 3])
        try await bench.restart()
        _ = bench.events()
        try await bench.forge(.action(1), sequence: next)
        #expect(bench.events().isEmpty, "not after a restart either")
    }

    @Test func aNumberThatLeavesNoRoomToAnswerIsNotTaken() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        let highest = SequenceNumber.highestAccepted.value
        for number in [highest + 1, .max] { try await bench.forge(.action(1), sequence: number) }
        #expect(bench.events().isEmpty)
        #expect(bench.rejected == ["no-room-to-answer": 2])
        try await bench.forge(.action(2), sequence: highest)
        #expect(bench.events() == ["action 2"])
    }

    // MARK: Outside and inside

    @Test func whoDoesNotBelongObeysNothing() async throws {
        let bench = try await Bench(observations: 4)
        _ = bench.events()
        try await bench.say(.action(1))
        try await bench.say(.data(id: Array("x".utf8), value: [1]))
        try await bench.say(.idRequest)
        try await bench.say(.terminateCommand)
        try await bench.say(.observationRequest(device: Bench.device, try bench.envelope(7)))
        #expect(bench.events().isEmpty && bench.sent().isEmpty)
        #expect(bench.rejected == ["not-joined": 5])
    }

    @Test func aMemberHearsActionsAndData() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.say(.action(0))
        try await bench.say(.action(255))
        try await bench.say(.data(id: Array("x".utf8), value: []))
        try await bench.say(.data(id: Array("x".utf8), value: Array(repeating: 0, count: 4096)))
        #expect(bench.events() == ["action 0", "action 255", "data x 0", "data x 4096"])
    }

    @Test func itSaysWhoItIsWithItsSession() async throws {
        let bench = try await Bench(observations: 4)
        try await bench.letIn()
        func told() async throws -> Identification {
            try await bench.say(.idRequest)
            guard case .data(let id, let value)? = bench.sent().last?.body else {
                Issue.record("no answer")
                return Identification(program: "")
            }
            #expect(id == Array(DataName.identification.utf8))
            return Identification(String(decoding: value, as: UTF8.self))
        }
        let first = try await told()
        #expect(first.program == "test 1" && first.observations == 4 && first.session != nil)
        #expect(try await told() == first, "the same connection, the same session")
        await bench.network.connect(Bench.id)
        #expect(try await told().session != first.session)
    }

    @Test(arguments: [Body.terminateCommand, .deregisterCommand])
    func whoIsPutOutObeysNothingAnyMore(_ command: Body) async throws {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.say(command)
        #expect(bench.events().first == "left: \(command.type)")
        #expect(!bench.member.isJoined)
        try await bench.say(.action(1))
        #expect(bench.events().isEmpty && bench.rejected == ["not-joined": 1])
        #expect(try bench.participant.state.auditLog(last: 1).first?.event == "left")
        // And may come back.
        try await bench.letIn()
        #expect(bench.member.isJoined)
    }

    @Test func anUpdateIsRefusedWhereNoneIsTaken() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        _ = bench.sent()
        let token = Token.random()
        try await bench.say(.initiate(url: TerminatedText("https://x"), digest: TerminatedText("00")), token)
        try await bench.say(.activate, token)
        let sent = bench.sent()
        #expect(sent.map(\.body) == [.response(.updateFailFile), .response(.activateFail)])
        #expect(sent.allSatisfy { $0.token == token })
    }

    @Test(arguments: [
        Body.joinRequest, .humanJoinRequest, .resignRequest, .deregisterRequest,
        .joinCommand(device: DeviceID(1)), .observedJoinRequest(observer: DeviceID(1)),
    ])
    func whatIsNotForAMemberIsRejected(_ body: Body) async throws {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.say(body)
        #expect(bench.events().isEmpty && bench.rejected == ["unexpected-type": 1])
        #expect(bench.member.isJoined)
    }

    // MARK: Observations

    @Test func anObserverIsAnnouncedAndThenToldWhatToLookFor() async throws {
        let bench = try await Bench(observations: 4)
        try await bench.letIn()
        let token = Token.random()
        try await bench.say(.observationRequest(device: Bench.device, try bench.envelope(7)), token)
        #expect(bench.events() == ["announced", "look at d2 for 7"])
        let duties = try bench.participant.state.requests(.duty)
        #expect(duties == [.init(token: token, kind: .duty, peer: TestServer.id, subject: Bench.device)])
    }

    @Test func whatCannotBeOpenedIsAnsweredAtOnce() async throws {
        let bench = try await Bench(observations: 4)
        try await bench.letIn()
        let token = Token.random()
        _ = bench.sent()
        try await bench.say(.observationRequest(device: Bench.device, Envelope([1, 2, 3])), token)
        #expect(bench.events() == ["announced", "withdrawn"])
        #expect(bench.sent().map(\.body) == [.response(.observedJoinFail)])
        #expect(try bench.participant.state.requests(.duty).isEmpty)
        #expect(bench.rejected == ["cannot-open-envelope": 1])
    }

    @Test func whoIsNoObserverLooksAtNothing() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.say(.observationRequest(device: Bench.device, try bench.envelope(7)))
        #expect(bench.events().isEmpty && bench.rejected == ["unexpected-type": 1])
        #expect(try bench.participant.state.requests(.duty).isEmpty)
    }

    /// It may have waited at the broker for days.
    @Test func aRequestBeforeThisConnectionsAnswerIsTooOld() async throws {
        let bench = try await Bench(observations: 4)
        try await bench.letIn()
        await bench.network.connect(Bench.id)
        _ = bench.events()
        try await bench.say(.observationRequest(device: Bench.device, try bench.envelope(7)))
        #expect(bench.events().isEmpty && bench.rejected == ["too-old": 1])
        #expect(try bench.participant.state.requests(.duty).isEmpty)
        try await bench.letIn()
        try await bench.say(.observationRequest(device: Bench.device, try bench.envelope(8)))
        #expect(bench.events() == ["announced", "look at d2 for 8"])
    }

    @Test func aRequestThatIsSentAgainOpensNoEye() async throws {
        let bench = try await Bench(observations: 4)
        try await bench.letIn()
        let next = try bench.lastReceived + 1
        let body = Body.observationRequest(device: Bench.device, try bench.envelope(7))
        try await bench.forge(body, sequence: next)
        _ = bench.events()
        try await bench.forge(body, sequence: next)
        #expect(bench.events().isEmpty && bench.rejected == ["replayed": 1])
    }

    @Test func aForgedRequestOpensNoEye() async throws {
        let bench = try await Bench(observations: 4)
        try await bench.letIn()
        let body = Body.observationRequest(device: Bench.device, try bench.envelope(7))
        try await bench.forge(body, sequence: try bench.lastReceived + 1, key: TestNetwork.key(DeviceID(0x5F)))
        #expect(bench.events().isEmpty && bench.rejected == ["bad-signature": 1])
    }

    // MARK: The link

    @Test func aLostConnectionIsSaidOnce() async throws {
        let bench = try await Bench()
        _ = bench.events()
        for number in 0..<5 { await bench.member.handle(.disconnected("try \(number)")) }
        await bench.member.handle(.connected)
        await bench.member.handle(.disconnected("later"))
        #expect(bench.events() == ["disconnected: try 0", "connected", "disconnected: later"])
    }

    @Test func whatWasNotConfirmedIsSentAgainAfterARestart() async throws {
        let bench = try await Bench()
        bench.network.cut(Bench.id, after: 0)
        try await bench.member.join(.simple)
        await bench.network.settle()
        #expect(bench.sent().isEmpty)
        bench.network.cut(Bench.id, after: nil)
        try await bench.restart()
        #expect(bench.sent().map(\.body) == [.joinRequest])
        try await bench.restart()
        #expect(bench.sent().isEmpty, "the broker has it")
    }

    @Test func tooOldToMatterIsNotSentAgain() async throws {
        let bench = try await Bench()
        bench.network.cut(Bench.id, after: 0)
        try await bench.member.join(.simple)
        bench.network.cut(Bench.id, after: nil)
        await bench.network.advance(by: .seconds(3700), step: .seconds(100))
        try await bench.restart()
        #expect(bench.sent().isEmpty)
    }
}
