import Foundation
import SRUP
import Storage
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// Both ways out, on the server's side: who leaves, who is put out, whose identity ends.
@Suite struct EndingTests {
    typealias Scene = HostileJoinTests.Scene

    private func lamp(_ scene: Scene, _ number: UInt64 = 0x1A) async throws -> Puppet {
        let lamp = try scene.device(number, type: "lamp")
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(try scene.server.isMember(lamp.id))
        return lamp
    }

    private func audit(_ scene: Scene, about id: DeviceID) throws -> [String] {
        try scene.server.participant.state.auditLog(last: 100, about: id).reversed().map(\.event)
    }

    private func erased(_ scene: Scene, _ id: DeviceID) throws -> Bool {
        try scene.server.participant.state.peer(id) == nil
    }

    // MARK: By its own wish

    @Test func whoResignsIsAnsweredOutAndStillRegistered() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        let token = Token.random()
        try lamp.say(.resignRequest, token)
        await scene.network.settle()
        #expect(lamp.heard.last?.body == .response(.resignSuccess) && lamp.heard.last?.token == token)
        #expect(try !scene.server.isMember(lamp.id))
        #expect(!scene.network.isSubscribed(TestServer.id, to: "SRUP/1a"))
        #expect(try audit(scene, about: lamp.id).last == "left")
        await scene.network.advance(by: .seconds(3))
        #expect(scene.server.book.revoked.isEmpty && scene.network.disconnected.isEmpty)
        // It comes in again as it did before.
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers == [.joinSuccess, .resignSuccess, .joinSuccess])
    }

    @Test func whoWishesToEndIsAnsweredAndThenThereIsNothingOfIt() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        let token = Token.random()
        try lamp.say(.deregisterRequest, token)
        await scene.network.settle()
        #expect(lamp.heard.last?.body == .response(.deregisterSuccess) && lamp.heard.last?.token == token)
        #expect(try !scene.server.isMember(lamp.id))
        // First it hears the answer, then it hears nothing any more.
        #expect(scene.network.disconnected.isEmpty)
        await scene.network.advance(by: .seconds(1), step: .milliseconds(100))
        #expect(scene.network.disconnected == [lamp.id])
        #expect(scene.server.book.revoked == [lamp.id])
        #expect(try scene.server.book.openEndings().isEmpty)
        #expect(try erased(scene, lamp.id))
        #expect(scene.network.count(.deregisterCommand, to: lamp.id) == 0, "it knows already")
        let line = try #require(scene.server.participant.state.auditLog(last: 1, about: lamp.id).first)
        #expect(line.event == "ended" && line.by == nil)
        let milliseconds = line.detail.split(separator: " ").compactMap { Int($0) }
        #expect(milliseconds.count == 1 && (300...1000).contains(milliseconds.first ?? 0))
    }

    @Test func anEndThatCannotBeStoredIsAnsweredSoAndEndsNothing() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        scene.server.book.fail(true)
        try lamp.say(.deregisterRequest)
        await scene.network.advance(by: .seconds(2))
        #expect(lamp.answers == [.joinSuccess, .deregisterFail])
        #expect(try scene.server.isMember(lamp.id))
        scene.server.book.fail(false)
        try lamp.say(.deregisterRequest)
        await scene.network.advance(by: .seconds(2))
        #expect(lamp.answers.last == .deregisterSuccess)
        #expect(try erased(scene, lamp.id))
    }

    @Test(arguments: [Body.resignRequest, .deregisterRequest])
    func whoDoesNotBelongCannotLeave(_ wish: Body) async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let stranger = try scene.device(0xBAD)
        try stranger.say(wish)
        scene.network.subscribe(TestServer.id, "SRUP/bad")
        try stranger.say(wish)
        await scene.network.advance(by: .seconds(1))
        #expect(stranger.answers.isEmpty)
        #expect(try scene.server.book.ended().isEmpty)
    }

    @Test func aWishThatIsRepeatedOrForgedEndsNobodyElse() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        let other = try await self.lamp(scene, 0x1B)
        // The other one says it in this one's name, on its own topic and on the other's.
        let forged = try Message(
            sequence: SequenceNumber(1 << 20), sender: lamp.id, token: .random(), body: .deregisterRequest
        ).signed(with: TestNetwork.key(other.id)).bytes
        for topic in ["SRUP/1b", "SRUP/1a"] { scene.network.inject(forged, to: topic) }
        await scene.network.settle()
        #expect(try scene.server.book.ended().isEmpty && scene.server.isMember(lamp.id))
        try lamp.say(.resignRequest)
        await scene.network.settle()
        let wish = try #require(scene.network.published.last { $0.sender == lamp.id })
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        scene.network.inject(wish.payload, to: wish.topic)
        await scene.network.settle()
        #expect(try scene.server.isMember(lamp.id), "an old wish does not count")
    }

    // MARK: As an operator says

    @Test func anOperatorEndsAnIdentityWithinASecondAndTheAuditSaysHowLongItTook() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        let other = try await self.lamp(scene, 0x1B)
        try await scene.server.server.deregister(lamp.id, by: "anna")
        #expect(try !scene.server.isMember(lamp.id), "from this moment on")
        await scene.network.settle()
        #expect(lamp.heard.last?.body == .deregisterCommand)
        await scene.network.advance(by: .seconds(1), step: .milliseconds(100))
        #expect(scene.network.disconnected == [lamp.id])
        #expect(scene.server.book.revoked == [lamp.id] && scene.server.book.confirmed.isEmpty)
        #expect(try erased(scene, lamp.id))
        #expect(try audit(scene, about: lamp.id).suffix(2) == ["ends", "ended"])
        let lines = try scene.server.participant.state.auditLog(last: 2, about: lamp.id)
        #expect(lines.allSatisfy { $0.by == "anna" })
        #expect(lines.first?.detail.contains("connection closed after") == true)
        #expect(try scene.server.isMember(other.id))
        // Twice is once.
        await #expect(throws: OperationError.hasEnded(lamp.id)) {
            try await scene.server.server.deregister(lamp.id, by: "bert")
        }
        #expect(try await scene.server.server.ended().map(\.id) == [lamp.id])
        await #expect(throws: OperationError.self) {
            try await scene.server.server.deregister(TestServer.id, by: "anna")
        }
    }

    @Test func aDeviceThatObeysIsClosedAtOnceAndItsWordIsKept() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        lamp.onMessage = { message in
            guard message.body == .deregisterCommand else { return }
            try lamp.say(.response(.deregisterSuccess), message.token)
        }
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.advance(by: .milliseconds(200), step: .milliseconds(100))
        #expect(scene.network.disconnected == [lamp.id], "it need not be waited for")
        #expect(scene.server.book.confirmed == [lamp.id])
        let line = try scene.server.participant.state.auditLog(last: 1, about: lamp.id).first
        #expect(line?.detail.contains("its keys are gone") == true)
    }

    @Test(arguments: [Status.deregisterFail, .joinSuccess, .observedJoinValid])
    func anAnswerThatIsNoneDoesNotHoldItUp(_ status: Status) async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        lamp.onMessage = { message in
            guard message.body == .deregisterCommand else { return }
            // With another's token first.
            try lamp.say(.response(.deregisterSuccess))
            try lamp.say(.response(status), message.token)
        }
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.advance(by: .seconds(1), step: .milliseconds(100))
        #expect(scene.network.disconnected == [lamp.id])
        #expect(scene.server.book.confirmed.isEmpty)
        #expect(try erased(scene, lamp.id))
    }

    @Test func whoIgnoresItIsHeardNoMoreAndNothingItSendsChangesAnything() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await scene.server.server.deregister(lamp.id, by: "anna")
        for _ in 0..<5 {
            try lamp.say(.data(id: Array("x".utf8), value: [1]))
            try lamp.ask(.joinRequest)
            try lamp.ask(.observedJoinRequest(observer: scene.observer.id))
            try lamp.ask(.humanJoinRequest)
            await scene.network.advance(by: .milliseconds(100), step: .milliseconds(100))
        }
        await scene.network.advance(by: .seconds(2))
        #expect(lamp.answers == [.joinSuccess])
        #expect(try erased(scene, lamp.id))
        #expect(try scene.server.state.pending().isEmpty && scene.server.state.moderations().isEmpty)
        // Nor after a restart, nor with the key that somebody still remembers.
        try await scene.server.restart()
        try scene.server.know(lamp.id, type: "lamp")
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers == [.joinSuccess])
    }

    @Test func whoRegistersAnewInALoopGetsNoFurtherThanTheDoorAndLeavesNothing() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        for number in 0..<40 {
            let again = try await lamp(scene, 0x100 + UInt64(number))
            try again.say(.deregisterRequest)
            await scene.network.advance(by: .seconds(1), step: .milliseconds(200))
            #expect(again.answers.last == .deregisterSuccess)
        }
        var query = ParticipantStore.PeerQuery()
        query.type = "lamp"
        #expect(try scene.server.participant.state.countPeers(query) == 0)
        #expect(try scene.server.book.ended().count == 40)
        try await scene.expectAnHonestJoin(0xD1)
    }

    @Test func anObserverThatEndsVouchesForNobodyAndItsJoinsEnd() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try device.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        try await scene.server.server.deregister(scene.observer.id, by: "anna")
        try scene.answer(.observedJoinValid)
        await scene.network.advance(by: .seconds(1))
        #expect(device.answers == [.joinFail])
        #expect(try scene.server.state.trusted().isEmpty)
        #expect(try erased(scene, scene.observer.id))
    }

    @Test func whoWaitsForAPersonOrAnObserverIsToldAndOut() async throws {
        let scene = try await Scene { $0.policies["panel"] = .human }
        defer { scene.network.close() }
        let panel = try scene.device(0xA1, type: "panel")
        try panel.ask(.humanJoinRequest)
        let sensor = try scene.device(0xA2)
        try sensor.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        for id in [panel.id, sensor.id] { try await scene.server.server.deregister(id, by: "anna") }
        await scene.network.advance(by: .seconds(1))
        #expect(panel.answers == [.joinFail] && sensor.answers == [.joinFail])
        #expect(try await scene.server.server.waitingCount == 0)
        #expect(Set(scene.network.disconnected) == [panel.id, sensor.id])
    }

    @Test func whoWasNeverHeardCanBeEnded() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        try await scene.server.server.deregister(DeviceID(0xF00), by: "anna")
        await scene.network.advance(by: .seconds(1))
        #expect(scene.network.disconnected == [DeviceID(0xF00)])
        #expect(scene.server.book.revoked == [DeviceID(0xF00)])
    }

    @Test func manyEndAtOnce() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        for number in 0..<250 {
            try scene.server.book.end(DeviceID(0x1000 + UInt64(number)), why: "flood", by: "anna", since: 0)
        }
        await scene.network.advance(by: .seconds(4), step: .milliseconds(100))
        #expect(scene.network.disconnected.count == 250)
        #expect(try scene.server.book.openEndings().isEmpty)
    }

    // MARK: The broker

    @Test func aBrokerThatIsDownIsTakenUpOnWhenItIsBack() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        scene.network.disconnect(TestServer.id)
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.advance(by: .seconds(10))
        // Revoked at once, for the broker's start; what is to be closed is not known to be.
        #expect(scene.server.book.revoked == [lamp.id])
        #expect(scene.network.disconnected.isEmpty)
        #expect(try scene.server.book.openEndings().map(\.id) == [lamp.id])
        await scene.network.connect(TestServer.id)
        await scene.network.settle()
        #expect(scene.network.disconnected == [lamp.id])
        #expect(try erased(scene, lamp.id))
        let line = try scene.server.participant.state.auditLog(last: 1, about: lamp.id).first
        let milliseconds = line?.detail.split(separator: " ").compactMap { Int($0) }.first ?? 0
        #expect(milliseconds >= 9000, "it says how long it really took")
    }

    @Test func aBrokerThatDoesNotConfirmIsAskedAgain() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        scene.network.obeysControl = false
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.advance(by: .seconds(9))
        #expect(try scene.server.book.openEndings().map(\.id) == [lamp.id])
        let asked = scene.network.published.count { $0.topic.hasPrefix("$CONTROL/") }
        #expect((3...6).contains(asked), "\(asked)")
        #expect(try !scene.server.isMember(lamp.id))
        scene.network.obeysControl = true
        await scene.network.advance(by: .seconds(4))
        #expect(try scene.server.book.openEndings().isEmpty)
    }

    @Test(arguments: [
        "", "{}", "[]", #"{"responses":7}"#, #"{"responses":[{"command":"deleteClient"}]}"#,
        #"{"responses":[{"command":"deleteClient","correlationData":"zz"}]}"#,
        #"{"responses":[{"command":"deleteClient","correlationData":"1a","error":"no"}]}"#,
        #"{"responses":[{"command":"createClient","correlationData":"1a"}]}"#,
        #"{"responses":[{"command":"deleteClient","correlationData":"ffff"}]}"#,
    ])
    func anAnswerThatSaysNothingOfItClosesNothing(_ answer: String) async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        scene.network.obeysControl = false
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.advance(by: .seconds(1))
        await scene.server.server.handle(
            .message(topic: "$CONTROL/dynamic-security/v1/response", payload: Array(answer.utf8)))
        #expect(try scene.server.book.openEndings().map(\.id) == [lamp.id])
    }

    @Test func anAnswerThatNobodyHasAskedForClosesNothing() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await scene.server.server.deregister(lamp.id, by: "anna")
        // Before the list was given to the broker.
        await scene.server.server.handle(
            .message(
                topic: "$CONTROL/dynamic-security/v1/response",
                payload: Array(#"{"responses":[{"command":"deleteClient","correlationData":"1a"}]}"#.utf8)))
        #expect(scene.server.book.revoked.isEmpty)
        #expect(try scene.server.book.openEndings().map(\.id) == [lamp.id])
    }

    @Test func aListThatCannotBeMadeIsTriedAgain() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await scene.server.server.deregister(lamp.id, by: "anna")
        scene.server.book.fail(true)
        await scene.network.advance(by: .seconds(5))
        #expect(scene.network.disconnected.isEmpty, "it would come back at once")
        scene.server.book.fail(false)
        await scene.network.advance(by: .seconds(1))
        #expect(scene.network.disconnected == [lamp.id])
    }

    // MARK: Restarts and backups

    @Test(arguments: [0, 100, 200, 300, 400, 500])
    func aServerThatIsRestartedInTheMiddleGoesOn(_ milliseconds: Int) async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.advance(by: .milliseconds(milliseconds), step: .milliseconds(100))
        try await scene.server.restart()
        await scene.network.advance(by: .seconds(2), step: .milliseconds(100))
        #expect(scene.network.disconnected.contains(lamp.id))
        #expect(try erased(scene, lamp.id) && scene.server.book.openEndings().isEmpty)
        #expect(try audit(scene, about: lamp.id).last == "ended")
    }

    @Test func whoWasEndedByACommandWhileNoServerRanIsPutOutAtItsStart() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try scene.server.book.end(lamp.id, why: "as an operator says", by: "root", since: 1_800_000_000)
        try await scene.server.restart()
        #expect(try !scene.server.isMember(lamp.id))
        await scene.network.advance(by: .seconds(2))
        #expect(scene.network.disconnected == [lamp.id])
        #expect(try erased(scene, lamp.id))
    }

    @Test func anOldBookOfTheKeyServiceBringsNobodyBack() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.advance(by: .seconds(1))
        scene.server.book.forget(lamp.id)
        try await scene.server.restart()
        #expect(try scene.server.book.ended().map(\.id) == [lamp.id])
        await scene.network.advance(by: .seconds(1))
        #expect(scene.server.book.revoked == [lamp.id])
        #expect(try audit(scene, about: lamp.id).contains("ended again"))
        #expect(try scene.server.book.ended().first?.by == "anna")
    }

    @Test func anOldStateOfTheServerBringsNobodyBack() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try scene.server.state.trust(lamp.id, now: 0)
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.advance(by: .seconds(1))
        // As it was before: a member with its key, trusted, and the server's own note is gone.
        try scene.server.know(lamp.id, type: "lamp")
        try scene.server.participant.state.setJoined(lamp.id, true)
        try scene.server.state.trust(lamp.id, now: 0)
        try scene.server.state.database.query("DELETE FROM ended")
        try await scene.server.restart()
        #expect(try erased(scene, lamp.id))
        #expect(try !scene.server.state.trusted().contains(lamp.id))
        #expect(try audit(scene, about: lamp.id).contains("ended again"))
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers == [.joinSuccess], "of the time before")
    }

    // MARK: Put out, and called

    @Test func aDeviceThatIgnoresItsRemovalIsNotHeard() async throws {
        let scene = try await Scene { $0.policies["lamp"] = .trusted }
        defer { scene.network.close() }
        let lamp = try scene.device(0x1A, type: "lamp")
        try scene.server.state.trust(lamp.id, now: 0)
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        try scene.server.state.askRemoval(of: lamp.id, by: "anna", now: 0)
        await scene.network.advance(by: .seconds(2))
        #expect(scene.network.count(.terminateCommand, to: lamp.id) == 1)
        let line = try scene.server.participant.state.auditLog(last: 10, about: lamp.id).first { $0.event == "removed" }
        #expect(line?.by == "anna")
        try lamp.say(.data(id: Array("x".utf8), value: [1]))
        try lamp.say(.response(.resignSuccess))
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers == [.joinSuccess, .joinRefused])
        #expect(try !scene.server.isMember(lamp.id))
        // It is registered all the same.
        #expect(try scene.server.book.ended().isEmpty)
    }

    @Test func whoIsPutOutCanBeCalledBack() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await scene.server.server.remove(lamp.id, by: "anna")
        try await scene.server.server.callToJoin(lamp.id, by: "anna")
        await scene.network.settle()
        #expect(lamp.heard.suffix(2).map(\.body) == [.terminateCommand, .joinCommand(device: lamp.id)])
        await #expect(throws: OperationError.unknown(DeviceID(0xF00))) {
            try await scene.server.server.callToJoin(DeviceID(0xF00), by: "anna")
        }
    }

    @Test func anIdentityWhosePlaceIsTakenEnds() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let old = try await lamp(scene)
        let new = try await lamp(scene, 0x2A)
        let proof = try #require(Replacement(of: old.id, by: new.id, key: TestNetwork.key(old.id)))
        var identification = Identification(program: "lamp 2")
        identification.replaces = proof
        try new.say(.data(id: Array(DataName.identification.utf8), value: Array(identification.description.utf8)))
        await scene.network.advance(by: .seconds(1))
        #expect(scene.network.disconnected == [old.id])
        #expect(try erased(scene, old.id) && scene.server.isMember(new.id))
    }

    /// Versions 4 and 5 of the reference: it answers none of this, and is left in peace.
    @Test(arguments: [ProtocolVersion.v4, .v5])
    func aReferenceShapedDeviceIsSpokenToInItsOwnVersion(_ version: ProtocolVersion) async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try scene.device(0x1A, type: "lamp")
        try lamp.participant.state.remember(TestServer.id, key: TestNetwork.publicKey(TestServer.id))
        try lamp.participant.state.setVersion(version, of: TestServer.id)
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        try await scene.server.server.remove(lamp.id, by: "anna")
        try await scene.server.server.callToJoin(lamp.id, by: "anna")
        await scene.network.settle()
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        try lamp.say(.resignRequest)
        await scene.network.settle()
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        try await scene.server.server.deregister(lamp.id, by: "anna")
        await scene.network.settle()
        #expect(lamp.heard.allSatisfy { $0.version == version })
        #expect(
            lamp.heard.map(\.body).filter { $0 != .idRequest } == [
                .response(.joinSuccess), .terminateCommand, .joinCommand(device: lamp.id), .response(.joinSuccess),
                .response(.resignSuccess), .response(.joinSuccess), .deregisterCommand,
            ])
    }
}
