import Participant
import SRUP
import TestNetwork
import Testing

/// Joins: what is asked, which answers count, what becomes of those that do not come.
@Suite struct JoiningTests {
    static let observer = DeviceID(0xB1)

    // MARK: Asking

    @Test(arguments: [
        (JoinKind.simple, Body.joinRequest), (.humanModerated, .humanJoinRequest),
        (.observed(by: observer), .observedJoinRequest(observer: observer)),
    ])
    func eachKindHasItsRequest(_ kind: JoinKind, _ body: Body) async throws {
        let bench = try await Bench()
        try await bench.member.join(kind)
        await bench.network.settle()
        #expect(bench.sent().map(\.body) == [body])
        #expect(
            bench.network.published.last { $0.sender == Bench.id }?.topic
                == "SRUP/servers/\(TestServer.id.hex)/\(Bench.id.hex)")
    }

    @Test func withoutRejoinItAsksForNothingByItself() async throws {
        let bench = try await Bench()
        await bench.network.advance(by: .seconds(3600))
        #expect(bench.sent().isEmpty)
        #expect(bench.events() == ["connected"])
    }

    // MARK: Answers

    @Test func theFirstSuccessLetsInAndFurtherOnesConfirm() async throws {
        let bench = try await Bench()
        _ = bench.events()
        try await bench.say(.response(.joinSuccess), try await bench.join(.simple))
        #expect(bench.events() == ["joined"])
        #expect(bench.member.isJoined)
        try await bench.say(.response(.joinSuccess), try await bench.join(.simple))
        #expect(bench.events() == ["joined again"])
    }

    @Test func membershipSurvivesARestart() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        try await bench.restart()
        #expect(bench.member.isJoined)
        _ = bench.events()
        try await bench.say(.response(.joinSuccess), try await bench.join(.simple))
        #expect(bench.events() == ["joined again"])
    }

    @Test(arguments: [(Status.joinRefused, "refused"), (.joinFail, "failed")])
    func aNoPutsOutAMemberToo(_ status: Status, _ word: String) async throws {
        for kind in [JoinKind.simple, .humanModerated, .observed(by: Self.observer)] {
            let bench = try await Bench()
            try await bench.letIn()
            try await bench.say(.response(status), try await bench.join(kind))
            #expect(!bench.member.isJoined)
            #expect(bench.events().count == 1)
            #expect(await bench.member.wasRefused)
        }
    }

    @Test func anAnswerCountsOnce() async throws {
        let bench = try await Bench()
        let token = try await bench.join(.simple)
        try await bench.say(.response(.joinRefused), token)
        _ = bench.events()
        try await bench.say(.response(.joinSuccess), token)
        #expect(bench.events().isEmpty && !bench.member.isJoined)
        #expect(bench.rejected["unknown-token"] == 1)
    }

    @Test func aTokenThatWasNeverSentIsNobodys() async throws {
        let bench = try await Bench()
        _ = try await bench.join(.simple)
        _ = bench.events()
        try await bench.say(.response(.joinSuccess))
        #expect(bench.events().isEmpty && !bench.member.isJoined)
        #expect(bench.rejected == ["unknown-token": 1])
    }

    @Test(arguments: [
        Status.updateSuccess, .actionSuccess, .observedJoinValid, .observedJoinInvalid, .observedJoinFail,
        .resignSuccess,
        .deregisterSuccess, .activateFail,
    ])
    func onlyAJoinsStatusAnswersAJoin(_ status: Status) async throws {
        let bench = try await Bench()
        let token = try await bench.join(.simple)
        try await bench.say(.response(status), token)
        #expect(bench.rejected == ["unfitting-status": 1])
        // And the join is still open.
        try await bench.say(.response(.joinSuccess), token)
        #expect(bench.member.isJoined)
    }

    // MARK: Several requests

    @Test func aSuccessForAnEarlierRequestCounts() async throws {
        let bench = try await Bench()
        let first = try await bench.join(.simple)
        let second = try await bench.join(.simple)
        try await bench.say(.response(.joinSuccess), first)
        #expect(bench.member.isJoined)
        try await bench.say(.response(.joinSuccess), second)
        #expect(bench.events().filter { $0.hasPrefix("joined") } == ["joined", "joined again"])
    }

    @Test func aNoToAnEarlierRequestWaitsForTheLaterOnesAnswer() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        let first = try await bench.join(.simple)
        let second = try await bench.join(.simple)
        try await bench.say(.response(.joinRefused), first)
        #expect(bench.member.isJoined && bench.events().isEmpty)
        try await bench.say(.response(.joinRefused), second)
        #expect(!bench.member.isJoined && bench.events() == ["refused simple"])
    }

    @Test func anEarlierRequestCountsForItsTimeOnly() async throws {
        let bench = try await Bench { $0.earlierTokens = .seconds(100) }
        let first = try await bench.join(.simple)
        let second = try await bench.join(.simple)
        await bench.network.advance(by: .seconds(99))
        _ = bench.events()
        try await bench.say(.response(.joinRefused), first)
        #expect(bench.events() == ["refused simple"], "nothing is open: it decides")
        await bench.network.advance(by: .seconds(60))
        try await bench.say(.response(.joinSuccess), second)
        #expect(!bench.member.isJoined)
        #expect(bench.rejected == ["unknown-token": 1])
    }

    @Test func earlierTokensAreBounded() async throws {
        let bench = try await Bench()
        let first = try await bench.join(.simple)
        var last = first
        for _ in 0..<65 { last = try await bench.join(.simple) }
        try await bench.say(.response(.joinSuccess), first)
        #expect(!bench.member.isJoined && bench.rejected == ["unknown-token": 1])
        try await bench.say(.response(.joinSuccess), last)
        #expect(bench.member.isJoined)
    }

    // MARK: Nonces

    @Test func aNonceIsHandedOnAndItsTokenCountsToo() async throws {
        let bench = try await Bench()
        _ = try await bench.join(.observed(by: Self.observer))
        _ = bench.events()
        let token = Token.random()
        try await bench.say(.observedJoinResponse(try bench.envelope(7)), token)
        #expect(bench.events() == ["nonce 7 observed by b1"])
        try await bench.say(.response(.joinSuccess), token)
        #expect(bench.events() == ["joined"])
    }

    @Test func theRequestsOwnTokenEndsItAfterManyTriesToo() async throws {
        let bench = try await Bench()
        let own = try await bench.join(.humanModerated)
        for byte in 0..<100 as Range<UInt8> {
            try await bench.say(.humanJoinResponse(try bench.envelope(byte)))
        }
        _ = bench.events()
        try await bench.say(.response(.joinFail), own)
        #expect(bench.events() == ["failed human"])
    }

    @Test func aNonceThatNobodyAskedForIsNotShown() async throws {
        let bench = try await Bench()
        _ = bench.events()
        try await bench.say(.observedJoinResponse(try bench.envelope(7)))
        _ = try await bench.join(.simple)
        try await bench.say(.observedJoinResponse(try bench.envelope(7)))
        try await bench.say(.humanJoinResponse(try bench.envelope(7)))
        _ = try await bench.join(.humanModerated)
        try await bench.say(.observedJoinResponse(try bench.envelope(7)))
        _ = try await bench.join(.observed(by: Self.observer))
        try await bench.say(.humanJoinResponse(try bench.envelope(7)))
        #expect(bench.events().isEmpty)
        #expect(bench.rejected == ["unknown-token": 5])
    }

    @Test func anEnvelopeForSomebodyElseIsNotOpened() async throws {
        let bench = try await Bench()
        _ = try await bench.join(.observed(by: Self.observer))
        _ = bench.events()
        try await bench.say(.observedJoinResponse(try bench.envelope(7, for: DeviceID(0xD4))))
        try await bench.say(.observedJoinResponse(Envelope([])))
        try await bench.say(.observedJoinResponse(Envelope(Array(repeating: 0xFF, count: 60_000))))
        #expect(bench.events().isEmpty)
        #expect(bench.rejected == ["cannot-open-envelope": 3])
        // The next one is.
        try await bench.say(.observedJoinResponse(try bench.envelope(8)))
        #expect(bench.events() == ["nonce 8 observed by b1"])
    }

    // MARK: Whom to ask

    @Test func adviceBelongsToTheNextRefusal() async throws {
        let bench = try await Bench()
        let token = try await bench.join(.simple)
        _ = bench.events()
        try await bench.say(.data(id: Array(DataName.observer.utf8), value: Array("b7".utf8)))
        try await bench.say(.response(.joinRefused), token)
        #expect(bench.events() == ["data OBSERVER_ID 2", "refused simple, ask b7"])
        // A new simple join begins without.
        try await bench.say(.response(.joinRefused), try await bench.join(.simple))
        #expect(bench.events() == ["refused simple"])
    }

    @Test(arguments: ["", "0", "B7", "no identity", "b7\u{1B}"])
    func adviceThatIsNoIdentityIsNone(_ text: String) async throws {
        let bench = try await Bench()
        let token = try await bench.join(.simple)
        try await bench.say(.data(id: Array(DataName.observer.utf8), value: Array(text.utf8)))
        _ = bench.events()
        try await bench.say(.response(.joinRefused), token)
        #expect(bench.events() == ["refused simple"])
    }

    // MARK: No answer

    @Test func aSimpleJoinTimesOutAndTheOtherVersionIsTried() async throws {
        let bench = try await Bench { $0.joinTimeout = .seconds(20) }
        try await bench.member.join(.simple)
        await bench.network.settle()
        #expect(bench.sent().map(\.version) == [.preferred])
        _ = bench.events()
        await bench.network.advance(by: .milliseconds(19_500))
        #expect(bench.events().isEmpty)
        await bench.network.advance(by: .milliseconds(500))
        #expect(bench.events() == ["timed out simple"])
        var versions: [ProtocolVersion] = []
        for _ in 0..<3 {
            try await bench.member.join(.simple)
            await bench.network.settle()
            versions += bench.sent().map(\.version)
            await bench.network.advance(by: .seconds(20))
        }
        #expect(versions.count == 3 && versions[0] != versions[1] && versions[0] == versions[2])
        #expect(versions[0] != .preferred)
    }

    @Test func aModeratedJoinIsGivenLonger() async throws {
        let bench = try await Bench {
            $0.joinTimeout = .seconds(20)
            $0.moderatedTimeout = .seconds(200)
        }
        _ = try await bench.join(.observed(by: Self.observer))
        _ = bench.events()
        await bench.network.advance(by: .milliseconds(199_500))
        #expect(bench.events().isEmpty)
        await bench.network.advance(by: .milliseconds(500))
        #expect(bench.events() == ["timed out observed by b1"])
    }

    @Test func aServerThatHasSpokenKeepsItsVersion() async throws {
        let bench = try await Bench()
        _ = try await bench.join(.observed(by: Self.observer))
        try await bench.say(.observedJoinResponse(try bench.envelope(7)))
        let version = try #require(try bench.participant.state.peer(TestServer.id)).version
        await bench.network.advance(by: .seconds(900))
        #expect(bench.events().last == "timed out observed by b1")
        #expect(try bench.participant.state.peer(TestServer.id)?.version == version)
    }

    @Test func anAnswerAfterTheTimeoutStillLetsIn() async throws {
        let bench = try await Bench()
        let token = try await bench.join(.simple)
        await bench.network.advance(by: .seconds(21))
        #expect(bench.events().last == "timed out simple")
        try await bench.say(.response(.joinSuccess), token)
        #expect(bench.events() == ["joined"])
    }

    // MARK: By itself

    @Test func withRejoinItAsksAtEachConnectionAndThenNowAndThen() async throws {
        let bench = try await Bench(rejoin: .seconds(100))
        try await bench.say(.response(.joinSuccess), try bench.lastToken())
        await bench.network.advance(by: .milliseconds(99_500))
        #expect(bench.sent().isEmpty)
        await bench.network.advance(by: .milliseconds(500))
        #expect(bench.sent().map(\.body) == [.joinRequest])
        await bench.network.connect(Bench.id)
        await bench.network.settle()
        #expect(bench.sent().map(\.body) == [.joinRequest])
    }

    @Test func withoutAnAnswerItAsksSoonerThanThat() async throws {
        let bench = try await Bench(rejoin: .seconds(3600)) { $0.joinTimeout = .seconds(20) }
        _ = bench.sent()
        await bench.network.advance(by: .seconds(26))
        #expect(bench.sent().map(\.body) == [.joinRequest])
    }

    @Test func whoIsRefusedAsksAgainSoonAtFirst() async throws {
        let bench = try await Bench(rejoin: .seconds(600)) { $0.refusedPause = .seconds(10) }
        try await bench.say(.response(.joinRefused), try bench.lastToken())
        await bench.network.advance(by: .milliseconds(4500))
        #expect(bench.sent().isEmpty)
        await bench.network.advance(by: .milliseconds(6000))
        #expect(bench.sent().map(\.body) == [.joinRequest])
    }

    @Test func refusalsAreFurtherApartWithTime() async throws {
        let bench = try await Bench(rejoin: .seconds(600)) {
            $0.refusedPause = .seconds(10)
            // What is not answered is not asked again meanwhile.
            $0.joinTimeout = .seconds(300)
        }
        for _ in 0..<5 {
            try await bench.say(.response(.joinRefused), try bench.lastToken())
            await bench.network.advance(by: .milliseconds(60_500))
        }
        try await bench.say(.response(.joinRefused), try bench.lastToken())
        await bench.network.advance(by: .milliseconds(29_500))
        #expect(bench.sent().isEmpty)
        await bench.network.advance(by: .milliseconds(31_000))
        #expect(bench.sent().count == 1)
    }

    @Test func aModeratedJoinUnderWayIsNotDisturbed() async throws {
        let bench = try await Bench(rejoin: .seconds(100)) { $0.moderatedTimeout = .seconds(500) }
        try await bench.say(.response(.joinSuccess), try bench.lastToken())
        _ = try await bench.join(.humanModerated)
        await bench.network.advance(by: .seconds(400))
        #expect(bench.sent().isEmpty)
    }

    @Test func withoutAConnectionNothingIsAsked() async throws {
        let bench = try await Bench(rejoin: .seconds(100))
        try await bench.say(.response(.joinSuccess), try bench.lastToken())
        bench.network.disconnect(Bench.id)
        let before = bench.network.published.count
        await bench.network.advance(by: .seconds(1000))
        #expect(bench.network.published.count == before)
        await bench.network.connect(Bench.id)
        await bench.network.settle()
        #expect(bench.sent().map(\.body) == [.joinRequest])
    }
}
