import COpenSSL
import Foundation
import Logging
import SRUP
import TestProcesses
import Storage
import Testing

@testable import KeyService
@testable import Participant

/// A key service on a free loopback port, with its authority, and a broker beside it when asked for.
final class Rig: @unchecked Sendable {
    // Changed only by the test that owns it.
    let folder = NSTemporaryDirectory() + "srup-keys-\(UUID().uuidString)"
    let server = DeviceID(0xC2C2)
    let serverKey: PrivateKey
    let authority: Authority
    private(set) var port = 0
    private var task: Task<Void, any Error>?
    private let runner: ProgramRunner
    private(set) var brokerPort = 0

    init() throws {
        runner = try ProgramRunner(binaries: "/usr/bin")
        try PrivateFile.makeFolder(folder)
        authority = try Authority.create(in: folder, name: "test")
        serverKey = try PrivateKey.generate()
        for name in ["https", "broker"] {
            let key = try PrivateKey.generate()
            try key.pem.withBytes { try PrivateFile.write($0, to: "\(folder)/\(name).key") }
            try PrivateFile.write(
                authority.server(key.publicKey, hosts: ["localhost", "127.0.0.1"]), to: "\(folder)/\(name).crt",
                mode: 0o644)
        }
    }

    /// A running key service for the time of `body`.
    static func with(
        isActive: Bool = true, policy change: (inout KeyServicePolicy) -> Void = { _ in },
        _ body: (Rig) async throws -> Void
    ) async throws {
        let rig = try Rig()
        try await rig.start(isActive: isActive, change)
        do {
            try await body(rig)
        } catch {
            await rig.stop()
            throw error
        }
        await rig.stop()
    }

    var url: String { "https://localhost:\(port)" }
    var statePath: String { folder + "/keys.db" }
    var ca: String { folder + "/ca.crt" }

    func start(isActive: Bool = true, _ change: (inout KeyServicePolicy) -> Void = { _ in }) async throws {
        let state = try KeyServiceState(path: statePath)
        _ = try state.add(server, key: serverKey.publicKey, type: "C2", isServer: true, now: 0)
        var policy = KeyServicePolicy(brokerHost: "localhost", brokerPort: 1883, server: server)
        policy.isActive = isActive
        change(&policy)
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let service = try KeyServiceServer(
            authority: authority, state: state, policy: policy, key: serverKey, bind: "127.0.0.1", port: 0,
            certificateFile: folder + "/https.crt", keyFile: folder + "/https.key",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { continuation.yield($0) }
        task = Task { try await service.run() }
        for await port in ports {
            self.port = port
            break
        }
    }

    func stop() async {
        task?.cancel()
        _ = await task?.result
        runner.close()
        try? FileManager.default.removeItem(atPath: folder)
    }

    func client(ca: String? = nil) throws -> KeyServiceClient {
        try KeyServiceClient(url: url, authorityFile: ca ?? self.ca, timeout: .seconds(10))
    }

    /// A request as any HTTP client could send it: status and body.
    func post(_ route: String, _ body: String, _ arguments: [String] = [], base: String = "") throws -> (
        status: Int, body: String
    ) {
        let file = folder + "/body-\(UUID().uuidString)"
        try body.write(toFile: file, atomically: true, encoding: .utf8)
        let result = try run(
            "/usr/bin/curl",
            [
                "-s", "--cacert", ca, "--data-binary", "@\(file)", "-H", "Content-Type: text/plain", "-w",
                "\n%{http_code}", "\(url)\(base)/KeyEx/register/\(route)",
            ] + arguments)
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
    }

    func get(_ route: String, base: String = "") throws -> (status: Int, body: String) {
        let result = try run(
            "/usr/bin/curl", ["-s", "--cacert", ca, "-w", "\n%{http_code}", "\(url)\(base)/KeyEx/register/\(route)"])
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
    }

    func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, output: String) {
        let role = "run-\(UUID().uuidString)"
        let code = try runner.run(URL(fileURLWithPath: program).lastPathComponent, arguments, as: role)
        return (code, try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8))
    }

    /// The broker with the configuration that an operator gets.
    func startBroker() throws {
        brokerPort = try ProgramRunner.freePort()
        try BrokerConfiguration(folder: folder, bind: "127.0.0.1", port: brokerPort, server: server).write(
            KeyServiceState(path: statePath))
        try Monitor.make(in: folder, authority: authority, host: "localhost", port: brokerPort)
        try launchBroker()
    }

    private func launchBroker() throws {
        try runner.start("mosquitto", ["-c", folder + "/mosquitto.conf"], as: "broker")
        let deadline = Date(timeIntervalSinceNow: 10)
        while !ProgramRunner.accepts(port: brokerPort) && Date() < deadline { usleep(10_000) }
    }

    /// All connections are lost.
    func restartBroker() throws {
        runner.kill9("broker")
        try launchBroker()
    }

    /// The broker's process.
    var broker: Int32? { runner.processIdentifier("broker") }

    /// Where the broker is, with a fresh key and certificate for `id`, from this authority or another.
    func credentials(_ id: DeviceID, by other: Authority? = nil) throws -> BrokerAddress {
        let key = try PrivateKey.generate()
        let base = folder + "/\(id.hex)-\(UUID().uuidString.prefix(4))"
        try key.pem.withBytes { try PrivateFile.write($0, to: base + ".key") }
        try PrivateFile.write((other ?? authority).client(id, key: key.publicKey), to: base + ".crt", mode: 0o644)
        return BrokerAddress(
            host: "localhost", port: UInt16(brokerPort), caFile: ca, certificateFile: base + ".crt",
            keyFile: base + ".key")
    }

    /// The same of the tools that watch.
    var monitor: BrokerAddress {
        let home = Monitor.folder(in: folder)
        return BrokerAddress(
            host: "localhost", port: UInt16(brokerPort), caFile: home + "/ca.pem",
            certificateFile: home + "/certificate.pem", keyFile: home + "/access.pem")
    }
}

@Suite(.serialized) struct KeyServiceTests {
    func with(isActive: Bool = true, _ body: (Rig) async throws -> Void) async throws {
        try await Rig.with(isActive: isActive, body)
    }

    static let key = Result { try PrivateKey.generate() }

    @Test func anAuthorityWhoseKeyIsAnothersIsRefused() throws {
        let folders = ["a", "b"].map { NSTemporaryDirectory() + "srup-ca-\(UUID().uuidString)-\($0)" }
        defer { for folder in folders { try? FileManager.default.removeItem(atPath: folder) } }
        for folder in folders {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            _ = try Authority.create(in: folder, name: "test")
        }
        try FileManager.default.removeItem(atPath: folders[0] + "/ca.key")
        try FileManager.default.copyItem(atPath: folders[1] + "/ca.key", toPath: folders[0] + "/ca.key")
        #expect(throws: AuthorityError.keyMismatch(folders[0])) { try Authority(folder: folders[0]) }
    }

    @Test func aWholeRegistrationLeavesAnIdentityThatTheBrokerWillTake() async throws {
        try await with { rig in
            let folder = rig.folder + "/device"
            let id = try await Registrar.register(
                at: rig.url, authorityFile: rig.ca, type: "sensor", folder: folder, progress: { _ in })
            let (identity, _) = try Identity.load(from: folder)
            #expect(identity.id == id && identity.server == rig.server)
            #expect(try identity.serverKey == rig.serverKey.publicKey)
            #expect(try await rig.client().key(of: id) == identity.key.publicKey)
            #expect(try await rig.client().type(of: id) == "sensor")
            guard case .valid(364...365) = Certificate.validity(try PublicFile.read(folder + "/certificate.pem")) else {
                Issue.record("the certificate is not valid for a year")
                return
            }
            // And the certificate can be renewed.
            let before = try PublicFile.read(folder + "/certificate.pem")
            try await Registrar.renew(in: folder, progress: { _ in })
            #expect(try PublicFile.read(folder + "/certificate.pem") != before)
        }
    }

    @Test func aReferenceClientsRequestsAreAnswered() async throws {
        try await with { rig in
            let key = try Self.key.get()
            let status = try rig.get("status")
            #expect(status.status == 200 && status.body.contains(#""active":true"#))
            let body = #"{"identity":"a1b2","key":"\#(try key.publicKey.pemBody)","type":"LCD"}"#
            let first = try rig.post("register", body)
            #expect(
                first.status == 201 && first.body.contains(#""default_c2":"c2c2""#)
                    && first.body.contains("mqtt://localhost:1883"))
            let again = try rig.post("register", body)
            #expect(again.status == 400 && again.body.contains("identity"))
            // Base64 in lines, as the reference sends it.
            let signature = Data(try key.signPSS(Array("a1b2".utf8)))
                .base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed])
                .replacingOccurrences(of: "\n", with: "\\n")
            #expect(try rig.post("validate", #"{"identity":"a1b2","signature":"\#(signature)"}"#).status == 200)
            let proof = try rig.post("validate", #"{"identity":"a1b2","signature":"\#(signature)"}"#).body
            let object = try #require(try JSONSerialization.jsonObject(with: Data(proof.utf8)) as? [String: String])
            let signed = try #require(
                object["signature"].flatMap { Data(base64Encoded: $0, options: .ignoreUnknownCharacters) })
            #expect(object["identity"] == rig.server.hex)
            #expect(try rig.serverKey.publicKey.isPSSSignature(Array(signed), over: Array(rig.server.hex.utf8)))
            #expect(try rig.post("validate", #"{"identity":"ffff","signature":"\#(signature)"}"#).status == 404)
            #expect(try rig.get("get_type/a1b2").body == "LCD")
            let pem = Data(base64Encoded: try rig.get("get_key/a1b2").body, options: .ignoreUnknownCharacters)
            #expect(try pem.map { String(decoding: $0, as: UTF8.self) } == key.publicKey.pem)
            #expect(try rig.get("get_key/ffff").status == 404 && rig.get("get_key/A1B2").status == 404)
            #expect(try rig.get("c2_check/c2c2").status == 200 && rig.get("c2_check/a1b2").status == 400)
            #expect(try rig.get("c2_check/ffff").status == 404 && rig.get("nothing").status == 404)
        }
    }

    @Test func badRegistrationsAreRefusedAndTheGoodOneStillWorks() async throws {
        try await with { rig in
            let key = try Self.key.get().publicKey.pemBody
            let weak = """
                MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7JHoJfg6yNzLMOWet8Z49a4KD0dCspMAYvo2YAMB7/wdEycocujbhJ2n/seON\
                i+5XqTqqFkM5VBl8rmkkFPZk/7x0xmdsTPECSWnHK+HhoaNDFPR3j8jQhVo1laxiqcEhAHegi5cwtFosuJAvSKAFKEvyD43si00D\
                QnXWrYHAEQIDAQAB
                """
            let bad = [
                "", "{", "[]", "null", #""x""#, #"{"identity":1}"#, #"{"identity":"a1"}"#, #"{"key":"\#(key)"}"#,
                #"{"identity":"monitor","key":"\#(key)"}"#, #"{"identity":"A1","key":"\#(key)"}"#,
                #"{"identity":"0a1","key":"\#(key)"}"#,
                #"{"identity":"a1","key":"AAAA"}"#, #"{"identity":"a1","key":"\#(weak)"}"#,
                #"{"identity":"c2c2","key":"\#(key)"}"#, #"{"identity":"a1","key":"\#(key)","type":"a "}"#,
                #"{"identity":"a1","key":"\#(key)","type":" a"}"#, #"{"identity":"a1","key":"\#(key)","type":"ä"}"#,
                #"{"identity":"a1","key":"\#(key)","type":"a\tb"}"#, #"{"identity":"a1","key":"\#(key)","type":""}"#,
                #"{"identity":"a1","key":"\#(key)","type":"\#(String(repeating: "x", count: 65))"}"#,
            ]
            for body in bad { #expect(try rig.post("register", body).status == 400, "\(body.prefix(60))") }
            #expect(try rig.post("register", String(repeating: " ", count: 20_000)).status == 413)
            #expect(try rig.post("register", #"{"identity":"a1","key":"\#(key)"}"#).status == 201)
        }
    }

    @Test func onlyTheProvenIdentityIsCertified() async throws {
        try await with { rig in
            let key = try Self.key.get()
            let other = try PrivateKey.generate()
            let id = DeviceID(0xA1)
            _ = try await rig.client().register(id, key: key.publicKey, type: "sensor")
            func access(_ csr: String, signedBy signer: PrivateKey, as identity: String = "a1") throws -> Int {
                let bytes = Array(csr.utf8)
                return try rig.post(
                    "access",
                    #"{"identity":"\#(identity)","csr":"\#(Data(bytes).base64EncodedString())","signature":"\#(Data(try signer.signPSS(bytes)).base64EncodedString())"}"#
                ).status
            }
            let good = try CertificateRequest.pem(id, key: other)
            // The server's name, another's name, no name at all, a stranger's signature, a request that was changed.
            #expect(try access(CertificateRequest.pem(rig.server, key: other), signedBy: key) == 400)
            #expect(try access(CertificateRequest.pem(DeviceID(0xA2), key: other), signedBy: key) == 400)
            #expect(try access(good, signedBy: other) == 400)
            #expect(try access(good, signedBy: key, as: "ffff") == 404)
            #expect(try access(String(good.dropLast(40)), signedBy: key) == 400)
            #expect(try access("garbage", signedBy: key) == 400)
            #expect(try access(twoNames(id, rig.server, other), signedBy: key) == 400)
            #expect(try access(good, signedBy: key) == 200)
        }
    }

    /// A request with two common names, the first of them the right one.
    private func twoNames(_ first: DeviceID, _ second: DeviceID, _ key: PrivateKey) throws -> String {
        let request = X509_REQ_new()
        let bio = BIO_new(BIO_s_mem())
        defer {
            X509_REQ_free(request)
            BIO_free(bio)
        }
        for id in [first, second] {
            X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8, id.hex, -1, -1, 0)
        }
        _ = key.withOpenSSL { X509_REQ_set_pubkey(request, $0) + X509_REQ_sign(request, $0, EVP_sha256()) }
        PEM_write_bio_X509_REQ(bio, request)
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    @Test func theClientSaysWhatIsWrong() async throws {
        try await with { rig in
            let stranger = try Rig()
            defer { try? FileManager.default.removeItem(atPath: stranger.folder) }
            await #expect(
                throws: KeyServiceError.untrusted(
                    rig.url + "/KeyEx/register/status", .otherAuthority, authority: stranger.ca)
            ) {
                try await rig.client(ca: stranger.ca).isActive()
            }
            await #expect(throws: KeyServiceError.self) {
                try await rig.client(ca: NSTemporaryDirectory() + "absent-\(UUID().uuidString)").isActive()
            }
            #expect(throws: KeyServiceError.self) { try KeyServiceClient(url: "http://localhost", authorityFile: nil) }
            let nobody = try KeyServiceClient(url: "https://localhost:1", authorityFile: rig.ca)
            await #expect(throws: KeyServiceError.self) { try await nobody.isActive() }
        }
        try await with(isActive: false) { rig in
            await #expect(throws: KeyServiceError.inactive(rig.url)) {
                try await Registrar.register(
                    at: rig.url, authorityFile: rig.ca, type: "x", folder: rig.folder + "/d", progress: { _ in })
            }
            let isThere = try Identity.exists(in: rig.folder + "/d")
            #expect(!isThere)
        }
    }

    @Test func theAuthoritysKeyMustBePrivate() throws {
        let rig = try Rig()
        defer { try? FileManager.default.removeItem(atPath: rig.folder) }
        chmod(rig.folder + "/ca.key", 0o644)
        #expect(throws: PrivateFileError.self) { try Authority(folder: rig.folder) }
    }
}
