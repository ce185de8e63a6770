import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import SRUP
import ServiceLifecycle

/// The key service over HTTPS.
public struct KeyServiceServer: Service {
    private let routes: KeyServiceRoutes
    private let bind: String
    private let port: Int
    private let certificate: ServingCertificate
    private let onRunning: @Sendable (Int) async -> Void

    /// How long a connection may say nothing, in seconds.
    static let idleTimeout: Int64 = 30

    /// - Parameters:
    ///   - key: the service's own, for what it signs.
    ///   - certificateFile: PEM, for HTTPS; a new one is served without a restart.
    ///   - keyFile: PEM.
    ///   - port: 0 for any that is free.
    ///   - onRunning: is told the port.
    /// - Throws: when the certificate or key cannot be read.
    public init(
        authority: Authority, state: KeyServiceState, policy: KeyServicePolicy, key: PrivateKey, bind: String,
        port: Int, certificateFile: String, keyFile: String, logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) throws {
        routes = KeyServiceRoutes(authority: authority, state: state, policy: policy, key: key, logger: logger)
        self.bind = bind
        self.port = port
        self.onRunning = onRunning
        certificate = try ServingCertificate(certificateFile: certificateFile, keyFile: keyFile, logger: logger)
    }

    /// Takes registrations from now on, or none.
    public func set(isActive: Bool) { routes.door.set(isOpen: isActive) }

    /// Serves until it is stopped, and removes once an hour who has never joined.
    ///
    /// - Throws: when the port cannot be listened on.
    public func run() async throws {
        let application = try application()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask { try await forgetTheUnjoined() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func application() throws -> some ApplicationProtocol {
        var quiet = routes.logger
        quiet.logLevel = max(quiet.logLevel, .warning)
        let policy = routes.policy
        let table = ConnectionTable(
            maximum: policy.maximumConnections, maximumForOne: policy.maximumConnectionsPerAddress)
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(table, deadline: policy.requestDeadline)],
            idleTimeout: .seconds(Self.idleTimeout),
            // Our requests have a handful of short headers.
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 4096, maxHeaderListSize: 16384, maxHeaderFieldCount: 64))
        return Application(
            router: routes.router(),
            server: try .tls(.http1(configuration: http), tlsConfiguration: certificate.configuration),
            configuration: .init(
                address: .hostname(bind, port: port), serverName: nil,
                // Above what the table lets in: those it closes count until they are gone.
                availableConnectionsDelegate: MaximumAvailableConnections(policy.maximumConnections + 256)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                routes.logger.notice("the key service listens on \(bind):\(port)")
                await onRunning(port)
            }, logger: quiet)
    }

    /// Once an hour, until cancelled.
    private func forgetTheUnjoined() async throws {
        while true {
            do {
                let gone = try routes.state.forgetUnjoined(
                    olderThan: routes.policy.unjoinedLifetime, now: Date().timeIntervalSince1970)
                if !gone.isEmpty { routes.logger.notice("forgot \(gone.count) identities that had never joined") }
            } catch {
                routes.logger.error("\(error)")
            }
            try await Task.sleep(for: .seconds(3600))
        }
    }
}
