import Foundation
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators
@testable import Participant

/// Groups on the pages.
@Suite struct GroupsPageTests {
    private func scene() async throws -> ConsoleScene {
        let scene = try await ConsoleScene()
        for number in [0xD1, 0xD2] as [UInt64] { try scene.member(DeviceID(number), type: "lamp") }
        return scene
    }

    @Test func aGroupIsMadeToldAndEnded() async throws {
        let scene = try await scene()
        defer { scene.close() }
        let browser = try await scene.browser(.moderate)
        #expect(try await browser.get("/groups").text.contains("There is none yet."))
        #expect(try await browser.get("/waiting").text.contains("href=\"/groups\""))
        let made = try await browser.submit("/groups", "/groups", [("group", "hall"), ("id", " d1 ")])
        #expect(made.status == 303 && made.place == "/groups/hall?done=group-in&id=d1")
        #expect(try await browser.get(made.place ?? "").text.contains("d1 is in the group."))
        #expect(try await browser.submit("/groups/hall", "/groups/hall/add", [("id", "d2")]).status == 303)
        for (form, fields) in [("action", [("action", "7")]), ("data", [("name", "speed"), ("value", "12")])] {
            let answer = try await browser.submit("/groups/hall", "/groups/hall/\(form)", fields)
            #expect(answer.status == 303, "\(form): \(answer.text)")
        }
        let sent = try scene.server.commands.commands(limit: 10)
        #expect(sent.map(\.kind) == [.data, .data, .action, .action] && sent.allSatisfy { $0.group?.text == "hall" })
        #expect(try await browser.submit("/groups/hall", "/groups/hall/remove", [("id", "d1")]).status == 303)
        let page = try await browser.get("/groups/hall").text
        #expect(page.contains("/devices/d2") && !page.contains("/devices/d1"))
        #expect(try await browser.submit("/groups/hall", "/groups/hall/destroy", []).text.contains("sure"))
        let gone = try await browser.submit("/groups/hall", "/groups/hall/destroy", [("sure", "yes")])
        #expect(gone.place == "/groups?done=group-gone")
        #expect(try await browser.get("/groups/hall").status == 404)
    }

    @Test func whatCannotBeDoneIsSaidOnThePage() async throws {
        let scene = try await scene()
        defer { scene.close() }
        let browser = try await scene.browser(.moderate)
        for (fields, words) in [
            ([("group", "Hall"), ("id", "d1")], "lower-case letters"), ([("group", "#"), ("id", "d1")], "lower-case"),
            ([("group", "hall"), ("id", "<b>")], "hexadecimal digits"),
            ([("group", "hall"), ("id", "ee")], "does not belong"),
            ([], "lower-case"),
        ] {
            let answer = try await browser.submit("/groups", "/groups", fields)
            #expect([409, 422].contains(answer.status) && answer.text.contains(words), "\(fields)")
            #expect(!answer.text.contains("<b>"))
        }
        _ = try await browser.submit("/groups", "/groups", [("group", "hall"), ("id", "d1")])
        for (form, fields, words) in [
            ("action", [("action", "256")], "0 to 255"), ("action", [("action", "open")], "0 to 255"),
            ("data", [("name", ""), ("value", "1")], "1 to 255 bytes"),
            ("remove", [("id", "d2")], "is not in the group"),
            ("add", [("id", "")], "hexadecimal"),
        ] {
            let answer: ConsoleScene.Answer
            if form == "remove" {
                answer = try await browser.submit("/groups/hall", "/groups/hall/remove", fields)
            } else {
                answer = try await browser.submit("/groups/hall", "/groups/hall/\(form)", fields)
            }
            #expect(answer.status == 422 && answer.text.contains(words), "\(form)")
        }
        for path in ["/groups/none", "/groups/%23", "/groups/A"] {
            #expect(try await browser.get(path).status == 404, "\(path)")
        }
    }

    @Test func whoOnlyLooksSeesNoForms() async throws {
        let scene = try await scene()
        defer { scene.close() }
        try await scene.server.server.add([DeviceID(0xD1)], to: try #require(GroupID("hall")), by: "anna")
        let looks = try await scene.browser(.look)
        for path in ["/groups", "/groups/hall"] {
            let page = try await looks.get(path)
            #expect(page.status == 200 && page.text.contains("hall") && !page.text.contains("action=\"/groups"))
        }
        let token = try await scene.browser(.moderate).get("/groups").token("/groups")
        let answer = try await looks.post("/groups", [("token", token), ("group", "hall"), ("id", "d2")])
        #expect(answer.status == 403)
        // A form's token serves for nothing else.
        let moderates = try await scene.browser(.moderate)
        let other = try await moderates.get("/groups").token("/groups")
        let crossed = try await moderates.post("/groups/hall/destroy", [("token", other), ("sure", "yes")])
        #expect(crossed.status >= 400)
        #expect(try scene.server.commands.groups().count == 1)
    }
}
