import C2
import Foundation
import Operators
import Participant
import SRUP
import ValueForms

/// What programs can ask for; `/api/openapi.json` lists it.
extension Console {
    var apiRoutes: [APIRoute] {
        networkRoutes + waitingRoutes + deviceRoutes + endingRoutes + commandRoutes + observerRoutes + joinRoutes
            + policyRoutes + operatorRoutes + updateRoutes + zoneRoutes
    }

    /// Does what the server's operations do.
    ///
    /// - Throws: ``APIProblem``.
    func reading<Result>(_ body: () throws -> Result) throws(APIProblem) -> Result {
        do {
            return try body()
        } catch {
            logger.error("what is stored cannot be read: \(error)")
            throw APIProblem(error)
        }
    }

    // MARK: The network

    private var networkRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "network", "getNetwork", .look, "How the network is doing, and whose token this is", "Network"
            ) { call in
                let (members, all) = try reading {
                    var query = ParticipantStore.PeerQuery()
                    let all = try server.peers.countPeers(query)
                    query.isJoined = true
                    return (try server.peers.countPeers(query), all)
                }
                return APIAnswer([
                    "name": .text(settings.name), "server": .text(server.id.hex),
                    "release": .text(Self.release), "key_service": .text(settings.keyService),
                    "broker_connected": .bool(server.isConnected), "members": .count(members), "known": .count(all),
                    "waiting": .count(await server.waitingCount),
                    "operator": .text(call.token.name.text), "role": .text(call.token.role.rawValue),
                    "token": .integer(call.token.number),
                ])
            },
            APIRoute(
                .get, "occurrences", "listOccurrences", .look, "What has happened, the earliest first",
                words:
                    "The newest \(C2State.maximumOccurrences) are kept. `GET /events?kinds=all` sends them as they come.",
                query: [
                    .init(
                        name: "after", words: "Only later ones than the one of this number.",
                        schema: ["type": "integer", "minimum": 0, "maximum": .integer(.max)]),
                    APIRoute.Parameter.pages[0],
                ], "OccurrenceList"
            ) { call in
                var after = Int64(0)
                if let text = call.query["after"] {
                    guard let number = Int64(text), number >= 0 else {
                        throw APIProblem.invalid("a number, 0 or more", parameter: "after")
                    }
                    after = number
                }
                let limit = try call.limit()
                let found = try reading { try server.store.occurrences(after: after, limit: limit) }
                return APIAnswer(["items": .array(found.map(\.json)), "last": .integer(found.last?.id ?? after)])
            },
        ]
    }

    // MARK: Who waits

    private var waitingRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "waiting", "listWaiting", .look, "Who waits for a person, who asked first first",
                query: APIRoute.Parameter.pages, "WaitingList"
            ) { call in
                let limit = try call.limit()
                var (after, since): (DeviceID?, Double?) = (nil, nil)
                if let place = try call.cursor("waiting") {
                    let parts = place.split(separator: ":").map(String.init)
                    guard parts.count == 2, let id = DeviceID(participant: parts[0]), let time = Double(parts[1]) else {
                        throw APIProblem.invalid("this is no cursor that this list has given", parameter: "cursor")
                    }
                    (after, since) = (id, time)
                }
                let found = try await server.waiting(after: after, since: since, limit: limit + 1)
                let more = found.count > limit ? found[limit - 1] : nil
                return APIAnswer(
                    found.prefix(limit).map { json($0, showsValue: false) },
                    next: more.map { Cursor("waiting", "\($0.device.hex):\($0.since)") })
            },
            APIRoute(
                .get, "waiting/{device}", "getWaiting", .look, "A device that waits for a person",
                words: """
                    With the role moderate or more also `value`: what the device shows, in hexadecimal and as words, for a \
                    program that shows it to a person. It is never to be logged or kept.
                    """, "WaitingWithValue", problems: [.ended]
            ) { call in
                let id = try call.device()
                guard let one = try await server.waiting(id) else { throw OperationError.ended(id) }
                return APIAnswer(json(one, showsValue: call.token.role >= .moderate))
            },
            APIRoute(
                .post, "waiting/{device}/approve", "approve", .moderate, "Let a device in",
                words: """
                    A person has looked at the device: `words` are at least three letters of each word that `question` asks \
                    for, in that order; or `compared` is true: all of the value was compared. `ticket` is that of the value \
                    which was compared.
                    """, body: "Approval", "Decision", problems: [.ended, .replaced, .wrongWords, .unknown]
            ) { call in
                try call.onlyMembers("ticket", "words", "compared", "note")
                let (id, ticket) = (try call.device(), try Self.ticket(call))
                let comparison = try Self.comparison(call)
                let note = try call.optionalText("note", 0...500)
                try await server.approve(id, ticket: ticket, comparison, by: call.actor)
                if let note { try await server.note(note, about: id, by: call.actor) }
                return APIAnswer(["device": .text(id.hex), "decision": "approved"])
            },
            APIRoute(
                .post, "waiting/{device}/refuse", "refuse", .moderate, "Do not let a device in",
                words: "It is told so, and may ask again.", body: "Refusal", "Decision",
                problems: [.ended, .replaced, .unknown]
            ) { call in
                try call.onlyMembers("ticket", "note")
                let (id, ticket) = (try call.device(), try Self.ticket(call))
                let note = try call.optionalText("note", 0...500)
                try await server.refuse(id, ticket: ticket, by: call.actor)
                if let note { try await server.note(note, about: id, by: call.actor) }
                return APIAnswer(["device": .text(id.hex), "decision": "refused"])
            },
        ]
    }

    private static func ticket(_ call: APICall) throws(APIProblem) -> UInt64 {
        let text = try call.text("ticket", 1...20)
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw .invalid("a ticket is a number in a string, as the list gives it", pointer: "#/ticket")
        }
        // One that is too large is no value's, as is 0.
        return UInt64(text) ?? 0
    }

    private static func comparison(_ call: APICall) throws(APIProblem) -> C2Server.Comparison {
        let compared = try call.optionalBool("compared")
        guard let words = call.body["words"] else {
            guard compared == true else {
                throw .invalid("say words, or compared: true", pointer: "#/words")
            }
            return .sideBySide
        }
        guard compared != true else { throw .invalid("words or compared, not both", pointer: "#/compared") }
        guard case .array(let values) = words, values.count == C2Server.questionCount else {
            throw .invalid("\(C2Server.questionCount) words, in the order of the question", pointer: "#/words")
        }
        var typed: [String] = []
        for (index, value) in values.enumerated() {
            guard case .text(let word) = value, word.unicodeScalars.count <= 64,
                word.filter(\.isLetter).count >= ValueWords.letters
            else {
                throw .invalid(
                    "at least \(ValueWords.letters) letters of the word, 64 characters at most",
                    pointer: "#/words/\(index)")
            }
            typed.append(word)
        }
        return .words(typed)
    }

    private func json(_ one: C2Server.Waiting, showsValue: Bool) -> JSON {
        var members: [JSON.Member] = [
            .init(name: "device", value: .text(one.device.hex)),
            .init(name: "type", value: .text(one.type.withoutControls)),
            .init(name: "since", value: .text(Words.iso(one.since))), .init(name: "tries", value: .count(one.tries)),
            .init(name: "requests", value: .count(one.requests)),
            .init(name: "ticket", value: .text(String(one.ticket))),
            .init(name: "question", value: .array(one.question.map { .count($0 + 1) })),
            .init(name: "would_be_trusted", value: .bool(one.wouldBeTrusted)),
            .init(name: "note", value: .optional(one.note)),
        ]
        if showsValue {
            let value = one.value.withBytes { bytes -> JSON in
                [
                    "hex": .text(ValueHex.text(of: bytes)),
                    "words": .array(ValueWords.words(of: bytes).map { .text($0) }),
                ]
            }
            members.append(.init(name: "value", value: value))
        }
        return .object(members)
    }

    // MARK: Devices

    private var deviceRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "devices", "listDevices", .look,
                "All devices and observers that are known, in the order of their identities",
                query: [
                    .init(
                        name: "text",
                        words: "The beginning of the identity, or a part of type, note or program, in any case.",
                        schema: ["type": "string", "maxLength": 64]),
                    .init(
                        name: "state", words: "Only members, or only others.",
                        schema: ["type": "string", "enum": ["in", "out"]]),
                    .init(name: "type", words: "Only of this type.", schema: ["type": "string", "maxLength": 64]),
                ] + APIRoute.Parameter.pages, "DeviceList"
            ) { call in
                let limit = try call.limit()
                var query = ParticipantStore.PeerQuery()
                query.text = (try call.text("text", atMost: 64) ?? "").withoutControls
                query.type = try call.text("type", atMost: 64)
                query.isJoined = try call.word("state", ["in", "out"]).map { $0 == "in" }
                query.after = try Self.identity(try call.cursor("devices"))
                let waiting = await server.waitingIDs()
                let found = try reading { try server.peers.peers(query, limit: limit + 1) }
                return APIAnswer(
                    found.prefix(limit).map { .object(members($0, isWaiting: waiting.contains($0.id))) },
                    next: found.count > limit ? Cursor("devices", found[limit - 1].id.hex) : nil)
            },
            APIRoute(
                .get, "devices/{device}", "getDevice", .look, "All that is known of a device", "Device",
                problems: [.unknown]
            ) { call in APIAnswer(try await device(try call.device())) },
            APIRoute(
                .delete, "devices/{device}", "removeDevice", .moderate,
                "Put a device or an observer out of the network",
                words: "It is told so, may ask to come in again, and loses its trust.", status: 204,
                problems: [.unknown]
            ) { call in
                try await server.remove(try call.device(), by: call.actor)
                return .nothing
            },
            APIRoute(
                .put, "devices/{device}/note", "setNote", .moderate, "Keep a note about a device",
                words: "An empty one removes it.", body: "Note", status: 204, problems: [.unknown]
            ) { call in
                try call.onlyMembers("note")
                try await server.note(try call.text("note", 0...500), about: try call.device(), by: call.actor)
                return .nothing
            },
            APIRoute(
                .post, "devices/{device}/action", "sendAction", .moderate, "Send a device an ACTION", body: "Action",
                status: 202, "Sent", problems: [.notAMember]
            ) { call in
                try call.onlyMembers("action")
                let (id, action) = (try call.device(), UInt8(try call.integer("action", 0...255)))
                try await server.sendAction(action, to: id, by: call.actor)
                return APIAnswer(status: .accepted, ["device": .text(id.hex), "sent": "action"])
            },
            APIRoute(
                .post, "devices/{device}/data", "sendData", .moderate, "Send a device DATA",
                words: """
                    `value` is a text, or `value_base64` any bytes; at most 4,096 bytes. With `type`, `value` is read as a value of \
                    that type; `known` is what the configuration or the device says of the name.
                    """, body: "Data",
                status: 202, "Sent", problems: [.notAMember]
            ) { call in
                try call.onlyMembers("name", "value", "value_base64", "type")
                let (id, name) = (try call.device(), try call.text("name", 1...255))
                let value = try await wireValue(call, named: name, for: id)
                try await server.sendData(name, value: value, to: id, by: call.actor)
                return APIAnswer(status: .accepted, ["device": .text(id.hex), "sent": "data"])
            },
            APIRoute(
                .post, "devices/{device}/identify", "identify", .moderate, "Ask a device what program it is",
                words: "Its answer is in `program` of the device, when it has come.", status: 202, "Sent",
                problems: [.notAMember]
            ) { call in
                let id = try call.device()
                try await server.askIdentification(of: id, by: call.actor)
                return APIAnswer(status: .accepted, ["device": .text(id.hex), "sent": "identify"])
            },
        ]
    }

    static func dataValue(_ call: APICall) throws(APIProblem) -> [UInt8] {
        let text = try call.optionalText("value", 0...4096)
        guard let encoded = try call.optionalText("value_base64", 0...5464) else {
            guard let text else { throw .invalid("say value or value_base64", pointer: "#/value") }
            return Array(text.utf8)
        }
        guard text == nil else { throw .invalid("value or value_base64, not both", pointer: "#/value_base64") }
        guard let data = Data(base64Encoded: encoded) else {
            throw .invalid("this is no base64", pointer: "#/value_base64")
        }
        return Array(data)
    }

    static func identity(_ text: String?) throws(APIProblem) -> DeviceID? {
        guard let text else { return nil }
        guard let id = DeviceID(participant: text) else {
            throw .invalid("this is no cursor that this list has given", parameter: "cursor")
        }
        return id
    }

    private func members(_ peer: ParticipantStore.Peer, isWaiting: Bool) -> [JSON.Member] {
        [
            .init(name: "device", value: .text(peer.id.hex)),
            .init(name: "type", value: .optional(peer.type?.withoutControls)),
            .init(name: "state", value: isWaiting ? "waiting" : peer.isJoined ? "in" : "out"),
            .init(name: "last_heard", value: .optional(peer.lastHeard.map(Words.iso))),
            .init(name: "program", value: .optional(peer.identification == nil ? nil : Self.program(peer))),
            .init(name: "protocol_version", value: .text("\(peer.version)")),
            .init(name: "note", value: .optional(peer.note)),
        ]
    }

    private func device(_ id: DeviceID) async throws -> JSON {
        let isWaiting = await server.waitingIDs().contains(id)
        let (found, registration, isTrusted) = try reading {
            (try server.peers.peer(id), try identities.registration(id), try server.store.trusted().contains(id))
        }
        guard found != nil || registration != nil else { throw OperationError.unknown(id) }
        var members: [JSON.Member]
        if let found {
            members = self.members(found, isWaiting: isWaiting)
        } else {
            members = [
                .init(name: "device", value: .text(id.hex)),
                .init(name: "type", value: .optional(registration?.type.withoutControls)),
                .init(name: "state", value: "out"), .init(name: "last_heard", value: nil),
                .init(name: "program", value: nil), .init(name: "protocol_version", value: nil),
                .init(name: "note", value: nil),
            ]
        }
        members += [
            .init(name: "admitted_by", value: .optional(found?.admission?.way.rawValue)),
            .init(name: "key_fingerprint", value: .optional(found?.key?.fingerprint)),
            .init(name: "trusted", value: .bool(isTrusted)),
            .init(name: "registered", value: .optional(registration.map { Words.iso($0.registered) })),
            .init(name: "first_joined", value: .optional(registration?.joined.map(Words.iso))),
        ]
        return .object(members)
    }
}
