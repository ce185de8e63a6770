import Foundation
import HTTPTypes
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import KeyService
@testable import Operators
@testable import Participant

/// What programs have devices do, alone and in groups, and how they take them out.
@Suite struct APICommandsTests {
    /// A member that a test plays.
    private func lamp(_ scene: ConsoleScene, _ number: UInt64) async throws -> Puppet {
        let id = DeviceID(number)
        try scene.server.know(id, type: "lamp")
        let lamp = try Puppet(id, scene.network)
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        var told = Identification(program: "lamp 1")
        told.groups = []
        try lamp.say(.data(id: Array(DataName.identification.utf8), value: Array(told.description.utf8)))
        await scene.network.settle()
        return lamp
    }

    @Test func commandsAndTheirAnswersAreListed() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let (looks, moderates) = (try scene.program(.look), try scene.program(.moderate))
        let lamp = try await lamp(scene, 0xD7)
        for number in 0..<5 {
            #expect(
                try await moderates.ask(.post, "devices/d7/action", ["action": .integer(Int64(number))]).status == 202)
        }
        await scene.network.settle()
        let action = try #require(lamp.heard.last { $0.body.type == .action })
        try lamp.say(.response(.actionUnknown), action.token)
        await scene.network.settle()
        let all = try await looks.all("commands?device=d7", limit: 2)
        #expect(all.count == 5 && all.map { $0["detail"] } == ["4", "3", "2", "1", "0"])
        #expect(all[0]["status"] == "ACTION_UNKNOWN" && all[0]["answered"] != JSON.null && all[0]["group"] == JSON.null)
        #expect(all[1]["status"] == JSON.null && all[1]["answered"] == JSON.null)
        #expect(all[0]["by"] == "moderate, token 2" && all[0]["kind"] == "action")
        guard case .integer(let number) = try #require(all[0]["number"]) else { return }
        #expect(try await looks.get("commands/\(number)")["status"] == "ACTION_UNKNOWN")
        for wrong in ["commands/999", "commands/9223372036854775807"] {
            #expect(try await looks.ask(.get, wrong).problem() == "unknown")
        }
        #expect(try await looks.ask(.get, "commands/x").problem() == "not-found")
        #expect(try await looks.ask(.get, "commands?device=0").status == 422)
        #expect(try await looks.get("commands?device=ee")["items"] == .array([]))
    }

    @Test func valuesAreToldByTheirTypes() async throws {
        let scene = try await ConsoleScene { $0.dataTypes["temperature"] = .float32 }
        defer { scene.close() }
        let looks = try scene.program(.look)
        let lamp = try await lamp(scene, 0xD7)
        for text in ["20.5", "21.5"] {
            let value = try DataType.float32.value(text: text).wire
            try lamp.say(.data(id: Array("temperature".utf8), value: value))
        }
        try lamp.say(.data(id: Array("raw".utf8), value: [0xFF, 0x00]))
        await scene.network.settle()
        guard case .array(let values) = try #require(try await looks.get("devices/d7/values")["items"]) else { return }
        #expect(values.map { $0["name"] } == ["raw", "temperature"])
        #expect(values[0]["value"] == JSON.null && values[0]["value_base64"] == "/wA=")
        #expect(values[1]["value"] == "21.5" && values[1]["count"] == 2)
        let history = try await looks.get("devices/d7/values?name=temperature")
        guard case .array(let kept) = try #require(history["items"]) else { return }
        #expect(kept.map { $0["value"] } == ["21.5", "20.5"] && kept[0]["count"] == JSON.null)
        #expect(try await looks.ask(.get, "devices/ee/values").problem() == "unknown")
        #expect(try await looks.ask(.get, "devices/d7/values?limit=0").status == 422)
    }

    @Test func dataIsReadByItsType() async throws {
        let scene = try await ConsoleScene { $0.dataTypes["speed"] = .int16 }
        defer { scene.close() }
        let moderates = try scene.program(.moderate)
        let lamp = try await lamp(scene, 0xD7)
        func last() async -> Body? {
            await scene.network.settle()
            return lamp.heard.last { $0.body.type == .data }?.body
        }
        for (type, value) in [("known", "258"), ("int16", "258")] as [(JSON, JSON)] {
            let answer = try await moderates.ask(
                .post, "devices/d7/data", ["name": "speed", "value": value, "type": type])
            #expect(answer.status == 202, "\(answer.text)")
            let wire = try DataType.int16.value(text: "258").wire
            #expect(await last() == .data(id: Array("speed".utf8), value: wire))
        }
        for (body, place) in [
            (["name": "speed", "value": "fast", "type": "known"], "#/value"),
            (["name": "speed", "value": "1", "type": "int17"], "#/type"),
            (["name": "speed", "value_base64": "AA==", "type": "int16"], "#/type"),
            (["name": "speed", "type": "int16"], "#/value"),
        ] as [(JSON, String)] {
            let answer = try await moderates.ask(.post, "devices/d7/data", body)
            #expect(try answer.status == 422 && answer.place() == place, "\(body)")
        }
    }

    @Test func groupsAreMadeFilledToldAndEnded() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let (looks, moderates) = (try scene.program(.look), try scene.program(.moderate))
        let lamps = [try await lamp(scene, 0xD1), try await lamp(scene, 0xD2), try await lamp(scene, 0xD3)]
        for (group, number) in [("hall", "d1"), ("hall", "d2"), ("hall", "d2"), ("yard", "d3"), ("attic", "d3")] {
            #expect(try await moderates.ask(.put, "groups/\(group)/members/\(number)").status == 204)
        }
        let groups = try await looks.all("groups", limit: 2)
        #expect(groups.map { $0["group"] } == ["attic", "hall", "yard"] && groups[1]["size"] == 2)
        #expect(try await looks.get("groups/hall")["members"] == ["d1", "d2"])
        await scene.network.settle()
        #expect(lamps[0].heard.contains { $0.body.type == .groupAdd })
        // Once, whoever repeats it.
        let key = ["Idempotency-Key": "light"]
        for _ in 0..<2 {
            let sent = try await moderates.ask(.post, "groups/hall/action", ["action": 9], key)
            #expect(try sent.status == 202 && sent.json()["devices"] == ["d1", "d2"], "\(sent.text)")
        }
        #expect(
            try await moderates.ask(.post, "groups/hall/data", ["name": "light", "value": "on"]).status == 202)
        let commands = try await looks.all("commands", limit: 50).filter { $0["group"] == "hall" }
        #expect(commands.count { $0["kind"] == "action" } == 2 && commands.count == 4)
        #expect(try await moderates.ask(.delete, "groups/hall/members/d1").status == 204)
        #expect(try await moderates.ask(.delete, "groups/hall/members/d1").problem() == "unknown")
        #expect(try await looks.get("groups/hall")["members"] == ["d2"])
        #expect(try await moderates.ask(.delete, "groups/hall").status == 204)
        for (method, path, body) in [
            (.get, "groups/hall", nil), (.delete, "groups/hall", nil), (.delete, "groups/hall/members/d2", nil),
            (.post, "groups/hall/action", ["action": 1]), (.post, "groups/hall/data", ["name": "x", "value": "y"]),
        ] as [(HTTPRequest.Method, String, JSON?)] {
            let answer = try await moderates.ask(method, path, body)
            #expect(try answer.status == 404 && answer.problem() == "unknown", "\(method) \(path)")
        }
        // Its last device is out: nobody is told.
        #expect(try await moderates.ask(.delete, "groups/yard/members/d3").status == 204)
        #expect(try await moderates.ask(.post, "groups/yard/action", ["action": 1]).problem() == "unknown")
        let log = try scene.server.participant.state.auditLog(last: 50)
        #expect(log.contains { $0.event == "group" && $0.by == "moderate, token 2" })
    }

    @Test func aGroupIsNoTopicOfItsOwnMaking() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let moderates = try scene.program(.moderate)
        _ = try await lamp(scene, 0xD1)
        for name in ["%23", "%2B", "a%2Fb", "A", "ha%20ll", String(repeating: "a", count: 33), "%00"] {
            let answer = try await moderates.ask(.put, "groups/\(name)/members/d1")
            #expect([400, 404].contains(answer.status), "\(name): \(answer.status)")
        }
        #expect(try await moderates.ask(.put, "groups/hall/members/ee").problem() == "not-a-member")
        #expect(try await moderates.get("groups")["items"] == .array([]))
    }

    @Test func identitiesEndAndTheirReceiptIsTheAuthoritys() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let (looks, moderates) = (try scene.program(.look), try scene.program(.moderate))
        let lamp = try await lamp(scene, 0xD7)
        #expect(try await moderates.ask(.delete, "devices/d7").status == 204)
        #expect(try await moderates.ask(.post, "devices/d7/call").status == 202)
        await scene.network.settle()
        #expect(lamp.heard.contains { $0.body.type == .joinCommand })
        #expect(try await moderates.ask(.post, "devices/ee/call").problem() == "unknown")
        let key = ["Idempotency-Key": "end"]
        for _ in 0..<2 { #expect(try await moderates.ask(.post, "devices/d7/deregister", nil, key).status == 202) }
        #expect(try await moderates.ask(.post, "devices/d7/deregister").problem() == "has-ended")
        await scene.network.advance(by: .seconds(2), step: .milliseconds(100))
        #expect(scene.server.book.revoked == [lamp.id])
        #expect(try await moderates.ask(.post, "devices/\(TestServer.id)/deregister").status == 422)
        // The key service's book, which the test's server does not share.
        let folder = scene.network.folder + "/authority"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        _ = try Authority.create(in: folder, name: "test")
        for number in [0xE1, 0xE2, 0xE3] as [UInt64] {
            _ = try scene.identities.add(
                DeviceID(number), key: TestNetwork.publicKey(DeviceID(number)), type: "clock", isServer: false, now: 1)
            _ = try scene.identities.end(DeviceID(number), why: "sold", by: "anna", now: 1000)
        }
        #expect(try await looks.all("ended", limit: 1).map { $0["device"] } == ["e1", "e2", "e3"])
        #expect(try await looks.ask(.get, "ended/e1/receipt").problem() == "unknown", "no key of the authority's here")
        var settings = scene.console.settings
        settings.folder = folder
        try scene.use(settings)
        #expect(try await looks.ask(.get, "ended/e1/receipt").problem() == "not-yet")
        try scene.identities.markClosed(DeviceID(0xE1), confirmed: true, now: 1001)
        let one = try await looks.get("ended/e1")
        #expect(one["keys_removed"] == true && one["why"] == "sold" && one["closed"] == "1970-01-01T00:16:41Z")
        guard case .text(let text) = try #require(try await looks.get("ended/e1/receipt")["receipt"]) else { return }
        let receipt = try #require(ReleaseReceipt(text))
        #expect(receipt.identity == DeviceID(0xE1) && receipt.ended == 1000)
        #expect(try await looks.ask(.get, "ended/e9").problem() == "unknown")
        #expect(try await looks.ask(.get, "ended?cursor=x").status == 422)
    }

    @Test func whoOnlyLooksChangesNothing() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let looks = try scene.program(.look)
        _ = try await lamp(scene, 0xD1)
        for (method, path, body) in [
            (.put, "groups/hall/members/d1", nil), (.delete, "groups/hall/members/d1", nil),
            (.delete, "groups/hall", nil), (.post, "groups/hall/action", ["action": 1]),
            (.post, "groups/hall/data", ["name": "x", "value": "y"]), (.post, "devices/d1/call", nil),
            (.post, "devices/d1/deregister", nil),
        ] as [(HTTPRequest.Method, String, JSON?)] {
            let answer = try await looks.ask(method, path, body)
            #expect(try answer.status == 403 && answer.problem() == "forbidden", "\(method) \(path)")
        }
        #expect(try scene.server.isMember(DeviceID(0xD1)))
    }
}
