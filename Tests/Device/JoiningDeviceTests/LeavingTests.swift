import Participant
import SRUP
import Testing

@testable import JoiningDevice

/// What a joining device does when it is sent away, called back, or ended.
@Suite struct LeavingTests {
    private func nonce(_ byte: UInt8) throws -> Nonce { try #require(Nonce(bytes: Array(repeating: byte, count: 16))) }

    @Test func whoIsCalledAsks() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .joined(again: false), .left("TERMINATE_COMMAND"))
        _ = stage.asked()
        await stage.wait(.seconds(3600))
        #expect(stage.asked().isEmpty, "sent away, it waits")
        await stage.say(.calledToJoin)
        #expect(stage.asked() == [.joinRequest])
        #expect(try stage.names().last == "asked" && stage.names().contains("called-to-join"))
    }

    @Test func aCallWhileACodeIsShownDoesNotEndTheJoinUnderWay() async throws {
        let stage = try await Stage()
        await stage.say(.connected, .nonce(try nonce(0x77), .observed(by: Stage.observer)))
        _ = stage.asked()
        await stage.say(.calledToJoin)
        #expect(stage.asked().isEmpty)
        #expect(stage.screen.shown != nil)
    }

    @Test func whoseIdentityEndsShowsAndPlansNothing() async throws {
        let stage = try await Stage { $0.confirm = .seconds(100) }
        await stage.say(.connected, .joined(again: false), .nonce(try nonce(0x77), .observed(by: Stage.observer)))
        _ = stage.asked()
        await stage.say(.left("DEREGISTER_COMMAND"), .identityEnded)
        #expect(stage.screen.shown == nil)
        await stage.wait(.seconds(3600))
        #expect(stage.asked().isEmpty)
        #expect(try stage.names().suffix(3) == ["left", "taken-down", "identity-ended"])
    }
}
