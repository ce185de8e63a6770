import SRUP

/// An MQTT topic of the protocol (docs/protocol.md, "MQTT topics").
public enum Topic: Hashable, Sendable, CustomStringConvertible {
    /// `SRUP/<id>`: the two-way channel between a participant and its server.
    case member(DeviceID)
    /// `SRUP/servers/<server>/<id>`: where `from` asks the server to be let in.
    case joins(server: DeviceID, from: DeviceID)
    /// `SRUP/groups/<id>`: where a server speaks to all members of one of its groups.
    case group(GroupID)

    /// Reads a topic name; `nil` for anything else, also for identities not in their canonical text form.
    public init?(_ name: String) {
        guard name.utf8.count <= 64 else { return nil }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.first == "SRUP" else { return nil }
        switch parts.count {
        case 2:
            guard let id = DeviceID(participant: parts[1]) else { return nil }
            self = .member(id)
        case 3:
            guard parts[1] == "groups", let group = GroupID(parts[2]) else { return nil }
            self = .group(group)
        case 4:
            guard parts[1] == "servers", let server = DeviceID(participant: parts[2]),
                let from = DeviceID(participant: parts[3])
            else { return nil }
            self = .joins(server: server, from: from)
        default: return nil
        }
    }

    /// The topic name.
    public var description: String {
        switch self {
        case .member(let id): "SRUP/\(id.hex)"
        case .joins(let server, let from): "SRUP/servers/\(server.hex)/\(from.hex)"
        case .group(let group): "SRUP/groups/\(group)"
        }
    }

    /// The participant whose topic it is; only it and the server may speak there. `nil`: the topic of a group, where only the
    /// server speaks.
    public var participant: DeviceID? {
        switch self {
        case .member(let id), .joins(_, let id): id
        case .group: nil
        }
    }
}
