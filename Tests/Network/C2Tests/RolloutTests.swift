import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// Releases on their way to devices, in virtual time.
@Suite struct RolloutTests {
    @Test func fiveHundredDevicesAreUpdatedStepByStepInOrder() async throws {
        let scene = try await RolloutScene(500)
        defer { scene.network.close() }
        for device in scene.devices { device.manners.takes = .seconds(5) }
        let number = try await scene.start { $0.shares = [5, 25, 100] }
        var seen: [Int] = []
        for _ in 0..<120 {
            await scene.network.advance(by: .seconds(1))
            let rollout = try await scene.rollout(number)
            let begun = rollout.devices.filter { $0.tries > 0 }
            // Those that have begun are the first ones of the order, and no more than the step lets.
            #expect(begun.map(\.position) == Array(0..<begun.count))
            #expect(begun.count <= [1, 25, 125, 500][rollout.step])
            if seen.last != begun.count { seen.append(begun.count) }
            if rollout.step < 3 { try await scene.expectFiguresToBeTrue(number) }
            if rollout.state == .finished { break }
        }
        #expect(seen == [1, 25, 125, 500], "one, 5 %, 25 %, all")
        let rollout = try await scene.rollout(number)
        #expect(rollout.state == .finished && rollout.count(.updated) == 500)
        #expect(scene.updated.count == 500)
        #expect(rollout.devices.allSatisfy { $0.proof == .answer && $0.tries == 1 })
        #expect(scene.devices.allSatisfy { $0.count(.initiate) == 1 && $0.count(.activate) == 1 })
        #expect(rollout.devices.map(\.id) != scene.devices.map(\.id), "the order is not that of the identities")
        try await scene.expectFiguresToBeTrue(number)
        let kinds = try scene.server.state.occurrences(after: 0, limit: 100).map(\.kind)
        #expect(kinds == [.rolloutStarted, .rolloutFinished])
    }

    @Test func theOrderIsThatOfTheSeed() async throws {
        func order(_ seed: UInt64) async throws -> [DeviceID] {
            let scene = try await RolloutScene(40)
            defer { scene.network.close() }
            let number = try await scene.start(seed: seed)
            return try await scene.rollout(number).devices.map(\.id)
        }
        let first = try await order(3)
        #expect(try await order(3) == first)
        #expect(try await order(4) != first)
    }

    @Test func itStopsByItselfAtTheShareOfFailures() async throws {
        let scene = try await RolloutScene(500)
        defer { scene.network.close() }
        let number = try await scene.start {
            $0.failureShare = 10
            $0.successShare = 50
            $0.startsPerMinute = 60
        }
        let order = try await scene.rollout(number).devices.map(\.id)
        // Of the 125 of the third step every third fails, from the thirtieth on.
        for index in stride(from: 30, to: 500, by: 3) {
            try scene.device(order[index]).manners.activation = .activateFail
        }
        await scene.network.advance(by: .seconds(600))
        let rollout = try await scene.rollout(number)
        #expect(rollout.state == .stopped && rollout.step == 2)
        // 10 % of 125 are 12.5: the thirteenth failure stops it; what was told in the same second has ended as well.
        #expect(rollout.count(.failed) >= 13 && rollout.count(.failed) < 40)
        #expect(rollout.why.contains("of this step's 125 devices have failed"))
        #expect(scene.devices.count { $0.count(.initiate) > 0 } <= 125, "nobody beyond the step was told")
        try await scene.expectFiguresToBeTrue(number)
        let told = scene.devices.map { $0.count(.initiate) }.reduce(0, +)
        await scene.network.advance(by: .seconds(7200), step: .seconds(5))
        #expect(scene.devices.map { $0.count(.initiate) }.reduce(0, +) == told, "and nobody is told any more")
        let last = try scene.server.state.occurrences(after: 0, limit: 100).last
        #expect(last?.kind == .rolloutStopped)
    }

    @Test func itStopsAtTheThirdFailure() async throws {
        let scene = try await RolloutScene(20)
        defer { scene.network.close() }
        let number = try await scene.start {
            $0.shares = [100]
            ($0.failureShare, $0.successShare, $0.failures, $0.underWay) = (100, 1, 3, 1)
        }
        let order = try await scene.rollout(number).devices.map(\.id)
        for index in [4, 7, 9] { try scene.device(order[index]).manners.activation = .activateFail }
        await scene.network.advance(by: .seconds(120))
        let rollout = try await scene.rollout(number)
        #expect(rollout.state == .stopped && rollout.why == "3 of 20 devices have failed")
        #expect(rollout.count(.updated) == 7 && rollout.count(.failed) == 3 && rollout.count(.left) == 10)
        try await scene.expectFiguresToBeTrue(number)
    }

    @Test func aCanaryThatFailsStopsIt() async throws {
        let scene = try await RolloutScene(50)
        defer { scene.network.close() }
        let number = try await scene.start()
        let first = try await scene.rollout(number).devices[0].id
        try scene.device(first).manners.activation = .activateFail
        await scene.network.advance(by: .seconds(60))
        let rollout = try await scene.rollout(number)
        #expect(rollout.state == .stopped && rollout.count(.failed) == 1 && rollout.count(.left) == 49)
        #expect(scene.devices.count { $0.count(.initiate) > 0 } == 1)
    }

    @Test(arguments: [ProtocolVersion.v4, .v5])
    func aReferenceDeviceCountsByItsIdentificationOrUnconfirmed(_ version: ProtocolVersion) async throws {
        for namesVersion in [true, false] {
            let scene = try await RolloutScene(1)
            defer { scene.network.close() }
            let device = scene.devices[0]
            (device.manners.activation, device.manners.namesVersion) = (nil, namesVersion)
            device.manners.protocolVersion = version
            // The server answers in the version that it last heard.
            try device.say(.data(id: [UInt8(ascii: "t")], value: [1]), .random())
            await scene.network.settle()
            let number = try await scene.start { $0.takesSilence = true }
            await scene.network.advance(by: .seconds(20))
            #expect(try await scene.rollout(number).devices[0].phase == .activated)
            let initiate = try #require(device.heard.first { $0.body.type == .initiate })
            #expect(initiate.version == version)
            let digest = String(repeating: "a", count: 64)
            #expect(
                initiate.body
                    == .initiate(
                        url: TerminatedText("https://files.example.net/lamp-2.0.0"), digest: TerminatedText(digest)))
            await scene.network.advance(by: .seconds(700))
            let found = try await scene.rollout(number)
            #expect(found.devices[0].phase == .updated && found.state == .finished)
            #expect(found.devices[0].proof == (namesVersion ? .identification : .unconfirmed))
            #expect(device.tokens(.activate) == device.tokens(.initiate))
            try await scene.expectFiguresToBeTrue(number)
        }
    }

    /// An observer's new version runs, and says so, while root has not decided yet whether it stays.
    @Test(arguments: [Status.activateSuccess, .activateFail, nil])
    func whoIsOnTrialCountsByItsAnswer(_ answer: Status?) async throws {
        let scene = try await RolloutScene(20)
        defer { scene.network.close() }
        for device in scene.devices { (device.manners.activation, device.manners.isOurs) = (nil, true) }
        let number = try await scene.start { $0.activationTime = 300 }
        await scene.network.advance(by: .seconds(120))
        let before = try await scene.rollout(number)
        let first = before.devices[0]
        #expect(first.phase == .activated && first.isOnTrial)
        #expect(before.devices[1...].allSatisfy { $0.phase == .waiting }, "nobody follows a version on trial")
        if let answer {
            let device = try scene.device(first.id)
            for other in scene.devices { other.manners.activation = answer }
            try device.say(.response(answer), try #require(device.tokens(.activate).first))
        }
        await scene.network.advance(by: .seconds(answer == nil ? 190 : 20))
        let found = try await scene.rollout(number)
        switch answer {
        case .activateFail: #expect(found.state == .stopped && found.devices[0].phase == .failed)
        case .activateSuccess: #expect(found.devices[0].phase == .updated && found.devices[0].proof == .answer)
        default: #expect(found.devices[0].phase == .updated && found.devices[0].proof == .identification)
        }
    }

    @Test func silenceAfterActivateIsAFailureUnlessItIsTaken() async throws {
        let scene = try await RolloutScene(1)
        defer { scene.network.close() }
        (scene.devices[0].manners.activation, scene.devices[0].manners.namesVersion) = (nil, false)
        let number = try await scene.start { $0.activationTime = 120 }
        await scene.network.advance(by: .seconds(130))
        let found = try await scene.rollout(number)
        #expect(found.devices[0].phase == .failed && found.state == .stopped)
        #expect(found.devices[0].why.contains("has not answered ACTIVATE"))
        // What it says later is how it is.
        let token = try #require(scene.devices[0].tokens(.activate).first)
        try scene.devices[0].say(.response(.activateSuccess), token)
        await scene.network.settle()
        #expect(try await scene.rollout(number).devices[0].phase == .updated)
        try scene.devices[0].say(.response(.activateFail), token)
        await scene.network.settle()
        #expect(try await scene.rollout(number).devices[0].phase == .updated, "but once only")
    }

    @Test func aDownloadThatFailsIsTriedAgainAFewTimes() async throws {
        let scene = try await RolloutScene(1)
        defer { scene.network.close() }
        scene.devices[0].manners.download = .updateFailServer
        let number = try await scene.start { $0.tries = 3 }
        await scene.network.advance(by: .seconds(55))
        #expect(scene.devices[0].count(.initiate) == 1)
        await scene.network.advance(by: .seconds(300))
        #expect(scene.devices[0].count(.initiate) == 3 && Set(scene.devices[0].tokens(.initiate)).count == 3)
        let found = try await scene.rollout(number)
        #expect(found.devices[0].phase == .failed && found.devices[0].status == .updateFailServer)
        #expect(found.devices[0].why.contains("could not be reached") && found.devices[0].why.contains("3 times"))
        #expect(scene.devices[0].count(.activate) == 0)
    }

    /// The failures that a reference device knows (pySRUP sends 00, FD, FE and FF), in either version.
    @Test(
        arguments: [Status.updateFailServer, .updateFailFile, .updateFailDigest], [ProtocolVersion.v4, .v5])
    func aReferenceDevicesRefusalsAreTakenForWhatTheyAre(_ status: Status, _ version: ProtocolVersion) async throws {
        let scene = try await RolloutScene(1)
        defer { scene.network.close() }
        scene.devices[0].manners.download = status
        scene.devices[0].manners.protocolVersion = version
        try scene.devices[0].say(.data(id: [UInt8(ascii: "t")], value: [1]), .random())
        await scene.network.settle()
        let number = try await scene.start { $0.tries = 1 }
        await scene.network.advance(by: .seconds(60))
        let found = try await scene.rollout(number)
        #expect(found.devices[0].phase == .failed && found.devices[0].status == status)
        #expect(found.state == .stopped && scene.devices[0].count(.activate) == 0)
        #expect(scene.devices[0].heard.allSatisfy { $0.version == version })
    }
}
