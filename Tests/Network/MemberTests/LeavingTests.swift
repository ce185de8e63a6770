import SRUP
import TestNetwork
import Testing

@testable import Participant

/// Both ways out, on the member's side.
@Suite struct LeavingTests {
    // MARK: By its own wish

    @Test(arguments: [Member.Leaving.resign, .deregister])
    func whoLeavesAsksOnceAndObeysNothingFromThenOn(_ how: Member.Leaving) async throws {
        let bench = try await Bench()
        try await bench.letIn()
        _ = bench.sent()
        try await bench.member.leave(how)
        await bench.network.settle()
        let request = try #require(bench.sent().last)
        #expect(request.body == how.request)
        #expect(!bench.member.isJoined)
        try await bench.say(.action(1))
        #expect(bench.events().isEmpty && bench.rejected == ["not-joined": 1])
        try await bench.say(.response(how.success), request.token)
        #expect(bench.events() == ["\(how) done"])
        // Its answer counts once.
        try await bench.say(.response(how.success), request.token)
        #expect(bench.events().isEmpty && bench.rejected["unfitting-status"] == 1)
        #expect(try bench.participant.state.auditLog(last: 1).first?.event == "left")
    }

    @Test func aServerThatCouldNotTakeNoteSaysSo() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        _ = bench.sent()
        try await bench.member.leave(.deregister)
        await bench.network.settle()
        let token = try bench.lastToken()
        // An answer to something else first.
        try await bench.say(.response(.resignSuccess), token)
        #expect(bench.events().isEmpty && bench.rejected == ["unfitting-status": 1])
        try await bench.say(.response(.deregisterFail), token)
        #expect(bench.events() == ["deregister not done"])
        #expect(!bench.member.isJoined, "who wants to be out is out")
    }

    @Test func whoDoesNotBelongCannotLeave() async throws {
        let bench = try await Bench()
        _ = bench.sent()
        await #expect(throws: ParticipantError.self) { try await bench.member.leave(.resign) }
        await bench.network.settle()
        #expect(bench.sent().isEmpty)
    }

    @Test func whoHasLeftDoesNotAskByItselfAndAnOldAnswerDoesNotBringItBack() async throws {
        let bench = try await Bench(rejoin: .seconds(30))
        let token = try bench.lastToken()
        try await bench.say(.response(.joinSuccess), token)
        await bench.network.advance(by: .seconds(31))
        let open = try bench.lastToken()
        try await bench.member.leave(.resign)
        await bench.network.settle()
        _ = bench.sent()
        try await bench.say(.response(.joinSuccess), open)
        #expect(!bench.member.isJoined)
        await bench.network.advance(by: .seconds(120))
        #expect(bench.sent().isEmpty)
    }

    // MARK: As the server says

    @Test func whoseIdentityEndsAnswersWithItsLastWord() async throws {
        let bench = try await Bench(observations: 4)
        try await bench.letIn()
        _ = bench.sent()
        let token = Token.random()
        try await bench.say(.deregisterCommand, token)
        let answer = try #require(bench.sent().last)
        #expect(answer.body == .response(.deregisterSuccess) && answer.token == token)
        #expect(bench.events() == ["left: DEREGISTER_COMMAND", "identity ended"])
        #expect(!bench.member.isJoined)
    }

    @Test func whoIsPutOutAnswersNothingAndKeepsItsIdentity() async throws {
        let bench = try await Bench()
        try await bench.letIn()
        _ = bench.sent()
        try await bench.say(.terminateCommand)
        #expect(bench.sent().isEmpty)
        #expect(bench.events() == ["left: TERMINATE_COMMAND"])
        // Sent away, it obeys nothing but what has to do with joining: not even that its identity ends.
        try await bench.say(.deregisterCommand)
        try await bench.say(.terminateCommand)
        try await bench.say(.idRequest)
        #expect(bench.events().isEmpty && bench.sent().isEmpty)
        #expect(bench.rejected == ["not-joined": 3])
    }

    @Test(arguments: [Body.terminateCommand, .deregisterCommand])
    func nobodyElseCanPutItOut(_ command: Body) async throws {
        let bench = try await Bench()
        try await bench.letIn()
        _ = bench.sent()
        try await bench.forge(command, sequence: 1 << 20, key: TestNetwork.key(Bench.device))
        try await bench.forge(
            command, sequence: 1 << 20, sender: Bench.device, key: TestNetwork.key(Bench.device))
        // An old one, sent again.
        try await bench.forge(command, sequence: 1)
        #expect(bench.member.isJoined)
        #expect(bench.events().isEmpty && bench.sent().isEmpty)
        #expect(bench.rejected == ["bad-signature": 1, "unknown-sender": 1, "replayed": 1])
    }

    // MARK: Called to join

    @Test func itsServerCallsItToJoinInsideAndOutside() async throws {
        let bench = try await Bench()
        _ = bench.events()
        try await bench.say(.joinCommand(device: Bench.id))
        #expect(bench.events() == ["called"])
        #expect(bench.sent().isEmpty, "its owner decides by which kind of join")
        try await bench.letIn()
        try await bench.say(.joinCommand(device: Bench.id))
        #expect(bench.events() == ["called"])
        #expect(bench.member.isJoined)
    }

    @Test func whoJoinsByItselfAsksAtOnce() async throws {
        let bench = try await Bench(rejoin: .seconds(600))
        try await bench.say(.response(.joinSuccess), try bench.lastToken())
        try await bench.say(.terminateCommand)
        _ = bench.sent()
        try await bench.say(.joinCommand(device: Bench.id))
        #expect(bench.sent().map(\.body) == [.joinRequest])
    }

    @Test func aCallForSomebodyElseOrFromSomebodyElseIsNone() async throws {
        let bench = try await Bench(rejoin: .seconds(600))
        try await bench.say(.response(.joinSuccess), try bench.lastToken())
        _ = (bench.sent(), bench.events())
        try await bench.say(.joinCommand(device: Bench.device))
        try await bench.forge(
            .joinCommand(device: Bench.id), sequence: 1 << 20, sender: Bench.device, key: TestNetwork.key(Bench.device))
        #expect(bench.events().isEmpty && bench.sent().isEmpty)
        #expect(bench.rejected == ["unexpected-type": 1, "unknown-sender": 1])
    }

    // MARK: A visit in order to leave

    @Test(arguments: [Status.resignSuccess, .resignFail])
    func aDepartureSaysWhatTheServerAnswers(_ status: Status) async throws {
        let departure = Departure(.resign, limit: .seconds(60))
        #expect(await departure.result == .unreached)
        async let run: Void = departure.run()
        await departure.handle(.leavingAnswered(.resign, isDone: status == .resignSuccess))
        try await run
        #expect(await departure.result == (status == .resignSuccess ? .done : .notDone))
    }

    @Test func aDepartureWithoutAnAnswerEndsByItself() async throws {
        let departure = Departure(.resign, limit: .milliseconds(50))
        try await departure.run()
        #expect(await departure.result == .unreached)
    }
}
