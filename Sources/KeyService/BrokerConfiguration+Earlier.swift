import Glibc

/// What earlier versions of `srup-c2 init` have written: a file that still reads so was edited by nobody, and may be
/// replaced as a whole.
extension BrokerConfiguration {
    /// The texts of mosquitto.conf that are ours, the newest last.
    var ownConfigurations: [String] {
        [false, true].map { first(isRoot: $0) } + [false, true].map { configuration(isRoot: $0) }
    }

    /// The texts of the access list that are ours, the newest last.
    var ownAccessLists: [String] { [firstAccessList, accessList] }

    private func first(isRoot: Bool) -> String {
        """
        # Mosquitto for a SRUP network, written by "srup-c2 init". Run it with: mosquitto -c \(folder)/mosquitto.conf
        per_listener_settings false
        allow_anonymous false
        acl_file \(folder)/acl

        listener \(port) \(bind)
        cafile \(folder)/ca.crt
        certfile \(folder)/broker.crt
        keyfile \(folder)/broker.key
        tls_version tlsv1.2
        # Who connects is who its certificate says: the key service certifies only the proven identity.
        require_certificate true
        use_identity_as_username true

        # What is published to a participant that is away waits for it, over a restart of the broker too.
        persistence true
        persistence_location \(folder)/broker-data/
        autosave_interval 1
        autosave_on_changes true
        persistent_client_expiration 14d
        max_queued_messages 1000
        # The largest SRUP message has 65535 bytes.
        message_size_limit 65535
        max_packet_size 66560
        max_inflight_messages 20
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

    private var firstAccessList: String {
        """
        # Everybody: the own topic, and asking this server to join. %u is the identity from the certificate.
        pattern readwrite SRUP/%u
        pattern write SRUP/servers/\(server.hex)/%u

        # The C2 server.
        user \(server.hex)
        topic readwrite SRUP/#

        """
    }
}
