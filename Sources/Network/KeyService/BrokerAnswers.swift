import COpenSSL
import HTTPServing
import Hummingbird
import HummingbirdCore
import Limits
import Linux
import Logging
import SRUP
import ServiceLifecycle
import Storage

/// The key service's answers to RabbitMQ, over plain HTTP on loopback: `POST /SECRET/user`, `vhost`, `resource` and `topic`, each
/// answered by `allow` or `deny` (RabbitMQ's HTTP authentication backend). Whatever else comes is an error, which RabbitMQ takes
/// for a refusal.
public struct BrokerAnswers: Service {
    private let questions: BrokerQuestions
    private let secret: String
    private let port: Int
    private let logger: Logger
    private let causedLog: BoundedLog
    private let onRunning: @Sendable (Int) async -> Void

    /// The longest question of somebody honest has some 500 bytes; who subscribes to 64 KiB is not to be let through.
    static let maximumBody = 4096
    /// RabbitMQ keeps two, and more while many ask.
    private static let maximumConnections = 512
    private static let address = "127.0.0.1"

    /// - Parameters:
    ///   - folder: the server's, with the secret that RabbitMQ's configuration has, too, and with the file of groups.
    ///   - server: the C2 server.
    ///   - port: 0 for any that is free.
    ///   - onRunning: is told the port.
    /// - Throws: ``PrivateFileError``, ``RabbitSecret/Damaged`` when the secret cannot be read.
    public init(
        folder: String, state: KeyServiceState, server: DeviceID, port: Int, logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) throws {
        questions = BrokerQuestions(
            rights: BrokerRights(server: server), state: state, groups: GroupBook(folder: folder))
        secret = try RabbitSecret.answers.read(in: folder)
        self.port = port
        self.logger = logger
        causedLog = BoundedLog(logger)
        self.onRunning = onRunning
    }

    /// Answers until it is stopped.
    ///
    /// - Throws: when the port cannot be listened on.
    public func run() async throws {
        var quiet = logger
        quiet.logLevel = max(quiet.logLevel, .warning)
        let http = HTTP1Channel.Configuration(
            idleTimeout: .seconds(120),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 4096, maxHeaderListSize: 16384, maxHeaderFieldCount: 64))
        let application = Application(
            responder: router().buildResponder(), server: .http1(configuration: http),
            configuration: .init(
                address: .hostname(Self.address, port: port), serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(Self.maximumConnections)),
            onServerRunning: { [logger, onRunning] channel in
                let port = channel.localAddress?.port ?? 0
                logger.notice("the broker's questions are answered on \(Self.address):\(port)")
                await onRunning(port)
            }, logger: quiet)
        try await application.run()
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        for kind in BrokerQuestions.Kind.allCases {
            router.post(":secret/\(kind.rawValue)") { request, context in
                try await answer(kind, request, secret: context.parameters.get("secret") ?? "")
            }
        }
        return router
    }

    private func answer(_ kind: BrokerQuestions.Kind, _ request: Request, secret: String) async throws -> Response {
        guard isOurs(secret) else {
            causedLog.log(.warning, about: "the secret", "somebody asked as the broker does, with another secret")
            return text(.forbidden, "deny")
        }
        guard let body = try await request.collected(atMost: Self.maximumBody) else {
            return text(.contentTooLarge, "deny")
        }
        guard let fields = FormBody.fields(body.readableBytesView) else { return text(.badRequest, "deny") }
        do {
            if try questions.allows(kind, fields) { return text(.ok, "allow") }
            note(kind, fields)
            return text(.ok, "deny")
        } catch {
            causedLog.log(.error, about: "the database", "\(error)")
            return text(.internalServerError, "deny")
        }
    }

    private func isOurs(_ other: String) -> Bool {
        let (own, other) = (Array(secret.utf8), Array(other.utf8))
        return own.count == other.count && CRYPTO_memcmp(own, other, own.count) == 0
    }

    /// Strangers choose what is refused to them.
    private func note(_ kind: BrokerQuestions.Kind, _ fields: [String: String]) {
        func word(_ field: String) -> String { String((fields[field] ?? "").prefix(64)).withoutControls }
        let what = kind == .topic ? " \(word("permission")) \(word("routing_key"))" : ""
        causedLog.log(
            .info, about: word("username"),
            "the broker was told to refuse \(word("username")) (\(kind.rawValue)\(what))")
    }

    private func text(_ status: HTTPResponse.Status, _ words: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: words)))
    }
}
