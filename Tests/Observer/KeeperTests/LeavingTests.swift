import C2
import Observation
import Participant
import SRUP
import TestNetwork
import Testing

/// An observer of ours that its own server puts out, calls back, or ends.
@Suite struct LeavingTests {
    static let id = DeviceID(0xB1)

    private func scene() async throws -> (TestNetwork, TestServer, TestObserver) {
        let network = try TestNetwork()
        let server = try await TestServer(network)
        try server.know(Self.id, type: "observer")
        try server.state.trust(Self.id, now: 0)
        var rules = WatchRules()
        rules.timeout = .seconds(20)
        let observer = try await TestObserver(Self.id, network, rules: rules)
        await network.settle()
        #expect(observer.member.isJoined)
        return (network, server, observer)
    }

    @Test func whoIsPutOutWhileItLooksIsNotBelievedAndComesBackWhenItIsCalled() async throws {
        let (network, server, observer) = try await scene()
        defer { network.close() }
        let device = try Puppet(DeviceID(0xD1), network)
        try server.know(device.id, type: "sensor")
        try device.ask(.observedJoinRequest(observer: Self.id))
        await network.settle()
        let request = try #require(device.heard.last { $0.body.type == .observedJoinResponse })
        let nonce = try #require(try device.nonce(request))
        #expect(await observer.service.openWatches == 1)
        try await server.server.remove(Self.id, by: "anna")
        await network.settle()
        #expect(!observer.member.isJoined)
        #expect(device.answers == [.joinFail])
        _ = await observer.see(nonce.withBytes { Array($0) })
        await network.settle()
        #expect(device.answers == [.joinFail], "what it sees does not count any more")
        // Called, it asks at once, not at its next round; without the operator's word it is not let in.
        let before = network.answers(to: Self.id, from: TestServer.id).count
        try await server.server.callToJoin(Self.id, by: "anna")
        await network.settle()
        #expect(network.answers(to: Self.id, from: TestServer.id).dropFirst(before).first == .joinRefused)
        // It waits for a person then; the operator's word lets it in as well.
        try server.state.trust(Self.id, now: 0)
        await network.advance(by: .seconds(3))
        #expect(observer.member.isJoined)
    }

    @Test func whoseIdentityEndsSaysSoAndAsksNoMore() async throws {
        let (network, server, observer) = try await scene()
        defer { network.close() }
        try await server.server.deregister(Self.id, by: "anna")
        await network.advance(by: .milliseconds(200), step: .milliseconds(100))
        #expect(server.book.confirmed == [Self.id])
        #expect(network.disconnected == [Self.id])
        #expect(!observer.member.isJoined)
        // Whatever it asks for after that, over a connection that it should not have.
        await network.connect(Self.id)
        await network.advance(by: .seconds(300))
        #expect(try !server.isMember(Self.id))
        #expect(try server.participant.state.peer(Self.id) == nil)
    }
}
