import C2

/// What the document says of releases and rollouts.
extension OpenAPI {
    static var updateSchemas: [(String, JSON)] {
        [
            ("Release", release), ("NewRelease", newRelease), ("Rollout", rollout), ("NewRollout", newRollout),
            ("RolloutDevice", device),
        ]
            + [("ReleaseList", "Release"), ("RolloutList", "Rollout"), ("RolloutDeviceList", "RolloutDevice")].map {
                ($0, list($1))
            }
    }

    private static let digest: JSON = ["type": "string", "pattern": "^[0-9a-f]{64}$"]
    private static let version: JSON = ["type": "string", "minLength": 1, "maxLength": 64]

    private static func number(_ range: ClosedRange<Int>, usual: Int? = nil) -> JSON {
        var members: [JSON.Member] = [
            .init(name: "type", value: "integer"), .init(name: "minimum", value: .count(range.lowerBound)),
            .init(name: "maximum", value: .count(range.upperBound)),
        ]
        if let usual { members.append(.init(name: "default", value: .count(usual))) }
        return .object(members)
    }

    private static let release = object([
        ("number", count), ("type", text), ("version", version), ("url", text), ("sha256", digest),
        ("manifest", optionalText), ("payload_sha256", digest), ("size", ["type": ["integer", "null"]]),
        ("served_here", flag), ("complete", flag), ("expires", optionalTime), ("added", time), ("by", text),
        ("withdrawn", flag),
    ])

    private static let newRelease = object(
        [
            ("manifest", ["type": "string", "minLength": 1, "maxLength": 4096]),
            ("url", ["type": "string", "minLength": 9, "maxLength": 2048, "pattern": "^https://"]),
            ("size", ["type": "integer", "minimum": 1, "maximum": .integer(1 << 40)]), ("sha256", digest),
            ("type", reference("DeviceType")), ("version", version),
        ], optional: ["manifest", "url", "size", "sha256", "type", "version"],
        extra: [("oneOf", [["required": ["manifest"]], ["required": ["sha256", "type", "version"]]])])

    private static let phases = RolloutDevice.Phase.allCases.map(\.rawValue)

    private static func plan(_ usual: RolloutPlan?) -> [(String, JSON)] {
        [
            ("canary", number(1...1000, usual: usual?.canary)),
            (
                "shares",
                [
                    "type": "array", "minItems": 1, "maxItems": .count(RolloutPlan.maximumShares),
                    "items": number(1...100),
                    "description": "In percent of all devices, each more than the one before; the last is 100.",
                ]
            ), ("success_share", number(1...100, usual: usual?.successShare)),
            ("failure_share", number(1...100, usual: usual?.failureShare)),
            (
                "failures",
                usual == nil
                    ? ["type": ["integer", "null"]] : number(1...RolloutPlan.maximumDevices)
            ), ("includes_later", flag), ("under_way", number(1...10_000, usual: usual?.underWay)),
            ("starts_per_minute", number(1...10_000, usual: usual?.startsPerMinute)),
            ("tries", number(1...20, usual: usual?.tries)),
            ("download_time", number(60...604_800, usual: usual.map { Int($0.downloadTime) })),
            ("activation_time", number(60...604_800, usual: usual.map { Int($0.activationTime) })),
            ("takes_silence", flag),
        ]
    }

    private static let rollout = object(
        [
            ("number", count), ("release", count), ("version", version),
            ("target", object([("kind", words(["type", "group", "zone", "list"])), ("name", text)])),
            ("state", words(Rollout.State.allCases.map(\.rawValue))), ("step", count), ("step_devices", count),
            ("why", text), ("devices", object(phases.map { ($0, count) })), ("created", time), ("by", text),
            ("ended", optionalTime), ("plan", object(plan(nil))),
            ("way_back", ["type": "integer", "description": "The release that brings back what was before."]),
        ], optional: ["way_back"])

    private static var newRollout: JSON {
        let all = plan(RolloutPlan(.type("*")))
        return object(
            [
                ("release", ["type": "integer", "minimum": 1, "maximum": .integer(.max)]),
                (
                    "to",
                    object(
                        [
                            ("type", reference("DeviceType")), ("group", ["type": "string", "minLength": 1]),
                            ("zone", ["type": "string", "minLength": 1, "maxLength": 64]),
                            (
                                "devices",
                                [
                                    "type": "array", "minItems": 1, "maxItems": .count(RolloutPlan.maximumDevices),
                                    "items": reference("Identity"),
                                ]
                            ),
                        ], optional: ["type", "group", "zone", "devices"],
                        extra: [("minProperties", 1), ("maxProperties", 1)])
                ),
            ] + all, optional: all.map(\.0))
    }

    private static let device = object([
        ("device", reference("Identity")), ("position", count), ("phase", words(phases)), ("tries", count),
        ("since", time), ("status", optionalText),
        ("proof", ["type": ["string", "null"], "enum": ["answer", "identification", "unconfirmed", nil]]),
        ("why", text),
    ])
}
