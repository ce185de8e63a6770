import Glibc
import SRUP
import Storage

/// Mosquitto's configuration for a SRUP network: `mosquitto.conf` and the access list `acl` in the server's folder.
public struct BrokerConfiguration: Sendable {
    /// Holds ca.crt, broker.crt and broker.key; gets mosquitto.conf, acl and broker-data.
    public var folder: String
    /// The address that the broker listens on.
    public var bind: String
    /// The TCP port that the broker listens on, for MQTT over TLS.
    public var port: Int
    /// The C2 server's identity, which may read and write all topics.
    public var server: DeviceID
    /// Mosquitto's plugin that limits subscriptions; `nil`: there is none.
    var guardLibrary = BrokerGuard.find()
    /// Mosquitto's own plugin by which connections are closed; `nil`: it is not installed.
    var controlLibrary = BrokerControl.find()

    /// The configuration for a server's folder; ``write()`` puts it there.
    public init(folder: String, bind: String, port: Int, server: DeviceID) {
        self.folder = folder
        self.bind = bind
        self.port = port
        self.server = server
    }

    static func path(_ folder: String) -> String { folder + "/mosquitto.conf" }
    /// Who is in which group.
    static func groupsPath(_ folder: String) -> String { folder + "/groups" }
    static func accessListPath(_ folder: String) -> String { folder + "/acl" }

    /// Writes the files, and makes what they name.
    ///
    /// - Parameter state: the key service's.
    /// - Throws: ``PrivateFileError``, ``AuthorityError``, ``CryptoError``, ``StorageError``.
    public func write(_ state: KeyServiceState) throws {
        try PrivateFile.makeFolder(folder + "/broker-data")
        try Revocations(folder: folder, state: state).publish()
        try BrokerControl.make(in: folder, server: server)
        try PrivateFile.write(accessList, to: Self.accessListPath(folder))
        try PrivateFile.write(configuration, to: Self.path(folder))
    }

    var configuration: String { configuration(isRoot: getuid() == 0) }

    func configuration(isRoot: Bool) -> String {
        configuration(isRoot: isRoot, connections: Self.maximumConnections, queueLines: Self.queueLines)
    }

    /// So many participants may be connected at once.
    public static let maximumConnections = 20000

    private static let queueLines = """
        # What waits for one participant at most. What is above that is dropped, and asked for again. A whole network may ask
        # the server at once.
        max_queued_messages 20000
        max_queued_bytes 8388608
        max_inflight_messages 256
        max_inflight_bytes 1048576
        """

    func configuration(isRoot: Bool, connections: Int, queueLines: String) -> String {
        """
        # Mosquitto for a SRUP network, written by "srup-c2 init". Run it with: srup-c2 broker --folder \(folder)
        # (not: mosquitto -c …, which would keep a certificate after it has ended).
        # After an update of srup-c2: srup-c2 upgrade --folder \(folder)
        per_listener_settings false
        allow_anonymous false
        acl_file \(folder)/acl
        \(guardLines)
        \(controlLines)

        listener \(port) \(bind)
        cafile \(folder)/ca.crt
        # Certificates that do not count any more. A new list in this folder counts from the next handshake on.
        crlfile \(Revocations.newestList(in: folder))
        capath \(Revocations.listFolder(in: folder))
        certfile \(folder)/broker.crt
        keyfile \(folder)/broker.key
        tls_version tlsv1.2
        # Who connects is who its certificate says: the key service certifies only the proven identity. That holds for the
        # name of the session, too: nobody takes another's over, and one identity has one connection.
        require_certificate true
        use_identity_as_username true
        use_username_as_clientid true
        # SRUP uses QoS 0 and 1.
        max_qos 1
        # About 25 KiB each. More are refused, and those that are there stay.
        max_connections \(connections)

        # What is published to a participant that is away waits for it, over a restart of the broker too.
        persistence true
        persistence_location \(folder)/broker-data/
        persistent_client_expiration 14d
        # Saved by time: with autosave_on_changes the whole store is written anew at every message, whoever sends it.
        # What is lost when the broker dies between two saves, participants ask for again.
        autosave_on_changes false
        autosave_interval 60
        \(queueLines)
        # Retained messages would stay for ever, and nobody here wants any.
        retain_available false
        # The largest SRUP message has 65535 bytes.
        message_size_limit 65535
        max_packet_size 66560
        max_keepalive 600

        # Every message here is small and awaited.
        set_tcp_nodelay true
        # Nobody here reads the broker's statistics.
        sys_interval 0
        log_dest stderr
        log_type error
        log_type warning
        log_type notice
        connection_messages true
        \(isRoot ? Self.rootLines : "")
        """
    }

    private var guardLines: String {
        guard let guardLibrary else {
            return """
                # \(BrokerGuard.fileName), which limits subscriptions, was not there when this was written: after its installation
                # say srup-c2 upgrade --folder \(folder)
                """
        }
        return """
            # The access list rules what is published and delivered. This rules what is subscribed to: everybody to the own
            # topics, and those to anything who have lines of their own in the access list. Who has ended may do nothing.
            plugin \(guardLibrary)
            \(BrokerGuard.option) \(server.hex) \(Monitor.name)
            \(BrokerGuard.endedOption) \(Revocations.nameFile(in: folder))
            \(BrokerGuard.groupsOption) \(Self.groupsPath(folder))
            """
    }

    private var controlLines: String {
        guard let controlLibrary else {
            return """
                # \(BrokerControl.fileName), by which the C2 server has connections closed, was not there when this was written:
                # after its installation say srup-c2 upgrade --folder \(folder)
                """
        }
        return """
            # By this the C2 server, and nobody else, has the connection of an identity closed that has ended.
            plugin \(controlLibrary)
            \(BrokerControl.option) \(BrokerControl.path(in: folder))
            """
    }

    static let rootLines =
        "# Started as root it would become the user \"mosquitto\", who cannot read the keys in this folder.\nuser root\n"

    /// A device has its own topic and one place to ask to join; the server has the rest (docs/protocol.md, "MQTT
    /// topics").
    var accessList: String {
        """
        # Everybody: the own topic, and asking this server to join. %u is the identity from the certificate.
        \(patterns)

        # The C2 server.
        user \(server.hex)
        topic readwrite \(BrokerRights.everything)

        \(monitorAccess)
        """
    }

    private var patterns: String {
        BrokerRights(server: server).ofEverybody.map { "pattern \($0.isHeard ? "readwrite" : "write") \($0.topic)" }
            .joined(separator: "\n")
    }

    /// The part of the access list for those who watch and say nothing (``Monitor``).
    var monitorAccess: String {
        """
        # Tools that watch ("srup listen --folder \(folder)/monitor"): they read all and write nothing.
        user \(Monitor.name)
        topic read \(BrokerRights.everything)
        topic deny SRUP/\(Monitor.name)
        topic deny SRUP/servers/\(server.hex)/\(Monitor.name)

        """
    }
}
