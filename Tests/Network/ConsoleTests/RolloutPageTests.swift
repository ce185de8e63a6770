import Foundation
import HTTPTypes
import ObservedValue
import Releases
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import Operators

/// Releases and rollouts, as operators and programs see them.
@Suite struct RolloutPageTests {
    private static let payload = Array("the new program, \r\n--x\r\n and more".utf8)

    /// A release whose payload is served here, not uploaded yet.
    private func manifest(_ version: String = "2.0.0", type: String = "lamp") throws -> String {
        let content = ReleaseManifest.Content(
            type: type, version: try #require(ReleaseVersion(version)), size: UInt64(Self.payload.count),
            digest: try #require(Hex.decode(ReleaseFolder.digest(Self.payload))), expires: 4_000_000_000,
            url: "https://c2.example.net:8443/releases/\(type)-\(version)")
        return try ReleaseManifest(content, signedBy: ReleaseKey.generate()).description
    }

    private func upload(
        _ browser: ConsoleScene.Browser, _ payload: [UInt8], token: String? = nil
    ) async throws -> ConsoleScene.Answer {
        let token = try await token == nil ? browser.get("/releases").token("/releases/1/payload") : token ?? ""
        let head =
            "--bound\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n\(token)\r\n--bound\r\n"
            + "Content-Disposition: form-data; name=\"payload\"; filename=\"a.bin\"\r\n"
            + "Content-Type: application/octet-stream\r\n\r\n"
        return try await browser.scene.ask(
            .post, "/releases/1/payload", content: Array(head.utf8) + payload + Array("\r\n--bound--\r\n".utf8),
            cookie: browser.cookie, address: browser.address,
            [
                "Origin": "https://c2.example.net:8444", "Content-Type": "multipart/form-data; boundary=bound",
            ])
    }

    private func lamps(_ scene: ConsoleScene, _ count: UInt64) throws {
        for number in 1...count { try scene.member(DeviceID(number), type: "lamp") }
    }

    @Test func aReleaseIsAddedUploadedRolledOutAndStopped() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        try lamps(scene, 60)
        let browser = try await scene.browser(.administer)
        // As a browser sends it: with CR LF.
        let text = try manifest().replacing("\n", with: "\r\n")
        let added = try await browser.submit("/releases", "/releases", [("manifest", text)])
        #expect(added.status == 303, "\(added.text)")
        #expect(try await browser.get("/releases").text.contains("not here yet"))
        #expect(try await upload(browser, Self.payload + [0]).status == 422)
        #expect(try await upload(browser, Array(Self.payload.dropLast())).status == 422)
        #expect(try await upload(browser, Self.payload, token: "x").status == 403)
        #expect(try scene.server.shelf.store.release(1)?.isThere == false)
        #expect(try await upload(browser, Self.payload).status == 303)
        #expect(try scene.server.shelf.store.release(1)?.isThere == true)

        let fields = [("release", "1"), ("kind", "type"), ("target", "lamp"), ("canary", "2"), ("shares", "50, 100")]
        let wrong = try await browser.submit("/rollouts", "/rollouts", fields + [("tries", "x")])
        #expect(wrong.status == 422)
        let started = try await browser.submit("/rollouts", "/rollouts", fields)
        #expect(started.place == "/rollouts/1?done=rollout")
        await scene.network.advance(by: .seconds(3))
        let page = try await browser.get("/rollouts/1")
        #expect(page.status == 200 && page.text.contains("<progress id=\"bar\" max=\"60\" value=\"0\""))
        #expect(page.text.contains("2 downloading, 58 waiting") && page.text.contains("data-live=\"rollout\""))
        #expect(page.text.contains("/rollouts/1?after=49"), "fifty on a page")
        #expect(try await browser.get("/rollouts/1?phase=initiated").text.components(separatedBy: "id=\"d-").count == 3)
        #expect(try await browser.get("/rollouts").text.contains("Rollout 1"))
        #expect(try await browser.submit("/rollouts/1", "/rollouts/1/pause", []).status == 303)
        #expect(try await browser.get("/rollouts/1").text.contains(">paused<"))
        #expect(try await browser.submit("/rollouts/1", "/rollouts/1/resume", []).status == 303)
        let token = try await browser.get("/rollouts/1").token("/rollouts/1/take-back")
        #expect(try await browser.post("/rollouts/1/take-back", [("token", token)]).status == 303)
        let back = try await browser.get("/rollouts/1")
        #expect(back.text.contains("taken back") && back.text.contains("sign a manifest for it with a higher version"))
        #expect(try await browser.post("/rollouts/1/take-back", [("token", token)]).status == 422)
        #expect(try await browser.submit("/releases", "/releases/withdraw", [("number", "1")]).status == 303)
        #expect(try await browser.get("/releases").text.contains(">withdrawn<"))
        #expect(try await browser.get("/rollouts/99").status == 404)
        #expect(try await browser.get("/audit").text.contains("payload uploaded"))
    }

    @Test func rolesHoldAndFormsAreOwn() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        try lamps(scene, 1)
        _ = try RolloutPageTests.bare(scene)
        _ = try await scene.server.server.startRollout(of: 1, RolloutPlan(.type("lamp")), by: "anna")
        let (looker, moderator) = (try await scene.browser(.look), try await scene.browser(.moderate))
        for path in ["/releases", "/rollouts", "/rollouts/1"] {
            let page = try await looker.get(path)
            #expect(
                page.status == 200 && !page.text.contains("action=\"/rel")
                    && !page.text.contains("action=\"/roll\(path)"))
        }
        #expect(try await looker.post("/rollouts/1/stop", []).status == 403)
        #expect(try await moderator.post("/rollouts", []).status == 403)
        #expect(try await moderator.post("/releases", []).status == 403)
        #expect(try await moderator.post("/rollouts/1/stop", [("token", "x")]).status == 403)
        #expect(try await moderator.submit("/rollouts/1", "/rollouts/1/stop", []).status == 303)
    }

    private static func bare(_ scene: ConsoleScene) throws -> Int64 {
        try scene.server.shelf.add(
            bare: "https://files.example.net/x", size: nil, digest: String(repeating: "a", count: 64), type: "lamp",
            version: "2.0.0", by: "anna", now: 1
        ).number
    }

    @Test func programsDoTheSame() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        try lamps(scene, 5)
        let program = try scene.program(.administer)
        let added = try await program.ask(.post, "releases", ["manifest": .text(try manifest())])
        #expect(added.status == 201, "\(added.text)")
        #expect(try added.json()["complete"] == false)
        let early = try await program.ask(.post, "rollouts", ["release": 1, "to": ["type": "lamp"]])
        #expect(early.status == 422, "its payload is missing")
        let text = String(decoding: Self.payload, as: UTF8.self)
        #expect(try await program.send(.put, "releases/1/payload", text + "x").status == 422)
        #expect(try await program.send(.put, "releases/1/payload", text).status == 204)
        #expect(try await program.send(.put, "releases/7/payload", text).status == 404)
        #expect(try await program.get("releases/1")["complete"] == true)
        for body in [
            ["release": 1], ["release": 1, "to": ["type": "lamp", "group": "x"]], ["release": 1, "to": ["type": 5]],
            ["release": 1, "to": ["devices": []]], ["release": 1, "to": ["type": "lamp"], "shares": [50]],
            ["release": 1, "to": ["type": "lamp"], "canary": 0], ["release": 1, "to": ["type": "lamp"], "x": 0],
            ["release": 1, "to": ["zone": "hall"]], ["release": 9, "to": ["type": "lamp"]],
        ] as [JSON] {
            #expect(try await program.ask(.post, "rollouts", body).status == 422, "\(body)")
        }
        let started = try await program.ask(
            .post, "rollouts",
            ["release": 1, "to": ["devices": ["1", "2", "3"]], "canary": 1, "shares": [100], "failures": 2])
        #expect(started.status == 201, "\(started.text)")
        await scene.network.advance(by: .seconds(2))
        let rollout = try await program.get("rollouts/1")
        #expect(rollout["devices"]?["initiated"] == 1 && rollout["devices"]?["waiting"] == 2)
        #expect(rollout["plan"]?["failures"] == 2 && rollout["state"] == "running")
        #expect(try await program.all("rollouts/1/devices", limit: 2).count == 3)
        #expect(try await program.all("rollouts/1/devices?phase=waiting", limit: 1).count == 2)
        #expect(try await program.all("rollouts", limit: 1).count == 1)
        #expect(try await program.all("releases", limit: 1).count == 1)
        for (what, status) in [("pause", 200), ("pause", 422), ("resume", 200), ("stop", 200), ("take-back", 200)] {
            #expect(try await program.send(.post, "rollouts/1/\(what)", nil).status == status, "\(what)")
        }
        #expect(try await program.send(.post, "rollouts/2/stop", nil).status == 404)
        #expect(try await program.get("rollouts/1")["state"] == "taken-back")
        #expect(try await program.ask(.delete, "releases/1").status == 204)
        let occurrences = try await program.get("occurrences")
        #expect("\(occurrences)".contains("rollout-stopped"))
        #expect(try await program.ask(.get, "/metrics").text.contains("srup_rollouts{state=\"taken-back\"} 1"))
    }

    @Test func anUploadIsReadHoweverItIsCut() throws {
        let head = Array(
            "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nT\r\n--b\r\nContent-Disposition: form-data; name=\"payload\"; filename=\"filename\"\r\n\r\n"
                .utf8)
        let body = head + Self.payload + Array("\r\n--b--\r\n".utf8)
        for size in [1, 2, 3, 7, 50, 1000] {
            var form = UploadForm(type: "multipart/form-data; boundary=b", size: Int64(Self.payload.count))
            var found: [UInt8] = []
            for start in stride(from: 0, to: body.count, by: size) {
                found += try form.take(Array(body[start..<min(start + size, body.count)]))
            }
            #expect(found == Self.payload && form.isWhole && form.token == "T")
        }
        for end in 0..<body.count - 6 {
            var form = UploadForm(type: "multipart/form-data; boundary=b", size: Int64(Self.payload.count))
            _ = try? form.take(Array(body[..<end]))
            #expect(!form.isWhole, "cut at \(end)")
        }
        var endless = UploadForm(type: "multipart/form-data; boundary=b", size: 5)
        #expect(throws: MultipartError.self) {
            for _ in 0..<100 { _ = try endless.take([UInt8](repeating: 65, count: 1000)) }
        }
    }
}
