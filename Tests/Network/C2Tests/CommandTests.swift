import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// What devices are told and what they say, in virtual time.
@Suite struct CommandTests {
    typealias Scene = HostileJoinTests.Scene

    /// A lamp of the reference's kind, in the network.
    private func lamp(_ scene: Scene, _ id: UInt64 = 0x1A) async throws -> Puppet {
        let lamp = try scene.device(id, type: "lamp")
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        #expect(lamp.answers.last == .joinSuccess)
        return lamp
    }

    private func token(_ lamp: Puppet, _ body: Body) throws -> Token {
        try #require(lamp.heard.last { $0.body == body }).token
    }

    @Test(arguments: [Status.actionSuccess, .actionUnknown, .actionFail])
    func anAnswerIsKeptWithItsCommandAndAudited(_ status: Status) async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        let receipt = try await scene.server.server.sendAction(7, to: lamp.id, by: "anna")
        await scene.network.settle()
        let before = try #require(try scene.server.commands.commands(to: lamp.id, limit: 1).first)
        #expect(
            before.number == receipt.number && before.answered == nil && before.by == "anna" && before.detail == "7")
        await scene.network.advance(by: .seconds(3))
        try lamp.say(.response(status), try token(lamp, .action(7)))
        await scene.network.settle()
        let after = try #require(try scene.server.commands.commands(to: lamp.id, limit: 1).first)
        #expect(after.status == status)
        #expect(try #require(after.answered) - after.sent >= 3)
        let audit = try scene.server.participant.state.auditLog(last: 10, about: lamp.id)
        #expect(audit.contains { $0.event == "sent" && $0.detail.contains("action 7") && $0.by == "anna" })
        #expect(audit.contains { $0.event == "answered" && $0.detail.contains(status.description) })
    }

    @Test func anAnswerCountsOnceAndFromWhomItIsExpected() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let (lamp, other) = (try await lamp(scene), try await lamp(scene, 0x1B))
        try await scene.server.server.sendAction(7, to: lamp.id, by: "anna")
        await scene.network.settle()
        let token = try token(lamp, .action(7))
        // Another member's; one for data; one with a token of its own.
        try other.say(.response(.actionSuccess), token)
        try lamp.say(.response(.dataTypeUnknown), token)
        try lamp.say(.response(.actionSuccess), .random())
        await scene.network.settle()
        #expect(try scene.server.commands.commands(to: lamp.id, limit: 1).first?.status == nil)
        try lamp.say(.response(.actionFail), token)
        try lamp.say(.response(.actionSuccess), token)
        await scene.network.settle()
        #expect(try scene.server.commands.commands(to: lamp.id, limit: 1).first?.status == .actionFail)
        #expect(scene.server.participant.rejections.counts["unknown-token"] == 4)
    }

    @Test func anAnswerIsTakenAfterARestart() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await scene.server.server.sendAction(7, to: lamp.id, by: "anna")
        await scene.network.settle()
        try await scene.server.restart()
        try lamp.say(.response(.actionSuccess), try token(lamp, .action(7)))
        await scene.network.settle()
        #expect(try scene.server.commands.commands(to: lamp.id, limit: 1).first?.status == .actionSuccess)
    }

    @Test func dataThatADeviceDoesNotTakeIsSeen() async throws {
        let scene = try await Scene { $0.dataTypes["level"] = .int16 }
        defer { scene.network.close() }
        let device = try await TestDevice(DeviceID(0x1A), scene.network, actions: [3: "on"])
        try scene.server.know(device.id, type: "lamp")
        await scene.network.advance(by: .seconds(10))
        let server = scene.server.server
        let wire = try await server.wire("-300", named: "level", as: nil, for: device.id)
        try await server.sendData("level", value: wire, to: device.id, by: "anna")
        try await server.sendData("level", value: [1], to: device.id, by: "anna")
        try await server.sendData("nonsense", value: [1], to: device.id, by: "anna")
        try await server.sendAction(3, to: device.id, by: "anna")
        try await server.sendAction(4, to: device.id, by: "anna")
        await scene.network.settle()
        #expect(device.values == ["level": [0xD4, 0xFE]] && device.done == [3])
        let statuses = try scene.server.commands.commands(to: device.id, limit: 5).reversed().map(\.status)
        #expect(statuses == [nil, .dataTypeUnknown, .dataTypeUnknown, .actionSuccess, .actionUnknown])
        #expect(try scene.server.commands.commands(to: device.id, limit: 5).last?.detail == "level = -300")
        // Its name is as good as its number, once it has told it.
        #expect(try await server.actionNumber("on", of: device.id) == 3)
        await #expect(throws: OperationError.self) { try await server.actionNumber("off", of: device.id) }
        await #expect(throws: OperationError.self) { try await server.actionNumber("256", of: device.id) }
        await #expect(throws: OperationError.self) {
            try await server.wire("x", named: "level", as: nil, for: device.id)
        }
    }

    @Test func anIdentificationIsAskedForAndKept() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await scene.server.server.askIdentification(of: lamp.id, by: "anna")
        await scene.network.settle()
        #expect(try scene.server.commands.commands(to: lamp.id, limit: 1).first?.answered == nil)
        // As a reference device says it.
        try lamp.say(.data(id: Array("IDENTIFICATION_RESPONSE".utf8), value: Array("pySRUP version 2.0".utf8)))
        await scene.network.settle()
        #expect(try scene.server.commands.commands(to: lamp.id, limit: 1).first?.answered != nil)
        #expect(try scene.server.participant.state.peer(lamp.id)?.identification == "pySRUP version 2.0")
        #expect(try scene.server.commands.latest(of: lamp.id).isEmpty, "it is no value")
    }

    // MARK: Values

    private func say(_ scene: Scene, _ lamp: Puppet, _ name: String, _ value: [UInt8]) async throws {
        try lamp.say(.data(id: Array(name.utf8), value: value))
        await scene.network.settle()
    }

    @Test func valuesAreKeptAndReadByTheirType() async throws {
        let scene = try await Scene { $0.dataTypes["temperature"] = .float64 }
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        for degrees in [20.5, 21, 21.5] {
            try await say(scene, lamp, "temperature", DataValue.double(degrees).wire)
            await scene.network.advance(by: .seconds(1))
        }
        try await say(scene, lamp, "count", DataValue.int32(7).wire)
        let server = scene.server.server
        let last = try await server.readings(of: lamp.id)
        #expect(last.map(\.raw.name) == ["count", "temperature"])
        #expect(last.last?.value == .double(21.5) && last.last?.raw.count == 3)
        #expect(last.first?.value == nil, "nobody has said what it is")
        let history = try await server.readings(of: lamp.id, named: "temperature")
        #expect(history.map(\.value) == [.double(21.5), .double(21), .double(20.5)])
        // The device says of itself what the configuration does not.
        try await say(scene, lamp, "IDENTIFICATION_RESPONSE", Array("x 1 sends=count:int32,temperature:string".utf8))
        #expect(try await server.readings(of: lamp.id).map(\.value) == [.int32(7), .double(21.5)])
        // Of another width it is shown as it came.
        try await say(scene, lamp, "temperature", [1, 2, 3])
        let odd = try #require(try await server.readings(of: lamp.id).last)
        #expect(odd.value == nil && odd.raw.value == [1, 2, 3])
        await #expect(throws: OperationError.unknown(DeviceID(0x77))) { try await server.readings(of: DeviceID(0x77)) }
    }

    @Test func whatIsTooLargeIsNotKeptAndTheNextIs() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try await lamp(scene)
        try await say(scene, lamp, "x", Array(repeating: 7, count: 64_900))
        try await say(scene, lamp, "x", Array(repeating: 7, count: 4097))
        try await say(scene, lamp, String(repeating: "n", count: 65), [1])
        try await say(scene, lamp, "", [1])
        #expect(try scene.server.commands.latest(of: lamp.id).isEmpty)
        try await say(scene, lamp, "x", Array(repeating: 7, count: 4096))
        try await say(scene, lamp, "\u{1B}[2J", [1])
        let names = try scene.server.commands.latest(of: lamp.id).map(\.name)
        #expect(names.count == 2 && names.allSatisfy { !$0.contains("\u{1B}") })
    }

    @Test func whatOneDeviceCanHaveKeptIsBounded() async throws {
        let scene = try await Scene { $0.limits.messageBurst = 10_000 }
        defer { scene.network.close() }
        let (lamp, other) = (try await lamp(scene), try await lamp(scene, 0x1B))
        try await say(scene, other, "mine", [1])
        for number in 0..<300 {
            try lamp.say(.data(id: Array("n\(number % 100)".utf8), value: [UInt8(number % 256)]))
            if number % 50 == 0 { await scene.network.advance(by: .seconds(1)) }
        }
        await scene.network.settle()
        let commands = scene.server.commands
        #expect(try commands.latest(of: lamp.id).count == 64)
        let kept = try (0..<100).reduce(0) { try $0 + commands.history(of: lamp.id, "n\($1)", limit: 1000).count }
        #expect(kept == 256)
        #expect(
            try commands.history(of: lamp.id, "n99", limit: 1).first?.value == [UInt8(299 % 256)], "the newest stay")
        #expect(try commands.latest(of: other.id).map(\.name) == ["mine"], "at nobody else's cost")
    }

    @Test func whoDoesNotBelongHasNothingKept() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let stranger = try scene.device(0x1C, type: "lamp")
        try stranger.say(.data(id: [1], value: [1]))
        try stranger.say(.response(.actionSuccess))
        await scene.network.settle()
        #expect(try scene.server.commands.latest(of: stranger.id).isEmpty)
        await #expect(throws: OperationError.notAMember(stranger.id)) {
            try await scene.server.server.sendAction(1, to: stranger.id, by: "anna")
        }
        #expect(try scene.server.commands.commands(limit: 10).isEmpty)
    }
}

/// Groups: server, broker's access and devices together, in virtual time.
@Suite struct ServerGroupTests {
    typealias Scene = HostileJoinTests.Scene

    private func devices(_ scene: Scene, _ count: Int) async throws -> [TestDevice] {
        var devices: [TestDevice] = []
        for number in 0..<count {
            let id = DeviceID(0xD0 + UInt64(number))
            try scene.server.know(id, type: "lamp")
            devices.append(try await TestDevice(id, scene.network, actions: [1: "on", 2: "off"]))
        }
        await scene.network.advance(by: .seconds(5))
        for device in devices { #expect(try scene.server.isMember(device.id)) }
        return devices
    }

    private func group(_ name: String) throws -> GroupID { try #require(GroupID(name)) }

    @Test func oneMessageReachesAGroupAndEachMemberAnswers() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let devices = try await devices(scene, 5)
        let (server, lamps) = (scene.server.server, try group("lamps"))
        try await server.add(devices[..<4].map(\.id), to: lamps, by: "anna")
        await scene.network.settle()
        #expect(scene.server.access.groups == [lamps: devices[..<4].map(\.id)])
        _ = scene.network.takePublished()
        let receipt = try await server.sendAction(1, to: lamps, by: "anna")
        try await server.sendData("level", value: [5, 0], to: lamps, by: "anna")
        await scene.network.settle()
        let said = scene.network.takePublished().filter { $0.sender == TestServer.id }
        #expect(said.map(\.topic) == ["SRUP/groups/lamps", "SRUP/groups/lamps"])
        #expect(devices.map(\.done) == [[1], [1], [1], [1], []])
        #expect(devices.map { $0.values["level"] } == [[5, 0], [5, 0], [5, 0], [5, 0], nil])
        let commands = try scene.server.commands.commands(since: receipt.number, limit: 100).filter {
            $0.kind == .action
        }
        #expect(commands.count == 4 && commands.allSatisfy { $0.status == .actionSuccess && $0.group == lamps })
        #expect(Set(commands.map(\.device)) == Set(receipt.devices))
        let audit = try scene.server.participant.state.auditLog(last: 20)
        #expect(audit.contains { $0.detail.contains("group lamps (4): action 1") && $0.by == "anna" })
    }

    @Test func whoIsAwayHearsItLater() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let devices = try await devices(scene, 2)
        let (server, lamps) = (scene.server.server, try group("lamps"))
        try await server.add(devices.map(\.id), to: lamps, by: "anna")
        await scene.network.settle()
        scene.network.disconnect(devices[0].id)
        try await server.sendAction(1, to: lamps, by: "anna")
        try await server.sendAction(2, to: lamps, by: "anna")
        await scene.network.settle()
        #expect(devices.map(\.done) == [[], [1, 2]])
        await scene.network.connect(devices[0].id)
        await scene.network.settle()
        #expect(devices.map(\.done) == [[1, 2], [1, 2]])
    }

    @Test func removedDestroyedAndLeftBehind() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let devices = try await devices(scene, 3)
        let (server, lamps) = (scene.server.server, try group("lamps"))
        try await server.add(devices.map(\.id), to: lamps, by: "anna")
        await scene.network.settle()
        try await server.remove(devices[0].id, from: lamps, by: "anna")
        // Who leaves the network leaves its groups.
        try await server.remove(devices[1].id, by: "anna")
        await scene.network.settle()
        #expect(scene.server.access.groups == [lamps: [devices[2].id]])
        try await server.sendAction(1, to: lamps, by: "anna")
        await scene.network.settle()
        #expect(devices.map(\.done) == [[], [], [1]])
        try await server.destroy(lamps, by: "anna")
        await scene.network.settle()
        #expect(scene.server.access.groups == [:])
        #expect(try devices[2].participant.state.groups(of: TestServer.id).isEmpty)
        await #expect(throws: OperationError.self) { try await server.sendAction(1, to: lamps, by: "anna") }
        await #expect(throws: OperationError.self) { try await server.destroy(lamps, by: "anna") }
        // Made anew, its numbers go on: what was said in the old one cannot be said again.
        try await server.add([devices[2].id], to: lamps, by: "anna")
        await scene.network.settle()
        try await server.sendAction(2, to: lamps, by: "anna")
        await scene.network.settle()
        #expect(devices[2].done == [1, 2])
        let sent = scene.network.published.filter { $0.topic == "SRUP/groups/lamps" }
        for message in sent { scene.network.inject(message.payload, to: message.topic) }
        await scene.network.settle()
        #expect(devices[2].done == [1, 2])
    }

    @Test func groupsAreKeptOverARestartOfTheServerAndOfDevices() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let devices = try await devices(scene, 2)
        let lamps = try group("lamps")
        try await scene.server.server.add(devices.map(\.id), to: lamps, by: "anna")
        await scene.network.settle()
        try await scene.server.restart()
        try await devices[0].restart()
        await scene.network.advance(by: .seconds(5))
        #expect(scene.server.access.groups == [lamps: devices.map(\.id)])
        try await scene.server.server.sendAction(2, to: lamps, by: "anna")
        await scene.network.settle()
        #expect(devices.map(\.done) == [[2], [2]])
    }

    @Test func afterABackupWasPutBackNewMessagesStillCount() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let devices = try await devices(scene, 1)
        let lamps = try group("lamps")
        try await scene.server.server.add(devices.map(\.id), to: lamps, by: "anna")
        await scene.network.settle()
        try await scene.server.server.sendAction(1, to: lamps, by: "anna")
        await scene.network.settle()
        let before = try scene.server.participant.state.lastSent(to: lamps, of: TestServer.id)
        try scene.server.participant.state.leapAhead()
        #expect(
            try scene.server.participant.state.lastSent(to: lamps, of: TestServer.id).value > before.value + 1 << 31)
        try await scene.server.server.sendAction(2, to: lamps, by: "anna")
        await scene.network.settle()
        #expect(devices[0].done == [1, 2])
    }

    /// An invitation that was lost, or a membership that the device has made up.
    @Test func whatADeviceSaysOfItsGroupsIsPutRight() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let devices = try await devices(scene, 1)
        let device = devices[0]
        let (lamps, strange) = (try group("lamps"), try group("strange"))
        try await scene.server.server.add([device.id], to: lamps, by: "anna")
        scene.network.lose(device.id)
        await scene.network.settle()
        #expect(try device.participant.state.groups(of: TestServer.id).isEmpty)
        try device.participant.state.enter(strange, of: TestServer.id, after: .none)
        try await scene.server.server.askIdentification(of: device.id, by: "anna")
        await scene.network.settle()
        #expect(try device.participant.state.groups(of: TestServer.id) == [lamps])
    }

    @Test func onlyMembersThatKnowGroupsAreTaken() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let (server, lamps) = (scene.server.server, try group("lamps"))
        let lamp = try scene.device(0x1A, type: "lamp")
        await #expect(throws: OperationError.notAMember(lamp.id)) {
            try await server.add([lamp.id], to: lamps, by: "anna")
        }
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        // A reference device, which has said what it is.
        try lamp.say(.data(id: Array("IDENTIFICATION_RESPONSE".utf8), value: Array("pySRUP version 2.0".utf8)))
        await scene.network.settle()
        await #expect(throws: OperationError.self) { try await server.add([lamp.id], to: lamps, by: "anna") }
        #expect(try await server.groups().isEmpty && scene.server.access.groups.isEmpty)
        await #expect(throws: OperationError.self) { try await server.remove(lamp.id, from: lamps, by: "anna") }
    }

    @Test func whatSomebodySaysInAGroupIsNoMessageToTheServer() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let devices = try await devices(scene, 2)
        let lamps = try group("lamps")
        try await scene.server.server.add(devices.map(\.id), to: lamps, by: "anna")
        await scene.network.settle()
        // A member that the broker did not stop, to the others and to the server.
        let message = try Message(
            version: .v5, sequence: SequenceNumber(5000), sender: devices[0].id,
            token: GroupToken.message(to: lamps), body: .action(1)
        ).signed(with: TestNetwork.key(devices[0].id)).bytes
        scene.network.inject(message, to: "SRUP/groups/lamps")
        await scene.server.server.handle(.message(topic: "SRUP/groups/lamps", payload: message))
        await scene.network.settle()
        #expect(devices.map(\.done) == [[], []])
        #expect(scene.server.participant.rejections.counts["wrong-topic"] == 1)
    }
}
