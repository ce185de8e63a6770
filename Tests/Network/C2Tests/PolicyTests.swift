import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// Who comes in, by which way, and who is out: the same on both sides.
@Suite struct PolicyTests {
    typealias Scene = HostileJoinTests.Scene

    @Test func anObserverComesInOnlyWhenTheOperatorHasNamedIt() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let stranger = try scene.device(0xBAD, type: "observer")
        try stranger.ask(.joinRequest)
        await scene.network.settle()
        #expect(stranger.answers == [.joinRefused])
        #expect(try !scene.server.isMember(stranger.id))
        // Nor by being observed.
        try stranger.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        #expect(stranger.answers.last == .joinFail)
        // Once it is named it is in.
        try scene.server.state.trust(stranger.id, now: 0)
        try stranger.ask(.joinRequest)
        await scene.network.settle()
        #expect(stranger.answers.last == .joinSuccess)
        // And out when that is taken back.
        try scene.server.state.distrust(stranger.id)
        try stranger.ask(.joinRequest)
        await scene.network.settle()
        #expect(stranger.answers.last == .joinRefused)
        #expect(try !scene.server.isMember(stranger.id))
    }

    @Test func aPolicyThatIsChangedLaterCountsForThoseInside() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try scene.device(0x1A, type: "lamp")
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers == [.joinSuccess])
        // To be observed: it came in by its word alone.
        try await scene.server.restart { $0.policies["lamp"] = .observed }
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers.last == .joinRefused)
        #expect(try !scene.server.isMember(lamp.id))
        // It is observed, and belongs again, after a restart too.
        try await scene.observe(lamp, .observedJoinValid)
        try await scene.server.restart()
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers.suffix(2) == [.joinSuccess, .joinSuccess])
        // Refused altogether.
        try await scene.server.restart { $0.policies["lamp"] = .refuse }
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers.last == .joinFail)
        #expect(try !scene.server.isMember(lamp.id))
    }

    @Test func whoIsRemovedIsToldAndOut() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try await scene.observe(device, .observedJoinValid)
        try scene.server.state.askRemoval(of: device.id, now: 0)
        await scene.network.advance(by: .seconds(2))
        #expect(scene.network.count(.terminateCommand, to: device.id) == 1)
        #expect(try !scene.server.isMember(device.id))
        #expect(try scene.server.state.removals().isEmpty)
        // In the middle of a join it gets its answer, too.
        let third = try scene.device(0xD3)
        try third.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        try scene.server.state.askRemoval(of: third.id, now: 0)
        await scene.network.advance(by: .seconds(2))
        #expect(third.answers == [.joinFail])
        // An observer that is removed vouches for nobody, not even for whom it has been asked about.
        let other = try scene.device(0xD2)
        try other.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        try scene.server.state.askRemoval(of: scene.observer.id, now: 0)
        await scene.network.advance(by: .seconds(2))
        #expect(other.answers == [.joinFail])
        try scene.answer(.observedJoinValid)
        await scene.network.settle()
        #expect(other.answers == [.joinFail])
    }

    @Test func theAnswerDecidesMembershipForBothSides() async throws {
        for verdict in [Status.observedJoinInvalid, .observedJoinFail] {
            let scene = try await Scene()
            defer { scene.network.close() }
            let id = DeviceID(0xD1)
            try scene.server.know(id, type: "sensor")
            let participant = try scene.network.participant(id)
            let member = Member(
                participant, server: TestServer.id, serverKey: try TestNetwork.key(TestServer.id).publicKey,
                behaviour: .init(rejoin: nil, identification: .init(program: "test")), time: scene.network.time
            ) { _ in }
            scene.network.attach(id, ["SRUP/\(id.hex)"]) {
                await member.handle($0)
            } tick: {
                await member.tick()
            }
            try await member.begin()
            try await member.join(.observed(by: scene.observer.id))
            await scene.network.settle()
            try scene.answer(.observedJoinValid)
            await scene.network.settle()
            #expect(member.isJoined)
            #expect(try scene.server.isMember(id))
            // Looked at again.
            try await member.join(.observed(by: scene.observer.id))
            for _ in 0..<3 {
                await scene.network.settle()
                try scene.answer(verdict)
                await scene.network.advance(by: .seconds(40), step: .seconds(2))
            }
            #expect(!member.isJoined)
            #expect(try !scene.server.isMember(id))
            // What it now says and hears has no effect but joins.
            try await member.join(.simple)
            await scene.network.settle()
            #expect(scene.network.answers(to: id, from: TestServer.id).last == .joinRefused)
            #expect(!member.isJoined)
        }
    }

    @Test func aMemberThatIsLookedAtAgainIsNotTakenForSeenByARestart() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try await scene.observe(device, .observedJoinValid)
        try device.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        try await scene.server.restart()
        await scene.network.settle()
        #expect(device.answers == [.joinSuccess])
        #expect(try scene.server.state.pending().count == 1)
        // The observer's answer from before counts no more; the one to the new request does.
        try scene.answer(.observedJoinInvalid)
        await scene.network.advance(by: .seconds(1))
        #expect(device.answers == [.joinSuccess, .joinFail])
        #expect(try !scene.server.isMember(device.id))
    }

    @Test func theAnswerComesBeforeTheAdviceAndTheAdviceCanBeTurnedOff() async throws {
        for tells in [true, false] {
            let scene = try await Scene { $0.tellsObserver = tells }
            let device = try scene.device(0xD1)
            try device.ask(.joinRequest)
            await scene.network.settle()
            #expect(device.heard.map(\.body.type) == (tells ? [.response, .data] : [.response]))
        }
    }

    @Test func anObserverThatDoesNotAnswerIsNotTheFirstChoice() async throws {
        let scene = try await Scene { $0.observationTimeout = .seconds(20) }
        let second = try Puppet(DeviceID(0x0C), scene.network)
        try scene.server.know(second.id, type: "observer")
        try scene.server.state.trust(second.id, now: 1)
        try second.ask(.joinRequest)
        await scene.network.settle()
        func advised() async throws -> String {
            let device = try scene.device(UInt64.random(in: 0x10000...0xFFFFF))
            try device.ask(.joinRequest)
            await scene.network.settle()
            guard case .data(_, let value)? = device.heard.last?.body else { return "none" }
            return String(decoding: value, as: UTF8.self)
        }
        // The first does not answer; the second is heard of now and then.
        let device = try scene.device(0xD1)
        try device.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.advance(by: .seconds(25), step: .seconds(1))
        #expect(try await advised() == second.id.hex)
    }

    @Test func anIdentityThatIsReplacedByItsOwnKeysWordIsDropped() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let new = try Puppet(DeviceID(0x0C), scene.network)
        try scene.server.know(new.id, type: "observer")
        try scene.server.state.trust(new.id, now: 1)
        try new.ask(.joinRequest)
        await scene.network.settle()
        func identify(_ key: PrivateKey) async throws {
            var text = Identification(program: "srup-observer 1", observations: 4, session: "9")
            text.replaces = Replacement(of: scene.observer.id, by: new.id, key: key)
            try new.say(.data(id: Array(DataName.identification.utf8), value: Array(text.description.utf8)))
            await scene.network.settle()
        }
        // Anybody can claim it.
        try await identify(TestNetwork.key(new.id))
        #expect(try scene.server.state.trusted().contains(scene.observer.id))
        #expect(try scene.server.isMember(scene.observer.id))
        try await identify(TestNetwork.key(scene.observer.id))
        #expect(try scene.server.state.trusted() == [new.id])
        #expect(try !scene.server.isMember(scene.observer.id))
    }
}
