import Foundation
import HTTPTypes
import Participant
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators

/// The pages about devices, observers, joins, policies, the log, operators and one's own account.
@Suite struct PagesTests {
    // MARK: Devices

    @Test func devicesAreFoundAndShownAPartAtATime() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        for number in UInt64(1)...120 { try scene.member(DeviceID(number), type: number % 2 == 0 ? "lamp" : "valve") }
        let browser = try await scene.browser(.look)
        var (path, seen, pages) = ("/devices?type=lamp&state=in", Set<String>(), 0)
        while pages < 5 {
            let page = try await browser.get(path)
            seen.formUnion(
                page.text.components(separatedBy: "<tr id=\"d-").dropFirst().map { String($0.prefix { $0 != "\"" }) })
            pages += 1
            guard page.text.contains("rel=\"next\""), let next = page.text.range(of: "<a href=\"/devices?state") else {
                break
            }
            path =
                "/devices?state"
                + page.text[next.upperBound...].prefix { $0 != "\"" }.replacingOccurrences(of: "&amp;", with: "&")
        }
        #expect(pages == 2 && seen.count == 60 && seen.contains("2") && !seen.contains("1"), "\(seen)")
        #expect(try await browser.get("/devices?text=78").text.contains("1 device like that"))
        #expect(try await browser.get("/devices?text=zzz").text.contains("No device is like that."))
        #expect(try await browser.get("/devices?state=out").text.contains("0 devices"))
        for odd in ["?after=zz", "?state=%3Cb%3E", "?text=%00%1B", "?type=" + String(repeating: "x", count: 500)] {
            #expect(try await browser.get("/devices\(odd)").status == 200)
        }
    }

    @Test func aDevicesPageTellsItsHistoryAndSendsToIt() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        try await scene.server.server.approve(device.id, ticket: waiting.ticket, .sideBySide, by: "eve")
        await scene.network.settle()
        let browser = try await scene.browser(.moderate)
        let page = try await browser.get("/devices/d1")
        for words in ["panel", "compared by a person", "let in", "eve", "by its word"].dropLast() {
            #expect(page.text.contains(words), "\(words)")
        }
        let key = try #require(try scene.server.participant.state.peer(device.id)?.key)
        #expect(page.text.contains(key.fingerprint))
        for (form, fields) in [
            ("note", [("note", "by the door")]), ("action", [("action", "7")]),
            ("data", [("name", "speed"), ("value", "12")]), ("identify", []),
        ] {
            let answer = try await browser.submit("/devices/d1", "/devices/d1/\(form)", fields)
            #expect(answer.status == 303, "\(form): \(answer.text)")
        }
        await scene.network.settle()
        for type in [MessageType.action, .data, .idRequest] {
            #expect(scene.network.count(type, to: device.id) >= 1, "\(type)")
        }
        #expect(try await browser.get("/devices/d1").text.contains("value=\"by the door\""))
        // What cannot be sent is said on the page.
        for (form, fields, words) in [
            ("action", [("action", "256")], "from 0 to 255"), ("action", [("action", "-1")], "from 0 to 255"),
            ("data", [("name", ""), ("value", "1")], "1 to 255 bytes"),
            ("note", [("note", String(repeating: "x", count: 501))], "500 characters"), ("remove", [], "sure"),
        ] {
            let answer = try await browser.submit("/devices/d1", "/devices/d1/\(form)", fields)
            #expect(answer.status == 422 && answer.text.contains(words), "\(form)")
        }
        #expect(try await browser.submit("/devices/d1", "/devices/d1/remove", [("sure", "yes")]).status == 303)
        await scene.network.settle()
        #expect(try !scene.server.isMember(device.id) && !device.member.isJoined)
        // Who is out obeys nothing: the page does not offer it.
        #expect(!(try await browser.get("/devices/d1").text.contains("Send action")))
    }

    @Test func whoIsNotKnownHasNoPage() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = try await scene.browser(.moderate)
        for id in ["d1", "0", "00ff", "xyz", "11111111111111111", "%2e%2e"] {
            #expect(try await browser.get("/devices/\(id)").status == 404, "\(id)")
        }
    }

    // MARK: Observers and observations

    @Test func observersAreTrustedAndNoLonger() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = try await scene.browser(.moderate)
        let answer = try await browser.submit("/observers", "/observers", [("id", " b "), ("trust", "yes")])
        #expect(answer.place == "/observers?done=trusted&id=b")
        #expect(try await browser.get("/observers").text.contains("id=\"o-b\""))
        #expect(try scene.server.state.trusted().contains(DeviceID(0xB)))
        for wrong in ["", "xyz", "00b", "'; DROP TABLE trusted; --"] {
            let answer = try await browser.submit("/observers", "/observers", [("id", wrong), ("trust", "yes")])
            #expect(answer.status == 422 && answer.text.contains("hexadecimal"), "\(wrong)")
        }
        _ = try await browser.submit("/observers", "/observers", [("id", "b"), ("trust", "no")])
        #expect(try scene.server.state.trusted().isEmpty)
    }

    @Test func joinsSayWhatToDoWhenTheyFailed() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let browser = try await scene.browser(.moderate)
        #expect(try await browser.get("/observations").text.contains("under way"))
        let waiting = try #require(try await scene.server.server.waiting(device.id))
        try await scene.server.server.refuse(device.id, ticket: waiting.ticket, by: "eve")
        let page = try await browser.get("/observations")
        #expect(page.text.contains("refused by a person") && page.text.contains("Have it ask again"))
        for odd in ["?before=x", "?before=-9223372036854775808", "?before=99999999999999999999"] {
            #expect(try await browser.get("/observations\(odd)").status == 200)
        }
    }

    // MARK: Policies

    @Test func policiesAreSetAndGivenBack() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = try await scene.browser(.administer)
        let answer = try await browser.submit("/policies", "/policies", [("type", "kettle"), ("policy", "simple")])
        #expect(answer.place == "/policies?done=policy")
        #expect(try await scene.server.server.policies().contains { $0.type == "kettle" && $0.policy == .simple })
        #expect(try await browser.get("/policies").text.contains("as configured"))
        for (type, policy) in [
            ("kettle", "nothing"), ("", "simple"), ("é", "simple"), (String(repeating: "x", count: 65), "simple"),
        ] {
            let answer = try await browser.submit("/policies", "/policies", [("type", type), ("policy", policy)])
            #expect(answer.status == 422, "\(type)")
        }
        let reset = try await browser.submit("/policies", "/policies", [("type", "kettle"), ("policy", "")])
        #expect(reset.status == 303, "\(reset.text)")
        let left = try await scene.server.server.policies()
        #expect(!left.contains { $0.type == "kettle" }, "\(left)")
    }

    // MARK: The log

    @Test func theLogIsSearchedAndExported() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let state = scene.server.participant.state
        for number in 1...130 { try state.audit("tested", "line \(number)", about: DeviceID(0xD1), by: "eve", now: 5) }
        try state.audit("=cmd()", "a \"quoted\",\r\nline", now: 6)
        let browser = try await scene.browser(.look)
        let first = try await browser.get("/audit?text=tested")
        #expect(first.text.contains("line 130") && !first.text.contains(">line 50<"))
        #expect(first.text.contains("/audit?text=tested&amp;before="))
        #expect(try await browser.get("/audit?text=line%2012&about=d1").text.contains("line 129"))
        #expect(try await browser.get("/audit?about=d2").text.contains("There is nothing."))
        #expect(try await browser.get("/audit?about=nobody").text.contains("There is nothing."))
        let file = try await browser.get("/audit/export?text=tested")
        let lines = file.text.components(separatedBy: "\r\n").filter { !$0.isEmpty }
        #expect(lines.count == 131 && lines[0] == "number,time,event,about,operator,detail")
        #expect(lines[1].contains("\"tested\",\"d1\",\"eve\",\"line 130\""))
        #expect(file.headers[.contentDisposition]?.contains("audit.csv") == true)
        // No spreadsheet runs what a stranger has written.
        #expect(Console.csv("=cmd()") == "\"'=cmd()\"" && Console.csv("a\"b") == "\"a\"\"b\"")
        #expect(try await browser.get("/audit/export").text.contains("\"'=cmd()\""))
    }

    // MARK: Operators

    @Test func operatorsAreAddedAndChanged() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = try await scene.browser(.administer)
        func change(_ order: String, _ name: String, _ more: [(String, String)] = []) async throws
            -> ConsoleScene.Answer
        {
            try await browser.submit("/operators", "/operators", [("do", order), ("name", name)] + more)
        }
        let made = try await change("add", "carol", [("role", "moderate")])
        #expect(made.status == 200 && made.text.contains("It is shown this once"))
        let password = try #require(made.text.components(separatedBy: "secret\">").last?.prefix { $0 != "<" })
        let stranger = ConsoleScene.Browser(scene: scene)
        #expect(try await stranger.post("/sign-in", [("name", "carol"), ("password", String(password))]).status == 303)
        #expect(try await change("add", "carol", [("role", "look")]).status == 409)
        #expect(try await change("add", "Carol!", [("role", "look")]).status == 422)
        #expect(try await change("add", "dave", [("role", "emperor")]).status == 422)
        #expect(try await change("role", "carol", [("role", "look")]).status == 303)
        #expect(try await change("disable", "carol").status == 303)
        #expect(try await stranger.post("/sign-in", [("name", "carol"), ("password", String(password))]).status == 401)
        #expect(try await change("enable", "carol").status == 303)
        #expect(try await change("out", "carol").status == 303)
        let again = try await change("password", "carol")
        #expect(again.status == 200 && !again.text.contains(password))
        #expect(try await change("remove", "administer").status == 422)
        #expect(try await change("remove", "carol").status == 303)
        #expect(try await change("role", "administer", [("role", "look")]).status == 409)
        #expect(try await change("burn", "carol").status == 400)
        let audit = try scene.server.participant.state.auditLog(last: 30)
        for event in [
            "operator added", "operator's role", "operator disabled", "operator's password", "operator removed",
        ] {
            #expect(audit.contains { $0.event == event && $0.by == "administer" }, "\(event)")
        }
        #expect(!audit.contains { $0.detail.contains(password) })
    }

    @Test func passwordSessionsAndTokensAreOnesOwn() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let (browser, other) = (try await scene.browser(.moderate), try await scene.browser(.moderate))
        func change(_ form: String, _ fields: [(String, String)]) async throws -> ConsoleScene.Answer {
            try await browser.submit("/account", "/account/\(form)", fields)
        }
        let new = "another horse entirely"
        let old = ConsoleScene.password
        #expect(try await change("password", [("old", old), ("new", new), ("again", "x")]).status == 422)
        #expect(try await change("password", [("old", old), ("new", "short"), ("again", "short")]).status == 422)
        let wrong = try await change("password", [("old", "wrong"), ("new", new), ("again", new)])
        #expect(wrong.status == 422 && wrong.text.contains("The present password is wrong."))
        #expect(
            try await change("password", [("old", old), ("new", new), ("again", new)]).place == "/account?done=password"
        )
        #expect(try await browser.get("/account").status == 200)
        #expect(try await other.get("/account").status == 401)
        // Tokens: never more than their maker may.
        let made = try await change("tokens", [("label", "<b>backup</b>"), ("role", "moderate"), ("days", "30")])
        #expect(made.text.contains("srup_") && made.text.contains("&lt;b&gt;backup"))
        #expect(try await change("tokens", [("label", "x"), ("role", "administer"), ("days", "30")]).status == 422)
        for days in ["0", "4000", "x"] {
            #expect(try await change("tokens", [("label", "x"), ("role", "look"), ("days", days)]).status == 422)
        }
        let name = try #require(OperatorName("moderate"))
        let number = try #require(try scene.operators.tokens(of: name).first?.number)
        #expect(try await change("tokens", [("remove", String(number))]).status == 303)
        #expect(try scene.operators.tokens(of: name).isEmpty)
        #expect(try await change("tokens", [("remove", "77")]).status == 404)
        #expect(try await change("sessions", [("end", "others")]).status == 303)
        let session = try scene.session(of: browser)
        #expect(try await change("sessions", [("end", String(session.number))]).place == "/sign-in")
        #expect(try await browser.get("/account").status == 401)
    }

    // MARK: Live

    @Test func aStreamTellsWhatIsOutOfDateAndEndsWithTheServer() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = try await scene.browser(.look)
        async let stream = browser.get("/events?subjects=waiting")
        // The device asks when somebody listens.
        while scene.console.streams.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
        _ = try await scene.panel(0xD1)
        scene.console.streams.endAll()
        let answer = try await stream
        #expect(answer.headers[.contentType]?.hasPrefix("text/event-stream") == true)
        #expect(answer.text.hasPrefix("retry: 3000\n\n"))
        #expect(answer.text.contains("event: change\ndata: {\"subject\":\"waiting\",\"device\":\"d1\"}\n\n"))
        // Nothing else was asked for, and a value is never in it.
        #expect(!answer.text.contains("\"device\"}") && !answer.text.contains("subject\":\"join\""))
        #expect(scene.console.streams.count == 0)
    }

    @Test func streamsAreBounded() throws {
        let table = StreamTable()
        let (eve, adam) = (try #require(OperatorName("eve")), try #require(OperatorName("adam")))
        var numbers: [Int] = []
        for _ in 0..<StreamTable.maximumOfOne { numbers.append(try #require(table.add(eve) {})) }
        #expect(table.add(eve) {} == nil)
        #expect(table.add(adam) {} != nil)
        table.remove(numbers[0])
        #expect(table.add(eve) {} != nil)
        table.endAll()
        #expect(table.add(adam) {} == nil)
    }

    // MARK: Words

    @Test func timesAndSpansAreForPeople() {
        #expect(Words.time(1_796_000_000) == "2026-11-30 00:53")
        #expect(Words.iso(0) == "1970-01-01T00:00:00Z" && Words.iso(.infinity) == "1970-01-01T00:00:00Z")
        #expect(Words.iso(1e300) == "9999-12-31T23:59:59Z" && Words.iso(-5) == "1970-01-01T00:00:00Z")
        for (seconds, words) in [
            (0.0, "0 ms"), (0.24, "200 ms"), (3, "3 s"), (119, "119 s"), (180, "3 min"), (7200, "2 h"),
            (172_800, "2 days"),
            (-4, "0 ms"), (.infinity, "11574074 days"),
        ] {
            #expect(Words.span(seconds) == words)
        }
        #expect(Words.ago(100, now: 160) == "60 s ago" && Words.ago(10_000, now: 0) == "1970-01-01 02:46")
        #expect(Words.count(1, "device") == "1 device" && Words.count(0, "try", "tries") == "0 tries")
    }

    @Test func assetsAreKeptAndWhole() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = ConsoleScene.Browser(scene: scene)
        for (name, type) in [("style.css", "text/css"), ("live.js", "text/javascript"), ("icon.svg", "image/svg+xml")] {
            let answer = try await browser.get("/assets/\(name)")
            #expect(answer.status == 200 && answer.headers[.contentType]?.hasPrefix(type) == true)
            #expect(answer.headers[.cacheControl]?.contains("immutable") == true)
            // The policy allows no script or style in a page, and nothing from elsewhere.
            #expect(!answer.text.contains("http://") || name == "icon.svg")
        }
        for path in ["/sign-in", "/nothing"] {
            let page = try await browser.get(path).text
            #expect(!page.contains("style=\"") && !page.contains("onclick") && !page.contains("<script>"))
        }
    }
}
