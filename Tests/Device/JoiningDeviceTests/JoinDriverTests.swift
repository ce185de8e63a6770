import Participant
import SRUP
import Testing

@testable import JoiningDevice

/// What a joining device does about each event: asks, shows, takes down.
@Suite struct JoinDriverTests {
    static let naming = Array(DataName.observer.utf8)

    // MARK: Asking

    @Test func itAsksForASimpleJoinAtEachConnection() async throws {
        let stage = try await Stage()
        #expect(stage.asked().isEmpty, "not before there is a connection")
        await stage.say(.connected)
        #expect(stage.asked() == [.joinRequest])
        await stage.say(.disconnected("the cable is out"))
        #expect(stage.asked().isEmpty)
        await stage.say(.connected)
        #expect(stage.asked() == [.joinRequest])
        #expect(try stage.names() == ["connected", "asked", "disconnected", "connected", "asked"])
        #expect(try stage.recorded()[1]["kind"] == "simple")
        #expect(try stage.recorded()[2]["why"] == "the cable is out")
    }

    @Test func aLostConnectionChangesNothingOnTheDisplay() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
        _ = stage.asked()
        await stage.say(.disconnected("gone"))
        await stage.wait(.seconds(60))
        #expect(stage.screen.shown == String(repeating: "7", count: 32))
        #expect(stage.asked().isEmpty)
    }

    /// What the broker has kept for it may be the answer: a new request would end the join that is under way.
    @Test func withACodeOnTheDisplayAConnectionAsksOnlyWhenNothingComes() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
        _ = stage.asked()
        await stage.say(.disconnected("gone"), .connected)
        await stage.wait(.milliseconds(3400))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(1700))
        #expect(stage.asked() == [.joinRequest])
        #expect(stage.screen.shown != nil, "the observer may still be looking")
    }

    @Test func theAnswerThatTheBrokerHasKeptIsEnough() async throws {
        let stage = try await Stage { $0.confirm = .seconds(600) }
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
        _ = stage.asked()
        await stage.say(.disconnected("gone"), .connected, .joined(again: false))
        await stage.wait(.seconds(60))
        #expect(stage.asked().isEmpty)
        #expect(stage.screen.shown == nil)
    }

    @Test func aTickBeforeItsTimeDoesNothing() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .joinTimedOut(.simple))
        _ = stage.asked()
        for _ in 0..<10 { await stage.driver.tick() }
        #expect(stage.asked().isEmpty)
        await stage.wait(.seconds(4))
        #expect(stage.asked() == [.joinRequest])
        for _ in 0..<10 { await stage.driver.tick() }
        #expect(stage.asked().isEmpty, "what was due is done once")
    }

    // MARK: Joined

    @Test func aMemberConfirmsItsMembershipNowAndThen() async throws {
        let stage = try await Stage { $0.confirm = .seconds(100) }
        await stage.say(.connected, .joined(again: false))
        _ = stage.asked()
        #expect(await stage.result == .joined)
        await stage.wait(.milliseconds(79_900))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(20_200))
        #expect(stage.asked() == [.joinRequest])
        // And again after the answer to that.
        await stage.say(.joined(again: true))
        await stage.wait(.milliseconds(79_900))
        #expect(stage.asked().isEmpty)
        await stage.wait(.milliseconds(20_200))
        #expect(stage.asked() == [.joinRequest])
        #expect(try stage.recorded().filter { $0["event"] == "joined" }.map { $0["again"] } == ["false", "true"])
    }

    @Test func whoIsPutOutAsksNoMoreByItself() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .joined(again: false))
        _ = stage.asked()
        await stage.say(.left("TERMINATE"))
        await stage.wait(.seconds(3600))
        #expect(stage.asked().isEmpty)
        #expect(try stage.recorded().last?["why"] == "TERMINATE")
        // A new connection is a new try.
        await stage.say(.connected)
        #expect(stage.asked() == [.joinRequest])
    }

    /// A removal that has waited at the broker for days says nothing about the join that is under way.
    @Test func aRemovalDuringAJoinDoesNotEndIt() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .joinTimedOut(.simple))
        _ = stage.asked()
        await stage.say(.left("DEREGISTER"))
        await stage.wait(.seconds(4))
        #expect(stage.asked() == [.joinRequest])
    }

    // MARK: Observed

    @Test func theObserverThatTheServerNamesIsAskedFor() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .refused(.simple, observer: DeviceID(0xB7)))
        #expect(stage.asked() == [.joinRequest, .observedJoinRequest(observer: DeviceID(0xB7))])
        #expect(await stage.result == nil, "a simple join that is refused ends nothing")
    }

    @Test func itsOwnChoiceOfObserverComesFirst() async throws {
        let stage = try await Stage { $0.observer = Stage.observer }
        await stage.say(.connected, .refused(.simple, observer: DeviceID(0xB7)))
        #expect(stage.asked() == [.joinRequest, .observedJoinRequest(observer: Stage.observer)])
        await stage.say(.connected, .refused(.simple, observer: nil))
        #expect(stage.asked() == [.joinRequest, .observedJoinRequest(observer: Stage.observer)])
    }

    @Test func itWaitsForTheServerToNameAnObserver() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .refused(.simple, observer: nil))
        _ = stage.asked()
        await stage.wait(.seconds(9))
        await stage.say(.data(id: Self.naming, value: Array("b7".utf8)))
        #expect(stage.asked() == [.observedJoinRequest(observer: DeviceID(0xB7))])
        #expect(await stage.result == nil)
        // One name is enough.
        await stage.say(.data(id: Self.naming, value: Array("b8".utf8)))
        #expect(stage.asked().isEmpty)
    }

    @Test(arguments: ["", "0", "B7", "b7 ", "0b7", "b7\0", "xyz", "-1", "11111111111111111"])
    func whatIsNoIdentityNamesNobody(_ text: String) async throws {
        let stage = try await Stage()
        await stage.say(.connected, .refused(.simple, observer: nil))
        _ = stage.asked()
        // Seventeen digits are cut to sixteen, which are one.
        let isLong = text.utf8.count > 16
        await stage.say(.data(id: Self.naming, value: Array(text.utf8)))
        #expect(stage.asked().count == (isLong ? 1 : 0))
    }

    @Test func otherDataNamesNobody() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .refused(.simple, observer: nil))
        _ = stage.asked()
        for id in [[], Array("observer_id".utf8), Self.naming + [0], Array(DataName.identification.utf8)] {
            await stage.say(.data(id: id, value: Array("b7".utf8)))
        }
        #expect(stage.asked().isEmpty)
    }

    @Test func whoIsNotWaitingForANameFollowsNone() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .joined(again: false))
        _ = stage.asked()
        await stage.say(.data(id: Self.naming, value: Array("b7".utf8)))
        #expect(stage.asked().isEmpty)
    }

    @Test func withoutANameInTimeItIsNotLetIn() async throws {
        let stage = try await Stage { $0.retry = .seconds(60) }
        await stage.say(.connected, .refused(.simple, observer: nil))
        _ = stage.asked()
        await stage.wait(.milliseconds(9900))
        #expect(await stage.result == nil)
        await stage.wait(.milliseconds(200))
        #expect(await stage.result == .notLetIn)
        #expect(try stage.recorded().last?["why"]?.contains("--observer") == true)
        await stage.say(.data(id: Self.naming, value: Array("b7".utf8)))
        #expect(stage.asked().isEmpty, "too late")
        await stage.wait(.seconds(60))
        #expect(stage.asked() == [.joinRequest])
    }

    // MARK: The display

    @Test func theNonceIsShownUntilTheAnswer() async throws {
        for answer in [
            MemberEvent.joined(again: false), .refused(.observed(by: Stage.observer), observer: nil),
            .joinFailed(.observed(by: Stage.observer)), .joinTimedOut(.observed(by: Stage.observer)),
            .refused(.simple, observer: Stage.observer),
        ] {
            let stage = try await Stage()
            await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
            #expect(stage.screen.shown == String(repeating: "7", count: 32))
            await stage.say(answer)
            #expect(stage.screen.shown == nil, "\(answer)")
            #expect(try stage.names().filter { ["showing", "taken-down"].contains($0) } == ["showing", "taken-down"])
        }
    }

    @Test func eachTryOfTheServerShowsItsOwn() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
        await stage.say(.nonce(try nonce(8), .observed(by: Stage.observer)))
        #expect(stage.screen.shown == String(repeating: "8", count: 32))
        await stage.say(.joined(again: false))
        #expect(stage.screen.shown == nil)
    }

    @Test func theNonceIsInNoEvent() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)), .joined(again: false))
        for line in try stage.recorded() {
            #expect(!line.values.contains { $0.contains("7777") }, "\(line)")
        }
    }

    @Test func whatHasToDoWithObserversChangesNothing() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
        _ = stage.asked()
        let before = try stage.names()
        await stage.say(
            .observationAnnounced, .observationWithdrawn,
            .observationRequested(token: .random(), device: DeviceID(9), try nonce(9)), .action(0, .random()),
            .action(255, .random()),
            .data(id: [0xFF, 0], value: Array(repeating: 0x1B, count: 60_000)))
        #expect(stage.screen.shown == String(repeating: "7", count: 32))
        #expect(stage.asked().isEmpty)
        #expect(try stage.names() == before)
    }

    @Test func aDisplayThatCannotShowSaysNothingOfShowing() async throws {
        let stage = try await Stage()
        stage.screen.breaks()
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
        #expect(try !stage.names().contains("showing"))
        // The server tries again, and it has been plugged in.
        stage.screen.breaks(false)
        await stage.say(.nonce(try nonce(8), .observed(by: Stage.observer)))
        #expect(stage.screen.shown == String(repeating: "8", count: 32))
        #expect(try stage.names().suffix(1) == ["showing"])
    }

    @Test func aDisplayThatCannotBeClearedStopsNothing() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
        stage.screen.breaks()
        await stage.say(.joined(again: false))
        #expect(await stage.result == .joined)
        #expect(try stage.names().suffix(2) == ["taken-down", "joined"])
        stage.screen.breaks(false)
        await stage.say(.nonce(try nonce(8), .observed(by: Stage.observer)))
        #expect(stage.screen.shown == String(repeating: "8", count: 32))
    }

    @Test func takingDownNothingIsNoEvent() async throws {
        let stage = try await Stage()
        await stage.driver.takeDown()
        await stage.say(.connected, .nonce(try nonce(7), .observed(by: Stage.observer)))
        // As the program does at its end.
        await stage.driver.takeDown()
        await stage.driver.takeDown()
        #expect(stage.screen.shown == nil)
        #expect(try stage.names().filter { $0 == "taken-down" }.count == 1)
    }
}
