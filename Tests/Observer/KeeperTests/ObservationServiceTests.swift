import Observation
import Participant
import SRUP
import TestNetwork
import Testing

/// The observer's membership and its observations together, in virtual time: what is owed, when the eyes open, what a crash
/// leaves.
@Suite struct ObservationServiceTests {
    /// A server that lets everybody in and says what the test wants.
    final class Server {
        let participant: Participant
        private let network: TestNetwork
        private(set) var answers: [(token: Token, status: Status)] = []

        init(_ network: TestNetwork) throws {
            self.network = network
            participant = try network.participant(TestServer.id, name: "server")
            network.onClose { [weak self] in self?.answers = [] }
            network.attach(TestServer.id, ["SRUP/servers/\(TestServer.id.hex)/#", "SRUP/\(Scene.id.hex)"]) { event in
                guard case .message(let topic, let payload) = event,
                    let (signed, place) = try? self.participant.read(payload, topic: topic),
                    let message = try? self.participant.admit(
                        signed, key: TestNetwork.key(signed.message.sender).publicKey)
                else { return }
                if case .joins = place { try? self.say(.response(.joinSuccess), message.token) }
                if case .member = place, case .response(let status) = message.body {
                    self.answers.append((message.token, status))
                }
            }
        }

        func say(_ body: Body, _ token: Token) throws {
            try participant.send(body, to: Scene.id, on: .member(Scene.id), token: token)
        }

        /// Asks the observer to look for `nonce`, sealed for `key` or for the observer.
        func ask(_ device: DeviceID, _ nonce: Nonce, _ token: Token, key: PublicKey? = nil) throws {
            let envelope = try Envelope.sealing(nonce, for: try key ?? TestNetwork.key(Scene.id).publicKey)
            try say(.observationRequest(device: device, envelope), token)
        }

        func statuses(_ token: Token) -> [Status] { answers.filter { $0.token == token }.map(\.status) }
    }

    struct Scene {
        static let id = DeviceID(0xB1)
        static let device = DeviceID(0xD1)
        let network: TestNetwork
        let server: Server
        let observer: TestObserver

        init(_ change: (inout WatchRules) -> Void = { _ in }) async throws {
            network = try TestNetwork()
            server = try Server(network)
            var rules = WatchRules()
            rules.timeout = .seconds(20)
            change(&rules)
            observer = try await TestObserver(Self.id, network, rules: rules)
            await network.settle()
        }

        var duties: [ParticipantStore.Request] { get throws { try observer.participant.state.requests(.duty) } }
    }

    private static func bytes(_ nonce: Nonce) -> [UInt8] { nonce.withBytes { Array($0) } }

    @Test func theNonceIsSeenAndAnsweredOnce() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let (nonce, token) = (Nonce.random(), Token.random())
        #expect(await scene.observer.see(Self.bytes(nonce)) == false, "nobody waits: the eye is closed")
        try scene.server.ask(Scene.device, nonce, token)
        await scene.network.settle()
        #expect(await scene.observer.see(Self.bytes(nonce)))
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinValid])
        #expect(try scene.duties.isEmpty)
        #expect(await scene.observer.see(Self.bytes(nonce)) == false, "the eye is closed again")
        await scene.network.advance(by: .seconds(60))
        #expect(scene.server.statuses(token) == [.observedJoinValid])
    }

    @Test func aCrashWhileItLooksIsAnsweredFAILEDAfterTheNextJoin() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let token = Token.random()
        try scene.server.ask(Scene.device, .random(), token)
        await scene.network.settle()
        #expect(try scene.duties.map(\.token) == [token])
        try await scene.observer.restart()
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinFail])
        #expect(try scene.duties.isEmpty)
        // And not once more after another one.
        try await scene.observer.restart()
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinFail])
    }

    @Test func whatIsOwedIsStoredWithTheRequestsNumber() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let store = scene.observer.participant.state
        let before = try #require(try store.peer(TestServer.id)).lastReceived
        let duty = ParticipantStore.Request(
            token: .random(), kind: .duty, peer: TestServer.id, subject: Scene.device)
        // A number that has been: neither.
        #expect(try store.accept(before, from: TestServer.id, version: .v5, opening: duty) == before)
        #expect(try scene.duties.isEmpty)
        let next = try #require(before.advanced(by: 1))
        #expect(try store.accept(next, from: TestServer.id, version: .v5, opening: duty) == nil)
        #expect(try scene.duties == [duty])
        // Another one about the same device takes its place.
        let later = ParticipantStore.Request(
            token: .random(), kind: .duty, peer: TestServer.id, subject: Scene.device)
        _ = try store.accept(#require(next.advanced(by: 1)), from: TestServer.id, version: .v5, opening: later)
        #expect(try scene.duties == [later])
    }

    @Test func anEnvelopeThatCannotBeOpenedIsFAILEDAtOnceAndClosesTheEye() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let (nonce, token) = (Nonce.random(), Token.random())
        let other = try PrivateKey.generate()
        try scene.server.ask(Scene.device, nonce, token, key: other.publicKey)
        await scene.network.settle()
        #expect(scene.server.statuses(token) == [.observedJoinFail])
        #expect(try scene.duties.isEmpty)
        #expect(await scene.observer.see(Self.bytes(nonce)) == false)
    }

    @Test func aLaterRequestAboutADeviceReplacesTheEarlierWithoutAnAnswer() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let (first, second) = (Nonce.random(), Nonce.random())
        let (early, late) = (Token.random(), Token.random())
        try scene.server.ask(Scene.device, first, early)
        try scene.server.ask(Scene.device, second, late)
        await scene.network.settle()
        #expect(try scene.duties.map(\.token) == [late])
        _ = await scene.observer.see(Self.bytes(first))
        await scene.network.settle()
        #expect(scene.server.answers.isEmpty)
        _ = await scene.observer.see(Self.bytes(second))
        await scene.network.settle()
        #expect(scene.server.statuses(late) == [.observedJoinValid])
        #expect(scene.server.statuses(early).isEmpty)
    }

    @Test func oneMoreThanItCanLookAtIsFAILEDAndTheOthersGoOn() async throws {
        let scene = try await Scene { $0.maximumWatches = 2 }
        defer { scene.network.close() }
        let nonces = [Nonce.random(), .random(), .random()]
        let tokens = [Token.random(), .random(), .random()]
        for (index, token) in tokens.enumerated() {
            try scene.server.ask(DeviceID(0xD1 + UInt64(index)), nonces[index], token)
        }
        await scene.network.settle()
        #expect(scene.server.statuses(tokens[2]) == [.observedJoinFail])
        _ = await scene.observer.see(Self.bytes(nonces[0]))
        _ = await scene.observer.see(Self.bytes(nonces[1]))
        await scene.network.settle()
        #expect(scene.server.statuses(tokens[0]) == [.observedJoinValid])
        #expect(scene.server.statuses(tokens[1]) == [.observedJoinValid])
    }

    @Test func nothingShownInTimeIsFAILED() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let token = Token.random()
        try scene.server.ask(Scene.device, .random(), token)
        await scene.network.advance(by: .seconds(19))
        #expect(scene.server.statuses(token).isEmpty)
        await scene.network.advance(by: .seconds(2))
        #expect(scene.server.statuses(token) == [.observedJoinFail])
    }

    @Test func aRequestSentAgainOpensNoEyeAndGetsNoSecondAnswer() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let (nonce, token) = (Nonce.random(), Token.random())
        try scene.server.ask(Scene.device, nonce, token)
        let request = try #require(scene.network.published.last { $0.sender == TestServer.id })
        await scene.network.settle()
        _ = await scene.observer.see(Self.bytes(nonce))
        await scene.network.settle()
        let wakes = scene.observer.wakes
        scene.network.inject(request.payload, to: request.topic)
        await scene.network.settle()
        #expect(scene.observer.wakes == wakes)
        #expect(await scene.observer.see(Self.bytes(nonce)) == false)
        #expect(scene.server.statuses(token) == [.observedJoinValid])
    }
}
