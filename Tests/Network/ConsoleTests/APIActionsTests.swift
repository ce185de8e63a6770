import Foundation
import HTTPTypes
import SRUP
import TestNetwork
import Testing
import ValueForms

@testable import C2
@testable import Console
@testable import KeyService
@testable import Operators

/// What programs look at and do.
@Suite struct APIActionsTests {
    @Test func whoWaitsIsListedWithoutItsValueAndLetInByItsWords() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let (looks, moderates) = (try scene.program(.look), try scene.program(.moderate))
        let words = try #require(device.shown).withUnsafeBytes { ValueWords.words(of: $0) }
        let hex = try #require(device.shown).withUnsafeBytes { ValueHex.text(of: $0) }
        for program in [looks, moderates] {
            let list = try await program.ask(.get, "waiting")
            #expect(!list.text.contains(hex) && !list.text.contains(words[0]) && !list.text.contains("\"value\""))
            #expect(try list.json()["next"] == JSON.null)
        }
        // Its value is for those who may decide, and only where it is asked for alone.
        #expect(try await looks.get("waiting/d1")["value"] == nil)
        let one = try await moderates.get("waiting/d1")
        #expect(one["value"]?["hex"] == .text(hex) && one["value"]?["words"] == .array(words.map { .text($0) }))
        #expect(one["device"] == "d1" && one["type"] == "panel" && one["tries"] == 1 && one["requests"] == 1)
        guard case .text(let ticket) = try #require(one["ticket"]),
            case .array(let question) = try #require(one["question"])
        else {
            Issue.record("no ticket")
            return
        }
        let typed = question.map { place -> JSON in
            guard case .integer(let place) = place else { return nil }
            return .text(String(words[Int(place) - 1].prefix(3)))
        }
        // Wrong words first: never in.
        let wrong = try await moderates.ask(
            .post, "waiting/d1/approve", ["ticket": .text(ticket), "words": ["xxx", "xxx", "xxx"]])
        #expect(try wrong.status == 422 && wrong.problem() == "wrong-words" && wrong.json()["tries_left"] == 2)
        #expect(try !scene.server.isMember(device.id))
        // Other words are asked for after that.
        let again = try await moderates.get("waiting/d1")
        #expect(again["question"] != one["question"] || typed.count == 3)
        let done = try await moderates.ask(
            .post, "waiting/d1/approve",
            [
                "ticket": .text(ticket), "words": .array(try await scene.letters(device).map { .text($0) }),
                "note": "by the door",
            ])
        #expect(done.status == 200, "\(done.text)")
        await scene.network.settle()
        #expect(try scene.server.isMember(device.id))
        let shown = try await looks.get("devices/d1")
        #expect(shown["state"] == "in" && shown["note"] == "by the door" && shown["admitted_by"] == "human")
        let late = try await moderates.ask(.post, "waiting/d1/refuse", ["ticket": .text(ticket)])
        #expect(try late.status == 409 && late.problem() == "ended")
        let log = try await looks.get("audit?about=d1")
        guard case .array(let lines) = log["items"] else { return }
        #expect(lines.contains { $0["event"] == "joined" && $0["by"] == "moderate, token 2" })
        // One or two may be words of the log's own.
        #expect(words.count { "\(log)".contains($0) } < 4)
    }

    @Test func comparedSideBySideAndOldTicketsDoNotCount() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let program = try scene.program(.moderate)
        let ticket = JSON.text(try await scene.ticket(device))
        let wrong: [(JSON, String)] = [
            (["ticket": ticket], "#/words"), (["ticket": ticket, "compared": false], "#/words"),
            (["ticket": ticket, "compared": true, "words": ["abc", "abc", "abc"]], "#/compared"),
            (["ticket": ticket, "compared": "yes"], "#/compared"), (["ticket": ticket, "words": "abc"], "#/words"),
            (["ticket": ticket, "words": ["abc", "abc"]], "#/words"),
            (["ticket": ticket, "words": ["abc", "abc", "a1b"]], "#/words/2"),
            (["ticket": ticket, "words": ["abc", 5, "abc"]], "#/words/1"),
        ]
        for (body, place) in wrong {
            let answer = try await program.ask(.post, "waiting/d1/approve", body)
            #expect(try answer.status == 422 && answer.place() == place, "\(body): \(answer.text)")
        }
        for ticket: JSON in ["0", "1", "18446744073709551615", "99999999999999999999"] {
            let answer = try await program.ask(.post, "waiting/d1/approve", ["ticket": ticket, "compared": true])
            #expect(try answer.status == 409 && answer.problem() == "replaced")
        }
        #expect(
            try await program.ask(.post, "waiting/d2/approve", ["ticket": ticket, "compared": true]).problem()
                == "ended")
        #expect(try await program.ask(.get, "waiting/d2").problem() == "ended")
        #expect(try await program.ask(.get, "waiting/XY").problem() == "not-found")
        #expect(try !scene.server.isMember(device.id))
        #expect(try await program.ask(.post, "waiting/d1/approve", ["ticket": ticket, "compared": true]).status == 200)
        await scene.network.settle()
        #expect(try scene.server.isMember(device.id))
    }

    @Test func aRequestThatIsSentAgainIsDoneOnce() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let (program, other) = (try scene.program(.moderate), try scene.program(.administer))
        let body: JSON = ["ticket": .text(try await scene.ticket(device)), "compared": true]
        let key = ["Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"]
        let first = try await program.ask(.post, "waiting/d1/approve", body, key)
        let second = try await program.ask(.post, "waiting/d1/approve", body, key)
        #expect(first.status == 200 && second.status == 200 && first.text == second.text)
        // Without the key, with another one, and another's with this one, meet what was done.
        for (who, headers) in [(program, [:]), (program, ["Idempotency-Key": "x"]), (other, key)] {
            #expect(try await who.ask(.post, "waiting/d1/approve", body, headers).problem() == "ended")
        }
        // The same for errors.
        #expect(try await program.ask(.post, "waiting/d1/approve", body, ["Idempotency-Key": "x"]).problem() == "ended")
        let reused = try await program.ask(.post, "waiting/d1/approve", ["ticket": "5", "compared": true], key)
        #expect(try reused.status == 422 && reused.problem() == "key-reused")
        #expect(try await program.ask(.post, "waiting/d2/approve", body, key).problem() == "key-reused")
        for key in [" ", "a b", String(repeating: "k", count: 256), "é"] {
            let answer = try await program.ask(.post, "waiting/d1/approve", body, ["Idempotency-Key": key])
            #expect(try answer.status == 422 && answer.place() == "Idempotency-Key", "\(key)")
        }
        let actions = scene.network.count(.action, to: device.id)
        for _ in 0..<3 {
            let sent = try await program.ask(.post, "devices/d1/action", ["action": 7], ["Idempotency-Key": "act"])
            #expect(sent.status == 202)
        }
        #expect(scene.network.count(.action, to: device.id) == actions + 1)
    }

    @Test func aSecretIsShownOnceAlsoWhenItIsAskedForAgain() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.administer)
        let key = ["Idempotency-Key": "new"]
        let made = try await program.ask(.post, "operators", ["name": "eve", "role": "look"], key)
        #expect(made.status == 201)
        guard case .text(let password) = try #require(try made.json()["password"]) else { return }
        let again = try await program.ask(.post, "operators", ["name": "eve", "role": "look"], key)
        #expect(try again.status == 409 && again.problem() == "secret-not-repeated" && !again.text.contains(password))
        // And it is the password.
        let browser = ConsoleScene.Browser(scene: scene)
        #expect(try await browser.post("/sign-in", [("name", "eve"), ("password", password)]).status == 303)
    }

    @Test func listsComeInPagesThatMissAndRepeatNothing() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.look)
        for number in 1...23 {
            try scene.member(DeviceID(UInt64(0x100 + number)), type: number % 2 == 0 ? "lamp" : "sen sor&<")
        }
        for number in 1...7 { _ = try await scene.panel(UInt64(0xA0 + number)) }
        for limit in [1, 4, 23, 200] {
            let devices = try await program.all("devices?state=in", limit: limit).compactMap { $0["device"] }
            #expect(devices.count == 23 && Set(devices).count == 23)
            #expect(try await program.all("waiting", limit: limit).count == 7)
            #expect(try await program.all("devices?type=sen%20sor%26%3C", limit: limit).count == 12)
            #expect(try await program.all("joins?kind=human", limit: limit).count == 7)
            let lines = try await program.all("audit", limit: limit).compactMap { $0["number"] }
            #expect(Set(lines).count == lines.count)
        }
        #expect(try await program.all("devices?text=10", limit: 5).count == 15)
        #expect(try await program.all("devices?text=%27%25_", limit: 5).isEmpty)
        #expect(try await program.all("joins?device=a3", limit: 5).count == 1)
        // Where the page ended has gone meanwhile: the next one goes on from there all the same.
        let page = try await program.get("waiting?limit=3")
        guard case .array(let items) = page["items"], case .text(let next) = page["next"],
            case .text(let last) = items[2]["device"]
        else {
            Issue.record("no page")
            return
        }
        let gone = try #require(DeviceID(participant: last))
        let ticket = try #require(try await scene.server.server.waiting(gone)).ticket
        try await scene.server.server.refuse(gone, ticket: ticket, by: "eve")
        guard case .array(let rest) = try await program.get("waiting?cursor=\(next)")["items"] else { return }
        #expect(rest.count == 4 && !rest.contains { one in items.contains { $0["device"] == one["device"] } })
    }

    @Test func devicesAreNotedSentToAndPutOut() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.moderate)
        let id = DeviceID(0xD7)
        try scene.member(id, type: "lamp")
        #expect(try await program.ask(.put, "devices/d7/note", ["note": "<script>alert(1)</script>"]).status == 204)
        #expect(try await program.get("devices/d7")["note"] == "<script>alert(1)</script>")
        #expect(try await program.ask(.put, "devices/d7/note", ["note": ""]).status == 204)
        #expect(try await program.get("devices/d7")["note"] == JSON.null)
        #expect(try await program.ask(.post, "devices/d7/action", ["action": 255]).status == 202)
        #expect(try await program.ask(.post, "devices/d7/data", ["name": "light", "value": "on"]).status == 202)
        #expect(
            try await program.ask(.post, "devices/d7/data", ["name": "light", "value_base64": "AAEC"]).status == 202)
        #expect(try await program.ask(.post, "devices/d7/identify").status == 202)
        #expect(scene.network.count(.action, to: id) == 1 && scene.network.count(.data, to: id) == 2)
        let wrong: [(String, JSON, String)] = [
            ("action", ["action": 256], "#/action"), ("action", ["action": -1], "#/action"),
            ("action", ["action": .number(1.5)], "#/action"), ("action", ["action": "1"], "#/action"),
            ("data", ["name": "", "value": ""], "#/name"), ("data", ["name": "x"], "#/value"),
            ("data", ["name": "x", "value": "a", "value_base64": ""], "#/value_base64"),
            ("data", ["name": "x", "value_base64": "***"], "#/value_base64"),
            ("data", ["name": "x", "value": .text(String(repeating: "x", count: 4097))], "#/value"),
        ]
        for (what, body, place) in wrong {
            let answer = try await program.ask(.post, "devices/d7/\(what)", body)
            #expect(try answer.status == 422 && answer.place() == place, "\(body)")
        }
        #expect(try await program.ask(.delete, "devices/d7").status == 204)
        #expect(try !scene.server.isMember(id))
        #expect(try await program.ask(.post, "devices/d7/action", ["action": 1]).problem() == "not-a-member")
        for path in ["devices/ee", "devices/ee/note"] {
            let answer = try await program.ask(
                path.hasSuffix("note") ? .put : .get, path, path.hasSuffix("note") ? ["note": "x"] : nil)
            #expect(try answer.status == 404 && answer.problem() == "unknown")
        }
        #expect(try await program.ask(.delete, "devices/ee").problem() == "unknown")
    }

    @Test func whoIsOnlyRegisteredIsShownToo() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        _ = try scene.identities.add(
            DeviceID(0xF1), key: TestNetwork.publicKey(DeviceID(0xF1)), type: "clock", isServer: false, now: 1000)
        let shown = try await scene.program(.look).get("devices/f1")
        #expect(shown["type"] == "clock" && shown["state"] == "out" && shown["registered"] == "1970-01-01T00:16:40Z")
    }

    @Test func observersAreTrustedAndNotTrusted() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.moderate)
        try scene.member(DeviceID(0xB1), type: "observer")
        #expect(try await program.all("observers", limit: 1).first?["trusted"] == false)
        #expect(try await program.ask(.put, "observers/b1/trust").status == 204)
        #expect(try await program.ask(.put, "observers/b2/trust").status == 204)
        let all = try await program.all("observers", limit: 1)
        #expect(all.map { $0["device"] } == ["b1", "b2"] && all.allSatisfy { $0["trusted"] == true })
        #expect(all[0]["in_network"] == true && all[1]["in_network"] == false)
        #expect(try await program.ask(.delete, "observers/b2/trust").status == 204)
        #expect(try scene.server.state.trusted() == [DeviceID(0xB1)])
        #expect(try await program.ask(.put, "observers/5e/trust").problem() == "invalid")
    }

    @Test func policiesAreSetAndReset() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let (program, looks) = (try scene.program(.administer), try scene.program(.look))
        let set = try await program.ask(.put, "policies", ["type": "a/b ?", "policy": "human"])
        #expect(try set.status == 200 && set.json()["set_by"] == "administer, token 1")
        #expect(try await program.ask(.put, "policies", ["type": "*", "policy": "refuse"]).status == 200)
        for limit in [1, 2, 100] {
            let all = try await looks.all("policies", limit: limit)
            let named = all.map { ($0["type"], $0["policy"]) }
            #expect(named.first.map { $0.0 == "*" && $0.1 == "refuse" } == true)
            #expect(named.contains { $0.0 == "a/b ?" && $0.1 == "human" })
            #expect(Set(all.compactMap { $0["type"] }).count == all.count)
        }
        for (body, place) in [
            (["type": "x", "policy": "maybe"], "#/policy"), (["type": "", "policy": "human"], "#/type"),
            (["type": "x"], "#/policy"),
        ] as [(JSON, String)] {
            #expect(try await program.ask(.put, "policies", body).place() == place)
        }
        #expect(try await program.ask(.put, "policies", ["type": "é", "policy": "human"]).problem() == "invalid")
        #expect(try await program.ask(.delete, "policies?type=a%2Fb%20%3F").status == 204)
        #expect(try await program.ask(.delete, "policies?type=*").status == 204)
        #expect(try scene.server.state.policies().isEmpty)
    }

    @Test func joinsAreShownOneByOne() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let device = try await scene.panel(0xD1)
        let program = try scene.program(.moderate)
        guard case .integer(let number) = try #require(try await program.all("joins", limit: 5).first?["number"]) else {
            return
        }
        #expect(try await program.get("joins/\(number)")["ending"] == JSON.null)
        try await scene.server.server.refuse(device.id, ticket: UInt64(try await scene.ticket(device)) ?? 0, by: "eve")
        let ended = try await program.get("joins/\(number)")
        #expect(ended["ending"]?["outcome"] == "failed" && ended["ending"]?["by"] == "eve" && ended["kind"] == "human")
        for path in ["joins/\(number + 1)", "joins/\(Int64.max)"] {
            #expect(try await program.ask(.get, path).problem() == "unknown")
        }
        for path in ["joins/0", "joins/x", "joins/99999999999999999999"] {
            #expect(try await program.ask(.get, path).problem() == "not-found")
        }
    }

    @Test func operatorsAreManagedByAdministratorsAndNobodyShutsThemselvesOut() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let program = try scene.program(.administer)
        #expect(try await program.ask(.post, "operators", ["name": "Eve", "role": "look"]).status == 201)
        #expect(try await program.ask(.post, "operators", ["name": "eve", "role": "look"]).problem() == "taken")
        #expect(try await program.ask(.post, "operators", ["name": "a b", "role": "look"]).place() == "#/name")
        #expect(try await program.ask(.post, "operators", ["name": "x", "role": "king"]).place() == "#/role")
        #expect(
            try await program.all("operators", limit: 2).map { $0["name"] } == [
                "administer", "eve", "look", "moderate",
            ])
        let changed = try await program.ask(.patch, "operators/eve", ["role": "moderate", "disabled": true])
        #expect(try changed.json()["role"] == "moderate" && changed.json()["disabled"] == true)
        #expect(try await program.ask(.patch, "operators/eve", [:]).problem() == "invalid")
        let reset = try await program.ask(.post, "operators/eve/password")
        #expect(reset.status == 200)
        for (method, path, body) in [
            (HTTPRequest.Method.patch, "operators/administer", ["role": "look"]),
            (.delete, "operators/administer", nil),
            (.post, "operators/administer/password", nil),
        ] as [(HTTPRequest.Method, String, JSON?)] {
            #expect(try await program.ask(method, path, body).problem() == "oneself")
        }
        #expect(try await program.ask(.delete, "operators/eve").status == 204)
        for path in ["operators/eve", "operators/eve/sessions"] {
            #expect(try await program.ask(.delete, path).problem() == "unknown")
        }
        #expect(try await program.ask(.post, "operators/eve/password").problem() == "unknown")
    }

    @Test func ownSessionsAndTokensWithAnyRoleThoseOfOthersWithAdminister() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let (looks, administers) = (try scene.program(.look), try scene.program(.administer))
        let browser = try await scene.browser(.look)
        let number = try scene.session(of: browser).number
        #expect(try await looks.all("operators/look/sessions", limit: 5).first?["number"] == .integer(number))
        #expect(try await looks.ask(.get, "operators/moderate/sessions").problem() == "forbidden")
        #expect(try await administers.all("operators/look/sessions", limit: 5).count == 1)
        #expect(try await looks.ask(.delete, "operators/look/sessions/\(number)").status == 204)
        #expect(try await browser.get("/waiting").status == 401)
        #expect(try await looks.ask(.delete, "operators/look/sessions/\(number)").problem() == "unknown")
        // A token of one's own, never with more than the one that asks has.
        let made = try await looks.ask(.post, "operators/look/tokens", ["label": "mine", "role": "look", "days": 5])
        #expect(made.status == 201)
        guard case .text(let text) = try #require(try made.json()["token"]),
            case .integer(let mine) = try #require(try made.json()["number"])
        else { return }
        let second = ConsoleScene.Program(scene: scene, token: text)
        #expect(try await second.get("network")["token"] == .integer(mine))
        let weak = try scene.program(.look, of: .administer)
        #expect(
            try await weak.ask(.post, "operators/administer/tokens", ["label": "x", "role": "administer"]).problem()
                == "forbidden")
        #expect(
            try await administers.ask(.post, "operators/look/tokens", ["label": "x", "role": "look"]).problem()
                == "forbidden")
        for (body, place) in [
            (["label": "", "role": "look"], "#/label"), (["label": "x"], "#/role"),
            (["label": "x", "role": "look", "days": 0], "#/days"),
            (["label": "x", "role": "look", "days": 3651], "#/days"),
        ] as [(JSON, String)] {
            #expect(try await looks.ask(.post, "operators/look/tokens", body).place() == place)
        }
        let list = try await looks.ask(.get, "operators/look/tokens")
        #expect(list.text.contains("mine") && !list.text.contains("srup_"))
        #expect(try await looks.ask(.delete, "operators/administer/tokens/1").problem() == "forbidden")
        #expect(try await second.ask(.delete, "operators/look/tokens/\(mine)").status == 204)
        #expect(try await second.ask(.get, "network").status == 401)
    }
}
