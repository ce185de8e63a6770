import Foundation
import HTTPTypes
import SRUP
import Storage
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators

/// What has happened, as it comes and again afterwards.
@Suite struct APIEventsTests {
    /// One event of a stream.
    private struct Event {
        var id: Int64?
        var name = ""
        var data: JSON = nil
    }

    private func events(_ text: String) throws -> [Event] {
        try text.components(separatedBy: "\n\n").compactMap { block in
            var event = Event()
            for line in block.split(separator: "\n") {
                if line.hasPrefix("id: ") { event.id = Int64(line.dropFirst(4)) }
                if line.hasPrefix("event: ") { event.name = String(line.dropFirst(7)) }
                if line.hasPrefix("data: ") { event.data = try JSON(Array(line.dropFirst(6).utf8)) }
            }
            return event.name.isEmpty ? nil : event
        }
    }

    /// What a stream says while something is done; it ends with the server.
    private func during(
        _ scene: ConsoleScene, _ path: String, _ headers: [String: String] = [:], role: Role = .look,
        _ body: () async throws -> Void
    ) async throws -> [Event] {
        let program = try scene.program(role)
        async let stream = program.ask(.get, path, nil, headers)
        while scene.console.streams.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
        try await body()
        scene.console.streams.endAll()
        let answer = try await stream
        #expect(answer.status == 200 && answer.headers[.contentType]?.hasPrefix("text/event-stream") == true)
        return try events(answer.text)
    }

    private func letIn(_ scene: ConsoleScene, _ id: DeviceID) async throws {
        let waiting = try #require(try await scene.server.server.waiting(id))
        try await scene.server.server.approve(id, ticket: waiting.ticket, .sideBySide, by: "eve")
        await scene.network.settle()
    }

    @Test func programsHearWhoWaitsHowItEndedAndWhoLeaves() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let found = try await during(scene, "/events?kinds=all") {
            let panel = try await scene.panel(0xD1)
            try await letIn(scene, panel.id)
            try scene.server.know(DeviceID(0xD4), type: "lamp")
            let lamp = try Puppet(DeviceID(0xD4), scene.network)
            try lamp.ask(.joinRequest)
            await scene.network.settle()
            try lamp.say(.resignRequest)
            await scene.network.settle()
            _ = try await scene.panel(0xD2)
            let waiting = try #require(try await scene.server.server.waiting(DeviceID(0xD2)))
            try await scene.server.server.refuse(DeviceID(0xD2), ticket: waiting.ticket, by: "eve")
            try scene.member(DeviceID(0xD3), type: "lamp")
            try await scene.server.server.remove(DeviceID(0xD3), by: "eve")
        }
        #expect(
            found.map(\.name) == ["waiting", "joined", "verdict", "joined", "left", "waiting", "verdict", "removed"],
            "\(found)")
        let ids = found.compactMap(\.id)
        #expect(ids.count == found.count && ids == ids.sorted() && Set(ids).count == ids.count)
        #expect(
            found[0].data["device"] == "d1" && found[0].data["type"] == "panel" && found[0].data["kind"] == "waiting")
        #expect(found[2].data["outcome"] == "joined" && found[2].data["by"] == "eve")
        #expect(found[3].data["device"] == "d4" && found[4].data["device"] == "d4" && found[4].data["type"] == "lamp")
        #expect(found[6].data["outcome"] == "failed" && found[6].data["why"] == "refused by a person")
        #expect(found[7].data["device"] == "d3" && found[7].data["by"] == "eve")
    }

    @Test func whoWasAwayHearsTheRest() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        for number in 1...5 { _ = try await scene.panel(UInt64(0xD0 + number)) }
        let program = try scene.program(.look)
        guard case .array(let all) = try await program.get("occurrences")["items"] else { return }
        #expect(all.count == 5)
        let name = try #require(OperatorName("look"))
        for (last, count) in [("0", 5), ("2", 3), ("5", 0), ("99", 0), ("-7", 5), ("x", 0)] {
            let scene = scene
            let again = ConsoleScene.Program(scene: scene, token: program.token)
            async let stream = again.ask(.get, "/events?kinds=waiting", nil, ["Last-Event-ID": last])
            while scene.console.streams.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
            scene.console.streams.end(of: name)
            let found = try events(try await stream.text)
            #expect(found.count == count && found.allSatisfy { $0.name == "waiting" }, "\(last)")
        }
        #expect(try await program.get("occurrences?after=3")["last"] == 5)
        #expect(try await program.get("occurrences?after=3&limit=1")["last"] == 4)
        #expect(try await program.get("occurrences?after=5")["last"] == 5)
    }

    @Test func kindsAndSubjectsAreChosen() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let verdicts = try await during(scene, "/events?kinds=verdict,left") {
            let panel = try await scene.panel(0xD1)
            try await letIn(scene, panel.id)
        }
        #expect(verdicts.map(\.name) == ["verdict"])
        let second = try await ConsoleScene()
        defer { second.close() }
        let changes = try await during(second, "/events?subjects=waiting") { _ = try await second.panel(0xD1) }
        #expect(
            !changes.isEmpty
                && changes.allSatisfy { $0.name == "change" && $0.id == nil && $0.data["subject"] == "waiting" })
        let third = try await ConsoleScene()
        defer { third.close() }
        let both = try await during(third, "/events") { _ = try await third.panel(0xD1) }
        #expect(Set(both.map(\.name)).isSuperset(of: ["change", "waiting"]))
    }

    @Test func whatCannotBeHeardIsRefusedAtOnce() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.look)
        for (path, place) in [
            ("/events?kinds=verdcit", "kinds"), ("/events?kinds=waiting%20", "kinds"),
            ("/events?subjects=devices", "subjects"), ("/events?since=5", "since"),
            ("/events?kinds=all&kinds=all", "kinds"),
        ] {
            let answer = try await program.ask(.get, path)
            #expect(try answer.status == 422 && answer.place() == place, "\(path)")
        }
        #expect(scene.console.streams.count == 0)
    }

    @Test func whatAnObserverSeesIsAVerdictToo() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let (device, observer) = (DeviceID(0xD1), DeviceID(0xB1))
        let state = scene.server.state
        try state.save(
            .init(
                device: device, named: observer, zone: nil, quorum: .one, request: .random(), offer: .random(),
                attempt: 1, asks: [], type: "sensor", created: 5, isRollCall: false))
        await scene.server.server.end(device, .init(.failed, why: "observer saw another value", at: 9))
        let one = try #require(try state.occurrences(after: 0, limit: 5).first)
        #expect(one.kind == .verdict && one.observer == observer && one.outcome == .failed && one.type == "sensor")
        // Where no join was under way, none ends.
        await scene.server.server.end(device, nil)
        #expect(try state.occurrences(after: 0, limit: 5).count == 1)
    }

    @Test func historyIsBoundedAndNumbersGoOn() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let state = scene.server.state
        #expect(try state.newestOccurrence() == 0)
        try state.database.transaction { connection throws(StorageError) in
            for _ in 0..<C2State.maximumOccurrences + 20 {
                try connection.query("INSERT INTO occurrences (time, kind, device) VALUES (1, 'left', 5)")
            }
        }
        let id = try state.note(
            .left, DeviceID(7), type: nil, nil, why: nil, by: nil, observer: nil, now: 2)
        #expect(id == Int64(C2State.maximumOccurrences) + 21)
        let all = try state.occurrences(after: 0, limit: .max)
        #expect(all.count == C2State.maximumOccurrences && all.last?.id == id && all.first?.id == 22)
        #expect(try state.newestOccurrence() == id)
    }

    @Test func streamsEndWithTheirTokenAndThereAreNotTooMany() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let name = try #require(OperatorName("look"))
        var numbers: [Int] = []
        for _ in 0..<StreamTable.maximumOfOne { numbers.append(try #require(scene.console.streams.add(name) {})) }
        let program = try scene.program(.look)
        let answer = try await program.ask(.get, "/events")
        #expect(try answer.status == 429 && answer.problem() == "too-many" && answer.headers[.retryAfter] != nil)
        let number = Int64(1)
        #expect(try scene.operators.isToken(number, now: scene.network.wallClock()))
        try scene.operators.removeToken(number)
        #expect(try !scene.operators.isToken(number, now: scene.network.wallClock()))
    }
}
