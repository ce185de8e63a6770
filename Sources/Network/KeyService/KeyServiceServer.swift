import Foundation
import HTTPServing
import Hummingbird
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

    /// - Parameters:
    ///   - key: the service's own, for what it signs.
    ///   - certificateFile: PEM, for HTTPS; a new one is served without a restart.
    ///   - keyFile: PEM.
    ///   - port: 0 for any that is free.
    ///   - releases: what devices download at `/releases/`; `nil`: nothing.
    ///   - onRunning: is told the port.
    /// - Throws: when the certificate or key cannot be read.
    public init(
        authority: Authority, state: KeyServiceState, policy: KeyServicePolicy, key: PrivateKey, bind: String,
        port: Int, certificateFile: String, keyFile: String, logger: Logger, releases: StaticFiles? = nil,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) throws {
        routes = KeyServiceRoutes(
            authority: authority, state: state, policy: policy, key: key, logger: logger, releases: releases)
        self.bind = bind
        self.port = port
        self.onRunning = onRunning
        certificate = try ServingCertificate(
            certificateFile: certificateFile, keyFile: keyFile, logger: logger, check: ServerCertificates.mustFit)
    }

    /// Whether registrations are taken.
    public var isActive: Bool { routes.door.isOpen }

    /// How many requests there were since the start.
    public var counted: [RequestTally.Count: UInt64] { routes.tally.counted }

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
        let (bind, routes, onRunning) = (bind, routes, onRunning)
        return try HTTPSApplication.make(
            routes.router().buildResponder(), bind: bind, port: port, certificate: certificate,
            limits: routes.policy.connections, logger: routes.logger
        ) { port in
            routes.logger.notice("the key service listens on \(bind):\(port)")
            await onRunning(port)
        }
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
