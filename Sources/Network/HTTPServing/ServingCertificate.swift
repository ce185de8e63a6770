import Glibc
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// The certificate that a server shows: read anew when its files have changed, so that a renewed one is served without
/// a restart. What cannot be used does not take the place of what was.
public final class ServingCertificate: Sendable {
    private let certificateFile: String
    private let keyFile: String
    private let logger: Logger
    private let check: @Sendable (_ certificateFile: String, _ keyFile: String) throws -> Void

    private struct Pair {
        let chain: [NIOSSLCertificateSource]
        let key: NIOSSLPrivateKeySource
    }
    private struct State {
        var pair: Pair
        var stamp: [Int]
    }
    private let state: Mutex<State>

    /// - Parameters:
    ///   - certificateFile: PEM, the server's own first.
    ///   - keyFile: PEM, not encrypted.
    ///   - check: throws when the two do not belong together, which NIOSSL would find out in a handshake.
    /// - Throws: when the files cannot be used.
    public init(
        certificateFile: String, keyFile: String, logger: Logger,
        check: @escaping @Sendable (_ certificateFile: String, _ keyFile: String) throws -> Void
    ) throws {
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.logger = logger
        self.check = check
        state = Mutex(
            State(
                pair: try Self.read(certificateFile, keyFile, check), stamp: Self.stamp(certificateFile, keyFile)))
    }

    /// For a server that asks here at each handshake.
    var configuration: TLSConfiguration {
        var configuration = Self.configuration(state.withLock { $0.pair })
        configuration.sslContextCallback = { [self] _, promise in promise.succeed(current()) }
        return configuration
    }

    private static func configuration(_ pair: Pair) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: pair.chain, privateKey: pair.key)
        configuration.minimumTLSVersion = .tlsv12
        // A client that says nothing to the end of its connection must not hold up that of the server.
        configuration.shutdownTimeout = .milliseconds(500)
        return configuration
    }

    private static func read(
        _ certificateFile: String, _ keyFile: String, _ check: (String, String) throws -> Void
    ) throws -> Pair {
        let pair = Pair(
            chain: try NIOSSLCertificate.fromPEMFile(certificateFile).map { .certificate($0) },
            key: .privateKey(try NIOSSLPrivateKey(file: keyFile, format: .pem)))
        try check(certificateFile, keyFile)
        return pair
    }

    /// On the thread of an event loop; two calls of the kernel when nothing has changed.
    private func current() -> NIOSSLContextConfigurationOverride {
        let stamp = Self.stamp(certificateFile, keyFile)
        let pair = state.withLock { state -> Pair in
            guard state.stamp != stamp else { return state.pair }
            state.stamp = stamp
            do {
                state.pair = try Self.read(certificateFile, keyFile, check)
                logger.notice("serving the new certificate in \(certificateFile)")
            } catch {
                logger.error("\(certificateFile) and \(keyFile) cannot be used, the old ones stay in use: \(error)")
            }
            return state.pair
        }
        var changes = NIOSSLContextConfigurationOverride()
        changes.certificateChain = pair.chain
        changes.privateKey = pair.key
        return changes
    }

    /// What changes with a file: each is replaced as a whole.
    private static func stamp(_ files: String...) -> [Int] {
        files.flatMap { file -> [Int] in
            var status = stat()
            guard stat(file, &status) == 0 else { return [] }
            return [Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
        }
    }
}
