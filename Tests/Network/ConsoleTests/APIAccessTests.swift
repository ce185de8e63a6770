import Foundation
import HTTPTypes
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators

/// Who may ask for what, and how requests have to look.
@Suite struct APIAccessTests {
    @Test func withoutATokenThatCountsThereIsNothing() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        _ = try await scene.panel(0xD1)
        let browser = try await scene.browser(.administer)
        for (path, cookie) in ["waiting", "network", "devices", "operators"].flatMap({
            [($0, nil), ($0, browser.cookie)]
        }) {
            // A session counts for nothing here: no page elsewhere can use it.
            let answer = try await scene.ask(
                .get, "/api/v1/\(path)", body: nil, cookie: cookie, address: "192.0.2.1", [:])
            #expect(answer.status == 401 && answer.headers[.wwwAuthenticate] == "Bearer realm=\"srup\"")
            #expect(answer.headers[.contentType] == "application/problem+json" && !answer.text.contains("d1"))
        }
        var program = ConsoleScene.Program(scene: scene)
        for text in [
            "", "Bearer", "Bearer ", "Basic YTpi", "Bearer srup_", "Bearer srup_" + String(repeating: "A", count: 43),
            "Bearer " + String(repeating: "x", count: 5000), "srup_x",
        ] {
            program.token = nil
            let answer = try await program.ask(.get, "waiting", nil, ["Authorization": text])
            #expect(try answer.status == 401 && answer.problem() == "unauthenticated", "\(text)")
        }
        let approval = try await browser.post("/api/v1/waiting/d1/refuse", [("ticket", try await ticketText(scene))])
        #expect(approval.status == 401)
        #expect(await scene.server.server.waitingCount == 1)
        for path in ["/metrics", "/events"] {
            let answer = try await program.send(.get, path, nil, ["Authorization": "Bearer srup_x"])
            #expect(try answer.status == 401 && answer.problem() == "unauthenticated")
        }
    }

    private func ticketText(_ scene: ConsoleScene) async throws -> String {
        String(try #require(try await scene.server.server.waiting(DeviceID(0xD1))).ticket)
    }

    @Test func everyRouteTakesItsRoleAndNoLess() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let programs = try Role.allCases.map { ($0, try scene.program($0)) }
        for route in scene.console.apiRoutes {
            let path = route.pattern.replacing("{device}", with: "d9").replacing("{name}", with: "nobody")
                .replacing("{number}", with: "77").dropFirst()
            for (role, program) in programs {
                let answer = try await program.ask(route.method, String(path), route.body == nil ? nil : [:])
                let isShut = role < route.role
                #expect(
                    (answer.status == 403) == isShut || answer.status == 403 && path.hasPrefix("operators/nobody"),
                    "\(route.id) with \(role): \(answer.status)")
                #expect(answer.status != 401 && answer.status < 500)
                if isShut {
                    #expect(try answer.problem() == "forbidden")
                    #expect(answer.headers[.wwwAuthenticate]?.contains("insufficient_scope") == true)
                }
            }
        }
    }

    @Test func aTokenEndsWithItsOperatorItsTimeAndItsRemoval() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.moderate)
        let name = try #require(OperatorName("moderate"))
        #expect(try await program.get("network")["role"] == "moderate")
        try scene.operators.setRole(.look, of: name)
        #expect(try await program.get("network")["role"] == "look")
        #expect(try await program.ask(.put, "devices/d1/note", ["note": "x"]).status == 403)
        try scene.operators.setDisabled(true, name)
        #expect(try await program.ask(.get, "network").status == 401)
        try scene.operators.setDisabled(false, name)
        #expect(try await program.ask(.get, "network").status == 200)
        let brief = try scene.operators.makeToken(
            "brief", role: .look, for: name, expires: scene.network.wallClock() + 60, now: scene.network.wallClock())
        let other = ConsoleScene.Program(scene: scene, token: brief.text)
        #expect(try await other.ask(.get, "network").status == 200)
        await scene.network.advance(by: .seconds(61), step: .seconds(61))
        #expect(try await other.ask(.get, "network").status == 401)
        try scene.operators.removeToken(1)
        #expect(try await program.ask(.get, "network").status == 401)
    }

    @Test func pathsAndMethodsThatAreNoneAreToldApart() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.administer)
        for path in [
            "/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/devices", "/api/v1/nothing", "/api/v1/devices/",
            "/api/v1/devices/d1/burn", "/api/v1//devices", "/api/v1/waiting/d1/approve/x", "/api/v1/../devices",
            "/api/v1/%2e%2e/devices", "/api/v1/devices%2fd1", "/api/openapi.json/x",
        ] {
            let answer = try await program.ask(.get, path)
            #expect(try answer.status == 404 && answer.problem() == "not-found", "\(path)")
        }
        #expect(try await program.ask(.get, "/api/v1/devices/%zz").problem() == "malformed")
        for (method, path, allow) in [
            (HTTPRequest.Method.post, "devices", "GET, HEAD"), (.get, "waiting/d1/approve", "POST"),
            (.delete, "policies/x", ""), (.patch, "policies", "DELETE, GET, HEAD, PUT"),
            (.trace, "network", "GET, HEAD"),
            (.options, "devices/d1", "DELETE, GET, HEAD"), (.post, "/metrics", "GET, HEAD"),
            (.put, "/api/openapi.json", "GET, HEAD"), (.head, "/events", "GET"),
        ] {
            let answer = try await program.ask(method, path)
            guard !allow.isEmpty else {
                #expect(answer.status == 404)
                continue
            }
            #expect(answer.status == 405 && answer.headers[.allow] == allow, "\(method) \(path)")
        }
        let head = try await program.ask(.head, "devices")
        #expect(head.status == 200 && head.text.isEmpty)
    }

    @Test func bodiesAreCheckedBeforeAnythingIsDone() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let program = try scene.program(.administer)
        let path = "waiting/d1/refuse"
        let ticket = JSON.text(try await scene.ticket(device))
        for type in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data"]
        {
            let answer = try await program.send(.post, path, "{}", ["Content-Type": type])
            #expect(try answer.status == 415 && answer.problem() == "unsupported-media-type", "\(type)")
        }
        for text in ["", "{", "nul", "{\"ticket\":}", "{\"ticket\":\"1\",\"ticket\":\"2\"}"] {
            let answer = try await program.send(.post, path, text, ["Content-Type": "application/json"])
            #expect(try answer.status == 400 && answer.problem() == "malformed", "\(text)")
        }
        let wrong: [(JSON, String)] = [
            ([], ""), ("x", ""), ([:], "#/ticket"), (["ticket": 5], "#/ticket"), (["ticket": "-1"], "#/ticket"),
            (["ticket": "1e3"], "#/ticket"), (["ticket": ""], "#/ticket"), (["ticket": ticket, "more": 1], "#/more"),
            (["ticket": ticket, "a/b~c": 1], "#/a~1b~0c"), (["ticket": ticket, "note": 5], "#/note"),
            (["ticket": ticket, "note": .text(String(repeating: "x", count: 501))], "#/note"),
        ]
        for (body, place) in wrong {
            let answer = try await program.ask(.post, path, body)
            #expect(try answer.status == 422 && answer.problem() == "invalid" && answer.place() == place, "\(body)")
        }
        let large = try await program.ask(
            .post, path, ["note": .text(String(repeating: "x", count: APIDoor.maximumBody))])
        #expect(try large.status == 413 && large.problem() == "too-large")
        #expect(await scene.server.server.waitingCount == 1)
        let right = try await program.send(
            .post, path, String(decoding: (["ticket": ticket] as JSON).bytes, as: UTF8.self),
            ["Content-Type": "Application/JSON; charset=utf-8"])
        #expect(right.status == 200)
    }

    @Test func parametersAreCheckedToo() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.administer)
        for (path, place) in [
            ("devices?limit=0", "limit"), ("devices?limit=201", "limit"), ("devices?limit=x", "limit"),
            ("devices?limit=1&limit=2", "limit"), ("devices?page=2", "page"), ("devices?state=gone", "state"),
            ("devices?cursor=x", "cursor"), ("devices?cursor=" + Cursor("joins", 5).text, "cursor"),
            ("devices?cursor=" + Cursor("devices", "zz").text, "cursor"),
            ("joins?cursor=" + Cursor("joins", "x").text, "cursor"),
            ("waiting?cursor=" + Cursor("waiting", "d1").text, "cursor"), ("joins?device=XYZ", "device"),
            ("joins?kind=simple", "kind"), ("audit?about=0", "about"), ("occurrences?after=-1", "after"),
            ("devices?text=" + String(repeating: "x", count: 65), "text"), ("devices?text=%00", "text"),
        ] {
            let answer = try await program.ask(.get, path)
            #expect(try answer.status == 422 && answer.place() == place, "\(path): \(answer.text)")
        }
        #expect(try await program.ask(.get, "devices?text=%zz").problem() == "malformed")
        #expect(try await program.ask(.delete, "policies").place() == "type")
    }

    @Test func aTokenThatAsksTooOftenWaitsAndNobodyElse() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let (greedy, other) = (try scene.program(.look), try scene.program(.moderate))
        var refused: ConsoleScene.Program.Answer?
        for _ in 0..<2000 {
            let answer = try await greedy.ask(.get, "waiting")
            guard answer.status == 200 else {
                refused = answer
                break
            }
        }
        let answer = try #require(refused)
        #expect(try answer.status == 429 && answer.problem() == "too-many")
        #expect(answer.headers[.retryAfter].flatMap { Int($0) }.map { $0 >= 1 } == true)
        #expect(try await other.ask(.get, "waiting").status == 200)
    }
}
