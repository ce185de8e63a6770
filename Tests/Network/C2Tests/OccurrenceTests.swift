import SRUP
import Synchronization
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// What the server notes for programs, and tells them that listen.
@Suite struct OccurrenceTests {
    typealias Scene = HostileJoinTests.Scene

    private func kinds(_ scene: Scene, after: Int64 = 0) throws -> [Occurrence] {
        try scene.server.state.occurrences(after: after, limit: 1000)
    }

    @Test func anObservedJoinIsAVerdictWithItsObserverAndReason() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let begin = try scene.server.state.newestOccurrence()
        let (good, bad) = (try scene.device(0xD1), try scene.device(0xD2))
        try await scene.observe(good, .observedJoinValid)
        try await scene.observe(bad, .observedJoinInvalid)
        let found = try kinds(scene, after: begin)
        #expect(found.map(\.kind) == [.joined, .verdict, .verdict])
        #expect(found.map(\.device) == [good.id, good.id, bad.id])
        #expect(found[1].outcome == .joined && found[2].outcome == .failed)
        let verdicts = found.dropFirst()
        #expect(verdicts.allSatisfy { $0.observer == scene.observer.id && $0.type == "sensor" && $0.by == nil })
        #expect(found[2].why == "observer saw another value")
        #expect(found.allSatisfy { $0.time == scene.network.wallClock() })
    }

    @Test func aDeviceThatAsksAnewEndsItsEarlierJoin() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let begin = try scene.server.state.newestOccurrence()
        let device = try scene.device(0xD1)
        for _ in 0..<3 {
            try device.ask(.observedJoinRequest(observer: scene.observer.id))
            await scene.network.settle()
        }
        let found = try kinds(scene, after: begin)
        #expect(found.map(\.outcome) == [.replaced, .replaced] && found.allSatisfy { $0.kind == .verdict })
    }

    @Test func simpleJoinsAreNoVerdictsAndConfirmationsNothing() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let begin = try scene.server.state.newestOccurrence()
        let lamp = try scene.device(0xD1, type: "lamp")
        for _ in 0..<3 {
            try lamp.ask(.joinRequest)
            await scene.network.settle()
        }
        let refused = try scene.device(0xD2)
        try refused.ask(.joinRequest)
        await scene.network.settle()
        try lamp.say(.resignRequest)
        await scene.network.settle()
        #expect(try kinds(scene, after: begin).map(\.kind) == [.joined, .left])
        let counted = scene.server.server.tally.counted
        #expect(counted[.init(policy: .simple, outcome: .joined)] == 1)
        #expect(counted[.init(policy: .observed, outcome: .refused)] == 1)
    }

    @Test func whatHasHappenedSurvivesARestart() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try await scene.observe(device, .observedJoinValid)
        let before = try kinds(scene)
        try await scene.server.restart()
        await scene.network.settle()
        #expect(Array(try kinds(scene).prefix(before.count)) == before)
        try await scene.server.server.remove(device.id, by: "eve")
        let last = try #require(try kinds(scene).last)
        #expect(last.kind == .removed && last.by == "eve" && last.id > before.count)
    }

    @Test func aFeedTellsThoseThatListenAndNobodyElse() async throws {
        let feed = Feed<Int>()
        let heard = Mutex<[Int]>([])
        let number = feed.hear { value in heard.withLock { $0.append(value) } }
        let stream = feed.listen()
        for value in 1...3 { feed.tell(value) }
        feed.stop(number)
        feed.tell(4)
        #expect(heard.withLock { $0 } == [1, 2, 3])
        var iterator = stream.makeAsyncIterator()
        for value in 1...4 { #expect(await iterator.next() == value) }
    }

    @Test func aFeedThatNobodyReadsKeepsTheNewest() async throws {
        let feed = Feed<Int>()
        let stream = feed.listen()
        for value in 1...1000 { feed.tell(value) }
        var iterator = stream.makeAsyncIterator()
        #expect(await iterator.next() == 745)
    }

    @Test func theWebhooksStandingIsKept() throws {
        let network = try TestNetwork()
        defer { network.close() }
        let state = try C2State(path: network.folder + "/x.db")
        #expect(try state.webhook() == nil && state.newestOccurrence() == 0)
        _ = try state.note(.left, DeviceID(1), type: nil, nil, why: nil, by: nil, observer: nil, now: 1)
        var standing = C2State.WebhookStanding(told: 0)
        (standing.failed, standing.problem, standing.dropped) = (5, "it answers 500", 7)
        try state.save(standing)
        let again = try #require(try C2State(path: network.folder + "/x.db").webhook())
        #expect(again.failed == 5 && again.problem == "it answers 500" && again.dropped == 7 && again.pending == 1)
        standing.told = 1
        try state.save(standing)
        #expect(try state.webhook()?.pending == 0)
    }
}
