import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Limits
import Logging

/// What strangers may take of a server.
public struct ConnectionLimits: Sendable {
    /// How many connections are served at once.
    public var maximum = 1024
    /// How many connections one address may have when one of them has waited for two seconds and can go for a new one.
    public var maximumPerAddress = 64
    /// How long a request may take with all that belongs to it: TLS handshake, headers, body, answer.
    public var requestDeadline = Duration.seconds(20)
    /// How long a stream of events lasts, or a download; whoever reads it asks for another one, or for the rest, then.
    public var streamDeadline = Duration.seconds(900)
    /// How long a connection may say nothing.
    public var idle = Duration.seconds(30)

    /// The usual limits, as above.
    public init() {}
}

/// A web server that strangers reach: TLS with a certificate that is renewed under it, and bounds on whatever one of them
/// may take.
public enum HTTPSApplication {
    /// The application, for a service to run.
    ///
    /// - Parameters:
    ///   - bind: an address of this machine, in numbers.
    ///   - port: 0 for any that is free.
    ///   - onRunning: is told the port.
    /// - Throws: when TLS cannot be set up.
    public static func make<Responder: HTTPResponder>(
        _ responder: Responder, bind: String, port: Int, certificate: ServingCertificate, limits: ConnectionLimits,
        logger: Logger, onRunning: @escaping @Sendable (Int) async -> Void
    ) throws -> Application<Responder>
    where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
        var quiet = logger
        quiet.logLevel = max(quiet.logLevel, .warning)
        let table = ConnectionTable(maximum: limits.maximum, maximumForOne: limits.maximumPerAddress)
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(table, limits)],
            idleTimeout: .nanoseconds(Int64(limits.idle / .nanoseconds(1))),
            // Requests have a handful of short headers.
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 4096, maxHeaderListSize: 16384, maxHeaderFieldCount: 64))
        return Application(
            responder: responder,
            server: try .tls(.http1(configuration: http), tlsConfiguration: certificate.configuration),
            configuration: .init(
                address: .hostname(bind, port: port), serverName: nil,
                // Above what the table lets in: those it closes count until they are gone.
                availableConnectionsDelegate: MaximumAvailableConnections(limits.maximum + 256)),
            onServerRunning: { await onRunning($0.localAddress?.port ?? 0) }, logger: quiet)
    }
}

/// What is known of a request besides itself: who asks.
public protocol AddressedContext: RequestContext {
    /// Who counts as one when requests are limited.
    var address: AddressGroup { get }
}

extension ApplicationRequestContextSource {
    /// Who asks.
    public var address: AddressGroup { AddressGroup(channel.remoteAddress?.ipAddress) }
}

extension Request {
    /// The whole body, when it has at most so many bytes.
    ///
    /// - Returns: `nil` when it is larger.
    /// - Throws: when it does not come whole.
    public func collected(atMost limit: Int) async throws -> ByteBuffer? {
        var whole = ByteBuffer()
        for try await part in body {
            guard whole.readableBytes + part.readableBytes <= limit else { return nil }
            whole.writeImmutableBuffer(part)
        }
        return whole
    }
}
