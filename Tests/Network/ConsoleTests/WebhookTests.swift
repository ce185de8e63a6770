import COpenSSL
import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import Limits
import Logging
import SRUP
import ServiceLifecycle
import Storage
import Synchronization
import TestNetwork
import Testing

@testable import C2
@testable import Console
@testable import KeyService

/// Another server that is told what happens, over real HTTPS on loopback.
@Suite(.serialized) struct WebhookTests {
    /// What hears the webhook, with a certificate of an authority of its own.
    final class Receiver: Sendable {
        struct Call: Sendable {
            let headers: HTTPFields
            let body: [UInt8]
            var json: JSON? { try? JSON(body) }
            var id: JSON? { json?["id"] }
            func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
        }

        struct Context: AddressedContext {
            var coreContext: CoreRequestContextStorage
            let address: AddressGroup
            init(source: ApplicationRequestContextSource) {
                coreContext = .init(source: source)
                address = source.address
            }
        }

        private struct State {
            var calls: [Call] = []
            var answers: [HTTPResponse.Status] = []
            var port = 0
        }
        private let state = Mutex(State())
        let folder: String
        var authority: String { folder + "/ca.crt" }
        var calls: [Call] { state.withLock { $0.calls } }
        var url: String { "https://localhost:\(state.withLock { $0.port })/hook" }

        init(_ folder: String) throws {
            self.folder = folder
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let authority = try Authority.create(in: folder, name: "hooks")
            let key = try PrivateKey.generate()
            try PrivateFile.write(
                try authority.server(try key.publicKey, hosts: ["localhost"]), to: folder + "/hook.crt", mode: 0o644)
            try key.pem.withBytes { try PrivateFile.write($0, to: folder + "/hook.key") }
            try PrivateFile.write("  0123456789abcdef0123456789abcdef\n", to: folder + "/secret")
        }

        /// Answers the next calls so, and those after them with 204.
        func answer(_ answers: [HTTPResponse.Status]) { state.withLock { $0.answers = answers } }

        private func took(_ call: Call) -> Response {
            let status = state.withLock { state in
                state.calls.append(call)
                return state.answers.isEmpty ? .noContent : state.answers.removeFirst()
            }
            return Response(status: status, headers: status == .found ? [.location: "/elsewhere"] : [:])
        }

        /// Runs it while `body` does something.
        func serve(_ body: () async throws -> Void) async throws {
            let logger = Logger(label: "hook") { _ in SwiftLogNoOpLogHandler() }
            let router = Router(context: Context.self)
            for path in ["/hook", "/elsewhere"] {
                router.post(RouterPath(stringLiteral: path)) { request, _ in
                    let body = try await request.collected(atMost: 1 << 20)
                    return self.took(
                        Call(headers: request.headers, body: body.map { Array($0.readableBytesView) } ?? []))
                }
            }
            let application = try HTTPSApplication.make(
                router.buildResponder(), bind: "127.0.0.1", port: 0,
                certificate: try ServingCertificate(
                    certificateFile: folder + "/hook.crt", keyFile: folder + "/hook.key", logger: logger,
                    check: { _, _ in }),
                limits: ConnectionLimits(), logger: logger
            ) { port in self.state.withLock { $0.port = port } }
            let server = Task { try await application.run() }
            while state.withLock({ $0.port }) == 0 { try await Task.sleep(for: .milliseconds(5)) }
            do {
                try await body()
            } catch {
                server.cancel()
                throw error
            }
            server.cancel()
            _ = try? await server.value
            state.withLock { $0.port = 0 }
        }
    }

    private func webhook(
        _ scene: ConsoleScene, _ receiver: Receiver, url: String? = nil, trusts: Bool = true,
        now: (@Sendable () -> Double)? = nil
    ) throws -> Webhook {
        var settings = WebhookSettings(url: url ?? receiver.url, authorityFile: trusts ? receiver.authority : nil)
        settings.timeout = .seconds(20)
        return Webhook(
            store: scene.server.state, news: scene.server.server.occurrences, settings: settings,
            secret: try WebhookSecret(file: receiver.folder + "/secret"),
            logger: Logger(label: "hook") { _ in SwiftLogNoOpLogHandler() },
            pauses: Backoff(first: .milliseconds(20), longest: .milliseconds(50)), now: now ?? scene.network.wallClock)
    }

    /// Runs a webhook until `isDone`.
    private func run(_ webhook: Webhook, until isDone: () throws -> Bool) async throws {
        let task = Task { try await webhook.run() }
        let end = ContinuousClock.now + .seconds(120)
        while try !isDone() {
            try #require(ContinuousClock.now < end, "it takes too long")
            try await Task.sleep(for: .milliseconds(10))
        }
        task.cancel()
        _ = try? await task.value
    }

    private func told(_ scene: ConsoleScene) throws -> Int64? { try scene.server.state.webhook()?.told }

    private func note(_ scene: ConsoleScene, _ count: Int, at time: Double? = nil) throws {
        for number in 1...count {
            _ = try scene.server.state.note(
                .left, DeviceID(UInt64(number)), type: "lamp", nil, why: "RESIGN_REQUEST", by: nil, observer: nil,
                now: time ?? scene.network.wallClock())
        }
    }

    @Test func whatHappensIsToldInOrderAndSigned() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let receiver = try Receiver(scene.network.folder + "/hook")
        try note(scene, 2)
        try await receiver.serve {
            let webhook = try webhook(scene, receiver)
            let task = Task { try await webhook.run() }
            while try told(scene) == nil { try await Task.sleep(for: .milliseconds(5)) }
            // What was before there was a webhook is not told.
            #expect(try told(scene) == 2)
            _ = try await scene.panel(0xD1)
            try note(scene, 2)
            while receiver.calls.count < 1 { try await Task.sleep(for: .milliseconds(5)) }
            await scene.server.server.occurred(.left, DeviceID(0xEE), why: "<\"quoted\">")
            while try told(scene) != 6 { try await Task.sleep(for: .milliseconds(5)) }
            task.cancel()
            _ = try? await task.value
        }
        let calls = receiver.calls
        #expect(calls.map(\.id) == [3, 4, 5, 6])
        #expect(calls[0].json?["kind"] == "waiting" && calls[0].json?["device"] == "d1")
        #expect(calls[3].json?["why"] == "<\"quoted\">")
        for call in calls {
            #expect(call.headers[.contentType] == "application/json")
            let timestamp = try #require(call.header("SRUP-Timestamp"))
            let signature = try #require(call.header("SRUP-Signature"))
            #expect(Double(timestamp) == scene.network.wallClock().rounded(.down))
            #expect(
                try signature == "sha256=" + opensslSignature(Array("\(timestamp).".utf8) + call.body, receiver.folder))
            #expect(call.json?["kind"] == call.header("SRUP-Kind").map { .text($0) })
        }
        // Nothing that a device shows is in it.
        #expect(!calls.contains { String(decoding: $0.body, as: UTF8.self).contains("value") })
    }

    /// As the recipe in docs/api.md has it, by OpenSSL's own program.
    private func opensslSignature(_ signed: [UInt8], _ folder: String) throws -> String {
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = ["dgst", "-sha256", "-hmac", "0123456789abcdef0123456789abcdef", "-r"]
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: signed)
        try input.fileHandleForWriting.close()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        return String(decoding: data.prefix { $0 != 0x20 }, as: UTF8.self)
    }

    @Test func failuresAreTriedAgainAndSeen() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let receiver = try Receiver(scene.network.folder + "/hook")
        let state = scene.server.state
        try state.save(.init(told: 0))
        try note(scene, 2)
        // A redirect is no place to send secrets to.
        receiver.answer([.internalServerError, .found, .notFound])
        try await receiver.serve {
            try await run(try webhook(scene, receiver)) {
                try state.webhook()?.problem?.contains("redirect") == true || receiver.calls.count >= 2
            }
            try await run(try webhook(scene, receiver)) { try told(scene) == 2 }
        }
        #expect(receiver.calls.map(\.id) == [1, 1, 1, 1, 2])
        let standing = try #require(try state.webhook())
        #expect(standing.failed == nil && standing.problem == nil && standing.succeeded != nil && standing.pending == 0)
    }

    @Test func whatIsNotToldSurvivesARestart() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let receiver = try Receiver(scene.network.folder + "/hook")
        let state = scene.server.state
        try state.save(.init(told: 0))
        try note(scene, 3)
        // Nobody listens there.
        try await run(try webhook(scene, receiver, url: "https://localhost:1/hook")) {
            try state.webhook()?.failed != nil
        }
        let broken = try #require(try state.webhook())
        #expect(broken.told == 0 && broken.pending == 3 && broken.problem != nil && broken.succeeded == nil)
        let metrics = await scene.console.metrics()
        #expect(metrics.contains("srup_webhook_pending 3\n") && metrics.contains("srup_webhook_failing 1\n"))
        // Another process over the same file.
        let again = try C2State(path: state.database.path)
        try await receiver.serve {
            let webhook = Webhook(
                store: again, news: Feed<Int64>(),
                settings: .init(url: receiver.url, authorityFile: receiver.authority),
                secret: try WebhookSecret(file: receiver.folder + "/secret"),
                logger: Logger(label: "hook") { _ in SwiftLogNoOpLogHandler() },
                pauses: Backoff(first: .milliseconds(20), longest: .milliseconds(50)), now: scene.network.wallClock)
            try await run(webhook) { try again.webhook()?.told == 3 }
        }
        #expect(receiver.calls.map(\.id) == [1, 2, 3])
    }

    @Test func aCertificateThatIsNotBelievedGetsNothing() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let receiver = try Receiver(scene.network.folder + "/hook")
        let state = scene.server.state
        try state.save(.init(told: 0))
        try note(scene, 1)
        try await receiver.serve {
            try await run(try webhook(scene, receiver, trusts: false)) { try state.webhook()?.failed != nil }
            // Nor one for another name.
            let other = receiver.url.replacing("localhost", with: "127.0.0.1")
            #expect(
                await Webhook.test(
                    .init(url: other, authorityFile: receiver.authority),
                    secret: try WebhookSecret(file: receiver.folder + "/secret")) != nil)
            #expect(
                await Webhook.test(
                    .init(url: receiver.url, authorityFile: receiver.folder + "/none"),
                    secret: try WebhookSecret(file: receiver.folder + "/secret"))?.contains("none") == true)
        }
        #expect(receiver.calls.isEmpty)
    }

    @Test func whatCouldNotBeToldForADayIsGivenUp() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let receiver = try Receiver(scene.network.folder + "/hook")
        let state = scene.server.state
        try state.save(.init(told: 0))
        let now = scene.network.wallClock()
        try note(scene, 2, at: now - Webhook.lifetime - 5)
        try note(scene, 1, at: now)
        // And what is not kept any more.
        _ = try state.database.query("DELETE FROM occurrences WHERE id = 1")
        try await receiver.serve { try await run(try webhook(scene, receiver)) { try told(scene) == 3 } }
        #expect(receiver.calls.map(\.id) == [3])
        #expect(try state.webhook()?.dropped == 2)
    }

    @Test func theOperatorCanTryIt() async throws {
        let scene = try await ConsoleScene()
        defer { scene.close() }
        let receiver = try Receiver(scene.network.folder + "/hook")
        let secret = try WebhookSecret(file: receiver.folder + "/secret")
        receiver.answer([.noContent, .forbidden])
        try await receiver.serve {
            let settings = WebhookSettings(url: receiver.url, authorityFile: receiver.authority)
            #expect(await Webhook.test(settings, secret: secret) == nil)
            #expect(await Webhook.test(settings, secret: secret) == "it answers 403")
        }
        #expect(receiver.calls.first?.json?["kind"] == "test")
        #expect(await Webhook.test(.init(url: "http://localhost:1/"), secret: secret) != nil)
    }

    @Test func secretsAreTheirOwnersAndLongEnough() throws {
        let folder = NSTemporaryDirectory() + "srup-secret-\(UUID().uuidString)"
        try PrivateFile.makeFolder(folder)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/secret"
        #expect(throws: WebhookSecret.Failure.self) { try WebhookSecret(file: path) }
        for (text, isGood) in [
            ("", false), ("   \n", false), ("short", false), (String(repeating: "x", count: 15), false),
            (String(repeating: "x", count: 16) + "\n", true), ("\t" + String(repeating: "y", count: 64), true),
        ] {
            try PrivateFile.write(text, to: path)
            #expect(((try? WebhookSecret(file: path)) != nil) == isGood, "\(text.count)")
        }
        chmod(path, 0o644)
        #expect(throws: WebhookSecret.Failure.self) { try WebhookSecret(file: path) }
        chmod(path, 0o600)
        let secret = try WebhookSecret(file: path)
        var shown = ""
        dump(secret, to: &shown)
        #expect(!"\(secret)\(String(reflecting: secret))\(shown)".contains("yyy"))
        // RFC 4231's way, computed by OpenSSL beside: HMAC-SHA256("yyyy…", "5.{}").
        #expect(secret.signature(5, Array("{}".utf8)) != secret.signature(6, Array("{}".utf8)))
    }

    @Test(arguments: [
        ("https://a.example/x?y=1", true), ("https://[::1]:8443/", true), ("https://a", true), ("http://a/", false),
        ("https://", false), ("https:///x", false), ("https://u:p@a/", false), ("https://a/#x", false),
        ("ftp://a/", false),
        ("https://a b/", false), ("https://é/", false), ("file:///etc/passwd", false), ("", false),
    ])
    func urlsAreChecked(_ text: String, _ isGood: Bool) { #expect(WebhookSettings.isURL(text) == isGood) }
}
