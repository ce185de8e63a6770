import Glibc

/// What earlier versions of `srup-c2 init` have written: a file that still reads so was edited by nobody, and may be
/// replaced as a whole.
extension BrokerConfiguration {
    /// The texts of mosquitto.conf that are ours.
    var ownConfigurations: [String] {
        [false, true].flatMap { isRoot in
            var unguarded = self
            unguarded.guardLibrary = nil
            var both = [self, unguarded]
            for index in both.indices {
                both.append(both[index])
                both[both.endIndex - 1].controlLibrary = nil
            }
            var texts = [first(isRoot: isRoot), second(isRoot: isRoot), third(isRoot: isRoot, hasGroups: true)]
            for broker in both {
                texts.append(broker.third(isRoot: isRoot))
                texts.append(broker.fourth(isRoot: isRoot))
                texts.append(broker.configuration(isRoot: isRoot))
            }
            return texts
        }
    }

    /// Before a whole network could ask at once.
    private func fourth(isRoot: Bool) -> String {
        configuration(
            isRoot: isRoot, connections: 10000,
            queueLines: """
                # What waits for one participant at most. What is above that is dropped, and asked for again.
                max_queued_messages 1000
                max_queued_bytes 1048576
                max_inflight_messages 20
                max_inflight_bytes 131072
                """)
    }

    /// The texts of the access list that are ours.
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

    /// Before the broker had a plugin.
    private func second(isRoot: Bool) -> String {
        """
        # Mosquitto for a SRUP network, written by "srup-c2 init". Run it with: mosquitto -c \(folder)/mosquitto.conf
        # After an update of srup-c2: srup-c2 upgrade --folder \(folder)
        per_listener_settings false
        allow_anonymous false
        acl_file \(folder)/acl

        listener \(port) \(bind)
        cafile \(folder)/ca.crt
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
        max_connections 10000

        # What is published to a participant that is away waits for it, over a restart of the broker too.
        persistence true
        persistence_location \(folder)/broker-data/
        persistent_client_expiration 14d
        # Saved by time: with autosave_on_changes the whole store is written anew at every message, whoever sends it.
        # What is lost when the broker dies between two saves, participants ask for again.
        autosave_on_changes false
        autosave_interval 60
        # What waits for one participant at most. What is above that is dropped, and asked for again.
        max_queued_messages 1000
        max_queued_bytes 1048576
        max_inflight_messages 20
        max_inflight_bytes 131072
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

    /// Before identities could end.
    private func third(isRoot: Bool, hasGroups: Bool = false) -> String {
        """
        # Mosquitto for a SRUP network, written by "srup-c2 init". Run it with: srup-c2 broker --folder \(folder)
        # (not: mosquitto -c …, which would keep a certificate after it has ended).
        # After an update of srup-c2: srup-c2 upgrade --folder \(folder)
        per_listener_settings false
        allow_anonymous false
        acl_file \(folder)/acl
        \(thirdGuardLines(hasGroups))

        listener \(port) \(bind)
        cafile \(folder)/ca.crt
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
        max_connections 10000

        # What is published to a participant that is away waits for it, over a restart of the broker too.
        persistence true
        persistence_location \(folder)/broker-data/
        persistent_client_expiration 14d
        # Saved by time: with autosave_on_changes the whole store is written anew at every message, whoever sends it.
        # What is lost when the broker dies between two saves, participants ask for again.
        autosave_on_changes false
        autosave_interval 60
        # What waits for one participant at most. What is above that is dropped, and asked for again.
        max_queued_messages 1000
        max_queued_bytes 1048576
        max_inflight_messages 20
        max_inflight_bytes 131072
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

    private func thirdGuardLines(_ hasGroups: Bool) -> String {
        guard let guardLibrary else {
            return """
                # \(BrokerGuard.fileName), which limits subscriptions, was not there when this was written: after its installation
                # say srup-c2 upgrade --folder \(folder)
                """
        }
        return """
            # The access list rules what is published and delivered. This rules what is subscribed to: everybody to the own
            # topics, and those to anything who have lines of their own in the access list.
            plugin \(guardLibrary)
            \(BrokerGuard.option) \(server.hex) \(Monitor.name)
            """ + (hasGroups ? "\n\(BrokerGuard.groupsOption) \(Self.groupsPath(folder))" : "")
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
