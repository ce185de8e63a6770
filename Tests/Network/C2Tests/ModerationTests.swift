import JoiningDevice
import Observation
import SRUP
import TestNetwork
import Testing
import ValueForms

@testable import C2
@testable import Participant

/// Joins that a person decides: the device shows a value, and the operator's page shows the same.
@Suite struct ModerationTests {
    typealias Scene = HostileJoinTests.Scene

    /// A device of ours that shows its value to people.
    private func device(_ scene: Scene, _ number: UInt64, type: String = "panel") async throws -> TestDevice {
        try scene.server.know(DeviceID(number), type: type)
        var behaviour = JoinDriver.Behaviour()
        behaviour.isForPeople = true
        return try await TestDevice(DeviceID(number), scene.network, behaviour)
    }

    private func scene(_ change: (inout C2Rules) -> Void = { _ in }) async throws -> Scene {
        try await Scene { rules in
            rules.policies["panel"] = .human
            change(&rules)
        }
    }

    private func value(_ waiting: C2Server.Waiting?) throws -> [UInt8] {
        try #require(waiting).value.withBytes { Array($0) }
    }

    @Test func deviceAndPageShowTheSameAndAPersonDecides() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try await device(scene, 0xD1)
        await scene.network.settle()
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        #expect(try value(waiting) == device.shown)
        #expect(waiting.type == "panel" && waiting.tries == 1 && waiting.requests == 1 && !waiting.wouldBeTrusted)
        #expect(try !scene.server.isMember(device.id))
        try await scene.server.server.approve(device.id, ticket: waiting.ticket, .sideBySide, by: "eve")
        await scene.network.settle()
        #expect(try scene.server.isMember(device.id))
        #expect(device.member.isJoined && device.shown == nil)
        #expect(try scene.server.participant.state.peer(device.id)?.admission?.way == .human)
        #expect(try await scene.server.server.waitingCount == 0)
        // A decision counts once.
        await #expect(throws: OperationError.ended(device.id)) {
            try await scene.server.server.refuse(device.id, ticket: waiting.ticket, by: "eve")
        }
        let record = try #require(try scene.server.state.joins(of: device.id, limit: 5).first)
        #expect(record.ending?.outcome == .joined && record.ending?.by == "eve" && record.observer == nil)
        let audit = try scene.server.participant.state.auditLog(last: 5, about: device.id)
        #expect(audit.contains { $0.event == "joined" && $0.by == "eve" })
        // A member's later confirmation needs no person.
        try await device.restart()
        await scene.network.settle()
        #expect(try scene.server.isMember(device.id) && device.member.isJoined)
    }

    @Test func whoeverListensLearnsOfEachChangeOfWhoWaits() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let server = scene.server.server
        let feed = server.changes.listen()
        /// How many changes of who waits there were until the policy was set, which is told last.
        func told() async throws -> Int {
            try await server.setPolicy(.simple, for: "mark", by: "eve")
            var count = 0
            for await change in feed {
                if change.subject == .policy { return count }
                if change.subject == .waiting { count += 1 }
            }
            return count
        }
        let device = try await device(scene, 0xD1)
        await scene.network.settle()
        #expect(try await told() == 1)
        var waiting = try #require(try await server.waiting(device.id))
        try? await server.approve(device.id, ticket: waiting.ticket, .words(["x", "y", "z"]), by: "eve")
        #expect(try await told() == 1)
        waiting = try #require(try await server.waiting(device.id))
        try await server.refuse(device.id, ticket: waiting.ticket, by: "eve")
        #expect(try await told() == 1)
        // It asks again, and is let in.
        try await device.restart()
        await scene.network.settle()
        #expect(try await told() >= 1)
        waiting = try #require(try await server.waiting(device.id))
        try await server.approve(device.id, ticket: waiting.ticket, .sideBySide, by: "eve")
        #expect(try await told() == 1)
    }

    @Test func whoIsRefusedGetsJoinFailAndShowsNothing() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try await device(scene, 0xD1)
        await scene.network.settle()
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        try await scene.server.server.refuse(device.id, ticket: waiting.ticket, by: "eve")
        await scene.network.settle()
        #expect(scene.network.answers(to: device.id, from: TestServer.id).last == .joinFail)
        #expect(device.shown == nil)
        #expect(try !scene.server.isMember(device.id))
        #expect(try scene.server.state.joins(of: device.id, limit: 1).first?.ending?.outcome == .failed)
    }

    @Test func threeWordsOfWhatTheDeviceShowsLetItInAndOthersNever() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try await device(scene, 0xD1)
        await scene.network.settle()
        let server = scene.server.server
        var before = try #require(try await server.waiting(device.id))
        #expect(Set(before.question).count == 3 && before.question.allSatisfy { (0..<11).contains($0) })
        // Wrong ones: other words are asked for each time, and after the third the device shows another value.
        for left in [2, 1, 0] {
            await #expect(throws: OperationError.wrongWords(triesLeft: left)) {
                try await server.approve(device.id, ticket: before.ticket, .words(["xxx", "xxx", "xxx"]), by: "eve")
            }
        }
        await scene.network.settle()
        let after = try #require(try await server.waiting(device.id))
        #expect(after.ticket != before.ticket && after.tries == 2)
        #expect(try value(after) == device.shown)
        #expect(try !scene.server.isMember(device.id))
        // Right ones, read off the device.
        before = after
        let shown = try #require(device.shown)
        let words = shown.withUnsafeBytes { ValueWords.words(of: $0) }
        let typed = before.question.map { words[$0].prefix(3).uppercased() }
        try await server.approve(device.id, ticket: before.ticket, .words(typed), by: "eve")
        await scene.network.settle()
        #expect(device.member.isJoined)
        let audit = try scene.server.participant.state.auditLog(last: 20, about: device.id)
        #expect(audit.count { $0.event == "wrong words" } == 3)
        // Nothing that was kept tells the value.
        // (One or two of them may be words of the log's own.)
        #expect(words.count { word in audit.contains { $0.detail.contains(word) } } < 4)
    }

    @Test func aNewRequestTakesThePlaceOfTheOldAndAnOldDecisionDoesNotCount() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1, type: "panel")
        let first = try device.ask(.humanJoinRequest)
        await scene.network.settle()
        let before = try #require(try await scene.server.server.waiting(device.id))
        try device.ask(.humanJoinRequest)
        await scene.network.settle()
        let after = try #require(try await scene.server.server.waiting(device.id))
        #expect(try value(before) != value(after))
        #expect(before.ticket != after.ticket && after.requests == 2)
        await #expect(throws: OperationError.replaced(device.id)) {
            try await scene.server.server.approve(device.id, ticket: before.ticket, .sideBySide, by: "eve")
        }
        #expect(try !scene.server.isMember(device.id))
        try await scene.server.server.approve(device.id, ticket: after.ticket, .sideBySide, by: "eve")
        await scene.network.settle()
        // One answer, with the token of the newest value and of nothing else.
        let answers = device.heard.filter { $0.body == .response(.joinSuccess) }
        #expect(answers.count == 1 && answers.first?.token != first)
        #expect(answers.first?.token == device.heard.last { $0.body.type == .humanJoinResponse }?.token)
        #expect(
            try scene.server.state.joins(of: device.id, limit: 5).map { $0.ending?.outcome } == [.joined, .replaced])
    }

    @Test func aRestartInTheMiddleDrawsAnotherValueForBoth() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try await device(scene, 0xD1)
        await scene.network.settle()
        let before = try #require(device.shown)
        try await scene.server.restart()
        await scene.network.settle()
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        #expect(device.shown != before)
        #expect(try value(waiting) == device.shown)
        try await scene.server.server.approve(device.id, ticket: waiting.ticket, .sideBySide, by: "eve")
        await scene.network.settle()
        #expect(device.member.isJoined)
    }

    @Test func aCrashBetweenTheAnswerAndItsRowAsksNobodyAgain() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try await device(scene, 0xD1)
        await scene.network.settle()
        let row = try #require(try scene.server.state.moderations().first)
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        try await scene.server.server.approve(device.id, ticket: waiting.ticket, .sideBySide, by: "eve")
        // As the crash has left it.
        try scene.server.state.save(row, tries: 1)
        try await scene.server.restart()
        await scene.network.settle()
        #expect(try await scene.server.server.waitingCount == 0)
        #expect(try scene.server.state.moderations().isEmpty)
        #expect(try scene.server.isMember(device.id) && device.member.isJoined)
    }

    @Test func whoWaitsTooLongAsksAgainByItself() async throws {
        let scene = try await scene { $0.moderationTime = .seconds(600) }
        defer { scene.network.close() }
        let device = try await device(scene, 0xD1)
        await scene.network.settle()
        let before = try #require(device.shown)
        await scene.network.advance(by: .seconds(700), step: .seconds(5))
        #expect(scene.network.answers(to: device.id, from: TestServer.id).contains(.joinRefused))
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        #expect(try value(waiting) == device.shown && device.shown != before)
    }

    @Test func theFirstObserverComesInByAPersonAndVouchesFromThenOn() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        try server.know(DeviceID(0xB1), type: "observer")
        let observer = try await TestObserver(DeviceID(0xB1), network, rules: WatchRules())
        await network.settle()
        let waiting = try #require(try await server.server.waiting(observer.id))
        #expect(waiting.wouldBeTrusted)
        #expect(await observer.service.ownValue == waiting.value)
        try await server.server.approve(observer.id, ticket: waiting.ticket, .sideBySide, by: "eve")
        await network.settle()
        #expect(try server.isMember(observer.id) && observer.member.isJoined)
        #expect(try server.state.trusted() == [observer.id])
        #expect(await observer.service.ownValue == nil)
    }

    @Test func anObserverThatIsNamedInsteadIsLetInWithoutBeingAsked() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        try server.know(DeviceID(0xB1), type: "observer")
        let observer = try await TestObserver(DeviceID(0xB1), network, rules: WatchRules())
        await network.settle()
        #expect(try await server.server.waitingCount == 1)
        try server.state.trust(observer.id, now: 0)
        await network.advance(by: .seconds(3))
        #expect(try server.isMember(observer.id) && observer.member.isJoined)
        #expect(try await server.server.waitingCount == 0)
    }

    @Test func valuesAreDrawnSparinglyForOneIdentityAndOneType() async throws {
        let scene = try await scene {
            $0.limits.valueBurst = 3
            $0.limits.valueBurstOfOneType = 5
        }
        defer { scene.network.close() }
        let greedy = try scene.device(0xD1, type: "panel")
        for _ in 0..<5 { try greedy.ask(.humanJoinRequest) }
        await scene.network.settle()
        #expect(greedy.heard.count { $0.body.type == .humanJoinResponse } == 3)
        #expect(greedy.answers == [.joinRefused, .joinRefused])
        // Who has nothing to do with it gets its own; then the type's is used up.
        for number in [0xD2, 0xD3, 0xD4] as [UInt64] {
            let device = try scene.device(number, type: "panel")
            try device.ask(.humanJoinRequest)
            await scene.network.settle()
            #expect(device.heard.count { $0.body.type == .humanJoinResponse } == (number == 0xD4 ? 0 : 1))
        }
        let other = try scene.device(0xD5, type: "gate")
        try other.ask(.humanJoinRequest)
        await scene.network.settle()
        #expect(other.heard.count { $0.body.type == .humanJoinResponse } == 1)
    }

    @Test func placesAreLimitedAndAMoreThanFullTableTakesNobodysPlace() async throws {
        let scene = try await scene { $0.limits.moderations = 2 }
        defer { scene.network.close() }
        for number in [0xD1, 0xD2, 0xD3] as [UInt64] {
            try scene.device(number, type: "panel").ask(.humanJoinRequest)
            await scene.network.settle()
        }
        #expect(try await scene.server.server.waiting(limit: 10).map(\.device) == [DeviceID(0xD1), DeviceID(0xD2)])
        #expect(scene.network.answers(to: DeviceID(0xD3), from: TestServer.id) == [.joinRefused])
    }

    @Test func aDeviceThatIsRemovedOrResignsWaitsNoMore() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1, type: "panel")
        try device.ask(.humanJoinRequest)
        await scene.network.settle()
        try scene.server.state.askRemoval(of: device.id, now: 0)
        await scene.network.advance(by: .seconds(2))
        #expect(try await scene.server.server.waitingCount == 0)
        #expect(device.answers.contains(.joinFail))
    }

    @Test(arguments: [ProtocolVersion.v4, .v5])
    func aReferenceShapedDeviceIsAnsweredInItsOwnVersion(_ version: ProtocolVersion) async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1, type: "panel")
        try device.participant.state.remember(TestServer.id, key: TestNetwork.key(TestServer.id).publicKey)
        try device.participant.state.setVersion(version, of: TestServer.id)
        try device.ask(.humanJoinRequest)
        await scene.network.settle()
        let response = try #require(device.heard.last { $0.body.type == .humanJoinResponse })
        #expect(response.version == version)
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        #expect(try device.nonce(response) == waiting.value)
        try await scene.server.server.approve(device.id, ticket: waiting.ticket, .sideBySide, by: "eve")
        await scene.network.settle()
        let answer = try #require(device.heard.first { $0.body == .response(.joinSuccess) })
        #expect(answer.version == version && answer.token == response.token)
    }

    @Test func aTypeThatIsNeverLetInDoesNotReachAPerson() async throws {
        let scene = try await scene { $0.policies["panel"] = .refuse }
        defer { scene.network.close() }
        let device = try scene.device(0xD1, type: "panel")
        try device.ask(.humanJoinRequest)
        await scene.network.settle()
        #expect(device.answers == [.joinFail])
        #expect(try await scene.server.server.waitingCount == 0)
    }

    @Test func twoOperatorsWhoDecideAtOnceDecideOnce() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let device = try await device(scene, 0xD1)
        await scene.network.settle()
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        let server = scene.server.server
        let done = await withTaskGroup(of: Bool.self) { group in
            for name in ["eve", "adam"] {
                group.addTask {
                    (try? await server.approve(waiting.device, ticket: waiting.ticket, .sideBySide, by: name)) != nil
                }
                group.addTask {
                    (try? await server.refuse(waiting.device, ticket: waiting.ticket, by: name)) != nil
                }
            }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        await scene.network.settle()
        #expect(done == 1)
        #expect(try scene.server.isMember(device.id) == device.member.isJoined)
    }

    @Test func policiesSetOnThePageHoldOverARestartAndGoBack() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        try await scene.server.server.setPolicy(.refuse, for: "lamp", by: "eve")
        try await scene.server.server.setPolicy(.human, for: "*", by: "eve")
        try await scene.server.restart()
        let policies = try await scene.server.server.policies()
        #expect(policies.first?.policy == .human && policies.first?.configured == .observed)
        let lamp = try #require(policies.first { $0.type == "lamp" })
        #expect(lamp.policy == .refuse && lamp.configured == .simple && lamp.set?.by == "eve")
        try await scene.server.server.setPolicy(nil, for: "lamp", by: "eve")
        #expect(try await scene.server.server.policies().first { $0.type == "lamp" }?.policy == .simple)
        for type in ["", String(repeating: "x", count: 65), "a\u{0}b", "ä"] {
            await #expect(throws: OperationError.self) {
                try await scene.server.server.setPolicy(.refuse, for: type, by: "eve")
            }
        }
    }

    @Test func ordersReachMembersAndNobodyElse() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let lamp = try scene.device(0x1A, type: "lamp")
        await #expect(throws: OperationError.notAMember(lamp.id)) {
            try await scene.server.server.sendAction(7, to: lamp.id, by: "eve")
        }
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        try await scene.server.server.sendAction(7, to: lamp.id, by: "eve")
        try await scene.server.server.sendData("colour", value: [1, 2], to: lamp.id, by: "eve")
        await scene.network.settle()
        #expect(lamp.heard.contains { $0.body == .action(7) })
        #expect(lamp.heard.contains { $0.body == .data(id: Array("colour".utf8), value: [1, 2]) })
        await #expect(throws: OperationError.self) {
            try await scene.server.server.sendData("", value: [], to: lamp.id, by: "eve")
        }
        await #expect(throws: OperationError.self) {
            try await scene.server.server.sendData("x", value: Array(repeating: 0, count: 4097), to: lamp.id, by: "eve")
        }
        await #expect(throws: OperationError.unknown(DeviceID(0x77))) {
            try await scene.server.server.note("x", about: DeviceID(0x77), by: "eve")
        }
        try await scene.server.server.note("at the \u{1B}[31mdoor", about: lamp.id, by: "eve")
        #expect(try scene.server.participant.state.peer(lamp.id)?.note?.contains("\u{1B}") == false)
        try await scene.server.server.remove(lamp.id, by: "eve")
        await scene.network.settle()
        #expect(try !scene.server.isMember(lamp.id))
        #expect(lamp.heard.last?.body == .terminateCommand)
    }

    @Test func theRecordOfJoinsIsBoundedForEachDevice() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        for index in 0..<60 {
            try scene.server.state.save(
                C2State.Moderation(
                    device: DeviceID(0xD1), request: .random(), offer: .random(), type: "panel", created: Double(index)),
                tries: 1)
        }
        let first = C2State.Moderation(
            device: DeviceID(0xD2), request: .random(), offer: .random(), type: "panel", created: 0)
        try scene.server.state.save(first, tries: 1)
        #expect(try scene.server.state.joins(of: DeviceID(0xD1), limit: 100).count == 50)
        let page = try scene.server.state.joins(limit: 10)
        #expect(page.count == 10 && page.first?.device == first.device)
        let next = try scene.server.state.joins(before: page.last?.id, limit: 10)
        #expect(next.allSatisfy { $0.id < page[9].id })
        #expect(try scene.server.state.joins(isObserved: true, limit: 10).isEmpty)
    }

    @Test func whatHasChangedIsTold() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let changes = scene.server.server.changes.listen()
        let device = try scene.device(0xD1, type: "panel")
        try device.ask(.humanJoinRequest)
        await scene.network.settle()
        var seen = changes.makeAsyncIterator()
        while let change = await seen.next() {
            if change == Change(subject: .waiting, device: device.id) { break }
        }
    }

    @Test func afterABackupWasPutBackNothingIsTakenTwiceAndWhoAsksIsToldTheNewNumbers() async throws {
        let scene = try await scene()
        defer { scene.network.close() }
        let lamp = try scene.device(0x1A, type: "lamp")
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        let old = try #require(scene.network.published.first { $0.sender == lamp.id })
        let before = try #require(try scene.server.participant.state.peer(lamp.id))
        try scene.server.participant.state.leapAhead()
        let after = try #require(try scene.server.participant.state.peer(lamp.id))
        #expect(after.lastSent > before.lastSent && after.lastReceived > before.lastReceived)
        try await scene.server.restart()
        // What was recorded before is dead, and changes nothing.
        scene.network.inject(old.payload, to: old.topic)
        await scene.network.settle()
        #expect(lamp.answers == [.joinSuccess])
        // The member was told the new numbers then, and is heard.
        #expect(lamp.heard.last?.body == .idRequest)
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers == [.joinSuccess, .joinSuccess])
        // Numbers near the end have no room to jump, and stop nobody.
        let sequence = SequenceNumber.highestAccepted
        _ = try scene.server.participant.state.accept(sequence, from: lamp.id, version: .v5)
        try scene.server.participant.state.leapAhead()
        #expect(try scene.server.participant.state.peer(lamp.id)?.lastReceived == sequence)
    }
}
