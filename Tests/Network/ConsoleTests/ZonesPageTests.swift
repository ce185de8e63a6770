import Foundation
import HTTPTypes
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators
@testable import Participant

/// Zones and roll calls, on the pages and for programs.
@Suite struct ZonesPageTests {
    private let device = DeviceID(0xD1)
    private let observer = DeviceID(0xB1)

    /// A device that an observer has seen, and the observer.
    private func scene() async throws -> ConsoleScene {
        let scene = try await ConsoleScene()
        try scene.member(device, type: "sensor")
        try scene.member(observer, type: "observer")
        try scene.server.state.trust(observer, now: 0)
        try scene.server.state.saw(device, type: "sensor", by: observer, now: scene.network.wallClock())
        return scene
    }

    @Test func zonesAreSetOnThePages() async throws {
        let scene = try await scene()
        defer { scene.close() }
        let browser = try await scene.browser(.moderate)
        let set = try await browser.submit(
            "/observers", "/observers/zones", [("id", "b1"), ("zones", " hall, stairs\nhall ")])
        #expect(set.place == "/observers?done=zones&id=b1")
        #expect(try scene.server.state.zones() == [observer: ["hall", "stairs"]])
        #expect(try await browser.get("/observers").text.contains("hall, stairs"))
        #expect(try await browser.submit("/devices/d1", "/devices/d1/zone", [("zone", "hall")]).status == 303)
        #expect(try scene.server.state.zone(of: device) == "hall")
        #expect(try await browser.get("/devices/d1").text.contains("value=\"hall\""))
        #expect(try await browser.submit("/devices/d1", "/devices/d1/zone", [("zone", "")]).status == 303)
        #expect(try scene.server.state.zone(of: device) == nil)
        for (page, form, fields) in [
            ("/observers", "/observers/zones", [("id", "b1"), ("zones", "a/b")]),
            ("/observers", "/observers/zones", [("id", "nobody"), ("zones", "hall")]),
            (
                "/observers", "/observers/zones",
                [("id", "b1"), ("zones", (0...32).map { "z\($0)" }.joined(separator: " "))]
            ),
            ("/devices/d1", "/devices/d1/zone", [("zone", "<b>")]),
        ] {
            let answer = try await browser.submit(page, form, fields)
            #expect(answer.status == 422, "\(fields)")
            #expect(!answer.text.contains("<b>"))
        }
        #expect(try scene.server.state.zones() == [observer: ["hall", "stairs"]])
    }

    @Test func whoIsMissingIsShownAndCanBeCalled() async throws {
        let scene = try await scene()
        defer { scene.close() }
        let browser = try await scene.browser(.moderate)
        #expect(try await !browser.get("/observations").text.contains("Not seen at their last roll call"))
        #expect(
            try scene.server.state.failedRollCall(device, why: "<nobody> saw it", now: scene.network.wallClock()) == 1)
        let page = try await browser.get("/observations").text
        #expect(page.contains("Not seen at their last roll call") && page.contains("&lt;nobody&gt; saw it"))
        #expect(try await browser.get("/devices/d1").text.contains("not at its last roll call"))
        let called = try await browser.submit("/devices/d1", "/devices/d1/roll", [])
        #expect(called.place == "/devices/d1?done=rolled&id=d1")
        #expect(try scene.server.state.pending().map(\.isRollCall) == [true])
        #expect(try await browser.get("/observations").text.contains("roll call"))
        // Who looks only may not.
        let onlooker = try await scene.browser(.look)
        #expect(try await !onlooker.get("/devices/d1").text.contains("/devices/d1/roll"))
    }

    @Test func programsSetZonesAndCallTheRoll() async throws {
        let scene = try await scene()
        defer { scene.close() }
        let (looks, moderates) = (try scene.program(.look), try scene.program(.moderate))
        #expect(try await moderates.ask(.put, "observers/b1/zones/hall").status == 204)
        #expect(try await moderates.ask(.put, "observers/b1/zones/stairs").status == 204)
        #expect(try await moderates.ask(.delete, "observers/b1/zones/stairs").status == 204)
        #expect(try scene.server.state.zones() == [observer: ["hall"]])
        #expect(try await moderates.ask(.put, "devices/d1/zone/hall").status == 204)
        #expect(try scene.server.state.zone(of: device) == "hall")
        #expect(try await moderates.ask(.post, "devices/d1/rollcall").status == 202)
        #expect(try scene.server.state.pending().map(\.isRollCall) == [true])
        #expect(try await moderates.ask(.delete, "devices/d1/zone").status == 204)
        #expect(try await looks.all("joins", limit: 2).map { $0["kind"] } == ["roll call"])
        #expect(try await looks.get("missing")["items"] == .array([]))
        #expect(try scene.server.state.failedRollCall(device, why: "not seen", now: scene.network.wallClock()) == 1)
        guard case .array(let missing) = try #require(try await looks.get("missing")["items"]) else { return }
        #expect(missing.map { $0["device"] } == ["d1"])
        for path in ["observers/b1/zones/a%2Fb", "observers/0/zones/hall", "devices/d1/zone/%20"] {
            #expect(try await moderates.ask(.put, path).problem() == "not-found", "\(path)")
        }
        #expect(try await moderates.ask(.put, "observers/ee/zones/hall").problem() == "unknown")
        #expect(try await looks.ask(.put, "observers/b1/zones/hall").status == 403)
        #expect(try await looks.ask(.post, "devices/d1/rollcall").status == 403)
    }
}
