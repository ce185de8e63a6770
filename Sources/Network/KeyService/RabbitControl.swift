import Foundation
import SRUP
import Storage

/// RabbitMQ's own interface on loopback (its management plugin), as srup-c2 uses it: connections of those who have ended are closed,
/// their queues removed, and what somebody hears in a group ends when the membership does.
///
/// Calls block. Safe to use from several processes at once: what is gone already is no error.
public struct RabbitControl: Sendable {
    private let client: LoopbackHTTP
    private let authorization: String

    /// RabbitMQ does not what it was asked for.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// What is wrong, in words for the operator.
        public let description: String
    }

    /// - Parameters:
    ///   - folder: the server's, with the password.
    ///   - port: of the interface.
    /// - Throws: ``PrivateFileError``, ``RabbitSecret/Damaged``.
    public init(folder: String, port: Int) throws {
        self.init(client: LoopbackHTTP(port: port), password: try RabbitSecret.control.read(in: folder))
    }

    init(client: LoopbackHTTP, password: String) {
        self.client = client
        authorization = "Basic " + Data("\(RabbitConfiguration.controller):\(password)".utf8).base64EncodedString()
    }

    private func ask(_ method: String, _ path: String) throws -> LoopbackHTTP.Answer {
        let answer: LoopbackHTTP.Answer
        do {
            answer = try client.request(method, "/api/" + path, headers: [("Authorization", authorization)])
        } catch {
            throw Failure(description: "RabbitMQ's interface: \(error)")
        }
        guard answer.status != 401 else {
            throw Failure(
                description:
                    "RabbitMQ's interface on port \(client.port) does not know our password: restart the broker")
        }
        return answer
    }

    /// - Returns: `nil` when there is no such thing.
    private func list<Element: Decodable>(_ path: String, of: Element.Type) throws -> [Element]? {
        let answer = try ask("GET", path)
        if answer.status == 404 { return nil }
        guard answer.status == 200, let found = try? JSONDecoder().decode([Element].self, from: Data(answer.body))
        else {
            throw unexpected(answer, path)
        }
        return found
    }

    private func delete(_ path: String) throws {
        let answer = try ask("DELETE", path)
        guard [200, 204, 404].contains(answer.status) else { throw unexpected(answer, path) }
    }

    private func unexpected(_ answer: LoopbackHTTP.Answer, _ path: String) -> Failure {
        Failure(description: "RabbitMQ's interface answers \(answer.status) to /api/\(path)")
    }

    /// As one element of a path.
    static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
            return isPlain ? String(UnicodeScalar(byte)) : String(format: "%%%02X", Int(byte))
        }.joined()
    }

    private static let host = escaped(BrokerQuestions.host)

    private struct Name: Decodable { let name: String }

    // MARK: Connections

    /// Which version runs.
    ///
    /// - Throws: ``Failure``.
    public func version() throws -> String {
        struct Overview: Decodable { let rabbitmq_version: String }
        let answer = try ask("GET", "overview")
        guard answer.status == 200, let found = try? JSONDecoder().decode(Overview.self, from: Data(answer.body)) else {
            throw unexpected(answer, "overview")
        }
        return found.rabbitmq_version
    }

    /// How many connections somebody has.
    ///
    /// - Throws: ``Failure``.
    func connections(of id: DeviceID) throws -> Int {
        try list("connections/username/\(id.hex)", of: Name.self)?.count ?? 0
    }

    /// Closes all connections of somebody.
    ///
    /// - Throws: ``Failure``.
    public func close(_ id: DeviceID) throws { try delete("connections/username/\(id.hex)") }

    /// Closes all connections of somebody who has ended, waits until they are gone, and drops what waited for it.
    ///
    /// - Throws: ``Failure``.
    public func end(_ id: DeviceID) throws {
        let limit = ContinuousClock.now + .seconds(2)
        repeat {
            try close(id)
            if try connections(of: id) == 0 {
                for quality in [0, 1] {
                    try delete("queues/\(Self.host)/\(Self.escaped(Self.queue(of: id) + "\(quality)"))")
                }
                return
            }
            usleep(10_000)
        } while ContinuousClock.now < limit
        throw Failure(description: "RabbitMQ has not closed the connection of \(id)")
    }

    private static func queue(of id: DeviceID) -> String { BrokerQuestions.queue(Authority.session(of: id.hex)) }

    // MARK: Groups

    private struct Binding: Decodable {
        let destination, routing_key, properties_key: String
    }

    /// Whoever hears in a group and is no member of it any more does so no longer: RabbitMQ looks at that only when somebody
    /// subscribes. Its connection is closed, so that it subscribes anew to what it may hear.
    ///
    /// - Returns: who.
    /// - Throws: ``Failure``.
    public func endGroups(folder: String) throws -> [DeviceID] {
        let book = GroupBook(folder: folder)
        let place = "exchanges/\(Self.host)/\(BrokerQuestions.exchange)/bindings/source"
        let columns = "?columns=destination,routing_key,properties_key"
        var gone: Set<DeviceID> = []
        for binding in try list(place + columns, of: Binding.self) ?? [] {
            guard let (group, id) = Self.member(binding.routing_key, binding.destination), !book.has(id, in: group)
            else { continue }
            try delete(
                "bindings/\(Self.host)/e/\(BrokerQuestions.exchange)/q/\(Self.escaped(binding.destination))/"
                    + Self.escaped(binding.properties_key))
            gone.insert(id)
        }
        for id in gone { try close(id) }
        return gone.sorted { $0.value < $1.value }
    }

    /// Whose session hears in which group, by a binding; `nil`: it is another one.
    static func member(_ key: String, _ queue: String) -> (GroupID, DeviceID)? {
        let (topics, queues) = ("SRUP.groups.", BrokerQuestions.queue(Authority.session(of: "")).dropLast(3))
        guard key.hasPrefix(topics), let group = GroupID(key.dropFirst(topics.count)), queue.hasPrefix(queues),
            ["qos0", "qos1"].contains(queue.suffix(4)),
            let id = DeviceID(participant: queue.dropFirst(queues.count).dropLast(4))
        else { return nil }
        return (group, id)
    }
}
