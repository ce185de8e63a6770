import SRUP
import Storage

/// What RabbitMQ asks by its HTTP authentication backend, and the answers: who may connect, and what they may do. Nothing is
/// remembered, so that an identity that has ended is refused from its next question on.
///
/// RabbitMQ turns a topic into a routing key (`/` is `.`, `+` is `*`) and keeps each session in a queue of its own,
/// `mqtt-subscription-CLIENTIDqosN`.
struct BrokerQuestions: Sendable {
    let rights: BrokerRights
    let state: KeyServiceState
    let groups: GroupBook

    /// The questions, by the last element of their path.
    enum Kind: String, CaseIterable, Sendable {
        case user, vhost, resource, topic
    }

    /// The one virtual host.
    static let host = "/"
    /// Where RabbitMQ has all of MQTT's topics.
    static let exchange = "amq.topic"

    /// - Throws: ``StorageError``.
    func allows(_ kind: Kind, _ form: [String: String]) throws(StorageError) -> Bool {
        guard form["vhost"] == Self.host, let name = form["username"], let party = try whoever(isNamed: name) else {
            return false
        }
        // RabbitMQ has compared the client id with the certificate's, but takes a user name that a client sends before the one in
        // the certificate, and does not tell the two apart: only with the client id of the same name is it that one.
        let session = Authority.session(of: name)
        guard form["client_id"] ?? form["variable_map.client_id"] == session else { return false }
        switch kind {
        // Without a password RabbitMQ 4.0 says "none", later ones nothing.
        case .user: return form["password"] ?? "none" == "none"
        case .vhost: return true
        case .resource: return allowsResource(party, session, form)
        case .topic: return try allowsTopic(party, form)
        }
    }

    /// Who has this name; `nil`: nobody who may connect.
    private func whoever(isNamed name: String) throws(StorageError) -> BrokerRights.Party? {
        if name == Monitor.name { return .monitor }
        guard let id = DeviceID(participant: name), try state.isRegistered(id) else { return nil }
        return id == rights.server ? .server : .participant(id)
    }

    private func allowsResource(_ party: BrokerRights.Party, _ session: String, _ form: [String: String]) -> Bool {
        switch (form["resource"], form["name"], form["permission"]) {
        case ("queue", let name?, "configure"), ("queue", let name?, "read"), ("queue", let name?, "write"):
            [0, 1].contains { name == "\(Self.queue(session))\($0)" }
        case ("exchange", Self.exchange, "read"): true
        case ("exchange", Self.exchange, "write"): party != .monitor
        default: false
        }
    }

    /// A session's queue, but for the quality of service at its end.
    static func queue(_ session: String) -> String { "mqtt-subscription-\(session)qos" }

    private func allowsTopic(_ party: BrokerRights.Party, _ form: [String: String]) throws(StorageError) -> Bool {
        guard form["resource"] == "topic", form["name"] == Self.exchange, let key = form["routing_key"] else {
            return false
        }
        let act: BrokerRights.Act
        switch form["permission"] {
        case "read": act = .subscribe
        case "write": act = .publish
        default: return false
        }
        return rights.allows(party, act, Self.topic(ofKey: key)) { groups.has($1, in: $0) }
    }

    /// A routing key as MQTT's topic, or filter.
    static func topic(ofKey key: String) -> String {
        String(
            decoding: key.utf8.map { byte in
                switch byte {
                case UInt8(ascii: "."): UInt8(ascii: "/")
                case UInt8(ascii: "*"): UInt8(ascii: "+")
                default: byte
                }
            }, as: UTF8.self)
    }
}

/// The fields of a body of `application/x-www-form-urlencoded`.
enum FormBody {
    /// A question has a dozen.
    static let maximumFields = 32

    /// - Returns: `nil` for what is none: a field twice or without a name, a percent sign without two digits, no UTF-8.
    static func fields(_ body: some Collection<UInt8>) -> [String: String]? {
        let parts = body.split(separator: UInt8(ascii: "&"), maxSplits: maximumFields, omittingEmptySubsequences: false)
        guard parts.count <= maximumFields else { return nil }
        var fields: [String: String] = [:]
        for part in parts {
            let pair = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let name = text(pair[0]), let value = text(pair[1]), !name.isEmpty,
                fields.updateValue(value, forKey: name) == nil
            else { return nil }
        }
        return fields
    }

    private static func text(_ escaped: some Collection<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = escaped[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
