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
    private let tls: TLSConfiguration
    private let onRunning: @Sendable (Int) async -> Void

    /// How many connections are served at once.
    static let mostConnections = 256
    /// How long a connection may say nothing, in seconds.
    static let idleTimeout: Int64 = 30

    /// - Parameters:
    ///   - key: the service's own, for what it signs.
    ///   - certificateFile: PEM, for HTTPS.
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
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificateFile).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: keyFile, format: .pem)))
        tls.minimumTLSVersion = .tlsv12
        self.tls = tls
    }

    public func run() async throws {
        var quiet = routes.logger
        quiet.logLevel = max(quiet.logLevel, .warning)
        let application = Application(
            router: routes.router(),
            server: try .tls(
                .http1(configuration: .init(idleTimeout: .seconds(Self.idleTimeout))), tlsConfiguration: tls),
            configuration: .init(
                address: .hostname(bind, port: port), serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(Self.mostConnections)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                routes.logger.notice("the key service listens on \(bind):\(port)")
                await onRunning(port)
            }, logger: quiet)
        try await application.run()
    }
}
