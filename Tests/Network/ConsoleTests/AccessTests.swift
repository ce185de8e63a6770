import Foundation
import HTTPTypes
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators

/// Who may see and do what, and how somebody comes in.
@Suite struct AccessTests {
    private static let pages = [
        "/waiting", "/devices", "/devices/d1", "/observers", "/observations", "/policies", "/audit", "/audit/export",
        "/account",
    ]

    @Test func withoutSigningInThereIsNothingToSee() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        _ = try await scene.panel(0xD1)
        let stranger = ConsoleScene.Browser(scene: scene)
        for path in Self.pages + ["/operators", "/waiting/d1"] {
            let page = try await stranger.get(path)
            #expect(page.status == 401 && page.text.contains("name=\"password\""), "\(path)")
            #expect(!page.text.contains("d1</a>"))
        }
        #expect(try await stranger.get("/events").status == 401)
        #expect(try await stranger.post("/waiting", [("do", "refuse:d1")]).status == 401)
        // A made-up session is none.
        for cookie in ["", "x", String(repeating: "A", count: 43), String(repeating: "é", count: 43)] {
            var browser = stranger
            browser.cookie = cookie
            #expect(try await browser.get("/waiting").status == 401)
        }
        for path in ["/nothing", "/devices/d1/burn", "/..%2f..%2fetc/passwd", "/assets/../x", "/assets/%00"] {
            #expect([404, 401].contains(try await stranger.get(path).status), "\(path)")
        }
        #expect(await scene.server.server.waitingCount == 1)
    }

    @Test func rolesDoWhatTheyMayAndNoMore() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let (looks, moderates, administers) = (
            try await scene.browser(.look), try await scene.browser(.moderate), try await scene.browser(.administer)
        )
        for path in Self.pages {
            for browser in [looks, moderates, administers] {
                #expect(try await browser.get(path).status == 200, "\(path)")
            }
        }
        #expect(try await looks.get("/waiting/d1").status == 403)
        #expect(try await looks.get("/operators").status == 403)
        #expect(try await moderates.get("/operators").status == 403)
        #expect(try await administers.get("/operators").status == 200)
        // No form is shown to who may not send it, and a form of theirs does not count.
        #expect(!(try await looks.get("/waiting").text.contains("Let in")))
        #expect(!(try await looks.get("/devices/d1").text.contains("<h2>Note</h2>")))
        #expect(!(try await moderates.get("/policies").text.contains("<form method=\"post\" action=\"/policies\"")))
        let session = try scene.session(of: looks)
        for (path, purpose) in [
            ("/waiting", "decide"), ("/waiting/d1", "compare"), ("/devices/d1/note", "device-note"),
            ("/devices/d1/remove", "device-remove"), ("/observers", "observers"), ("/policies", "policies"),
            ("/operators", "operators"),
        ] {
            let answer = try await looks.post(
                path, [("token", session.forms.token(for: purpose)), ("do", "refuse:d1"), ("sure", "yes")])
            #expect(answer.status == 403, "\(path)")
        }
        #expect(device.shown != nil)
    }

    @Test func aFormCountsOnlyFromAPageOfTheSession() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        _ = try await scene.panel(0xD1)
        let browser = try await scene.browser(.moderate)
        let token = try await browser.get("/waiting").token("/waiting")
        let refuse = [("do", "refuse:d1"), ("ticket-d1", "1")]
        for origin in ["https://evil.example", "null", "http://c2.example.net:8444", "https://c2.example.net"] {
            let answer = try await browser.post("/waiting", [("token", token)] + refuse, ["Origin": origin])
            #expect(answer.status == 403 && answer.text.contains("did not come from a page of this server"))
        }
        // No Origin: what the browser says of the site counts.
        #expect(try await browser.post("/waiting", [("token", token)] + refuse, ["Origin": ""]).status == 403)
        let cross = ["Origin": "", "Sec-Fetch-Site": "cross-site"]
        #expect(try await browser.post("/waiting", [("token", token)] + refuse, cross).status == 403)
        let own = ["Origin": "", "Sec-Fetch-Site": "same-origin"]
        #expect(try await browser.post("/waiting", [("token", token)] + refuse, own).status == 422)
        // Another form's token, another session's, none.
        let other = try await scene.browser(.moderate)
        for wrong in [
            try await browser.get("/devices/d1").token("/devices/d1/note"),
            try await other.get("/waiting").token("/waiting"),
            "", "x",
        ] {
            let answer = try await browser.post("/waiting", [("token", wrong)] + refuse)
            #expect(answer.status == 403 && answer.text.contains("session that has ended"))
        }
        #expect(try await browser.post("/waiting", refuse).status == 403)
        let type = ["Content-Type": "text/plain"]
        #expect(try await browser.post("/waiting", [("token", token)] + refuse, type).status == 415)
        #expect(await scene.server.server.waitingCount == 1)
    }

    @Test func formsAreBounded() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = try await scene.browser(.moderate)
        let token = try await browser.get("/observers").token("/observers")
        let large = try await browser.post(
            "/observers", [("token", token), ("id", String(repeating: "a", count: 70000))])
        #expect(large.status == 413)
        let many = (0..<2000).map { ("f\($0)", "1") }
        #expect(try await browser.post("/observers", [("token", token)] + many).status == 400)
        let answer = try await scene.ask(
            .post, "/observers", body: "token=%ZZ", cookie: browser.cookie, address: "192.0.2.7",
            ["Origin": "https://c2.example.net:8444", "Content-Type": "application/x-www-form-urlencoded"])
        #expect(answer.status == 400)
    }

    @Test func aFormIsReadAsBrowsersWriteIt() throws {
        let form = try #require(Form("a=1&b=x+y%21&c=&a=2&d&%C3%A9=%C3%BC&=z"))
        #expect(form["a"] == "1" && form.all("a") == ["1", "2"] && form["b"] == "x y!" && form["c"] == "")
        #expect(form["d"] == "" && form["é"] == "ü" && form[""] == "z" && form["e"] == nil)
        #expect(form.names(beginning: "") == ["a", "b", "c", "d", "é", ""])
        #expect(Form("") != nil && Form("%") == nil && Form("a=%C3") == nil && Form("a=%e") == nil)
        #expect(Form("a=b=c")?["a"] == "b=c")
    }

    // MARK: Signing in and out

    @Test func whoSignsInIsLedOnAndOut() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        var browser = ConsoleScene.Browser(scene: scene)
        let fields = [("name", "Moderate"), ("password", ConsoleScene.password), ("next", "/devices?text=a")]
        let answer = try await browser.post("/sign-in", fields)
        #expect(answer.status == 303 && answer.place == "/devices?text=a")
        let cookie = try #require(answer.headers[.setCookie])
        for part in ["__Host-srup=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
            #expect(cookie.contains(part))
        }
        #expect(!cookie.contains("Domain"))
        browser.cookie = answer.cookie
        #expect(try await browser.get("/sign-in").place == "/waiting")
        let token = try await browser.get("/devices").token("/sign-out")
        let out = try await browser.post("/sign-out", [("token", token)])
        #expect(out.place == "/sign-in" && out.headers[.setCookie]?.contains("Max-Age=0") == true)
        #expect(try await browser.get("/devices").status == 401)
        let audit = try scene.server.participant.state.auditLog(last: 5)
        #expect(audit.prefix(2).map(\.event) == ["signed out", "signed in"] && audit[1].by == "moderate")
    }

    @Test func nobodyIsLedElsewhere() async throws {
        for next in [
            "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)",
            "/a\r\nX: y", "",
            "/sign-out", "/" + String(repeating: "a", count: 600), "/é",
        ] {
            #expect(Console.ownPath(next) == "/", "\(next)")
        }
        #expect(Console.ownPath("/devices?text=a&after=1") == "/devices?text=a&after=1")
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let fields = [("name", "look"), ("password", ConsoleScene.password), ("next", "//evil.example")]
        #expect(try await ConsoleScene.Browser(scene: scene).post("/sign-in", fields).place == "/waiting")
    }

    @Test func guessingIsSlowedDownAndToldApartByNobody() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = ConsoleScene.Browser(scene: scene)
        let wrong = try await browser.post("/sign-in", [("name", "moderate"), ("password", "wrong")])
        let nobody = try await browser.post("/sign-in", [("name", "nobody"), ("password", "wrong")])
        #expect(wrong.status == 401 && nobody.status == 401)
        #expect(wrong.text.contains("Name or password is wrong.") && nobody.text.contains("Name or password is wrong."))
        // What was typed as a password is not sent back.
        #expect(!wrong.text.contains("value=\"wrong\""))
        var last = wrong
        for _ in 0..<6 { last = try await browser.post("/sign-in", [("name", "moderate"), ("password", "wrong")]) }
        #expect(last.status == 429 && last.headers[.retryAfter] != nil)
        // Elsewhere, and who is in already, goes on.
        var other = browser
        other.address = "198.51.100.9"
        let fields = [("name", "moderate"), ("password", ConsoleScene.password)]
        #expect(try await other.post("/sign-in", fields).status == 303)
        // Only names of operators come into the log.
        let audit = try scene.server.participant.state.auditLog(last: 50)
        #expect(audit.contains { $0.event == "sign-in refused" && $0.by == "moderate" })
        #expect(!audit.contains { $0.by == "nobody" })
    }

    @Test func aForeignPageSignsNobodyIn() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = ConsoleScene.Browser(scene: scene)
        let fields = [("name", "moderate"), ("password", ConsoleScene.password)]
        let answer = try await browser.post("/sign-in", fields, ["Origin": "https://evil.example"])
        #expect(answer.status == 403 && answer.headers[.setCookie] == nil)
    }

    @Test func aLinkFromElsewhereCanBeFollowed() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let page = try await ConsoleScene.Browser(scene: scene).get("/devices/d1", ["Sec-Fetch-Site": "cross-site"])
        #expect(page.text.contains("<a href=\"/devices/d1\">Continue</a>"))
    }

    @Test func aPageLeftOpenForADayHasEnded() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let browser = try await scene.browser(.moderate)
        let token = try await browser.get("/waiting").token("/waiting")
        await scene.network.advance(by: .seconds(86400))
        #expect(try await browser.get("/waiting").status == 401)
        #expect(try await browser.post("/waiting", [("token", token), ("do", "refuse:d1")]).status == 401)
        #expect(!device.member.isJoined)
    }

    @Test func twoCookiesOfOneNameAreNone() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let browser = try await scene.browser(.moderate)
        let cookie = try #require(browser.cookie)
        let planted = "__Host-srup=\(String(repeating: "A", count: 43)); __Host-srup=\(cookie)"
        let answer = try await scene.ask(
            .get, "/waiting", body: nil, cookie: nil, address: "192.0.2.7", ["Cookie": planted])
        #expect(answer.status == 401)
        let beside = "theme=dark; __Host-srup=\(cookie); x=y"
        let good = try await scene.ask(
            .get, "/waiting", body: nil, cookie: nil, address: "192.0.2.7", ["Cookie": beside])
        #expect(good.status == 200)
    }
}
