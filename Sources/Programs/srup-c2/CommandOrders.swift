import C2
import Foundation
import Linux
import Participant
import Program
import SRUP

/// What the commands of "srup-c2 action", "data", "identify", "values", "commands" and "group" ask of the running server.
struct CommandOrder: Codable {
    enum What: String, Codable {
        case action, data, identify, commands, values, groups, enter, leave, destroy
    }

    var what: What
    var devices: [String] = []
    var group: String?
    /// An action's number or name.
    var action: String?
    /// A value's name.
    var name: String?
    var value: String?
    var type: String?
    /// Only commands from this number on.
    var since: Int64?
    var limit: Int?
}

/// The server's answer.
struct CommandReply: Codable {
    struct Command: Codable {
        var number: Int64
        var device: String
        var group: String?
        var kind: String
        var detail: String
        var by: String
        /// Seconds since 1970.
        var sent: Double
        var answered: Double?
        var status: String?
    }

    struct Value: Codable {
        var name: String
        /// Seconds since 1970.
        var received: Double
        var count: Int
        /// As it came.
        var hex: String
        var type: String?
        var text: String?
    }

    struct Group: Codable {
        var group: String
        var members: [String]
    }

    /// Of the first command that was sent.
    var number: Int64?
    /// How many were sent; their numbers follow each other.
    var count: Int?
    var commands: [Command]?
    var values: [Value]?
    var groups: [Group]?
    /// What a device says of itself.
    var identification: String?
}

extension CommandOrder {
    func done(by server: C2Server, _ operatorName: String) async throws -> CommandReply {
        let by = operatorName
        switch what {
        case .action:
            if let group {
                let number = try await server.actionNumber(action ?? "", of: nil)
                return sent(try await server.sendAction(number, to: try Self.group(group), by: by))
            }
            let id = try device()
            let number = try await server.actionNumber(action ?? "", of: id)
            return sent(try await server.sendAction(number, to: id, by: by))
        case .data: return sent(try await sendData(server, by))
        case .identify: return sent(try await server.askIdentification(of: try device(), by: by))
        case .commands:
            let id = devices.isEmpty ? nil : try device()
            let found = try server.commandStore.commands(to: id, since: since ?? 0, limit: min(limit ?? 50, 20_000))
            var reply = CommandReply(commands: found.map(CommandReply.Command.init))
            if let id { reply.identification = try server.peers.peer(id)?.identification }
            return reply
        case .values:
            let found = try await server.readings(of: try device(), named: name, limit: min(limit ?? 50, 256))
            return CommandReply(values: found.map(CommandReply.Value.init))
        case .groups:
            let groups = try await server.groups()
            return CommandReply(
                groups: groups.map { CommandReply.Group(group: $0.id.text, members: $0.members.map(\.hex)) })
        case .enter: try await server.add(try devices.map(Self.identity), to: try Self.group(group ?? ""), by: by)
        case .leave: try await server.remove(try device(), from: try Self.group(group ?? ""), by: by)
        case .destroy: try await server.destroy(try Self.group(group ?? ""), by: by)
        }
        return CommandReply()
    }

    private func sendData(_ server: C2Server, _ by: String) async throws -> C2Server.Receipt {
        let type = try type.map { text throws(OperationError) -> DataType in
            guard let type = DataType(name: text) else {
                throw .invalid("there is no type \"\(text.withoutControls)\"")
            }
            return type
        }
        let id = group == nil ? try device() : nil
        let wire = try await server.wire(value ?? "", named: name ?? "", as: type, for: id)
        if let id { return try await server.sendData(name ?? "", value: wire, to: id, by: by) }
        return try await server.sendData(name ?? "", value: wire, to: try Self.group(group ?? ""), by: by)
    }

    private func sent(_ receipt: C2Server.Receipt) -> CommandReply {
        CommandReply(number: receipt.number, count: receipt.devices.count)
    }

    private func device() throws(OperationError) -> DeviceID { try Self.identity(devices.first ?? "") }

    private static func identity(_ text: String) throws(OperationError) -> DeviceID {
        guard let id = DeviceID(participant: text) else { throw .invalid("that is no identity") }
        return id
    }

    private static func group(_ text: String) throws(OperationError) -> GroupID {
        guard let group = GroupID(text) else { throw .invalid("a group's name must be \(GroupID.form)") }
        return group
    }

    /// Asks the server that runs with this folder.
    ///
    /// - Throws: ``OperationError``.
    func ask(_ folder: String) throws(OperationError) -> CommandReply {
        try ServerOrder(what: .command, by: ServerOrder.user, command: self).ask(folder).command ?? CommandReply()
    }
}

extension CommandReply.Command {
    init(_ command: CommandStore.Command) {
        self.init(
            number: command.number, device: command.device.hex, group: command.group?.text,
            kind: command.kind.rawValue, detail: command.detail, by: command.by, sent: command.sent,
            answered: command.answered, status: command.status?.description)
    }

    /// What became of it, in words.
    var words: String {
        switch (status, kind) {
        case (Status.actionSuccess.description?, _): "done"
        case (Status.actionFail.description?, _): "failed"
        case (Status.actionUnknown.description?, _): "knows no such action"
        case (Status.dataTypeUnknown.description?, _): "does not take this value"
        case (let status?, _): status
        case (nil, _) where answered != nil: "answered"
        case (nil, "data"): "sent"
        default: "no answer"
        }
    }
}

extension CommandReply.Value {
    init(_ reading: C2Server.Reading) {
        self.init(
            name: reading.raw.name, received: reading.raw.received, count: reading.raw.count,
            hex: reading.raw.value.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined(),
            type: reading.value?.type.rawValue, text: reading.value?.text.withoutControls)
    }
}
