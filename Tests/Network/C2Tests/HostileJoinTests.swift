import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// What one stranger can do to the server: nothing that another notices.
@Suite struct HostileJoinTests {
    /// A network with an observer of ours that belongs and handles several devices, and its view.
    struct Scene {
        let network: TestNetwork
        let server: TestServer
        let observer: Puppet

        init(_ change: (inout C2Rules) -> Void = { _ in }) async throws {
            network = try TestNetwork()
            server = try await TestServer(network, change)
            observer = try Puppet(DeviceID(0x0B), network)
            try server.know(observer.id, type: "observer")
            try server.state.trust(observer.id, now: 0)
            try observer.ask(.joinRequest)
            await network.settle()
            try identify(session: "1")
            await network.settle()
        }

        func identify(session: String, observations: Int = 32) throws {
            let text = Identification(program: "srup-observer 1", observations: observations, session: session)
            try observer.say(
                .data(id: Array(DataName.identification.utf8), value: Array(text.description.utf8)))
        }

        func device(_ number: UInt64, type: String = "sensor") throws -> Puppet {
            try server.know(DeviceID(number), type: type)
            return try Puppet(DeviceID(number), network)
        }

        func message(_ body: Body, from id: DeviceID, sequence: UInt64) throws -> [UInt8] {
            try Message(sequence: SequenceNumber(sequence), sender: id, token: .random(), body: body)
                .signed(with: TestNetwork.key(id)).bytes
        }

        /// The observer answers what it was last asked.
        func answer(_ status: Status) throws {
            let request = observer.heard.last { $0.body.type == .observationRequest }
            if let request { try observer.say(.response(status), request.token) }
        }

        /// Lets a device ask for the observer, and the observer answer.
        func observe(_ device: Puppet, _ verdict: Status) async throws {
            try device.ask(.observedJoinRequest(observer: observer.id))
            await network.settle()
            try answer(verdict)
            await network.settle()
        }

        /// A device that comes now is let in.
        func expectAnHonestJoin(_ number: UInt64) async throws {
            let honest = try device(number)
            try await observe(honest, .observedJoinValid)
            #expect(honest.answers == [.joinSuccess])
        }
    }

    static let highest: UInt64 = .max
    static let tooHigh: [UInt64] = [highest, highest - 1, highest - 16, SequenceNumber.highestAccepted.value + 1]

    @Test(arguments: tooHigh)
    func aNumberThatLeavesNoRoomForAnAnswerChangesNothing(_ sequence: UInt64) async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let stranger = try scene.device(0xBAD)
        for body in [Body.observedJoinRequest(observer: scene.observer.id), .joinRequest, .humanJoinRequest] {
            scene.network.publish(
                try scene.message(body, from: stranger.id, sequence: sequence),
                to: Topic.joins(server: TestServer.id, from: stranger.id).description, from: stranger.id)
        }
        await scene.network.settle()
        #expect(try scene.server.state.pending().isEmpty)
        #expect(stranger.answers.isEmpty)
        try await scene.server.restart()
        try await scene.expectAnHonestJoin(0xD1)
        // The stranger itself is as well off as before.
        try stranger.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        #expect(try scene.server.state.pending().count == 1)
    }

    @Test func aPeerWhoseNumbersAreUsedUpStopsNeitherAJoinNorARestart() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        // As an earlier version let it happen.
        let stranger = try scene.device(0xBAD)
        _ = try scene.server.participant.state.accept(SequenceNumber(.max), from: stranger.id, version: .v5)
        try scene.server.state.save(
            .init(
                device: stranger.id, named: scene.observer.id, zone: nil, quorum: .one, request: .random(),
                offer: .random(), attempt: 1,
                asks: [.init(observer: scene.observer.id, token: .random(), verdict: nil)], type: "sensor",
                created: 1_800_000_000, isRollCall: false))
        try await scene.server.restart()
        await scene.network.settle()
        #expect(try scene.server.state.pending().isEmpty)
        try await scene.expectAnHonestJoin(0xD1)
    }

    @Test func anObserverThatLeavesEndsItsJoinsAndNotTheServer() async throws {
        for way in [Body.deregisterRequest, .resignRequest] {
            let scene = try await Scene()
            defer { scene.network.close() }
            let device = try scene.device(0xD1)
            try device.ask(.observedJoinRequest(observer: scene.observer.id))
            await scene.network.settle()
            try scene.observer.say(way)
            await scene.network.settle()
            #expect(device.answers == [.joinFail])
            try await scene.server.restart()
            #expect(try scene.server.state.pending().isEmpty)
        }
    }

    @Test func aRestartFindsJoinsWhoseObserverOrDeviceIsGone() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        for (device, observer) in [(0xD1, 0x0B), (0xD2, 0x77), (0x99, 0x0B)] as [(UInt64, UInt64)] {
            if device != 0x99 { try scene.server.know(DeviceID(device), type: "sensor") }
            try scene.server.state.save(
                .init(
                    device: DeviceID(device), named: DeviceID(observer), zone: nil, quorum: .one, request: .random(),
                    offer: .random(), attempt: 1,
                    asks: [.init(observer: DeviceID(observer), token: .random(), verdict: nil)], type: "sensor",
                    created: 1_800_000_000, isRollCall: false))
        }
        try scene.server.participant.state.forget(scene.observer.id)
        try await scene.server.restart()
        await scene.network.settle()
        #expect(try scene.server.state.pending().isEmpty)
        #expect(scene.network.answers(to: DeviceID(0xD1), from: TestServer.id) == [.joinFail])
    }

    @Test func placesAreLimitedAndComeFreeAgain() async throws {
        let scene = try await Scene {
            $0.limits.joins = 10
            $0.limits.joinsOfOneType = 6
            $0.limits.joinsByOneObserver = 8
            $0.limits.longestJoin = .seconds(120)
        }
        var strangers: [Puppet] = []
        for number in 0..<20 as Range<UInt64> {
            let stranger = try scene.device(0x1000 + number, type: "flood")
            try stranger.ask(.observedJoinRequest(observer: scene.observer.id))
            strangers.append(stranger)
        }
        await scene.network.settle()
        // Six have places, the others are told to ask again.
        #expect(try scene.server.state.pending().count == 6)
        #expect(strangers.count { $0.answers == [.joinRefused] } == 14)
        // Another type has places left.
        try await scene.expectAnHonestJoin(0xD1)
        // In time every place is free.
        await scene.network.advance(by: .seconds(130), step: .seconds(5))
        #expect(try scene.server.state.pending().isEmpty)
        #expect(strangers.allSatisfy { [.joinFail, .joinRefused].contains($0.answers.last) })
    }

    @Test func whoAsksAllTheTimeHasOneWatchAndOthersHaveTheRest() async throws {
        let scene = try await Scene {
            $0.limits.joinBurst = 12
            $0.limits.joinsPerMinute = 15
        }
        defer { scene.network.close() }
        let stranger = try scene.device(0xBAD)
        for second in 0..<120 {
            try stranger.ask(.observedJoinRequest(observer: scene.observer.id))
            await scene.network.advance(by: .seconds(1), step: .seconds(1))
            if second % 40 == 39 { try await scene.expectAnHonestJoin(0xD000 + UInt64(second)) }
        }
        // Its budget, and not one for each request.
        let asked = scene.observer.heard.count {
            if case .observationRequest(let device, _) = $0.body { device == stranger.id } else { false }
        }
        #expect(asked < 50)
    }

    @Test func anObserverThatSaysTooMuchToDoIsNotAskedAgainAtOnce() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        scene.observer.onMessage = { [observer = scene.observer] message in
            if message.body.type == .observationRequest {
                try observer.say(.response(.observedJoinFail), message.token)
            }
        }
        let device = try scene.device(0xD1)
        try device.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        #expect(device.answers.isEmpty)
        #expect(scene.network.count(.observationRequest, to: scene.observer.id) == 1)
        await scene.network.advance(by: .seconds(20))
        #expect(scene.network.count(.observationRequest, to: scene.observer.id) == 3)
        #expect(device.answers == [.joinFail])
    }

    @Test func aFloodOfOneSenderIsDroppedBeforeItIsStored() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try scene.device(0x1A, type: "lamp")
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        let before = try scene.server.participant.state.peer(lamp.id)?.lastReceived.value ?? 0
        for number in 0..<5000 as Range<UInt64> {
            scene.network.publish(
                try scene.message(.data(id: [65], value: [66]), from: lamp.id, sequence: before + 1 + number),
                to: "SRUP/\(lamp.id.hex)", from: lamp.id)
        }
        await scene.network.settle()
        let after = try scene.server.participant.state.peer(lamp.id)?.lastReceived.value ?? 0
        #expect(after - before <= 70)
        // Not listened to for a while, so that the others' messages have the broker's queue for themselves.
        #expect((scene.server.participant.rejections.counts["over-budget"] ?? 0) > 100)
        #expect(!scene.network.isSubscribed(TestServer.id, to: "SRUP/\(lamp.id.hex)"))
        await scene.network.advance(by: .seconds(11))
        #expect(scene.network.isSubscribed(TestServer.id, to: "SRUP/\(lamp.id.hex)"))
        try await scene.expectAnHonestJoin(0xD1)
    }

    @Test func anObserverThatConnectsAnewIsAskedAgain() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try device.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        // It was away, and drops what has waited for it.
        try scene.identify(session: "2")
        await scene.network.settle()
        #expect(scene.network.count(.observationRequest, to: scene.observer.id) == 2)
        try scene.answer(.observedJoinValid)
        await scene.network.settle()
        #expect(device.answers == [.joinSuccess])
    }
}
