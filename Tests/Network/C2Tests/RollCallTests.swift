import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// A member is asked to show itself again: what stands in its place is found.
@Suite struct RollCallTests {
    typealias Scene = ZoneTests.Scene

    private func joined(
        zone: String? = "hall", _ change: (inout C2Rules) -> Void = { _ in }
    ) async throws -> (Scene, TestDevice, TestObserver) {
        let scene = try await Scene {
            if let zone { $0.zones["sensor"] = zone }
            change(&$0)
        }
        let observer = try await scene.addObserver(0, zone: zone)
        let device = try await scene.addDevice(1, before: [observer])
        await scene.look(for: 60) { device.member.isJoined }
        #expect(device.member.isJoined)
        return (scene, device, observer)
    }

    @Test(arguments: ["hall", nil]) func whoIsThereIsSeen(zone: String?) async throws {
        let (scene, device, observer) = try await joined(zone: zone)
        defer { scene.network.close() }
        let before = try #require(try scene.server.state.presence(of: device.id))
        await scene.look(for: 5)
        try await scene.server.server.callRoll(of: device.id, by: "anna")
        await scene.network.settle()
        #expect(device.shown != nil, "a fresh nonce is shown")
        // That it asks whether it still belongs, meanwhile, changes nothing.
        try await device.member.join(.simple)
        await scene.network.settle()
        #expect(device.shown != nil)
        await scene.look(for: 10) { device.shown == nil }
        #expect(device.shown == nil)
        #expect(device.member.isJoined)
        let after = try #require(try scene.server.state.presence(of: device.id))
        #expect(after.seen > before.seen)
        #expect(after.failures == 0)
        #expect(after.observer == observer.id)
        #expect(try await scene.server.server.missing().isEmpty)
        let record = try #require(try scene.server.state.joins(of: device.id, limit: 1).first)
        #expect(record.way == .rollCall)
        #expect(record.ending?.outcome == .joined)
    }

    @Test func aDeviceThatWasSwappedIsFound() async throws {
        let (scene, device, _) = try await joined()
        defer { scene.network.close() }
        // Its keys are elsewhere now, and what stands there shows an old value.
        let impostor = try #require(scene.observers.first)
        scene.places[device.id] = []
        try await scene.server.server.callRoll(of: device.id, by: "anna")
        await scene.look(for: 5)
        scene.strangers[impostor.id] = [UInt8](repeating: 0xA7, count: 16)
        await scene.look(for: 40) { device.shown == nil }
        scene.strangers = [:]
        let missing = try #require(try await scene.server.server.missing().first)
        #expect(missing.device == device.id)
        #expect(missing.failures == 1)
        #expect(missing.why == "observer saw another value")
        // It is only shown: the rules put nobody out.
        #expect(device.member.isJoined)
        #expect(try scene.server.isMember(device.id))
        #expect(device.shown == nil)
        // Seen again, it is not missing any more.
        await scene.look(for: 700)
        scene.places[device.id] = [impostor.id]
        try await scene.server.server.callRoll(of: device.id, by: "anna")
        await scene.look(for: 10)
        #expect(try await scene.server.server.missing().isEmpty)
    }

    @Test func byTheRulesWhoFailsIsPutOutAndMustBeSeenAnew() async throws {
        let (scene, device, observer) = try await joined {
            $0.rollCall.failures = 2
            $0.tries = 1
        }
        defer { scene.network.close() }
        scene.places[device.id] = []
        for time in 1...2 {
            #expect(try scene.server.isMember(device.id), "before roll call \(time)")
            try await scene.server.server.callRoll(of: device.id, by: "anna")
            await scene.look(for: 61)
        }
        #expect(try !scene.server.isMember(device.id))
        #expect(!device.member.isJoined, "both sides agree")
        #expect(try await scene.server.server.missing().isEmpty, "who is out is not missing")
        scene.places[device.id] = [observer.id]
        await scene.look(for: 900) { device.member.isJoined }
        #expect(device.member.isJoined)
    }

    @Test func byItselfWhenTheTimeHasCome() async throws {
        let (scene, device, _) = try await joined { $0.rollCall.every["*"] = .seconds(3600) }
        defer { scene.network.close() }
        let simple = try await scene.addDevice(2, type: "lamp", before: [])
        await scene.look(for: 60) { simple.member.isJoined }
        let before = try #require(try scene.server.state.presence(of: device.id))
        await scene.network.advance(by: .seconds(3500), step: .seconds(5))
        #expect(try scene.server.state.presence(of: device.id)?.seen == before.seen)
        await scene.look(for: 200) { (try? scene.server.state.presence(of: device.id)?.seen) != before.seen }
        let after = try #require(try scene.server.state.presence(of: device.id))
        #expect(after.seen > before.seen)
        #expect(
            try scene.server.state.joins(of: simple.id, limit: 5).isEmpty, "nobody has ever seen it: it is not called")
    }

    @Test func whoDoesNotBelongCannotBeCalled() async throws {
        let (scene, device, observer) = try await joined()
        defer { scene.network.close() }
        try await scene.server.server.remove(device.id, by: "anna")
        await #expect(throws: OperationError.self) {
            try await scene.server.server.callRoll(of: device.id, by: "anna")
        }
        await #expect(throws: OperationError.self) {
            try await scene.server.server.callRoll(of: DeviceID(0xDEAD), by: "anna")
        }
        await #expect(throws: OperationError.self) {
            // Nobody would look at it but itself.
            try await scene.server.server.callRoll(of: observer.id, by: "anna")
        }
    }

    @Test func aNonceThatNobodyShouldShowIsNotShown() async throws {
        let (scene, _, observer) = try await joined()
        defer { scene.network.close() }
        // To an observer of ours, and to a device that does not belong.
        let outsider = try await scene.addDevice(5, before: [])
        await scene.network.settle()
        for id in [observer.id, outsider.id] {
            let envelope = try Envelope.sealing(Nonce.random(), for: TestNetwork.publicKey(id))
            try scene.server.participant.send(
                .observedJoinResponse(envelope), to: id, on: .member(id), token: .random())
        }
        await scene.network.settle()
        #expect(observer.participant.rejections.counts.values.reduce(0, +) > 0)
        #expect(try !scene.server.isMember(outsider.id))
    }

    @Test func aRestartOfTheServerDuringARollCallIsSurvived() async throws {
        let (scene, device, observer) = try await joined()
        defer { scene.network.close() }
        scene.places[device.id] = []
        try await scene.server.server.callRoll(of: device.id, by: "anna")
        await scene.network.settle()
        try await scene.server.restart()
        await scene.look(for: 1)
        scene.places[device.id] = [observer.id]
        await scene.look(for: 100) { device.shown == nil }
        #expect(device.shown == nil)
        #expect(device.member.isJoined)
        #expect(try scene.server.state.presence(of: device.id)?.failures == 0)
    }
}
