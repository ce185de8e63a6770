import C2
import Foundation
import Linux
import Participant
import Program
import SRUP
import ValueForms

/// What the commands ask of the server that runs in their folder, over a socket that only the folder's owner can use.
struct ServerOrder: Codable {
    enum What: String, Codable {
        case waiting, approve, refuse, note, policies, setPolicy, observers, command, deregister, callToJoin, zone,
            rollout
    }

    var what: What
    /// Who asks, for the audit log.
    var by: String
    var device: String?
    /// Of the value that was compared.
    var ticket: UInt64?
    /// What was typed; without it the value was compared side by side.
    var words: [String]?
    var text: String?
    var command: CommandOrder?
    var rollout: RolloutOrder?
    var zone: ZoneOrder?
}

/// The server's answer.
struct ServerReply: Codable {
    struct Waiting: Codable {
        var device: String
        var type: String
        /// Seconds since 1970.
        var since: Double
        var tries: Int
        var requests: Int
        /// The value itself, for what is shown side by side: 32 hexadecimal digits.
        var value: String
        var ticket: UInt64
        /// Which words are asked for, from 1.
        var question: [Int]
        var wouldBeTrusted: Bool
        var note: String?
    }

    struct Policy: Codable {
        var type: String
        var policy: String
        var configured: String?
        var by: String?
    }

    struct Observer: Codable {
        var device: String
        var trusted: Bool
        var inNetwork: Bool
        var lastHeard: String?
        var places: Int
        var looksAt: [String]
        var queueLength: Int
        var note: String?
    }

    var waiting: [Waiting]?
    var observers: [Observer]?
    var policies: [Policy]?
    var command: CommandReply?
    var rollout: RolloutReply?
    var missing: [ZoneReply]?
    /// Why it was not done.
    var error: String?
}

extension ServerOrder {
    static func socket(_ folder: String) -> String { folder + "/server/commands.sock" }

    /// Does what a line asks for.
    static func obeyed(_ line: String, by server: C2Server) async -> String {
        let reply: ServerReply
        do {
            let order = try JSONDecoder().decode(ServerOrder.self, from: Data(line.utf8))
            reply = try await order.done(by: server)
        } catch let error as OperationError {
            reply = ServerReply(error: error.description)
        } catch {
            reply = ServerReply(error: "the command was not understood; is srup-c2 another version than the server?")
        }
        return reply.jsonLine
    }

    private func done(by server: C2Server) async throws -> ServerReply {
        switch what {
        case .waiting:
            return ServerReply(waiting: try await server.waiting(limit: 4096).map(ServerReply.Waiting.init))
        case .approve:
            let comparison: C2Server.Comparison = words.map { .words($0) } ?? .sideBySide
            try await server.approve(try identity(), ticket: try ticketGiven(), comparison, by: by)
        case .refuse: try await server.refuse(try identity(), ticket: try ticketGiven(), by: by)
        case .note: try await server.note(text ?? "", about: try identity(), by: by)
        case .deregister: try await server.deregister(try identity(), by: by)
        case .callToJoin: try await server.callToJoin(try identity(), by: by)
        case .policies:
            return ServerReply(policies: try await server.policies().map(ServerReply.Policy.init))
        case .observers:
            return ServerReply(observers: try await server.observers().map(ServerReply.Observer.init))
        case .setPolicy:
            let policy = try text.map { text throws(OperationError) -> JoinPolicy in
                guard let policy = JoinPolicy(rawValue: text) else { throw .invalid("there is no policy \"\(text)\"") }
                return policy
            }
            try await server.setPolicy(policy, for: device ?? "", by: by)
        case .zone:
            guard let zone else { throw OperationError.invalid("nothing was asked") }
            return ServerReply(missing: try await zone.done(by: server, by))
        case .command:
            guard let command else { throw OperationError.invalid("nothing was asked") }
            return ServerReply(command: try await command.done(by: server, by))
        case .rollout:
            guard let rollout else { throw OperationError.invalid("nothing was asked") }
            return ServerReply(rollout: try await rollout.done(by: server, by))
        }
        return ServerReply()
    }

    private func identity() throws(OperationError) -> DeviceID {
        guard let id = device.flatMap({ DeviceID(participant: $0) }) else { throw .invalid("that is no identity") }
        return id
    }

    private func ticketGiven() throws(OperationError) -> UInt64 {
        guard let ticket else { throw .invalid("it was not said which value was compared") }
        return ticket
    }

    /// Asks the server that runs with this folder.
    ///
    /// - Throws: ``OperationError``.
    func ask(_ folder: String) throws(OperationError) -> ServerReply {
        guard let reply = try askIfRunning(folder) else {
            throw .failed(
                "no server answers in \(folder): does \"srup-c2 run\" run there, and are you its user?")
        }
        return reply
    }

    /// The same; `nil` when no server answers.
    ///
    /// - Throws: ``OperationError``.
    func askIfRunning(_ folder: String) throws(OperationError) -> ServerReply? {
        guard let text = CommandSocket.ask(Self.socket(folder), jsonLine) else { return nil }
        guard let reply = try? JSONDecoder().decode(ServerReply.self, from: Data(text.utf8)) else {
            throw .failed("the server's answer was not understood; is it another version?")
        }
        if let error = reply.error { throw .failed(error) }
        return reply
    }

    /// The user at the terminal.
    static var user: String {
        guard let entry = getpwuid(getuid()) else { return "user \(getuid())" }
        return String(cString: entry.pointee.pw_name)
    }
}

extension ServerReply.Waiting {
    init(_ waiting: C2Server.Waiting) {
        self.init(
            device: waiting.device.hex, type: waiting.type.withoutControls, since: waiting.since, tries: waiting.tries,
            requests: waiting.requests,
            value: waiting.value.withHex { String(decoding: $0, as: UTF8.self) }, ticket: waiting.ticket,
            question: waiting.question.map { $0 + 1 }, wouldBeTrusted: waiting.wouldBeTrusted, note: waiting.note)
    }
}

extension ServerReply.Policy {
    init(_ policy: C2Server.Policy) {
        self.init(
            type: policy.type, policy: policy.policy.rawValue, configured: policy.configured?.rawValue,
            by: policy.set?.by)
    }
}
