import Linux
import Participant
import SRUP

/// What an operator has devices do (ACTION), tells them (DATA) and asks them (ID_REQUEST), one or a whole group; and what
/// devices have sent.
extension C2Server {
    /// What was sent.
    public struct Receipt: Sendable, Hashable {
        /// The command's number, or the first one of a group's; what became of it is in ``CommandStore/commands(to:before:since:limit:)``.
        public let number: Int64
        /// To whom it went.
        public let devices: [DeviceID]
    }

    /// Tells a member to do something.
    ///
    /// - Throws: ``OperationError``.
    @discardableResult
    public func sendAction(_ action: UInt8, to id: DeviceID, by name: String) throws(OperationError) -> Receipt {
        try command(.action(action), .action, String(action), "action \(action)", to: id, by: name)
    }

    /// Sends a member a value.
    ///
    /// - Parameters:
    ///   - dataName: 1 to 255 bytes.
    ///   - value: as it goes on the wire, at most 4,096 bytes.
    /// - Throws: ``OperationError``.
    @discardableResult
    public func sendData(
        _ dataName: String, value: [UInt8], to id: DeviceID, by name: String
    ) throws(OperationError) -> Receipt {
        let body = try Self.data(dataName, value)
        let words = dataName.withoutControls
        return try command(
            body, .data, shown(words, value), "data \(words.debugDescription)", to: id, by: name)
    }

    /// Asks a member what program it is; its answer is kept.
    ///
    /// - Throws: ``OperationError``.
    @discardableResult
    public func askIdentification(of id: DeviceID, by name: String) throws(OperationError) -> Receipt {
        try command(.idRequest, .identify, "", "identification request", to: id, by: name)
    }

    private static func data(_ name: String, _ value: [UInt8]) throws(OperationError) -> Body {
        let bytes = Array(name.utf8)
        guard (1...255).contains(bytes.count) else { throw .invalid("a data name has 1 to 255 bytes") }
        guard value.count <= CommandStore.maximumValue else { throw .invalid("data has 4,096 bytes at most") }
        return .data(id: bytes, value: value)
    }

    private func command(
        _ body: Body, _ kind: CommandStore.Command.Kind, _ detail: String, _ words: String, to id: DeviceID,
        by name: String
    ) throws(OperationError) -> Receipt {
        let isMember = try stored { try participant.state.peer(id)?.isJoined == true }
        guard isMember else { throw .notAMember(id) }
        return try stored {
            let token = Token.random()
            // Before it is sent: the answer may be here at once.
            let number = try commands.note(
                kind, detail, to: [id], token: token, by: name, now: participant.wallClock())
            try participant.send(body, to: id, on: .member(id), token: token)
            participant.audit("sent", "\(id): \(words)", about: id, by: name)
            changed(.device, id)
            return Receipt(number: number, devices: [id])
        }
    }

    /// The number of an action, by number or by the name that a device has given it.
    ///
    /// - Parameter device: `nil` for a group, whose devices may name the same number differently.
    /// - Throws: ``OperationError`` when there is no such name.
    public func actionNumber(_ text: String, of device: DeviceID?) throws(OperationError) -> UInt8 {
        if let number = UInt8(text) { return number }
        guard let device else { throw .invalid("an action has a number from 0 to 255") }
        let told = try stored { try participant.state.peer(device)?.identification }.map { Identification($0) }
        guard let found = told?.actions.filter({ $0.value == text }), found.count == 1, let number = found.keys.first
        else {
            throw .invalid(
                "\(device) has not said that it knows an action \(text.withoutControls.debugDescription); numbers go from 0 to 255"
            )
        }
        return number
    }

    // MARK: Types

    /// How a value of this name is to be read: what the configuration says, else what its device says of itself.
    ///
    /// - Parameter isSent: the device sends it; otherwise it takes it.
    public func type(of name: String, of device: DeviceID, isSent: Bool) -> DataType? {
        if let type = rules.dataTypes[name] { return type }
        guard let text = (try? participant.state.peer(device))??.identification else { return nil }
        let identification = Identification(text)
        return isSent ? identification.sends[name] : identification.takes[name]
    }

    /// Reads what an operator has written for a value.
    ///
    /// - Parameters:
    ///   - type: `nil`: what configuration or device say, and a string when neither does.
    ///   - device: `nil` for a group's, where only the configuration counts.
    /// - Throws: ``OperationError`` when it is no such value.
    public func wire(
        _ text: String, named name: String, as type: DataType?, for device: DeviceID?
    ) throws(OperationError) -> [UInt8] {
        let known = device.flatMap { self.type(of: name, of: $0, isSent: false) } ?? rules.dataTypes[name]
        do {
            return try (type ?? known ?? .string).value(text: text).wire
        } catch {
            throw .invalid("\(name.withoutControls): \(error)")
        }
    }

    /// For the list of what was sent.
    private func shown(_ name: String, _ value: [UInt8]) -> String {
        let text = rules.dataTypes[name].flatMap { try? $0.value(wire: value).text } ?? "\(value.count) bytes"
        return String("\(name) = \(text.withoutControls)".prefix(200))
    }

    // MARK: Groups

    /// Puts devices into a group, which is made when there is none. They are told, and listen to it from then on.
    ///
    /// - Throws: ``OperationError``; those named before the one that is refused are in it.
    public func add(_ ids: [DeviceID], to group: GroupID, by name: String) throws(OperationError) {
        for id in ids {
            guard let peer = try stored({ try participant.state.peer(id) }), peer.isJoined else {
                throw .notAMember(id)
            }
            if let text = peer.identification, Identification(text).groups == nil {
                throw .invalid("\(id) (\(text.prefix(40))) does not say that it takes part in groups")
            }
            try stored {
                guard try commands.add(id, to: group, now: participant.wallClock()) else {
                    throw OperationError.invalid("there is no room for more groups, or for more members in them")
                }
            }
        }
        // The broker first: a device subscribes at once.
        try stored {
            try tellBroker()
            for id in ids {
                try tellEntered(group, id)
                participant.audit("group", "\(id): into \(group)", about: id, by: name)
                changed(.device, id)
            }
        }
    }

    /// Takes a device out of a group.
    ///
    /// - Throws: ``OperationError``.
    public func remove(_ id: DeviceID, from group: GroupID, by name: String) throws(OperationError) {
        try stored {
            guard try commands.remove(id, from: group) else {
                throw OperationError.invalid("\(id) is not in the group \(group)")
            }
            try tellBroker()
            if try participant.state.peer(id)?.isJoined == true {
                try send(.groupDelete(device: id, group: group.bytes), to: id)
            }
            participant.audit("group", "\(id): out of \(group)", about: id, by: name)
            changed(.device, id)
        }
    }

    /// Ends a group.
    ///
    /// - Throws: ``OperationError``.
    public func destroy(_ group: GroupID, by name: String) throws(OperationError) {
        let members = try members(of: group)
        try stored {
            try commands.destroy(group)
            try tellBroker()
            for id in members where try participant.state.peer(id)?.isJoined == true {
                try send(.groupDestroy(group: group.bytes), to: id)
                changed(.device, id)
            }
            participant.audit("group", "\(group) is no more", by: name)
        }
    }

    /// All groups, by name.
    ///
    /// - Throws: ``OperationError``.
    public func groups() throws(OperationError) -> [CommandStore.Group] { try stored { try commands.groups() } }

    private func members(of group: GroupID) throws(OperationError) -> [DeviceID] {
        guard let members = try stored({ try commands.members(of: group) }) else {
            throw .invalid("there is no group \(group)")
        }
        return members
    }

    /// Tells all members of a group to do something: one message.
    ///
    /// - Throws: ``OperationError``.
    @discardableResult
    public func sendAction(_ action: UInt8, to group: GroupID, by name: String) throws(OperationError) -> Receipt {
        try command(.action(action), .action, String(action), "action \(action)", to: group, by: name)
    }

    /// Sends all members of a group a value: one message.
    ///
    /// - Parameters:
    ///   - dataName: 1 to 255 bytes.
    ///   - value: as it goes on the wire, at most 4,096 bytes.
    /// - Throws: ``OperationError``.
    @discardableResult
    public func sendData(
        _ dataName: String, value: [UInt8], to group: GroupID, by name: String
    ) throws(OperationError) -> Receipt {
        let body = try Self.data(dataName, value)
        let words = dataName.withoutControls
        return try command(
            body, .data, shown(words, value), "data \(words.debugDescription)", to: group, by: name)
    }

    private func command(
        _ body: Body, _ kind: CommandStore.Command.Kind, _ detail: String, _ words: String, to group: GroupID,
        by name: String
    ) throws(OperationError) -> Receipt {
        let members = try members(of: group)
        guard !members.isEmpty else { throw .invalid("nobody is in the group \(group)") }
        return try stored {
            let token = GroupToken.message(to: group)
            let number = try commands.note(
                kind, detail, to: members, in: group, token: token, by: name, now: participant.wallClock())
            try participant.send(body, to: group, token: token)
            participant.audit("sent", "group \(group) (\(members.count)): \(words)", by: name)
            for id in members { changed(.device, id) }
            return Receipt(number: number, devices: members)
        }
    }

    private func tellEntered(_ group: GroupID, _ id: DeviceID) throws {
        let number = try participant.state.lastSent(to: group, of: participant.id)
        try participant.send(
            .groupAdd(device: id, group: group.bytes), to: id, on: .member(id),
            token: GroupToken.addition(after: number))
    }

    /// Tells the broker who may listen to which group.
    func tellBroker() throws {
        var members: [GroupID: [DeviceID]] = [:]
        for group in try commands.groups() { members[group.id] = group.members }
        try access.setGroups(members)
    }

    /// Who leaves the network leaves its groups.
    func leaveGroups(_ id: DeviceID) {
        do {
            if try commands.removeFromGroups(id) { try tellBroker() }
        } catch {
            causedLog.log(.error, about: "groups", "\(id) could not be taken out of its groups: \(error)")
        }
    }

    /// A device has said which groups it listens to: what is missing or too much is put right.
    func compareGroups(_ id: DeviceID, _ said: [GroupID]) throws {
        let meant = try commands.groups(of: id)
        for group in meant where !said.contains(group) { try tellEntered(group, id) }
        for group in said.prefix(Self.maximumCorrections) where !meant.contains(group) {
            try send(.groupDelete(device: id, group: group.bytes), to: id)
        }
    }

    /// Groups that a device makes up cost it its own messages, and us no more than these.
    private static let maximumCorrections = 8

    // MARK: What devices say

    /// An answer to what a device was told; `nil` when the status is no such answer.
    func answered(_ status: Status, from device: DeviceID, _ token: Token) throws -> Bool {
        let kind: CommandStore.Command.Kind? =
            switch status {
            case .actionSuccess, .actionUnknown, .actionFail: .action
            case .dataTypeUnknown: .data
            default: nil
            }
        guard let kind else { return false }
        guard
            let command = try commands.answer(token, of: device, kind: kind, status, now: participant.wallClock())
        else { throw Rejection.unknownToken(device) }
        let what = kind == .action ? "action \(command.detail)" : "data \(command.detail)"
        causedLog.log(.info, about: device, "\(device) answers \(status) to \(what)")
        participant.audit("answered", "\(device): \(status) to \(what)", about: device)
        events.record(
            "command-answered",
            ["device": device.hex, "status": status.description, "command": String(command.number)])
        changed(.device, device)
        return true
    }

    /// A value from a member.
    func received(_ id: [UInt8], _ value: [UInt8], from device: DeviceID) throws {
        let name = String(decoding: id.prefix(64), as: UTF8.self).withoutControls
        guard (1...64).contains(id.count), value.count <= CommandStore.maximumValue else {
            return causedLog.log(
                .notice, about: device,
                "\(device) sends \(name.debugDescription) with \(value.count) bytes, which is too much: it is not kept")
        }
        try commands.keep(name, value, of: device, now: participant.wallClock())
        let text = type(of: name, of: device, isSent: true).flatMap { try? $0.value(wire: value).text }
        let shown = text ?? String(decoding: value.prefix(200), as: UTF8.self)
        causedLog.log(
            .info, about: device,
            "\(device) tells \(name.debugDescription): \(String(shown.prefix(200)).withoutControls.debugDescription)")
        events.record("data", ["device": device.hex, "name": name, "bytes": String(value.count)])
        changed(.device, device)
    }

    // MARK: Queries

    /// What was sent and what has come.
    public nonisolated var commandStore: CommandStore { commands }

    /// A value that a device has sent, as far as it can be read.
    public struct Reading: Sendable {
        /// As it came.
        public let raw: CommandStore.Reading
        /// What it is; `nil`: nobody has said of which type it is, or it is not of that one.
        public let value: DataValue?
    }

    /// The last value of each name that a device has sent; with a name, all that are kept of it, the newest first.
    ///
    /// - Throws: ``OperationError``.
    public func readings(
        of device: DeviceID, named name: String? = nil, limit: Int = 256
    ) throws(OperationError) -> [Reading] {
        try known(device)
        let found = try stored {
            if let name {
                try commands.history(of: device, name, limit: limit)
            } else {
                try commands.latest(of: device)
            }
        }
        return found.map { reading in
            let type = type(of: reading.name, of: device, isSent: true)
            return Reading(raw: reading, value: type.flatMap { try? $0.value(wire: reading.value) })
        }
    }
}

/// Who tells the broker which members may listen to which group.
public protocol BrokerAccess: Sendable {
    /// From now on these and no others.
    ///
    /// - Throws: when it could not be written.
    func setGroups(_ members: [GroupID: [DeviceID]]) throws
}
