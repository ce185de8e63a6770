import Foundation
import Linux
import SRUP
import TestProcesses
import Testing

@testable import KeyService
@testable import Participant

/// PEM text from elsewhere that says it is encrypted: OpenSSL would ask for the pass phrase on the terminal, or on standard
/// input, and wait for ever.
@Suite struct PassphraseTests {
    private static let key = Result { try PrivateKey.generate() }

    /// Any PEM text, said to be encrypted.
    static func encrypted(_ pem: String) -> String {
        var lines = pem.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lines.insert(
            contentsOf: ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,\(String(repeating: "5A", count: 16))", ""],
            at: 1)
        return lines.joined(separator: "\n")
    }

    /// Whether `body` ends while nobody answers on standard input.
    private func endsUnasked(_ body: @escaping @Sendable () -> Void) -> Bool {
        var silence: [Int32] = [-1, -1]
        guard pipe(&silence) == 0 else { return false }
        let input = dup(0)
        dup2(silence[0], 0)
        defer {
            // Whoever still waits gets an end of input.
            close(silence[1])
            dup2(input, 0)
            close(input)
            close(silence[0])
        }
        let done = DispatchSemaphore(value: 0)
        Thread {
            body()
            done.signal()
        }.start()
        return done.wait(timeout: .now() + 20) == .success
    }

    @Test func nobodyIsAskedForAPassPhrase() throws {
        let key = try Self.key.get()
        let id = DeviceID(0xA1)
        let request = Self.encrypted(try CertificateRequest.pem(id, key: key))
        let folder = NSTemporaryDirectory() + "srup-pass-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let authority = try Authority.create(in: folder, name: "test")
        let certificate = Self.encrypted(authority.certificate)
        let publicKey = Self.encrypted(try key.publicKey.pem)
        let privateKey = Self.encrypted(key.pem.withBytes { String(decoding: $0, as: UTF8.self) })
        let readers: [(String, @Sendable () -> Bool)] = [
            ("a request at the key service", { (try? CertificateRequestReader.key(of: request, for: id)) == nil }),
            (
                "the authority's certificate",
                {
                    (try? CertificateRequestReader.certificate(certificate)) == nil
                }
            ),
            (
                "a certificate from a key service",
                {
                    (try? Certificate.check(certificate, for: id, key: key)) == nil
                }
            ),
            ("a certificate's dates", { Certificate.validity(certificate) == nil }),
            ("a public key", { (try? PublicKey(pem: publicKey)) == nil }),
            ("a private key", { (try? PrivateKey(pem: privateKey)) == nil }),
        ]
        for (what, isRefused) in readers {
            #expect(endsUnasked { _ = isRefused() }, "\(what)")
            #expect(isRefused(), "\(what)")
        }
    }

    /// libcurl reads the authority's file, libmosquitto and the doctor's probe the certificate's.
    @Test func noLibraryAsksForAPassPhrase() throws {
        let folder = NSTemporaryDirectory() + "srup-pass-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let authority = try Authority.create(in: folder, name: "test")
        let file = folder + "/encrypted.pem"
        try Self.encrypted(authority.certificate).write(toFile: file, atomically: true, encoding: .utf8)
        let listener = try Listener()
        let address = BrokerAddress(
            host: "127.0.0.1", port: UInt16(listener.port), caFile: file, certificateFile: file,
            keyFile: folder + "/ca.key")
        let isFirst = endsUnasked { _ = BrokerProbe(address).run() }
        #expect(isFirst, "the probe of the broker")
        let url = "https://127.0.0.1:\(listener.port)"
        let isSecond = endsUnasked {
            let done = DispatchSemaphore(value: 0)
            Task.detached {
                _ = try? await KeyServiceClient(url: url, authorityFile: file, timeout: .seconds(2)).isActive()
                done.signal()
            }
            done.wait()
        }
        #expect(isSecond, "the key service's authority")
    }

    /// What answers is something, but no key service: the address is right.
    @Test func aServerThatSpeaksNoHTTPIsNamed() async throws {
        let folder = NSTemporaryDirectory() + "srup-nohttp-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let authority = try Authority.create(in: folder, name: "test")
        let key = try PrivateKey.generate()
        try key.pem.withBytes { try Data($0).write(to: URL(fileURLWithPath: folder + "/s.key")) }
        try authority.server(try key.publicKey, hosts: ["localhost"])
            .write(toFile: folder + "/s.crt", atomically: true, encoding: .utf8)
        let port = try Listener().port
        var input: [Int32] = [-1, -1]
        try #require(pipe(&input) == 0)
        let server = try ChildProcess.start(
            "/usr/bin/openssl",
            ["s_server", "-accept", "\(port)", "-cert", folder + "/s.crt", "-key", folder + "/s.key", "-quiet"],
            descriptors: [0: input[0]])
        defer {
            kill(server, SIGKILL)
            _ = ChildProcess.wait(server, until: .now)
            for descriptor in input { close(descriptor) }
        }
        let greeting = Array(String(repeating: "220 mail ready\r\n", count: 3).utf8)
        #expect(write(input[1], greeting, greeting.count) == greeting.count)
        let client = try KeyServiceClient(
            url: "https://localhost:\(port)", authorityFile: folder + "/ca.crt", timeout: .seconds(10))
        var said = ""
        // The server may not listen yet.
        for _ in 0..<200 {
            do throws(KeyServiceError) {
                _ = try await client.isActive()
                Issue.record("it was taken for a key service")
            } catch {
                said = "\(error)"
            }
            if !said.contains("onnect to server") && !said.contains("ould not connect") { break }
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(said.contains("speaks no HTTP"), "\(said)")
    }

    /// A port that nobody else has, on which nothing is ever said.
    private final class Listener {
        let port: Int
        private let descriptor: Int32

        init() throws {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            self.descriptor = descriptor
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let code = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) | listen(descriptor, 4) | getsockname(descriptor, $0, &length)
                }
            }
            port = Int(UInt16(bigEndian: address.sin_port))
            try #require(code == 0)
        }

        deinit { close(descriptor) }
    }
}
