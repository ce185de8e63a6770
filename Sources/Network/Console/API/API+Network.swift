import C2
import Foundation
import Operators
import Participant
import Program
import SRUP

/// Observers, joins, policies and the audit log for programs.
extension Console {
    static var release: String { Release.version }

    var observerRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "observers", "listObservers", .look, "The observers that are trusted or members",
                query: APIRoute.Parameter.pages, "ObserverList"
            ) { call in
                let limit = try call.limit()
                let after = try Self.identity(try call.cursor("observers"))
                let all = try await server.observers().filter { one in after.map { one.id > $0 } ?? true }
                let verdicts = try reading { try server.store.verdicts() }
                return APIAnswer(
                    all.prefix(limit).map { Self.json($0, verdicts[$0.id] ?? [:]) },
                    next: all.count > limit ? Cursor("observers", all[limit - 1].id.hex) : nil)
            },
            APIRoute(
                .put, "observers/{device}/trust", "trustObserver", .moderate,
                "Let an observer in, and let it vouch for devices", status: 204
            ) { call in
                try await server.setTrust(true, of: try call.device(), by: call.actor)
                return .nothing
            },
            APIRoute(
                .delete, "observers/{device}/trust", "distrustObserver", .moderate,
                "Take the trust in an observer back",
                status: 204
            ) { call in
                try await server.setTrust(false, of: try call.device(), by: call.actor)
                return .nothing
            },
        ]
    }

    private static func json(
        _ one: C2Server.ObserverSummary, _ verdicts: [C2State.Ending.Outcome: Int]
    ) -> JSON {
        [
            "device": .text(one.id.hex), "trusted": .bool(one.isTrusted),
            "in_network": .bool(one.peer?.isJoined == true),
            "last_heard": .optional(one.peer?.lastHeard.map(Words.iso)), "places": .count(one.places),
            "looks_at": .array(one.looksAt.prefix(100).map { .text($0.hex) }), "queue_length": .count(one.queue.count),
            "verdicts": .object(
                [C2State.Ending.Outcome.joined, .failed, .refused].map {
                    .init(name: $0.rawValue, value: .count(verdicts[$0] ?? 0))
                }), "note": .optional(one.peer?.note),
        ]
    }

    // MARK: Joins

    var joinRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "joins", "listJoins", .look, "Joins under way and ended, the newest first",
                words:
                    "Joins that an observer or a person decides; those by an identity's word alone are in the audit log.",
                query: [
                    .device("Only of this device."),
                    .init(
                        name: "kind", words: "Only those that an observer decides, or a person.",
                        schema: ["type": "string", "enum": ["observed", "human"]]),
                ] + APIRoute.Parameter.pages, "JoinList"
            ) { call in
                let limit = try call.limit()
                let device = try call.identity("device")
                let kind = try call.word("kind", ["observed", "human"]).map { $0 == "observed" }
                let before = try call.numberCursor("joins")
                let found = try reading {
                    try server.store.joins(of: device, isObserved: kind, before: before, limit: limit + 1)
                }
                return APIAnswer(
                    found.prefix(limit).map(Self.json),
                    next: found.count > limit ? Cursor("joins", found[limit - 1].id) : nil)
            },
            APIRoute(.get, "joins/{number}", "getJoin", .look, "A join", "Join", problems: [.unknown]) { call in
                let number = try call.number()
                let next = number == .max ? number : number + 1
                let found = try reading { try server.store.joins(before: next, limit: 1).first }
                guard let found, found.id == number else {
                    throw APIProblem(.unknown, "there is no join of this number, or none any more")
                }
                return APIAnswer(Self.json(found))
            },
            APIRoute(
                .get, "audit", "listAudit", .look, "What has happened and who did it, the newest first",
                query: [
                    .init(
                        name: "text", words: "Only lines in which it stands, in any case.",
                        schema: ["type": "string", "maxLength": 64]),
                    .init(
                        name: "about", words: "Only about this identity.",
                        schema: ["$ref": "#/components/schemas/Identity"]),
                ] + APIRoute.Parameter.pages, "AuditList"
            ) { call in
                let limit = try call.limit()
                let (text, about) = (try call.text("text", atMost: 64) ?? "", try call.identity("about"))
                let before = try call.numberCursor("audit")
                let found = try reading {
                    try server.peers.auditLog(last: limit + 1, containing: text, about: about, before: before)
                }
                return APIAnswer(
                    found.prefix(limit).map { line in
                        [
                            "number": .integer(line.id), "time": .text(Words.iso(line.time)),
                            "event": .text(line.event), "detail": .text(line.detail),
                            "about": .optional(line.subject?.hex), "by": .optional(line.by),
                        ]
                    }, next: found.count > limit ? Cursor("audit", found[limit - 1].id) : nil)
            },
        ]
    }

    private static func json(_ join: C2State.JoinRecord) -> JSON {
        [
            "number": .integer(join.id), "device": .text(join.device.hex), "type": .text(join.type.withoutControls),
            "kind": .text(join.way.rawValue), "observer": .optional(join.observer?.hex),
            "began": .text(Words.iso(join.began)), "tries": .count(join.tries),
            "ending": join.ending.map { ending in
                [
                    "outcome": .text(ending.outcome.rawValue), "why": .text(ending.why), "by": .optional(ending.by),
                    "at": .text(Words.iso(ending.at)),
                ]
            } ?? nil,
        ]
    }

    // MARK: Policies

    private static let typeParameter = APIRoute.Parameter(
        name: "type", words: "A device type, or `*` for all that have no policy of their own.",
        schema: ["$ref": "#/components/schemas/DeviceType"], isRequired: true)

    var policyRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "policies", "listPolicies", .look, "How devices come in, by type",
                query: APIRoute.Parameter.pages,
                "PolicyList"
            ) { call in
                let limit = try call.limit()
                let all = try await server.policies()
                var start = 0
                if let after = try call.cursor("policies") {
                    // "*" comes first, the others in their order.
                    start = after == "*" ? 1 : 1 + all.dropFirst().prefix { $0.type <= after }.count
                }
                let rest = all.dropFirst(start)
                let items = rest.prefix(limit)
                return APIAnswer(
                    items.map(Self.json),
                    next: rest.count > limit ? items.last.map { Cursor("policies", $0.type) } : nil)
            },
            APIRoute(
                .put, "policies", "setPolicy", .administer, "Set how devices of a type come in",
                words: "It holds beside c2.toml; joins under way keep what they were promised.", body: "NewPolicy",
                "Policy"
            ) { call in
                try call.onlyMembers("type", "policy")
                let (type, word) = (try call.text("type", 1...64), try call.text("policy", 1...64))
                guard let policy = JoinPolicy(rawValue: word) else {
                    throw APIProblem.invalid(
                        "one of " + JoinPolicy.allCases.map(\.rawValue).joined(separator: ", "), pointer: "#/policy")
                }
                try await server.setPolicy(policy, for: type, by: call.actor)
                return APIAnswer(try await self.policy(of: type))
            },
            APIRoute(
                .delete, "policies", "resetPolicy", .administer, "Go back to what c2.toml says of a type",
                query: [Self.typeParameter], status: 204
            ) { call in
                try await server.setPolicy(nil, for: call.query["type"] ?? "", by: call.actor)
                return .nothing
            },
        ]
    }

    private func policy(of type: String) async throws -> JSON {
        guard let found = try await server.policies().first(where: { $0.type == type }) else {
            throw APIProblem(.unknown, "the policy has been reset meanwhile")
        }
        return Self.json(found)
    }

    private static func json(_ one: C2Server.Policy) -> JSON {
        [
            "type": .text(one.type), "policy": .text(one.policy.rawValue),
            "configured": .optional(one.configured?.rawValue), "set_by": .optional(one.set?.by),
            "set_at": .optional(one.set.map { Words.iso($0.since) }),
        ]
    }
}
