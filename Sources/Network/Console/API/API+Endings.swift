import C2
import Foundation
import KeyService
import SRUP

/// Identities that end for good.
extension Console {
    var endingRoutes: [APIRoute] {
        [
            APIRoute(
                .post, "devices/{device}/call", "callToJoin", .moderate,
                "Tell a device to ask to be let in (JOIN_COMMAND)",
                words: "Its policy decides when it asks. One that is away is told when it comes back.", status: 202,
                "Sent",
                problems: [.unknown]
            ) { call in
                let id = try call.device()
                try await server.callToJoin(id, by: call.actor)
                return APIAnswer(status: .accepted, ["device": .text(id.hex), "sent": "call"])
            },
            APIRoute(
                .post, "devices/{device}/deregister", "deregister", .moderate, "End an identity for good",
                words: """
                    The device is told and removes its keys if it obeys; its certificates are revoked, the broker closes its \
                    connection within a second, and nobody gets its name again. There is no way back. `ended/{device}` says \
                    when the broker has closed the connection.
                    """, status: 202, "Sent", problems: [.hasEnded]
            ) { call in
                let id = try call.device()
                try await server.deregister(id, by: call.actor)
                return APIAnswer(status: .accepted, ["device": .text(id.hex), "sent": "deregister"])
            },
            APIRoute(
                .get, "ended", "listEnded", .look, "The identities that have ended, in the order in which they did",
                query: APIRoute.Parameter.pages, "EndedList"
            ) { call in
                let limit = try call.limit()
                let after = try Self.identity(try call.cursor("ended"))
                let found = try reading { try identities.ended(after: after, limit: limit + 1) }
                return APIAnswer(
                    found.prefix(limit).map(Self.json),
                    next: found.count > limit ? Cursor("ended", found[limit - 1].id.hex) : nil)
            },
            APIRoute(
                .get, "ended/{device}", "getEnded", .look, "An identity that has ended", "Ended", problems: [.unknown]
            ) { call in APIAnswer(Self.json(try ended(call))) },
            APIRoute(
                .get, "ended/{device}/receipt", "getReceipt", .look,
                "The release receipt of an identity that has ended",
                words: """
                    Signed by the network's authority, for whoever takes the device over: it has ended, none of its certificates \
                    counts, and nobody gets its name again. Not before the broker has closed its connection.
                    """, "Receipt", problems: [.unknown, .notYet]
            ) { call in
                let ended = try ended(call)
                guard let folder = settings.folder else {
                    throw APIProblem(.unknown, "the authority's key is not here: srup-c2 receipt \(ended.id)")
                }
                guard ended.closed != nil else {
                    throw APIProblem(.notYet, "the broker has not confirmed yet that its connection is closed")
                }
                let receipt = try reading { try Authority(folder: folder).receipt(for: ended) }
                return APIAnswer(["device": .text(ended.id.hex), "receipt": .text(receipt.description)])
            },
        ]
    }

    private func ended(_ call: APICall) throws(APIProblem) -> KeyServiceState.Ended {
        let id = try call.device()
        guard let found = try reading({ try identities.ended(id) }) else {
            throw APIProblem(.unknown, "\(id) has not ended")
        }
        return found
    }

    private static func json(_ ended: KeyServiceState.Ended) -> JSON {
        [
            "device": .text(ended.id.hex), "type": .text(ended.type.withoutControls),
            "ended": .text(Words.iso(ended.since)), "why": .text(ended.why.withoutControls),
            "by": .optional(ended.by?.withoutControls), "closed": .optional(ended.closed.map(Words.iso)),
            "keys_removed": .bool(ended.isConfirmed),
        ]
    }
}
