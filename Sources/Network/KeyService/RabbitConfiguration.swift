import Foundation
import Glibc
import SRUP
import Storage

/// RabbitMQ's configuration for a SRUP network, as files in the server's folder:
///
/// ```
/// rabbitmq.conf              listeners, TLS, whom it asks, limits                                0600: it names a secret
/// rabbitmq-env.conf          node, folders, loopback for all that is not MQTT
/// enabled_plugins            MQTT, login by certificate, the HTTP backend, the interface by which connections are closed
/// rabbitmq-definitions.json  the one virtual host, the one user of its own, how many connect, how much waits   0600
/// rabbitmq-*.secret          ``RabbitSecret``                                                        0600
/// broker-data                what RabbitMQ keeps
/// ```
public struct RabbitConfiguration: Sendable {
    /// Holds ca.crt, broker.crt and broker.key; gets the files above.
    public var folder: String
    /// The address that the broker listens on.
    public var bind: String
    /// The TCP port that the broker listens on, for MQTT over TLS.
    public var port: Int
    /// The key service's port for the broker's questions, on loopback.
    public var answersPort: Int
    /// The port of the interface by which connections are closed, on loopback.
    public var controlPort: Int

    /// The configuration for a server's folder; ``write(_:)`` puts it there.
    public init(folder: String, bind: String, port: Int, answersPort: Int, controlPort: Int) {
        self.folder = folder
        self.bind = bind
        self.port = port
        self.answersPort = answersPort
        self.controlPort = controlPort
    }

    /// The earliest version that refuses a client id that is not the certificate's.
    public static let earliestVersion = 4
    /// RabbitMQ's only user of its own, for the interface by which connections are closed.
    static let controller = "srup-control"
    /// What waits for one participant at most, as Mosquitto's configuration has it: messages, and bytes.
    static let (queuedMessages, queuedBytes) = (20_000, 8_388_608)
    /// So many messages may be on their way to one participant.
    static let inflight = 256
    /// The largest packet, in bytes: the largest SRUP message has 65 535.
    static let largestPacket = 66_560
    /// How long a session outlives its connection, in seconds.
    static let sessionExpiry = 14 * 86400

    /// Where rabbitmq.conf is.
    public static func path(_ folder: String) -> String { folder + "/rabbitmq.conf" }
    /// Where the file with RabbitMQ's environment is: `RABBITMQ_CONF_ENV_FILE`.
    public static func environmentPath(_ folder: String) -> String { folder + "/rabbitmq-env.conf" }
    static func pluginsPath(_ folder: String) -> String { folder + "/enabled_plugins" }
    static func definitionsPath(_ folder: String) -> String { folder + "/rabbitmq-definitions.json" }

    /// Writes the files, and makes what they name.
    ///
    /// - Parameter state: the key service's.
    /// - Throws: ``PrivateFileError``, ``AuthorityError``, ``CryptoError``, ``StorageError``, ``RabbitSecret/Damaged``.
    public func write(_ state: KeyServiceState) throws {
        try PrivateFile.makeFolder(folder + "/broker-data")
        // Names of the ended: by these srup-c2 broker closes connections.
        try Revocations(folder: folder, state: state).publish()
        for secret in RabbitSecret.allCases { _ = try secret.make(in: folder) }
        try PrivateFile.write(Self.plugins, to: Self.pluginsPath(folder))
        try PrivateFile.write(environment, to: Self.environmentPath(folder))
        try PrivateFile.write(try definitions(), to: Self.definitionsPath(folder))
        try PrivateFile.write(
            try configuration(secret: RabbitSecret.answers.read(in: folder)), to: Self.path(folder))
    }

    static let plugins = """
        [rabbitmq_mqtt,rabbitmq_auth_mechanism_ssl,rabbitmq_auth_backend_http,rabbitmq_management].

        """

    private var listener: String { "\(bind == "localhost" ? "127.0.0.1" : bind):\(port)" }

    func configuration(secret: String) -> String {
        let questions = "http://127.0.0.1:\(answersPort)/\(secret)"
        return """
            # RabbitMQ 4 for a SRUP network, written by "srup-c2 init". Run it with: srup-c2 broker --folder \(folder)
            # This file names a secret: it is its owner's alone.

            # MQTT over TLS, and nothing else from outside.
            listeners.tcp = none
            listeners.ssl = none
            mqtt.listeners.tcp = none
            mqtt.listeners.ssl.default = \(listener)
            mqtt.tcp_listen_options.nodelay = true
            mqtt.tcp_listen_options.backlog = 1024

            # Certificates of this network's authority alone.
            ssl_options.cacertfile = \(folder)/ca.crt
            ssl_options.certfile = \(folder)/broker.crt
            ssl_options.keyfile = \(folder)/broker.key
            ssl_options.verify = verify_peer
            ssl_options.fail_if_no_peer_cert = true
            ssl_options.versions.1 = tlsv1.3
            ssl_options.versions.2 = tlsv1.2

            # Who connects is who its certificate says, and so is the session, whose client id is in the certificate, too: nobody
            # takes another's over, and one identity has one connection.
            mqtt.allow_anonymous = false
            anonymous_login_user = none
            mqtt.ssl_cert_login = true
            ssl_cert_login_from = common_name
            mqtt.ssl_cert_client_id_from = subject_alternative_name
            mqtt.ssl_cert_login_san_type = other_name
            mqtt.ssl_cert_login_san_index = 0

            # The key service says who that may be, and what it may do. It is asked each time (no cache), so that an identity that has
            # ended gets in nowhere. When it does not answer, nobody does.
            # First there is RabbitMQ's one user of its own, by whom connections are closed.
            auth_backends.1 = internal
            auth_backends.2 = http
            auth_http.http_method = post
            auth_http.user_path = \(questions)/user
            auth_http.vhost_path = \(questions)/vhost
            auth_http.resource_path = \(questions)/resource
            auth_http.topic_path = \(questions)/topic
            auth_http.request_timeout = 5000
            auth_http.connection_timeout = 5000
            # Without this it looks for the system's authorities at each question, and fails where none are installed.
            auth_http.ssl_options.cacertfile = \(folder)/ca.crt
            auth_http.ssl_options.verify = verify_peer

            # By this srup-c2 has connections closed.
            management.tcp.ip = 127.0.0.1
            management.tcp.port = \(controlPort)
            management_agent.disable_metrics_collector = true
            load_definitions = \(Self.definitionsPath(folder))

            # How many may connect, and how much waits for one, is in the definitions.
            mqtt.prefetch = \(Self.inflight)
            mqtt.max_packet_size_authenticated = \(Self.largestPacket)
            mqtt.max_packet_size_unauthenticated = 1024
            mqtt.topic_alias_maximum = 0
            # What is published to a participant that is away waits for it so many seconds, over a restart too.
            mqtt.max_session_expiry_interval_seconds = \(Self.sessionExpiry)
            mqtt.durable_queue_type = classic
            # Retained messages would stay for ever, and nobody here wants any.
            mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop
            # Above this part of the machine's memory, or below so much of the disk, it takes nothing more until that is over.
            vm_memory_high_watermark.relative = 0.5
            disk_free_limit.absolute = 200MB

            log.file = false
            log.console = true
            log.console.level = warning
            log.console.use_colors = off

            """
    }

    var environment: String {
        """
        # RabbitMQ's environment for a SRUP network, written by "srup-c2 init"; "srup-c2 broker" has it read.
        NODENAME=srup@localhost
        CONFIG_FILE=\(Self.quoted(Self.path(folder)))
        ADVANCED_CONFIG_FILE=\(Self.quoted(folder + "/rabbitmq-advanced.config"))
        ENABLED_PLUGINS_FILE=\(Self.quoted(Self.pluginsPath(folder)))
        MNESIA_BASE=\(Self.quoted(folder + "/broker-data"))
        LOG_BASE=\(Self.quoted(folder + "/broker-data/log"))
        # Erlang's own ports are this machine's alone.
        ERL_EPMD_ADDRESS=127.0.0.1
        DIST_PORT=\(controlPort + 20000 <= 65535 ? controlPort + 20000 : controlPort - 20000)
        # A renewed certificate counts after ten seconds, without a restart.
        SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} -ssl ssl_pem_cache_clean 10000"

        """
    }

    /// As a word of the shell.
    private static func quoted(_ text: String) -> String {
        "'" + text.replacingOccurrences(of: "'", with: #"'\''"#) + "'"
    }

    private struct Definitions: Encodable {
        struct Host: Encodable { let name: String }
        struct User: Encodable {
            let name, password_hash: String
            let hashing_algorithm = "rabbit_password_hashing_sha256"
            let tags = ["administrator"]
            let limits: [String: Int] = [:]
        }
        struct Permission: Encodable {
            let user, vhost: String
            let configure = ".*"
            let write = ".*"
            let read = ".*"
        }
        struct Policy: Encodable {
            struct Limits: Encodable {
                let length, bytes: Int
                let overflow = "drop-head"
                enum CodingKeys: String, CodingKey {
                    case length = "max-length"
                    case bytes = "max-length-bytes"
                    case overflow
                }
            }
            let vhost: String
            let name = "srup"
            let pattern = "^mqtt-"
            let kind = "queues"
            let priority = 0
            let definition: Limits
            enum CodingKeys: String, CodingKey {
                case vhost, name, pattern, priority, definition
                case kind = "apply-to"
            }
        }
        struct Parameter: Encodable {
            struct Limits: Encodable {
                let connections: Int
                enum CodingKeys: String, CodingKey { case connections = "max-connections" }
            }
            let component = "vhost-limits"
            let name = "limits"
            let vhost: String
            let value: Limits
        }
        let vhosts: [Host]
        let users: [User]
        let permissions: [Permission]
        let policies: [Policy]
        let parameters: [Parameter]
    }

    /// What RabbitMQ has of its own, taken at each start; with a user in it, it makes no guest.
    func definitions() throws -> String {
        let salt = (0..<4).map { _ in UInt8.random(in: 0...255) }
        let hash = RabbitSecret.hash(try RabbitSecret.control.read(in: folder), salt: salt)
        let host = BrokerQuestions.host
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let definitions = Definitions(
            vhosts: [.init(name: host)],
            users: [.init(name: Self.controller, password_hash: Data(hash).base64EncodedString())],
            permissions: [.init(user: Self.controller, vhost: host)],
            policies: [
                .init(vhost: host, definition: .init(length: Self.queuedMessages, bytes: Self.queuedBytes))
            ],
            // connection_max counts no MQTT.
            parameters: [.init(vhost: host, value: .init(connections: BrokerConfiguration.maximumConnections))])
        return String(decoding: try encoder.encode(definitions), as: UTF8.self) + "\n"
    }
}
