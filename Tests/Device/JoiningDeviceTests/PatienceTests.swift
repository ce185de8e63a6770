import Participant
import SRUP
import Testing

@testable import JoiningDevice

/// How long a joining device waits, how often it asks again, and when it gives up.
@Suite struct PatienceTests {
    static let observed = JoinKind.observed(by: Stage.observer)

    // MARK: Again

    @Test func refusedWhileObservedMeansAskAgainTheSameWay() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .refused(Self.observed, observer: nil))
        _ = stage.asked()
        await stage.wait(.milliseconds(2400))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(2700))
        #expect(stage.asked() == [.observedJoinRequest(observer: Stage.observer)])
        #expect(await stage.result == nil)
        #expect(try stage.names().contains("asked-to-try-again"))
    }

    @Test func aPersonsNoIsAskedAgainTheSameWayToo() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .refused(.humanModerated, observer: nil))
        _ = stage.asked()
        await stage.wait(.milliseconds(5100))
        #expect(stage.asked() == [.humanJoinRequest])
    }

    @Test func askingAgainHasAnEnd() async throws {
        let stage = try await Stage {
            $0.patience = .seconds(100)
            $0.retry = .seconds(600)
        }
        await stage.say(.connected)
        var tries = 0
        while await stage.result == nil, tries < 100 {
            await stage.say(.refused(Self.observed, observer: nil))
            await stage.wait(.seconds(10))
            tries += 1
        }
        #expect(await stage.result == .notLetIn)
        #expect(tries == 11, "at 0, 10, ... 90 it asks again, at 100 no more")
        #expect(try stage.recorded().last { $0["event"] == "not-let-in" }?["why"] == "refused")
    }

    @Test func itsPatienceBeginsAnewWithANewTry() async throws {
        let stage = try await Stage {
            $0.patience = .seconds(100)
            $0.retry = .seconds(60)
        }
        await stage.say(.connected)
        await stage.wait(.seconds(100))
        await stage.say(.refused(Self.observed, observer: nil))
        #expect(try stage.names().filter { $0 == "not-let-in" }.count == 1)
        await stage.wait(.seconds(60))
        #expect(stage.asked().last == .joinRequest)
        await stage.say(.refused(.simple, observer: Stage.observer), .refused(Self.observed, observer: nil))
        #expect(try stage.names().filter { $0 == "not-let-in" }.count == 1)
        #expect(try stage.names().last == "asked-to-try-again")
    }

    @Test func pausesBetweenRefusalsGrowToAMinute() async throws {
        let stage = try await Stage { $0.patience = .seconds(100_000) }
        await stage.say(.connected)
        for _ in 0..<8 {
            await stage.say(.refused(Self.observed, observer: nil))
            await stage.wait(.seconds(60))
        }
        _ = stage.asked()
        await stage.say(.refused(Self.observed, observer: nil))
        await stage.wait(.milliseconds(29_900))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(30_200))
        #expect(stage.asked() == [.observedJoinRequest(observer: Stage.observer)])
    }

    // MARK: No answer

    @Test func aSimpleJoinWithoutAnAnswerIsAskedForAgain() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .joinTimedOut(.simple))
        _ = stage.asked()
        await stage.wait(.milliseconds(1900))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(2200))
        #expect(stage.asked() == [.joinRequest])
        #expect(await stage.result == nil)
        #expect(try stage.names().contains("no-answer"))
    }

    @Test func pausesWithoutAnAnswerGrowToTwoMinutesAndShrinkWithTheFirst() async throws {
        let stage = try await Stage()
        await stage.say(.connected)
        for _ in 0..<8 {
            await stage.say(.joinTimedOut(.simple))
            await stage.wait(.seconds(120))
        }
        _ = stage.asked()
        await stage.say(.joinTimedOut(.simple))
        await stage.wait(.milliseconds(59_900))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(60_200))
        #expect(stage.asked() == [.joinRequest])
        await stage.say(.joined(again: true), .joinTimedOut(.simple))
        await stage.wait(.milliseconds(4100))
        #expect(stage.asked() == [.joinRequest])
    }

    @Test func aModeratedJoinWithoutAnAnswerHasEnded() async throws {
        for kind in [Self.observed, .humanModerated] {
            let stage = try await Stage()
            await stage.say(.connected, .joinTimedOut(kind))
            _ = stage.asked()
            #expect(await stage.result == .noAnswer)
            await stage.wait(.milliseconds(4100))
            #expect(stage.asked() == [.joinRequest])
        }
    }

    // MARK: Failed

    @Test func aJoinThatFailedIsTriedAgainLater() async throws {
        let stage = try await Stage { $0.retry = .seconds(60) }
        await stage.say(.connected, .joinFailed(Self.observed))
        _ = stage.asked()
        #expect(await stage.result == .notLetIn)
        await stage.wait(.milliseconds(29_900))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(30_200))
        #expect(stage.asked() == [.joinRequest])
        #expect(try stage.recorded().last { $0["event"] == "not-let-in" }?["why"] == "the join has failed")
    }

    @Test func pausesAfterFailuresGrowTenfoldAndShrinkWithSuccess() async throws {
        let stage = try await Stage { $0.retry = .seconds(10) }
        await stage.say(.connected)
        for _ in 0..<6 {
            await stage.say(.joinFailed(Self.observed))
            await stage.wait(.seconds(100))
        }
        _ = stage.asked()
        await stage.say(.joinFailed(Self.observed))
        await stage.wait(.milliseconds(49_900))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(50_200))
        #expect(stage.asked() == [.joinRequest])
        await stage.say(.joined(again: false), .joinFailed(Self.observed))
        await stage.wait(.milliseconds(10_100))
        #expect(stage.asked() == [.joinRequest])
    }

    // MARK: Once

    @Test func onceEndsWithTheFirstResult() async throws {
        let stage = try await Stage(once: true)
        await stage.say(.connected, .joined(again: false))
        try #require(await stage.result == .joined)
        try await stage.outcome.run()
    }

    @Test func onceIsNotPatientForEver() async throws {
        let stage = try await Stage(once: true) { $0.patience = .seconds(30) }
        await stage.say(.connected, .nonce(try nonce(7), Self.observed))
        await stage.wait(.milliseconds(29_900))
        #expect(await stage.result == nil)
        #expect(stage.screen.shown != nil)
        await stage.wait(.milliseconds(200))
        #expect(stage.screen.shown == nil)
        // Without a result it would run for ever.
        try #require(await stage.result == .noAnswer)
        try await stage.outcome.run()
    }

    @Test func onceCountsFromItsStartEvenWithoutAConnection() async throws {
        let stage = try await Stage(once: true) { $0.patience = .seconds(30) }
        await stage.wait(.seconds(31))
        #expect(await stage.result == .noAnswer)
        #expect(stage.asked().isEmpty)
    }

    @Test func onceNoPlanReachesBeyondItsPatience() async throws {
        let stage = try await Stage(once: true) { $0.patience = .seconds(5) }
        // The name of an observer may take ten seconds.
        await stage.say(.connected, .refused(.simple, observer: nil))
        await stage.wait(.milliseconds(4900))
        #expect(await stage.result == nil)
        await stage.wait(.milliseconds(200))
        #expect(await stage.result == .noAnswer)
    }

    @Test func onceStillAsksAgainWithinItsPatience() async throws {
        let stage = try await Stage(once: true) { $0.patience = .seconds(60) }
        await stage.say(.connected, .refused(Self.observed, observer: nil))
        _ = stage.asked()
        await stage.wait(.milliseconds(5100))
        #expect(stage.asked() == [.observedJoinRequest(observer: Stage.observer)])
        // And the end of its patience is planned again after that.
        await stage.wait(.seconds(55))
        #expect(await stage.result == .noAnswer)
    }

    @Test func withoutOnceNothingEndsTheWait() async throws {
        let stage = try await Stage { $0.patience = .seconds(30) }
        await stage.say(.connected, .nonce(try nonce(7), Self.observed))
        await stage.wait(.seconds(3600))
        #expect(await stage.result == nil)
        #expect(stage.screen.shown != nil)
    }

    @Test func aMembersPatienceDoesNotRunOut() async throws {
        let stage = try await Stage(once: true) {
            $0.patience = .seconds(30)
            $0.confirm = .seconds(600)
        }
        await stage.say(.connected, .joined(again: false))
        await stage.wait(.seconds(300))
        #expect(await stage.result == .joined)
    }
}

/// How the end of a join ends the program, or does not.
@Suite struct OutcomeTests {
    @Test func theLatestResultCounts() async {
        let outcome = Outcome(once: false)
        #expect(await outcome.result == nil)
        await outcome.set(.noAnswer)
        await outcome.set(.joined)
        #expect(await outcome.result == .joined)
    }

    @Test(arguments: [Outcome.Result.joined, .notLetIn, .noAnswer])
    func onceAnyResultEndsIt(_ result: Outcome.Result) async throws {
        let outcome = Outcome(once: true)
        let running = Task { try await outcome.run() }
        await outcome.set(result)
        try await running.value
        #expect(await outcome.result == result)
    }

    @Test func aResultThatWasThereFirstEndsItToo() async throws {
        let outcome = Outcome(once: true)
        await outcome.set(.joined)
        try await outcome.run()
    }

    @Test func otherwiseItRunsUntilItIsCancelled() async throws {
        let outcome = Outcome(once: false)
        let hasEnded = Flag()
        let running = Task {
            try await outcome.run()
            hasEnded.set()
        }
        await outcome.set(.joined)
        for _ in 0..<100 { await Task.yield() }
        #expect(!hasEnded.isSet)
        running.cancel()
        try await running.value
        #expect(hasEnded.isSet)
    }
}
