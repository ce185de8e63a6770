import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// A device that nobody has seen is never let in, whatever the order in which things happen.
@Suite struct OneSlotObserverTests {
    /// Two devices ask for the same reference observer; only the first ever stands before it.
    struct Scene {
        let network: TestNetwork
        let server: TestServer
        let view = View()
        let observer: ReferenceObserver
        let seen: Puppet
        let unseen: Puppet

        init(seed: UInt64) async throws {
            network = try TestNetwork(seed: seed)
            server = try await TestServer(network) {
                // The observer looks for 60 s, longer than a try lasts, but not longer than it is left alone.
                $0.observationTimeout = .seconds(30)
                $0.observationRest = .seconds(60)
                $0.limits.joinsPerMinute = 600
            }
            observer = try ReferenceObserver(DeviceID(0x0B), network, view)
            seen = try Puppet(DeviceID(0xD1), network)
            unseen = try Puppet(DeviceID(0xD2), network)
            try server.know(observer.puppet.id, type: "observer")
            try server.know(seen.id, type: "sensor")
            try server.know(unseen.id, type: "sensor")
            try server.state.trust(observer.puppet.id, now: 0)
            try observer.puppet.ask(.joinRequest)
            await network.settle()
            let view = view
            seen.onMessage = { [seen] message in
                // It shows the last nonce it was sent.
                if case .observedJoinResponse = message.body, let nonce = try seen.nonce(message) {
                    view.values = [nonce]
                }
            }
        }

        func request(_ device: Puppet) throws { try device.ask(.observedJoinRequest(observer: observer.puppet.id)) }

        /// Something happens.
        func act(_ choice: Int) async throws {
            switch choice {
            case 0: try request(seen)
            case 1: try request(unseen)
            case 2: for _ in 0..<Int.random(in: 1...3, using: &network.random) { _ = await network.step() }
            case 3: try observer.look()
            case 4:
                await network.advance(by: .seconds(Int.random(in: 1...40, using: &network.random)), step: .seconds(1))
            case 5: view.values = []
            default: try await server.restart()
            }
        }
    }

    @Test func inFiveHundredOrdersNobodyUnseenIsLetIn() async throws {
        var letIn = 0
        for seed in 1...500 as ClosedRange<UInt64> {
            let scene = try await Scene(seed: seed)
            // Each thing that can happen, some more often, in the seed's order.
            for _ in 0..<24 {
                let choice = [0, 1, 1, 2, 2, 2, 3, 3, 4, 5, 6].randomElement(using: &scene.network.random) ?? 0
                try await scene.act(choice == 6 && Bool.random(using: &scene.network.random) ? 2 : choice)
            }
            // In the end it is looked for once more, so that the honest device has its chance.
            try scene.request(scene.seen)
            for _ in 0..<20 {
                await scene.network.advance(by: .seconds(10), step: .seconds(2))
                try scene.observer.look()
            }
            await scene.network.settle()
            #expect(!scene.unseen.answers.contains(.joinSuccess), "seed \(seed)")
            #expect(try !scene.server.isMember(scene.unseen.id), "seed \(seed)")
            if scene.seen.answers.contains(.joinSuccess) { letIn += 1 }
            scene.network.close()
        }
        #expect(letIn > 450, "the device in view was let in \(letIn) times of 500")
    }

    @Test func theSecondDeviceWaitsForItsTurn() async throws {
        let scene = try await Scene(seed: 1)
        defer { scene.network.close() }
        try scene.request(scene.unseen)
        await scene.network.settle()
        try scene.request(scene.seen)
        await scene.network.settle()
        #expect(scene.network.count(.observationRequest, to: scene.observer.puppet.id) == 1)
        // The first is given up: 60 s by the observer's own clock, later than the server's 30 s; then the other has its turn.
        for _ in 0..<16 {
            await scene.network.advance(by: .seconds(10), step: .seconds(1))
            try scene.observer.look()
        }
        #expect(scene.seen.answers.last == .joinSuccess)
        #expect(!scene.unseen.answers.contains(.joinSuccess))
    }

    @Test func anObserverThatHandlesSeveralIsAskedForSeveral() async throws {
        let scene = try await Scene(seed: 1)
        defer { scene.network.close() }
        try scene.observer.puppet.say(
            .data(
                id: Array(DataName.identification.utf8),
                value: Array(Identification(program: "srup-observer 1", observations: 8, session: "1").description.utf8)
            ))
        await scene.network.settle()
        try scene.request(scene.unseen)
        try scene.request(scene.seen)
        await scene.network.settle()
        #expect(scene.network.count(.observationRequest, to: scene.observer.puppet.id) == 2)
    }

    @Test func whatAStrangerTellsOfItselfChangesNothing() async throws {
        let scene = try await Scene(seed: 1)
        defer { scene.network.close() }
        let stranger = try Puppet(DeviceID(0xE1), scene.network)
        try scene.server.know(stranger.id, type: "lamp")
        try stranger.ask(.joinRequest)
        await scene.network.settle()
        try stranger.say(
            .data(id: Array(DataName.identification.utf8), value: Array("srup-observer 1 observations=1000".utf8)))
        await scene.network.settle()
        #expect(try scene.server.state.observers().isEmpty)
    }
}
