import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// What may come between a release and its devices: restarts, absence, operators, devices that say what they should not.
@Suite struct RolloutServerTests {
    private func phases(_ scene: RolloutScene, _ number: Int64) async throws -> [RolloutDevice.Phase: Int] {
        let rollout = try await scene.rollout(number)
        return Dictionary(grouping: rollout.devices, by: \.phase).mapValues(\.count)
    }

    @Test(arguments: [1, 2, 3, 5, 8, 13, 21, 34] as [UInt64])
    func aRestartAtAnyMomentGoesOn(_ seed: UInt64) async throws {
        let scene = try await RolloutScene(12, seed: seed)
        defer { scene.network.close() }
        for (index, device) in scene.devices.enumerated() { device.manners.takes = .seconds(index % 4) }
        let number = try await scene.start {
            ($0.shares, $0.underWay, $0.startsPerMinute, $0.downloadTime) = ([25, 100], 3, 30, 300)
            ($0.successShare, $0.failureShare) = (50, 100)
        }
        var random = scene.network.random
        for _ in 0..<10 {
            await scene.network.advance(
                by: .seconds(Int.random(in: 1...9, using: &random)), delivers: Bool.random(using: &random))
            // Some messages that are on their way, and some that were stored and never sent.
            for _ in 0..<Int.random(in: 0...3, using: &random) { _ = await scene.network.step() }
            if Bool.random(using: &random) {
                scene.network.cut(TestServer.id, after: Int.random(in: 0...2, using: &random))
                await scene.network.advance(by: .seconds(2))
            }
            scene.network.cut(TestServer.id, after: nil)
            try await scene.server.restart()
        }
        await scene.network.advance(by: .seconds(3600), step: .seconds(2))
        let rollout = try await scene.rollout(number)
        #expect(rollout.state == .finished, "\(rollout.figures) \(rollout.why)")
        #expect(rollout.count(.updated) == 12)
        try await scene.expectFiguresToBeTrue(number)
    }

    @Test func whoIsAwayIsPassedOverAndDealtWithWhenItComesBack() async throws {
        let scene = try await RolloutScene(10)
        defer { scene.network.close() }
        let number = try await scene.start { ($0.shares, $0.successShare) = ([50, 100], 100) }
        let order = try await scene.rollout(number).devices.map(\.id)
        let gone = [order[0], order[4]]
        for id in gone { scene.network.disconnect(id) }
        await scene.network.advance(by: .seconds(300))
        let rollout = try await scene.rollout(number)
        #expect(rollout.state == .finished && rollout.count(.updated) == 8 && rollout.count(.away) == 2)
        #expect(rollout.count(.failed) == 0, "to be away is no failure")
        try await scene.expectFiguresToBeTrue(number)
        for id in gone { await scene.network.connect(id) }
        await scene.network.advance(by: .seconds(30))
        let later = try await scene.rollout(number)
        #expect(later.state == .finished && later.count(.updated) == 10)
        for id in gone { #expect(try scene.device(id).count(.initiate) == 1, "the broker had kept it") }
        try await scene.expectFiguresToBeTrue(number)
        let kinds = try scene.server.state.occurrences(after: 0, limit: 100).map(\.kind)
        #expect(kinds == [.rolloutStarted, .rolloutFinished], "it is told once")
    }

    @Test func anAnswerThatWasNotAskedForChangesNothing() async throws {
        let scene = try await RolloutScene(2)
        defer { scene.network.close() }
        for device in scene.devices { device.manners.takes = .seconds(1000) }
        let number = try await scene.start { ($0.canary, $0.shares) = (2, [100]) }
        await scene.network.advance(by: .seconds(5))
        let before = try await scene.rollout(number).devices
        let (one, other) = (scene.devices[0], scene.devices[1])
        let token = try #require(one.tokens(.initiate).first)
        // The other's token, a token of nobody's, and an answer to what was not said yet.
        try other.say(.response(.updateSuccess), token)
        try one.say(.response(.updateSuccess), .random())
        try one.say(.response(.activateSuccess), token)
        try one.say(.response(.activateFail), token)
        await scene.network.settle()
        #expect(try await scene.rollout(number).devices == before)
        #expect(scene.server.participant.rejections.counts["unknown-token"] == 4)
        // Twice is once.
        for _ in 0..<3 { try one.say(.response(.updateSuccess), token) }
        await scene.network.settle()
        #expect(one.count(.activate) == 1 && one.tokens(.activate) == [token])
        try one.say(.response(.activateFail), token)
        await scene.network.settle()
        #expect(try await scene.rollout(number).device(one.id)?.phase == .updated, "its first answer counts")
        try await scene.expectFiguresToBeTrue(number)
    }

    @Test func aDeviceThatFloodsCostsTheOthersNothing() async throws {
        let scene = try await RolloutScene(5)
        defer { scene.network.close() }
        let number = try await scene.start { ($0.canary, $0.shares) = (5, [100]) }
        let flood = scene.devices[0]
        for _ in 0..<500 { try flood.say(.response(.updateSuccess), .random()) }
        await scene.network.advance(by: .seconds(30))
        let rejected = scene.server.participant.rejections.counts
        #expect((rejected["unknown-token"] ?? 0) < 100 && (rejected["over-budget"] ?? 0) > 400)
        let rollout = try await scene.rollout(number)
        #expect(rollout.devices.count { $0.phase == .updated && $0.id != flood.id } == 4)
    }

    @Test func membersThatJoinLaterAreTakenWhereThePlanSaysSo() async throws {
        for isMeant in [true, false] {
            let scene = try await RolloutScene(3)
            defer { scene.network.close() }
            let number = try await scene.start { $0.includesLater = isMeant }
            await scene.network.advance(by: .seconds(30))
            #expect(try await scene.rollout(number).state == .finished)
            let late = try SimulatedDevice(0x2000, scene.server)
            let other = try SimulatedDevice(0x2001, scene.server, type: "sensor")
            await scene.network.advance(by: .seconds(60))
            #expect((late.version == "2.0.0") == isMeant)
            #expect(other.count(.initiate) == 0, "only those of the release's type")
            #expect(try await scene.rollout(number).count(.updated) == (isMeant ? 4 : 3))
        }
    }

    @Test func pauseHoldsAndResumeGoesOn() async throws {
        let scene = try await RolloutScene(6)
        defer { scene.network.close() }
        for device in scene.devices { device.manners.takes = .seconds(5) }
        let number = try await scene.start { ($0.shares, $0.underWay) = ([100], 2) }
        await scene.network.advance(by: .seconds(10))
        try await scene.server.server.pauseRollout(number, by: "bob")
        await scene.network.advance(by: .seconds(120))
        let paused = try await phases(scene, number)
        #expect(paused[.initiated] == nil && (paused[.waiting] ?? 0) > 0, "those under way have gone on")
        await #expect(throws: OperationError.self) { try await scene.server.server.pauseRollout(number, by: "bob") }
        try await scene.server.restart()
        await scene.network.advance(by: .seconds(60))
        #expect(try await phases(scene, number) == paused)
        try await scene.server.server.resumeRollout(number, by: "bob")
        await scene.network.advance(by: .seconds(120))
        #expect(try await scene.rollout(number).count(.updated) == 6)
    }

    @Test func whatIsTakenBackIsNotActivated() async throws {
        let scene = try await RolloutScene(4)
        defer { scene.network.close() }
        for device in scene.devices { device.manners.takes = .seconds(30) }
        let number = try await scene.start { ($0.canary, $0.shares) = (4, [100]) }
        await scene.network.advance(by: .seconds(10))
        #expect(try await scene.server.server.takeBackRollout(number, by: "bob") == nil)
        await scene.network.advance(by: .seconds(60))
        #expect(scene.updated.isEmpty && scene.devices.allSatisfy { $0.count(.activate) == 0 })
        #expect(try await phases(scene, number) == [.left: 4])
        // An earlier payload under a higher version is the way back.
        try RolloutScene.add("1.0.0", payload: "11", to: scene.server)
        #expect(try scene.server.server.wayBack(number) == nil, "no device takes a lower version")
        try RolloutScene.add("3.0.0", payload: "33", to: scene.server)
        #expect(try scene.server.server.wayBack(number) == nil, "this is another payload")
    }

    @Test func anOlderRolloutLeavesDevicesToANewerOne() async throws {
        let scene = try await RolloutScene(4)
        defer { scene.network.close() }
        let first = try await scene.start()
        scene.network.disconnect(scene.devices[0].id)
        await scene.network.advance(by: .seconds(120))
        #expect(try await scene.rollout(first).count(.away) == 1)
        let release = try RolloutScene.add("2.1.0", payload: "bb", to: scene.server)
        let second = try await scene.server.server.startRollout(of: release, RolloutScene.plan(), by: "anna")
        #expect(try await scene.rollout(first).count(.superseded) == 1)
        await scene.network.advance(by: .seconds(120))
        #expect(try await scene.rollout(second).count(.updated) == 3)
    }

    @Test func whoIsMeantIsSaidClearly() async throws {
        let scene = try await RolloutScene(3)
        defer { scene.network.close() }
        let server = scene.server.server
        func failure(_ target: RolloutPlan.Target, release: Int64? = nil) async -> String {
            do {
                _ = try await server.startRollout(of: release ?? scene.release, RolloutPlan(target), by: "anna")
                return "started"
            } catch { return "\(error)" }
        }
        #expect(await failure(.zone("hall")).contains("nobody to update"))
        #expect(await failure(.type("sensor")).contains("for devices of type \"lamp\", not \"sensor\""))
        #expect(await failure(.list([DeviceID(0xDEAD)])).contains("nobody to update"))
        #expect(await failure(.type("lamp"), release: 99) == "there is no release 99")
        let hall = scene.devices[1].id
        try await server.setZone("hall", of: hall, by: "anna")
        #expect(await failure(.zone("attic")).contains("nobody to update"))
        let number = try await server.startRollout(of: scene.release, RolloutPlan(.zone("hall")), by: "anna")
        #expect(try await scene.rollout(number).devices.map(\.id) == [hall])
        let group = try #require(GroupID("lamps"))
        #expect(await failure(.group(group)) == "there is no group lamps")
        _ = try scene.server.commands.add(scene.devices[2].id, to: group, now: 1)
        let other = try await server.startRollout(of: scene.release, RolloutPlan(.group(group)), by: "anna")
        #expect(try await scene.rollout(other).devices.map(\.id) == [scene.devices[2].id])
        try scene.server.shelf.withdraw(scene.release)
        #expect(await failure(.type("lamp")).contains("was withdrawn"))
        await scene.network.advance(by: .seconds(3))
        #expect(try await scene.rollout(number).why == "its release was withdrawn")
    }

    @Test func theRateIsKept() async throws {
        let scene = try await RolloutScene(50)
        defer { scene.network.close() }
        for device in scene.devices { device.manners.takes = .seconds(10) }
        let number = try await scene.start {
            ($0.canary, $0.shares, $0.startsPerMinute, $0.underWay) = (50, [100], 6, 2)
        }
        var most = 0
        for _ in 0..<120 {
            await scene.network.advance(by: .seconds(1))
            most = max(most, try await scene.rollout(number).devices.count(where: \.isUnderWay))
        }
        #expect(most == 2)
        let told = scene.devices.count { $0.count(.initiate) > 0 }
        #expect((10...13).contains(told), "six a minute, for two minutes: \(told)")
    }

    @Test(
        arguments: [
            { (plan: inout RolloutPlan) in plan.shares = [] }, { $0.shares = [5, 25] }, { $0.shares = [25, 5, 100] },
            { $0.shares = [0, 100] }, { $0.canary = 0 }, { $0.successShare = 101 }, { $0.failureShare = 0 },
            { $0.failures = 0 }, { $0.underWay = 0 }, { $0.startsPerMinute = 0 }, { $0.tries = 21 },
            { $0.downloadTime = 1 }, { $0.activationTime = .nan },
            { $0.target = .type(String(repeating: "x", count: 65)) },
        ] as [@Sendable (inout RolloutPlan) -> Void])
    func aPlanThatCannotBeIsRefused(_ change: @Sendable (inout RolloutPlan) -> Void) {
        #expect(RolloutPlan(.type("lamp")).problem == nil)
        var plan = RolloutPlan(.type("lamp"))
        change(&plan)
        #expect(plan.problem != nil)
    }

    @Test func aVersionIsNamedAsAWordOfItsOwn() {
        #expect(Rollout.names("2.0.0", "lamp 2.0.0 session=x"))
        #expect(Rollout.names("2.0.0", "firmware=2.0.0,other"))
        for text in ["lamp 12.0.0", "lamp 2.0.01", "lamp 2.0.0-rc.1", "", "lamp"] {
            #expect(!Rollout.names("2.0.0", text))
        }
        #expect(!Rollout.names("", "lamp 2.0.0"))
    }
}
