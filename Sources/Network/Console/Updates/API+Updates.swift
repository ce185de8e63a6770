import C2
import Foundation
import HTTPTypes
import Operators
import SRUP

/// Releases and rollouts for programs.
extension Console {
    var updateRoutes: [APIRoute] { releaseRoutes + rolloutRoutes + steeringRoutes }

    private var releaseRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "releases", "listReleases", .look, "Releases, the newest first",
                query: APIRoute.Parameter.pages, "ReleaseList"
            ) { call in
                let limit = try call.limit()
                let before = try call.numberCursor("releases")
                let found = try server.releases().store.releases(before: before, limit: limit + 1)
                return APIAnswer(
                    found.prefix(limit).map(Self.json),
                    next: found.count > limit ? Cursor("releases", found[limit - 1].number) : nil)
            },
            APIRoute(
                .post, "releases", "addRelease", .administer, "Add a release",
                words: """
                    With `manifest`, or a payload without manifest, as a reference server has it: `sha256`, `type`, `version`, and \
                    `url`, or `size` when the payload is uploaded afterwards. Where a release key is configured, only manifests \
                    that it has signed are taken.
                    """, body: "NewRelease", status: 201, "Release"
            ) { call in
                let release = try newRelease(call)
                audit("added: \(release.version)", release, call.actor)
                return APIAnswer(status: .created, Self.json(release))
            },
            APIRoute(.get, "releases/{number}", "getRelease", .look, "A release", "Release", problems: [.unknown]) {
                call in APIAnswer(Self.json(try release(call)))
            },
            APIRoute(
                .put, "releases/{number}/payload", "uploadPayload", .administer, "Upload the payload of a release",
                words: "The body is the payload itself. It has the size and the SHA-256 that the manifest names.",
                status: 204, problems: [.unknown], isFile: true
            ) { call in
                let release = try release(call)
                guard let request = call.upload else { throw APIProblem(.malformed, "there is no body") }
                try await receive(request, release)
                audit("payload uploaded", release, call.actor)
                return .nothing
            },
            APIRoute(
                .delete, "releases/{number}", "withdrawRelease", .administer, "Withdraw a release",
                words: "Nobody is told of it any more, and its files go.", status: 204, problems: [.unknown]
            ) { call in
                let release = try release(call)
                try await withdraw(release.number, by: call.actor)
                return .nothing
            },
        ]
    }

    private func release(_ call: APICall) throws -> UpdateStore.Release {
        guard let release = try server.releases().store.release(try call.number()) else {
            throw APIProblem(.unknown, "there is no release of this number")
        }
        return release
    }

    private func newRelease(_ call: APICall) throws -> UpdateStore.Release {
        let shelf = try server.releases()
        if let text = try call.optionalText("manifest", 1...4096) {
            try call.onlyMembers("manifest")
            return try shelf.add(manifest: Array(text.utf8), by: call.actor, now: now())
        }
        try call.onlyMembers("url", "size", "sha256", "type", "version")
        let size = call.body["size"] == nil ? nil : try call.integer("size", 1...(1 << 40))
        return try shelf.add(
            bare: try call.optionalText("url", 9...2048), size: size, digest: try call.text("sha256", 64...64),
            type: try call.text("type", 1...64), version: try call.text("version", 1...64), by: call.actor, now: now())
    }

    private static func json(_ release: UpdateStore.Release) -> JSON {
        [
            "number": .integer(release.number), "type": .text(release.type), "version": .text(release.version),
            "url": .text(release.url), "sha256": .text(release.digest), "manifest": .optional(release.manifest),
            "payload_sha256": .text(release.payload), "size": release.size.map { .integer($0) } ?? nil,
            "served_here": .bool(release.file != nil), "complete": .bool(release.isThere),
            "expires": .optional(release.expires.map(Words.iso)), "added": .text(Words.iso(release.added)),
            "by": .text(release.by), "withdrawn": .bool(release.isWithdrawn),
        ]
    }

    // MARK: Rollouts

    private var rolloutRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "rollouts", "listRollouts", .look, "Rollouts, the newest first",
                query: APIRoute.Parameter.pages, "RolloutList"
            ) { call in
                let limit = try call.limit()
                let found = try server.allRollouts(before: try call.numberCursor("rollouts"), limit: limit + 1)
                return APIAnswer(
                    found.prefix(limit).map(Self.json),
                    next: found.count > limit ? Cursor("rollouts", found[limit - 1].number) : nil)
            },
            APIRoute(
                .post, "rollouts", "startRollout", .administer, "Start a rollout",
                words: "Only members of the release's device type are taken. What is left out is as usual.",
                body: "NewRollout", status: 201, "Rollout"
            ) { call in
                let (release, plan) = (try call.integer("release", 1...(.max)), try Self.plan(call))
                let number = try await server.startRollout(of: release, plan, by: call.actor)
                return APIAnswer(status: .created, Self.json(try await server.rollout(number)))
            },
            APIRoute(.get, "rollouts/{number}", "getRollout", .look, "A rollout", "Rollout", problems: [.unknown]) {
                call in APIAnswer(Self.json(try await rollout(call)))
            },
            APIRoute(
                .get, "rollouts/{number}/devices", "listRolloutDevices", .look, "A rollout's devices, in its order",
                query: [
                    .init(
                        name: "phase", words: "Only those that are so far.",
                        schema: ["type": "string", "enum": .array(Self.phases.map { .text($0) })])
                ] + APIRoute.Parameter.pages, "RolloutDeviceList", problems: [.unknown]
            ) { call in
                let limit = try call.limit()
                let after = try call.numberCursor("rollout-devices").map { Int($0) } ?? -1
                let phase = try call.word("phase", Self.phases)
                let all = try await rollout(call).devices
                let found = all.filter { $0.position > after && (phase == nil || $0.phase.rawValue == phase) }
                return APIAnswer(
                    found.prefix(limit).map(Self.json),
                    next: found.count > limit ? Cursor("rollout-devices", found[limit - 1].position) : nil)
            },
        ]
    }

    private static var phases: [String] { RolloutDevice.Phase.allCases.map(\.rawValue) }

    private func rollout(_ call: APICall) async throws -> Rollout {
        let number = try call.number()
        guard let rollout = try? await server.rollout(number) else {
            throw APIProblem(.unknown, "there is no rollout of this number")
        }
        return rollout
    }

    private var steeringRoutes: [APIRoute] {
        [
            steer("pause", "pauseRollout", "Tell nobody to begin any more; those under way go on") {
                try await server.pauseRollout($0, by: $1)
            },
            steer("resume", "resumeRollout", "Go on with a rollout that is paused") {
                try await server.resumeRollout($0, by: $1)
            },
            steer("stop", "stopRollout", "End a rollout for good: whoever has not changed over stays as it is") {
                try await server.stopRollout($0, by: $1)
            },
            steer("take-back", "takeBackRollout", "End a rollout for good, and say which release brings back what was")
            {
                try await server.takeBackRollout($0, by: $1)
            },
        ]
    }

    private func steer(
        _ what: String, _ id: String, _ summary: String,
        _ body: @escaping @Sendable (Int64, String) async throws -> Void
    ) -> APIRoute {
        APIRoute(.post, "rollouts/{number}/\(what)", id, .moderate, summary, "Rollout", problems: [.unknown]) { call in
            let number = try await rollout(call).number
            try await body(number, call.actor)
            return APIAnswer(json(try await server.rollout(number), back: try server.wayBack(number)))
        }
    }

    private func json(_ rollout: Rollout, back: UpdateStore.Release?) -> JSON {
        guard case .object(let members) = Self.json(rollout), let back, rollout.state == .takenBack else {
            return Self.json(rollout)
        }
        return .object(members + [.init(name: "way_back", value: .integer(back.number))])
    }

    private static func plan(_ call: APICall) throws -> RolloutPlan {
        try call.onlyMembers(
            "release", "to", "canary", "shares", "success_share", "failure_share", "failures", "includes_later",
            "under_way", "starts_per_minute", "tries", "download_time", "activation_time", "takes_silence")
        var plan = RolloutPlan(try target(call))
        func number(_ name: String, _ usual: Int, _ range: ClosedRange<Int64>) throws -> Int {
            call.body[name] == nil ? usual : Int(try call.integer(name, range))
        }
        plan.canary = try number("canary", plan.canary, 1...1000)
        if let shares = call.body["shares"] {
            guard case .array(let values) = shares else {
                throw APIProblem.invalid("numbers", pointer: "#/shares")
            }
            plan.shares = values.compactMap { if case .integer(let share) = $0 { Int(exactly: share) } else { nil } }
            guard plan.shares.count == values.count else { throw APIProblem.invalid("numbers", pointer: "#/shares") }
        }
        plan.successShare = try number("success_share", plan.successShare, 1...100)
        plan.failureShare = try number("failure_share", plan.failureShare, 1...100)
        if call.body["failures"] != nil { plan.failures = Int(try call.integer("failures", 1...10_000)) }
        plan.includesLater = try call.optionalBool("includes_later") ?? false
        plan.takesSilence = try call.optionalBool("takes_silence") ?? false
        plan.underWay = try number("under_way", plan.underWay, 1...10_000)
        plan.startsPerMinute = try number("starts_per_minute", plan.startsPerMinute, 1...10_000)
        plan.tries = try number("tries", plan.tries, 1...20)
        plan.downloadTime = Double(try number("download_time", Int(plan.downloadTime), 60...604_800))
        plan.activationTime = Double(try number("activation_time", Int(plan.activationTime), 60...604_800))
        return plan
    }

    private static func target(_ call: APICall) throws(APIProblem) -> RolloutPlan.Target {
        let words = "one of type, group, zone, devices"
        guard case .object(let members)? = call.body["to"], members.count == 1, let member = members.first else {
            throw .invalid(words, pointer: "#/to")
        }
        let target: RolloutPlan.Target?
        switch (member.name, member.value) {
        case ("type", .text(let text)), ("group", .text(let text)), ("zone", .text(let text)):
            target = RolloutPlan.Target(kind: member.name, text: text)
        case ("devices", .array(let values)):
            let devices = values.compactMap { value in
                if case .text(let text) = value { DeviceID(participant: text) } else { nil }
            }
            target = devices.count == values.count && !devices.isEmpty ? .list(devices) : nil
        default: throw .invalid(words, pointer: "#/to")
        }
        guard let target else { throw .invalid(words, pointer: "#/to/\(member.name)") }
        return target
    }

    static func json(_ rollout: Rollout) -> JSON {
        let plan = rollout.plan
        return [
            "number": .integer(rollout.number), "release": .integer(rollout.release),
            "version": .text(rollout.version),
            "target": ["kind": .text(plan.target.kind), "name": .text(plan.target.text)],
            "state": .text(rollout.state.rawValue), "step": .count(rollout.step),
            "step_devices": .count(rollout.stepSize), "why": .text(rollout.why),
            "devices": .object(
                RolloutDevice.Phase.allCases.map { .init(name: $0.rawValue, value: .count(rollout.count($0))) }),
            "created": .text(Words.iso(rollout.created)), "by": .text(rollout.by),
            "ended": .optional(rollout.ended.map(Words.iso)),
            "plan": [
                "canary": .count(plan.canary), "shares": .array(plan.shares.map { .count($0) }),
                "success_share": .count(plan.successShare), "failure_share": .count(plan.failureShare),
                "failures": plan.failures.map { .count($0) } ?? nil, "includes_later": .bool(plan.includesLater),
                "under_way": .count(plan.underWay), "starts_per_minute": .count(plan.startsPerMinute),
                "tries": .count(plan.tries), "download_time": .count(Int(plan.downloadTime)),
                "activation_time": .count(Int(plan.activationTime)), "takes_silence": .bool(plan.takesSilence),
            ],
        ]
    }

    private static func json(_ device: RolloutDevice) -> JSON {
        [
            "device": .text(device.id.hex), "position": .count(device.position), "phase": .text(device.phase.rawValue),
            "tries": .count(device.tries), "since": .text(Words.iso(device.since)),
            "status": .optional(device.status?.description), "proof": .optional(device.proof?.rawValue),
            "why": .text(device.why),
        ]
    }
}
