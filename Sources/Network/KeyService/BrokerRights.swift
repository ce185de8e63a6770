import SRUP

/// Who may say and hear what at a network's broker, whichever broker that is: Mosquitto's access list is written from this, and
/// RabbitMQ is answered by it (``BrokerQuestions``).
struct BrokerRights: Sendable {
    /// The C2 server, who may all.
    let server: DeviceID

    /// Somebody at the broker, by the name in the certificate.
    enum Party: Sendable, Hashable {
        case server
        case participant(DeviceID)
        /// Tools that watch: they hear all and say nothing.
        case monitor

        /// The name in the certificate.
        func name(server: DeviceID) -> String {
            switch self {
            case .server: server.hex
            case .participant(let id): id.hex
            case .monitor: Monitor.name
            }
        }
    }

    /// What somebody wants to do with a topic, or with a filter of topics.
    enum Act: Sendable {
        case publish, subscribe
    }

    /// A topic of each participant's own.
    struct Own: Sendable {
        /// With `%u` in the identity's place.
        let topic: String
        /// Whether it also hears what is said there.
        let isHeard: Bool
    }

    /// The own topic, and the place to ask this server to be let in (docs/protocol.md, "MQTT topics").
    var ofEverybody: [Own] {
        [
            Own(topic: "SRUP/%u", isHeard: true), Own(topic: "SRUP/servers/\(server.hex)/%u", isHeard: false),
        ]
    }

    /// Everything of the protocol.
    static let everything = "SRUP/#"
    private static let groups = "SRUP/groups/"

    /// - Parameters:
    ///   - topic: a topic's name, or what is subscribed to.
    ///   - isMember: whether a participant is in a group.
    func allows(
        _ party: Party, _ act: Act, _ topic: String, isMember: (GroupID, DeviceID) -> Bool
    ) -> Bool {
        switch party {
        case .server: topic.hasPrefix("SRUP/")
        case .monitor: act == .subscribe && topic.hasPrefix("SRUP/")
        case .participant(let id): allows(id, act, topic, isMember)
        }
    }

    private func allows(
        _ id: DeviceID, _ act: Act, _ topic: String, _ isMember: (GroupID, DeviceID) -> Bool
    ) -> Bool {
        let own = ofEverybody.filter { act == .publish || $0.isHeard }.map {
            $0.topic.split(separator: "%u", omittingEmptySubsequences: false).joined(separator: id.hex)
        }
        // By bytes: to Swift two different names may be equal.
        func isSame(_ other: String) -> Bool { other.utf8.elementsEqual(topic.utf8) }
        if own.contains(where: isSame) { return true }
        guard act == .subscribe else { return false }
        if own.contains(where: { isSame($0 + "/#") }) { return true }
        guard topic.hasPrefix(Self.groups), let group = GroupID(topic.dropFirst(Self.groups.count)) else {
            return false
        }
        return isMember(group, id)
    }
}
