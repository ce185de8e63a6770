import Foundation
import TestProcesses
import Testing

/// The commands and the API of a network that really runs, over TLS.
@Suite(.serialized) struct APICommandTests {
    private func log(_ runner: ProgramRunner, _ role: String) -> String {
        (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    @Test func commandsAndAPIShowAndDoTheSame() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "panel=human"])
        try loopback.registerDevice("panel", type: "panel")
        let begin = EventFollower.clock()
        try loopback.startDevice("panel", present: "words:file:\(runner.path("words"))", [])
        try loopback.events.wait(for: "panel", ["showing"], since: begin, within: 90)
        let id = try #require(loopback.identities["panel"])
        let folder = ["--folder", runner.path("c2")]
        func said(_ role: String, _ arguments: [String]) throws -> String {
            try runner.must("srup-c2", arguments + folder, as: role)
            return log(runner, role)
        }

        // Commands.
        _ = try said("note", ["note", id, "in the cellar"])
        #expect(try runner.run("srup-c2", ["note", "abc", "x"] + folder, as: "note-2") == 1)
        _ = try said("policy-set", ["policy", "set", "lamp", "refuse"])
        #expect(
            try said("policy-list", ["policy", "list", "--json"]).contains("\"policy\":\"refuse\",\"type\":\"lamp\""))
        _ = try said("policy-reset", ["policy", "reset", "lamp"])
        #expect(!(try said("policy-list-2", ["policy", "list"]).contains("lamp")))
        #expect(try runner.run("srup-c2", ["policy", "set", "lamp", "maybe"] + folder, as: "policy-bad") == 64)
        _ = try said("trust", ["trust", "b1"])
        #expect(try said("observers", ["observers", "--json"]).contains("\"device\":\"b1\""))
        let devices = try said("devices", ["devices", "--json"])
        #expect(devices.contains("\"note\":\"in the cellar\"") && devices.contains("\"state\":\"waiting\""))
        #expect(try said("metrics", ["metrics"]).contains("srup_key_service_identities{joined=\"never\"} "))
        #expect(
            log(runner, "metrics").contains("srup_key_service_requests_total{step=\"register\",status=\"201\"} 1\n"))
        #expect(try runner.run("srup-c2", ["webhook", "test"] + folder, as: "webhook") == 78)

        // The API.
        _ = try said("operator", ["operator", "add", "anna", "--role", "moderate", "--generate"])
        let token = try said("token", ["token", "add", "test", "--operator", "anna", "--role", "moderate"])
            .split(separator: "\n").first { $0.hasPrefix("srup_") }
        let secret = String(try #require(token))
        let bearer = ["-H", "Authorization: Bearer \(secret)"]
        let base = "https://localhost:\(loopback.pagesPort)"
        #expect(try runner.curl(["\(base)/api/v1/waiting"]).status == 401)
        let document = try runner.curl(["\(base)/api/openapi.json"])
        #expect(document.status == 200 && document.body.contains("\"openapi\":\"3.1.0\""))
        let waiting = try runner.curl(bearer + ["\(base)/api/v1/waiting/\(id)"])
        #expect(waiting.status == 200 && waiting.body.contains("\"note\":\"in the cellar\""))
        struct Waiting: Decodable { let ticket: String }
        let ticket = try JSONDecoder().decode(Waiting.self, from: Data(waiting.body.utf8)).ticket
        let json = ["-H", "Content-Type: application/json", "-d"]
        let approve = "\(base)/api/v1/waiting/\(id)/approve"
        let wrong = try runner.curl(
            bearer + json + ["{\"ticket\":\"\(ticket)\",\"words\":[\"qqq\",\"qqq\",\"qqq\"]}", approve])
        #expect(wrong.status == 422 && wrong.body.contains("wrong-words"))
        let right = try runner.curl(bearer + json + ["{\"ticket\":\"\(ticket)\",\"compared\":true}", approve])
        #expect(right.status == 200, "\(right.body)")
        try loopback.events.wait(for: "panel", ["joined"], since: begin, within: 90)
        // What is longer than the server reads is refused before anything else, and the next request is answered.
        #expect(
            try runner.curl(bearer + ["\(base)/api/v1/devices?text=" + String(repeating: "x", count: 9000)]).status
                == 400)
        let metrics = try runner.curl(bearer + ["\(base)/metrics"])
        #expect(
            metrics.status == 200 && metrics.body.contains("srup_joins_total{outcome=\"joined\",policy=\"human\"} 1\n"))
        #expect(metrics.body.contains("srup_certificate_days_left{certificate=\"https\"} "))
        // From the beginning, until the time is over.
        let stream = try runner.curl(
            bearer + ["--max-time", "3", "-N", "-H", "Last-Event-ID: 0", "\(base)/events?kinds=waiting,verdict"])
        #expect(stream.body.contains("id: 1\nevent: waiting\ndata: {\"id\":1,"))
        #expect(stream.body.contains("event: verdict\n") && stream.body.contains("\"by\":\"anna, token 1\""))
        #expect(try said("joins", ["joins", "--json"]).contains("\"by\":\"anna, token 1\""))
        // No token stands in a log.
        #expect(!log(runner, "c2").contains(secret))

        runner.stop("c2")
        #expect(try runner.run("srup-c2", ["observers"] + folder, as: "nobody") == 1)
        #expect(try said("joins-2", ["joins", "--last", "5"]).contains("joined: "))
    }

    @Test func aWebhookThatCannotBeIsRefusedAtOnce() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let folder = ["--folder", runner.path("c2")]
        try runner.must("srup-c2", ["init", "--host", "localhost"] + folder, as: "init")
        let plain = try String(contentsOfFile: runner.path("c2/c2.toml"), encoding: .utf8)
        func check(_ webhook: String, _ role: String) throws -> Int32 {
            try (plain + "\n" + webhook + "\n").write(
                toFile: runner.path("c2/c2.toml"), atomically: true, encoding: .utf8)
            return try runner.run("srup-c2", ["check"] + folder, as: role)
        }
        let good = "[webhook]\nurl = \"https://localhost:1/x\"\nsecret_file = \"webhook.secret\""
        #expect(try check(good, "good") == 0)
        for (index, (webhook, words)) in [
            ("[webhook]\nurl = \"http://localhost/x\"\nsecret_file = \"s\"", "https"),
            ("[webhook]\nurl = \"https://u:p@localhost/x\"\nsecret_file = \"s\"", "webhook.url"),
            ("[webhook]\nurl = \"https://localhost/x\"", "webhook.secret_file"),
            ("[webhook]\nsecret_file = \"s\"", "webhook.url"),
            ("[webhook]\nurl = \"https://localhost/x\"\nsecret_file = \"s\"\nretries = 5", "retries"),
        ].enumerated() {
            #expect(try check(webhook, "bad-\(index)") == 78, "\(webhook)")
            #expect(log(runner, "bad-\(index)").contains(words), "\(log(runner, "bad-\(index)"))")
        }
        // The file of its secret is the owner's alone, or the server does not start and the doctor says why.
        #expect(try check(good, "again") == 0)
        let secret = runner.path("c2/webhook.secret")
        #expect(try runner.run("srup-c2", ["webhook", "test"] + folder, as: "none") == 78)
        try String(repeating: "k", count: 32).write(toFile: secret, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: secret)
        #expect(try runner.run("srup-c2", ["webhook", "test"] + folder, as: "open") == 78)
        #expect(log(runner, "open").contains("chmod 600"))
        #expect(try runner.run("srup-c2", ["run"] + folder, as: "run") == 78)
        _ = try runner.run("srup-c2", ["doctor", "--json"] + folder, as: "doctor")
        #expect(log(runner, "doctor").contains("\"name\":\"webhook\",\"remedy\":\"openssl rand"))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: secret)
        // Nobody listens there.
        #expect(try runner.run("srup-c2", ["webhook", "test"] + folder, as: "nobody") == 1)
        #expect(log(runner, "nobody").contains("https://localhost:1/x"))
    }
}
