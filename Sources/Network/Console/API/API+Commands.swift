import C2
import Foundation
import SRUP

/// What devices were told and what they have sent; groups of them.
extension Console {
    var commandRoutes: [APIRoute] { sentRoutes + groupRoutes }

    // MARK: Commands and values

    private var sentRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "commands", "listCommands", .look, "What devices were told, and their answers, the newest first",
                words: "The newest 20,000 are kept. One that was said to a group is there for each of its devices.",
                query: [.device("Only to this device.")] + APIRoute.Parameter.pages, "CommandList"
            ) { call in
                let limit = try call.limit()
                let device = try call.identity("device")
                let before = try call.numberCursor("commands")
                let found = try reading {
                    try server.commandStore.commands(to: device, before: before, limit: limit + 1)
                }
                return APIAnswer(
                    found.prefix(limit).map(Self.json),
                    next: found.count > limit ? Cursor("commands", found[limit - 1].number) : nil)
            },
            APIRoute(
                .get, "commands/{number}", "getCommand", .look, "A command and its answer", "Command",
                problems: [.unknown]
            ) { call in
                let number = try call.number()
                let found = try reading {
                    try server.commandStore.commands(
                        before: number == .max ? nil : number + 1, since: number, limit: 1
                    ).first
                }
                guard let found, found.number == number else {
                    throw APIProblem(.unknown, "there is no command of this number, or none any more")
                }
                return APIAnswer(Self.json(found))
            },
            APIRoute(
                .get, "devices/{device}/values", "listValues", .look, "What a device has sent (DATA)",
                words: """
                    The last value of each name; with `name`, those that are kept of that name, the newest first, as many as \
                    `limit` says. `value` is what it is by its type, as the configuration or the device says it, else null.
                    """,
                query: [
                    .init(
                        name: "name", words: "Only values of this name.",
                        schema: ["type": "string", "minLength": 1, "maxLength": 64]), APIRoute.Parameter.pages[0],
                ], "ValueList", problems: [.unknown]
            ) { call in
                let (id, limit) = (try call.device(), try call.limit())
                let found = try await server.readings(of: id, named: try call.text("name", atMost: 64), limit: limit)
                return APIAnswer(found.prefix(limit).map(Self.json), next: nil)
            },
        ]
    }

    private static func json(_ command: CommandStore.Command) -> JSON {
        [
            "number": .integer(command.number), "device": .text(command.device.hex),
            "group": .optional(command.group?.text), "kind": .text(command.kind.rawValue),
            "detail": .text(command.detail.withoutControls), "by": .text(command.by.withoutControls),
            "sent": .text(Words.iso(command.sent)), "answered": .optional(command.answered.map(Words.iso)),
            "status": .optional(command.status?.description),
        ]
    }

    private static func json(_ reading: C2Server.Reading) -> JSON {
        [
            "name": .text(reading.raw.name.withoutControls), "value": .optional(reading.value?.text),
            "value_base64": .text(Data(reading.raw.value).base64EncodedString()),
            "received": .text(Words.iso(reading.raw.received)),
            "count": reading.raw.count > 0 ? .count(reading.raw.count) : nil,
        ]
    }

    /// A value as it goes on the wire: a text, a text that is read by a type, or any bytes.
    ///
    /// - Parameter device: `nil` for a group.
    /// - Throws: ``APIProblem``.
    func wireValue(_ call: APICall, named name: String, for device: DeviceID?) async throws -> [UInt8] {
        guard let word = try call.optionalText("type", 1...16) else { return try Self.dataValue(call) }
        let type = DataType(name: word)
        guard type != nil || word == "known" else {
            throw APIProblem.invalid("known, or one of \(DataType.names)", pointer: "#/type")
        }
        guard call.body["value_base64"] == nil else {
            throw APIProblem.invalid("bytes have no type to be read by: say value", pointer: "#/type")
        }
        let text = try call.text("value", 0...4096)
        do {
            return try await server.wire(text, named: name, as: type, for: device)
        } catch {
            throw APIProblem.invalid("\(error)", pointer: "#/value")
        }
    }

    // MARK: Groups

    private var groupRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "groups", "listGroups", .look, "The groups, by name", query: APIRoute.Parameter.pages, "GroupList"
            ) { call in
                let limit = try call.limit()
                let after = try call.cursor("groups")
                let found = try await server.groups().filter { group in after.map { group.id.text > $0 } ?? true }
                return APIAnswer(
                    found.prefix(limit).map { group in
                        ["group": .text(group.id.text), "size": .count(group.members.count)]
                    }, next: found.count > limit ? Cursor("groups", found[limit - 1].id.text) : nil)
            },
            APIRoute(
                .get, "groups/{group}", "getGroup", .look, "A group and who is in it", "Group", problems: [.unknown]
            ) { call in
                let group = try call.group()
                return APIAnswer([
                    "group": .text(group.text), "members": .array(try members(of: group).map { .text($0.hex) }),
                ])
            },
            APIRoute(
                .put, "groups/{group}/members/{device}", "addToGroup", .moderate, "Put a device into a group",
                words: "The group is made when there is none. The device is told, and listens to it from then on.",
                status: 204, problems: [.notAMember]
            ) { call in
                try await server.add([try call.device()], to: try call.group(), by: call.actor)
                return .nothing
            },
            APIRoute(
                .delete, "groups/{group}/members/{device}", "removeFromGroup", .moderate,
                "Take a device out of a group",
                status: 204, problems: [.unknown]
            ) { call in
                let (group, id) = (try call.group(), try call.device())
                guard try members(of: group).contains(id) else {
                    throw APIProblem(.unknown, "\(id) is not in the group \(group)")
                }
                try await server.remove(id, from: group, by: call.actor)
                return .nothing
            },
            APIRoute(
                .delete, "groups/{group}", "destroyGroup", .moderate, "End a group", words: "Its devices are told.",
                status: 204, problems: [.unknown]
            ) { call in
                let group = try call.group()
                _ = try members(of: group)
                try await server.destroy(group, by: call.actor)
                return .nothing
            },
            APIRoute(
                .post, "groups/{group}/action", "sendActionToGroup", .moderate, "Send all devices of a group an ACTION",
                words: "One message. Each device answers for itself: see `commands`.", body: "Action", status: 202,
                "SentToGroup", problems: [.unknown]
            ) { call in
                try call.onlyMembers("action")
                let (group, action) = (try call.group(), UInt8(try call.integer("action", 0...255)))
                try hasMembers(group)
                let sent = try await server.sendAction(action, to: group, by: call.actor)
                return Self.sent("action", sent, to: group)
            },
            APIRoute(
                .post, "groups/{group}/data", "sendDataToGroup", .moderate, "Send all devices of a group DATA",
                words: "As to one device; only the configuration says what types are known.", body: "Data", status: 202,
                "SentToGroup", problems: [.unknown]
            ) { call in
                try call.onlyMembers("name", "value", "value_base64", "type")
                let (group, name) = (try call.group(), try call.text("name", 1...255))
                let value = try await wireValue(call, named: name, for: nil)
                try hasMembers(group)
                return Self.sent(
                    "data", try await server.sendData(name, value: value, to: group, by: call.actor), to: group)
            },
        ]
    }

    private static func sent(_ what: String, _ receipt: C2Server.Receipt, to group: GroupID) -> APIAnswer {
        APIAnswer(
            status: .accepted,
            [
                "group": .text(group.text), "sent": .text(what), "command": .integer(receipt.number),
                "devices": .array(receipt.devices.map { .text($0.hex) }),
            ])
    }

    private func members(of group: GroupID) throws(APIProblem) -> [DeviceID] {
        guard let found = try reading({ try server.commandStore.members(of: group) }) else {
            throw APIProblem(.unknown, "there is no group \(group)")
        }
        return found
    }

    private func hasMembers(_ group: GroupID) throws(APIProblem) {
        guard try !members(of: group).isEmpty else { throw APIProblem(.unknown, "nobody is in the group \(group)") }
    }
}
