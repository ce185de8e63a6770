import C2
import Foundation
import SRUP

/// Where observers stand and devices are to be, and roll calls.
extension Console {
    var zoneRoutes: [APIRoute] {
        [
            APIRoute(
                .put, "observers/{device}/zones/{zone}", "serveZone", .moderate,
                "Let an observer serve a zone, beside those that it serves",
                words: "It is asked about devices that belong there; observers in no zone look at devices in none.",
                status: 204, problems: [.unknown]
            ) { call in
                let (observer, zone) = (try call.device(), try call.zone())
                let zones = try reading { try server.store.zones()[observer] ?? [] }
                try await server.setZones(zones.union([zone]), of: observer, by: call.actor)
                return .nothing
            },
            APIRoute(
                .delete, "observers/{device}/zones/{zone}", "leaveZone", .moderate, "Let an observer leave a zone",
                status: 204, problems: [.unknown]
            ) { call in
                let (observer, zone) = (try call.device(), try call.zone())
                let zones = try reading { try server.store.zones()[observer] ?? [] }
                try await server.setZones(zones.subtracting([zone]), of: observer, by: call.actor)
                return .nothing
            },
            APIRoute(
                .put, "devices/{device}/zone/{zone}", "setZone", .moderate, "Say in which zone a device is to be",
                words: "Before what its invitation and its type say.", status: 204, problems: [.unknown]
            ) { call in
                try await server.setZone(try call.zone(), of: try call.device(), by: call.actor)
                return .nothing
            },
            APIRoute(
                .delete, "devices/{device}/zone", "resetZone", .moderate, "Go back to the zone of a device's type",
                status: 204, problems: [.unknown]
            ) { call in
                try await server.setZone(nil, of: try call.device(), by: call.actor)
                return .nothing
            },
            APIRoute(
                .post, "devices/{device}/rollcall", "callRoll", .moderate, "Have a device show itself again",
                words: """
                    It is sent a fresh nonce, and observers look. What comes of it is among the joins (kind "roll call"), and \
                    an occurrence.
                    """, status: 202, "Sent", problems: [.unknown]
            ) { call in
                let id = try call.device()
                try await server.callRoll(of: id, by: call.actor)
                return APIAnswer(status: .accepted, ["device": .text(id.hex), "sent": "rollcall"])
            },
            APIRoute(
                .get, "missing", "listMissing", .look,
                "The devices that were not seen at their last roll call, the latest first",
                words: "The first 1,000.", "MissingList"
            ) { _ in
                let found = try await server.missing(limit: 1000)
                return APIAnswer(found.map(Self.json), next: nil)
            },
        ]
    }

    private static func json(_ one: C2State.Presence) -> JSON {
        [
            "device": .text(one.device.hex), "type": .text(one.type.withoutControls),
            "last_seen": .text(Words.iso(one.seen)), "tried": .text(Words.iso(one.tried)),
            "failures": .count(one.failures), "why": .optional(one.why),
        ]
    }
}
