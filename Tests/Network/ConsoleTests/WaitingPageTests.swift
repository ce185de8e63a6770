import SRUP
import TestNetwork
import Testing
import ValueForms

@testable import C2
@testable import Console
@testable import Operators

/// The page where people let devices in.
@Suite struct WaitingPageTests {
    private func decide(
        _ browser: ConsoleScene.Browser, _ order: String, _ fields: [(String, String)]
    ) async throws -> ConsoleScene.Answer {
        try await browser.submit("/waiting", "/waiting", [("do", order)] + fields)
    }

    private func typed(_ scene: ConsoleScene, _ device: TestDevice) async throws -> [(String, String)] {
        [("ticket-\(device.id.hex)", try await scene.ticket(device))]
            + (try await scene.letters(device)).map { ("word-\(device.id.hex)", $0) }
    }

    @Test func theFirstLettersOfTheWordsThatTheDeviceShowsLetItIn() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let browser = try await scene.browser(.moderate)
        let page = try await browser.get("/waiting")
        #expect(page.status == 200 && page.text.contains("id=\"w-d1\""))
        // The page asks; it does not tell.
        let words = try #require(device.shown).withUnsafeBytes { ValueWords.words(of: $0) }
        #expect(words.count { page.text.contains(">\($0)<") } < 4)
        let question = try #require(try await scene.server.server.waiting(device.id)).question
        for place in question { #expect(page.text.contains("Word \(place + 1)</label>")) }
        let answer = try await decide(browser, "approve:d1", try await typed(scene, device))
        #expect(answer.status == 303 && answer.place == "/waiting?done=in&id=d1")
        await scene.network.settle()
        #expect(device.member.isJoined)
        let after = try await browser.get("/waiting?done=in&id=d1")
        #expect(after.text.contains("d1 is let in.") && after.text.contains("Nobody waits"))
        let audit = try scene.server.participant.state.auditLog(last: 5, about: device.id)
        #expect(audit.contains { $0.event == "joined" && $0.by == "moderate" })
    }

    @Test func wrongLettersNeverLetItIn() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let browser = try await scene.browser(.moderate)
        for left in ["2 more tries", "1 more try", "it shows others now"] {
            let ticket = ("ticket-d1", try await scene.ticket(device))
            let answer = try await decide(
                browser, "approve:d1", [ticket] + ["zzz", "zzz", "zzz"].map { ("word-d1", $0) })
            #expect(answer.status == 422 && answer.text.contains(left))
            await scene.network.settle()
        }
        #expect(!device.member.isJoined)
        // Less than was asked for tells nothing and counts as no try.
        for words in [["abc"], [], ["", "", ""], ["ab", "abc", "abc"]] {
            let ticket = ("ticket-d1", try await scene.ticket(device))
            let answer = try await decide(browser, "approve:d1", [ticket] + words.map { ("word-d1", $0) })
            #expect(answer.status == 422 && answer.text.contains("Not all words were typed"))
        }
        let letters = try await typed(scene, device)
        #expect(try await decide(browser, "approve:d1", letters).status == 303)
        await scene.network.settle()
        #expect(device.member.isJoined)
    }

    @Test func severalAreDecidedAtOnceAndWhatDidNotWorkIsSaid() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        var devices: [TestDevice] = []
        for number in UInt64(1)...4 { devices.append(try await scene.panel(0xD0 + number)) }
        let browser = try await scene.browser(.moderate)
        var fields = try await typed(scene, devices[0]) + (try await typed(scene, devices[1]))
        fields += [("ticket-d3", try await scene.ticket(devices[2]))] + ["qqq", "qqq", "qqq"].map { ("word-d3", $0) }
        fields += [("ticket-d4", try await scene.ticket(devices[3]))] + ["", "", ""].map { ("word-d4", $0) }
        let answer = try await decide(browser, "approve", fields)
        #expect(answer.status == 422 && answer.text.contains("2 devices let in."))
        #expect(answer.text.contains("d3: ") && !answer.text.contains("d4: "))
        await scene.network.settle()
        #expect(devices.map(\.member.isJoined) == [true, true, false, false])
        let tickets = [
            ("ticket-d3", try await scene.ticket(devices[2])), ("ticket-d4", try await scene.ticket(devices[3])),
        ]
        let refused = try await decide(
            browser, "refuse", tickets + [("chosen", "d3"), ("chosen", "d4"), ("chosen", "d4")])
        #expect(refused.place == "/waiting?done=several-out&count=2")
        await scene.network.settle()
        #expect(await scene.server.server.waitingCount == 0)
        #expect(devices.map(\.member.isJoined) == [true, true, false, false])
    }

    @Test func nothingChosenIsSaidSo() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        _ = try await scene.panel(0xD1)
        let browser = try await scene.browser(.moderate)
        #expect(try await decide(browser, "refuse", []).text.contains("Nothing was chosen."))
        #expect(try await decide(browser, "approve", []).text.contains("No words were typed."))
        #expect(try await decide(browser, "burn", []).status == 400)
        #expect(try await decide(browser, "approve:../etc", []).status == 404)
    }

    @Test func aDecisionAboutAnEarlierValueDoesNotCount() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let browser = try await scene.browser(.moderate)
        let old = try await typed(scene, device)
        try await device.restart()
        await scene.network.settle()
        let answer = try await decide(browser, "approve:d1", old)
        #expect(answer.status == 422 && answer.text.contains("shows another value by now"))
        #expect(try !scene.server.isMember(device.id))
    }

    @Test func twoOperatorsDecideOnce() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let (first, second) = (try await scene.browser(.moderate), try await scene.browser(.administer))
        let fields = try await typed(scene, device)
        let token = try await second.get("/waiting").token("/waiting")
        #expect(try await decide(first, "refuse:d1", [fields[0]]).status == 303)
        let late = try await second.post("/waiting", [("token", token), ("do", "approve:d1")] + fields)
        #expect(late.status == 422 && late.text.contains("does not wait any more"))
        await scene.network.settle()
        #expect(!device.member.isJoined)
    }

    @Test func picturesAndDigitsAreComparedSideBySide() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let browser = try await scene.browser(.moderate)
        let page = try await browser.get("/waiting/d1")
        let shown = try #require(device.shown)
        let (hex, words) = shown.withUnsafeBytes { (ValueHex.text(of: $0), ValueWords.words(of: $0)) }
        #expect(page.text.contains(hex) && words.allSatisfy { page.text.contains("<li>\($0)</li>") })
        #expect(page.text.components(separatedBy: "<svg").count == 4)
        #expect(page.headers[.cacheControl] == "no-store")
        let ticket = ("ticket", try await scene.ticket(device))
        // Without the tick nothing is compared.
        let bare = try await browser.submit("/waiting/d1", "/waiting/d1", [ticket, ("do", "approve")])
        #expect(bare.status == 422 && bare.text.contains("You have not said that you have compared."))
        let done = try await browser.submit(
            "/waiting/d1", "/waiting/d1", [ticket, ("do", "approve"), ("compared", "yes")])
        #expect(done.place == "/waiting?done=in&id=d1")
        await scene.network.settle()
        #expect(device.member.isJoined)
        #expect(try await browser.get("/waiting/d1").status == 409)
        #expect(try await browser.get("/waiting/no").status == 404)
    }

    @Test func anObserverIsShownAsOne() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0x0B, type: "observer")
        let browser = try await scene.browser(.moderate)
        #expect(try await browser.get("/waiting").text.contains("lets it vouch for other devices"))
        #expect(try await decide(browser, "approve:b", try await typed(scene, device)).status == 303)
        await scene.network.settle()
        #expect(try scene.server.state.trusted().contains(device.id))
    }

    @Test func whatDevicesSayIsShownAndNotRun() async throws {
        let scene = try await ConsoleScene { $0.policies["<script>alert(1)</script>"] = .human }
        defer { scene.close() }
        let device = try await scene.panel(0xD1, type: "<script>alert(1)</script>")
        let browser = try await scene.browser(.administer)
        _ = try await browser.submit("/devices/d1", "/devices/d1/note", [("note", "\"><img src=x onerror=alert(2)>")])
        for path in ["/waiting", "/waiting/d1", "/devices", "/devices/d1", "/observations", "/policies", "/audit"] {
            let page = try await browser.get(path)
            #expect(
                page.status == 200 && !page.text.contains("<script>alert") && !page.text.contains("<img"), "\(path)")
            let policy = page.headers.first { $0.name.canonicalName == "content-security-policy" }?.value
            #expect(policy?.contains("script-src 'self'") == true)
        }
        #expect(try await browser.get("/waiting").text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
        #expect(try await browser.get("/waiting").text.contains("Greenhouse &lt;3&gt;"))
        #expect(device.shown != nil)
    }

    @Test func manyAreShownAPartAtATime() async throws {
        let scene = try await ConsoleScene { $0.limits.moderations = 100 }
        defer { scene.close() }
        for number in UInt64(1)...45 {
            try scene.server.know(DeviceID(number), type: "panel")
            let puppet = try Puppet(DeviceID(number), scene.network)
            try puppet.ask(.humanJoinRequest)
            await scene.network.settle()
        }
        let browser = try await scene.browser(.moderate)
        var (path, seen, pages) = ("/waiting", Set<String>(), 0)
        while pages < 5 {
            let page = try await browser.get(path)
            let rows = page.text.components(separatedBy: "<article class=\"card\" id=\"w-").dropFirst()
            seen.formUnion(rows.map { String($0.prefix { $0 != "\"" }) })
            pages += 1
            guard let next = page.text.range(of: "<a href=\"/waiting?after=") else { break }
            path = "/waiting?after=" + page.text[next.upperBound...].prefix { $0 != "\"" }
        }
        #expect(pages == 3 && seen.count == 45)
    }
}
