import Foundation
import Linux
import Logging
import SRUP
import Storage
import Testing

@testable import KeyService

/// What RabbitMQ is answered: who may connect, and what for.
struct BrokerQuestionTests {
    private static let (server, lamp, other) = (DeviceID(0xC2C2), DeviceID(0xABCD), DeviceID(0xBEEF))

    private final class Bench {
        let folder = NSTemporaryDirectory() + "srup-questions-\(UUID().uuidString)"
        let state: KeyServiceState
        let questions: BrokerQuestions

        init() throws {
            try PrivateFile.makeFolder(folder)
            state = try KeyServiceState(path: folder + "/key-service.db")
            let key = try PrivateKey.generate().publicKey
            for id in [server, lamp, other] {
                _ = try state.add(id, key: key, type: "lamp", isServer: id == server, now: 0)
            }
            questions = BrokerQuestions(
                rights: BrokerRights(server: server), state: state, groups: GroupBook(folder: folder))
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        /// As RabbitMQ 4.0 asks for somebody whose client id is right.
        func allows(_ kind: BrokerQuestions.Kind, _ name: String, _ more: [String: String] = [:]) throws -> Bool {
            let id = kind == .topic ? "variable_map.client_id" : "client_id"
            let usual = ["username": name, "vhost": "/", id: "SRUP Client: " + name]
            return try questions.allows(kind, usual.merging(more) { $1 })
        }

        func may(_ name: String, _ permission: String, _ key: String) throws -> Bool {
            try allows(
                .topic, name,
                ["resource": "topic", "name": "amq.topic", "permission": permission, "routing_key": key])
        }
    }

    @Test func whoIsRegisteredMayConnectUntilItEnds() throws {
        let bench = try Bench()
        for name in ["c2c2", "abcd", "monitor"] {
            #expect(try bench.allows(.user, name, ["password": "none"]))
            // Later versions do not mention it.
            #expect(try bench.allows(.user, name))
            #expect(try bench.allows(.vhost, name, ["ip": "192.0.2.7", "tags": ""]))
        }
        for name in ["1234", "", "ABCD", "0abcd", "srup-control", "guest", "abcd\u{0}", "SRUP Client: abcd"] {
            #expect(try !bench.allows(.user, name, ["password": "none"]), "\(name)")
        }
        try bench.state.end(Self.lamp, why: "lost", by: "anna", now: 1)
        #expect(try !bench.allows(.user, "abcd", ["password": "none"]))
        #expect(try !bench.allows(.vhost, "abcd"))
        #expect(try !bench.may("abcd", "write", "SRUP.abcd"))
        #expect(try bench.allows(.user, "beef", ["password": "none"]))
    }

    /// RabbitMQ takes the name that a client sends before that of its certificate, whose client id alone it compares.
    @Test func anothersNameWithTheOwnClientIDIsRefusedEverywhere() throws {
        let bench = try Bench()
        for id in ["SRUP Client: abcd", "", "c2c2", "SRUP Client: c2c2 ", "SRUP Client:c2c2"] {
            #expect(try !bench.allows(.user, "c2c2", ["client_id": id, "password": "none"]), "\(id)")
            #expect(try !bench.allows(.vhost, "c2c2", ["client_id": id]), "\(id)")
            #expect(
                try !bench.allows(
                    .resource, "c2c2",
                    ["client_id": id, "resource": "exchange", "name": "amq.topic", "permission": "write"]), "\(id)")
        }
        #expect(try !bench.questions.allows(.user, ["username": "c2c2", "vhost": "/"]))
        #expect(
            try !bench.questions.allows(
                .topic,
                [
                    "username": "c2c2", "vhost": "/", "resource": "topic", "name": "amq.topic", "permission": "read",
                    "routing_key": "SRUP.#", "variable_map.client_id": "SRUP Client: abcd",
                ]))
        for password in ["", "None", "none ", "secret"] {
            #expect(try !bench.allows(.user, "abcd", ["password": password]), "\(password)")
        }
        #expect(try !bench.allows(.user, "abcd", ["vhost": "other"]))
    }

    @Test(arguments: [
        ("abcd", "write", "SRUP.abcd", true), ("abcd", "read", "SRUP.abcd", true),
        ("abcd", "read", "SRUP.abcd.#", true), ("abcd", "write", "SRUP.servers.c2c2.abcd", true),
        ("abcd", "read", "SRUP.servers.c2c2.abcd", false), ("abcd", "write", "SRUP.abcd.#", false),
        ("abcd", "write", "SRUP.abcd.x", false), ("abcd", "write", "SRUP.beef", false),
        ("abcd", "read", "SRUP.beef", false), ("abcd", "read", "SRUP.*", false), ("abcd", "read", "SRUP.#", false),
        ("abcd", "read", "#", false), ("abcd", "read", "*.abcd", false), ("abcd", "read", "#.SRUP.abcd", false),
        ("abcd", "read", "SRUP.servers.c2c2.#", false), ("abcd", "write", "SRUP.servers.c2c2.beef", false),
        ("abcd", "write", "SRUP.servers.beef.abcd", false), ("abcd", "read", "$share.x.SRUP.abcd", false),
        ("abcd", "write", "", false), ("abcd", "read", "SRUP.abcd.", false), ("abcd", "configure", "SRUP.abcd", false),
        ("abcd", "write", "SRUP.groups.lamps", false), ("abcd", "read", "SRUP.groups.lamps", true),
        ("beef", "read", "SRUP.groups.lamps", false), ("abcd", "read", "SRUP.groups.*", false),
        ("abcd", "read", "SRUP.groups.lamps.#", false), ("abcd", "read", "SRUP.groups.lamps abcd", false),
        ("c2c2", "write", "SRUP.abcd", true), ("c2c2", "read", "SRUP.servers.c2c2.#", true),
        ("c2c2", "write", "SRUP.groups.lamps", true), ("c2c2", "read", "#", false),
        ("c2c2", "write", "$CONTROL.dynamic-security.v1", false),
        ("monitor", "read", "SRUP.#", true), ("monitor", "read", "#", false), ("monitor", "write", "SRUP.abcd", false),
        ("monitor", "write", "SRUP.monitor", false), ("1234", "write", "SRUP.1234", false),
    ])
    func topicsAreThoseOfTheAccessList(_ name: String, _ permission: String, _ key: String, _ isAllowed: Bool) throws {
        let bench = try Bench()
        try BrokerConfiguration.setGroups([GroupID("lamps")!: [Self.lamp]], folder: bench.folder)
        #expect(try bench.may(name, permission, key) == isAllowed)
    }

    @Test func aMembershipCountsFromTheMomentItIsWrittenAndNoLonger() throws {
        let bench = try Bench()
        let lamps = GroupID("lamps")!
        #expect(try !bench.may("abcd", "read", "SRUP.groups.lamps"))
        for members in [[Self.lamp], [Self.other], [], [Self.other, Self.lamp]] {
            try BrokerConfiguration.setGroups([lamps: members], folder: bench.folder)
            #expect(try bench.may("abcd", "read", "SRUP.groups.lamps") == members.contains(Self.lamp))
        }
        for text in [
            "lamps abcd extra\n", "lamps  abcd\n", "#lamps abcd\n", "lamps\n", "LAMPS abcd\n", "lamps ABCD\n", "\u{0}",
        ] {
            try PrivateFile.write(text, to: bench.folder + "/groups")
            #expect(try !bench.may("abcd", "read", "SRUP.groups.lamps"), "\(text)")
        }
        try PrivateFile.write("lamps abcd", to: bench.folder + "/groups")
        #expect(try bench.may("abcd", "read", "SRUP.groups.lamps"))
        try FileManager.default.removeItem(atPath: bench.folder + "/groups")
        #expect(try !bench.may("abcd", "read", "SRUP.groups.lamps"))
    }

    @Test(arguments: [
        ("abcd", "queue", "mqtt-subscription-SRUP Client: abcdqos1", "configure", true),
        ("abcd", "queue", "mqtt-subscription-SRUP Client: abcdqos0", "read", true),
        ("abcd", "queue", "mqtt-subscription-SRUP Client: abcdqos1", "write", true),
        ("abcd", "queue", "mqtt-subscription-SRUP Client: abcdqos2", "write", false),
        ("abcd", "queue", "mqtt-subscription-SRUP Client: beefqos1", "read", false),
        ("abcd", "queue", "mqtt-will-SRUP Client: abcd", "configure", false),
        ("abcd", "queue", "mqtt-subscription-SRUP Client: abcdqos1", "own", false),
        ("abcd", "exchange", "amq.topic", "read", true), ("abcd", "exchange", "amq.topic", "write", true),
        ("abcd", "exchange", "amq.topic", "configure", false), ("abcd", "exchange", "amq.default", "write", false),
        ("monitor", "exchange", "amq.topic", "read", true), ("monitor", "exchange", "amq.topic", "write", false),
        ("monitor", "queue", "mqtt-subscription-SRUP Client: monitorqos1", "configure", true),
        ("c2c2", "queue", "mqtt-subscription-SRUP Client: abcdqos1", "read", false),
    ])
    func queuesAreTheOwnSessions(
        _ name: String, _ kind: String, _ what: String, _ permission: String, _ isAllowed: Bool
    ) throws {
        let bench = try Bench()
        let more = ["resource": kind, "name": what, "permission": permission]
        #expect(try bench.allows(.resource, name, more) == isAllowed)
    }

    @Test func theBodyOfAQuestionIsReadStrictly() {
        func fields(_ text: String) -> [String: String]? { FormBody.fields(Array(text.utf8)) }
        #expect(
            fields("username=abcd&client_id=SRUP+Client%3A%20abcd&ip=") == [
                "username": "abcd", "client_id": "SRUP Client: abcd", "ip": "",
            ])
        #expect(fields("a=b=c") == ["a": "b=c"])
        for wrong in [
            "", "a", "a=1&", "&a=1", "=1", "a=1&a=2", "a=%", "a=%4", "a=%zz", "a=%ff", "a=\u{0}%00%80",
            (0...FormBody.maximumFields).map { "f\($0)=1" }.joined(separator: "&"),
        ] { #expect(fields(wrong) == nil, "\(wrong)") }
        #expect(FormBody.fields([0x61, 0x3D, 0xFF]) == nil)
        #expect(fields((1...FormBody.maximumFields).map { "f\($0)=1" }.joined(separator: "&"))?.count == 32)
    }

    @Test func whoDoesNotKnowTheSecretOrAsksOtherwiseIsRefused() async throws {
        let bench = try Bench()
        _ = try RabbitSecret.answers.make(in: bench.folder)
        let secret = try RabbitSecret.answers.read(in: bench.folder)
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let answers = try BrokerAnswers(
            folder: bench.folder, state: bench.state, server: Self.server, port: 0,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { continuation.yield($0) }
        let running = Task { try await answers.run() }
        defer { running.cancel() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        func ask(_ path: String, _ body: String, _ method: String = "POST") async throws -> (Int, String) {
            let answer = try await DetachedThread.value {
                Result { try LoopbackHTTP(port: port).request(method, path, body: Array(body.utf8)) }
            }.get()
            return (answer.status, String(decoding: answer.body, as: UTF8.self))
        }
        let question = "username=abcd&vhost=%2F&client_id=SRUP+Client%3A+abcd&password=none"
        #expect(try await ask("/\(secret)/user", question) == (200, "allow"))
        #expect(try await ask("/\(secret)/vhost", question) == (200, "allow"))
        #expect(try await ask("/\(secret)/user", question.replacingOccurrences(of: "abcd", with: "1")) == (200, "deny"))
        let wrong = String(repeating: "0", count: 64)
        for other in [wrong, String(secret.dropLast()), secret + "0", secret.uppercased() + "x"] {
            #expect(try await ask("/\(other)/user", question) == (403, "deny"))
        }
        #expect(try await ask("/\(secret)/user", question + "&username=c2c2") == (400, "deny"))
        #expect(try await ask("/\(secret)/user", "%") == (400, "deny"))
        #expect(
            try await ask("/\(secret)/user", question + "&x=" + String(repeating: "x", count: 5000)) == (413, "deny"))
        #expect(try await ask("/\(secret)/other", question).0 == 404)
        #expect(try await ask("/\(secret)/user", "", "GET").0 == 404)
        #expect(try await ask("/user", question).0 == 404)
        try bench.state.end(Self.lamp, why: "lost", by: "anna", now: 1)
        #expect(try await ask("/\(secret)/user", question) == (200, "deny"))
    }
}
