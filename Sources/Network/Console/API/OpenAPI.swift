import C2
import Operators
import Program
import SRUP

/// The document of what programs can ask for (OpenAPI 3.1), made from the routes and the schemas below.
enum OpenAPI {
    static func document(_ routes: [APIRoute], name: String) -> JSON {
        [
            "openapi": "3.1.0",
            "info": [
                "title": "SRUP C2 server", "version": .text(Release.version),
                "summary": .text("Look at a SRUP network and decide who comes in: \(name)"),
                "description": .text(introduction),
                "license": ["name": "MIT", "identifier": "MIT"],
            ],
            "servers": [["url": "/"]], "security": [["token": []]],
            "tags": .array(tags.map { ["name": .text($0), "description": .text($1)] }),
            "paths": .object(paths(routes)),
            "components": [
                "securitySchemes": [
                    "token": [
                        "type": "http", "scheme": "bearer",
                        "description": "A token of an operator: `srup-c2 token add`, or the page of one's account.",
                    ]
                ],
                "schemas": .object(schemas.map { .init(name: $0, value: $1) }),
                "responses": .object(
                    APIProblem.Code.allCases.reduce(into: [Int]()) {
                        if !$0.contains($1.status.code) { $0.append($1.status.code) }
                    }.sorted().map { .init(name: "Problem\($0)", value: problem($0)) }),
            ],
        ]
    }

    private static let introduction = """
        Tokens have roles: *look* sees everything but what concerns operators, *moderate* lets devices in and out and sends to \
        them, *administer* sets policies and operators, too. A cookie counts for nothing here.

        Lists come in pages: ask again with `cursor` = `next` until `next` is null. A POST with an `Idempotency-Key` that is \
        sent again within a day is not done again: its answer is repeated. Errors are problem documents (RFC 9457), whose \
        `type` says what went wrong. Members and parameters that are not in this document are refused. Times are RFC 3339, UTC.
        """

    private static let tags = [
        ("network", "The network, and what has happened in it"), ("waiting", "Who waits for a person"),
        ("devices", "Devices and observers that are known"), ("ended", "Identities that have ended for good"),
        ("commands", "What devices were told, and their answers"), ("groups", "Groups of devices"),
        ("observers", "Who may vouch for devices"),
        ("joins", "Joins under way and ended"), ("policies", "How devices come in"), ("audit", "Who has done what"),
        ("operators", "Who may sign in; their sessions and tokens"),
        ("releases", "What devices can be updated to"), ("rollouts", "Releases on their way to devices"),
        ("streams", "Changes and occurrences as they come"),
    ]

    // MARK: Paths

    private static func paths(_ routes: [APIRoute]) -> [JSON.Member] {
        var paths: [(pattern: String, operations: [JSON.Member])] = []
        for route in routes {
            let member = JSON.Member(name: route.method.rawValue.lowercased(), value: operation(route))
            if let index = paths.firstIndex(where: { $0.pattern == route.pattern }) {
                paths[index].operations.append(member)
            } else {
                paths.append((route.pattern, [member]))
            }
        }
        return paths.map { .init(name: "/api/v1" + $0.pattern, value: .object($0.operations)) } + others
    }

    private static func tag(_ route: APIRoute) -> String {
        guard case .word(let first) = route.path.first else { return "network" }
        return first == "occurrences" ? "network" : first
    }

    private static func operation(_ route: APIRoute) -> JSON {
        var members: [JSON.Member] = [
            .init(name: "operationId", value: .text(route.id)), .init(name: "tags", value: [.text(tag(route))]),
            .init(name: "summary", value: .text(route.summary)),
            .init(
                name: "description",
                value: .text((route.words.map { $0 + "\n\n" } ?? "") + "Takes the role *\(route.role.rawValue)*.")),
            .init(name: "parameters", value: .array(parameters(route))),
        ]
        if let body = route.body {
            members.append(
                .init(
                    name: "requestBody",
                    value: ["required": true, "content": ["application/json": ["schema": reference(body)]]]))
        }
        if route.isFile {
            members.append(
                .init(
                    name: "requestBody", value: ["required": true, "content": ["application/octet-stream": [:]]]))
        }
        members.append(.init(name: "responses", value: .object(answers(route))))
        return .object(members)
    }

    private static func parameters(_ route: APIRoute) -> [JSON] {
        var found: [JSON] = route.path.compactMap { segment in
            guard case .value(let name) = segment else { return nil }
            let schema: JSON =
                switch name {
                case "device": reference("Identity")
                case "group": reference("GroupName")
                case "zone": reference("ZoneName")
                case "number": ["type": "integer", "minimum": 1, "maximum": .integer(.max)]
                default: reference("OperatorName")
                }
            return ["name": .text(name), "in": "path", "required": true, "schema": schema]
        }
        found += route.query.map {
            [
                "name": .text($0.name), "in": "query", "required": .bool($0.isRequired), "description": .text($0.words),
                "schema": $0.schema,
            ]
        }
        if route.method == .post {
            found.append([
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "Names this request: sent again, it is not done again.",
                "schema": ["type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"],
            ])
        }
        return found
    }

    private static func answers(_ route: APIRoute) -> [JSON.Member] {
        let words = route.success.schema == nil ? "Done." : "Done; what it is now."
        var success: [JSON.Member] = [.init(name: "description", value: .text(words))]
        if let schema = route.success.schema {
            success.append(.init(name: "content", value: ["application/json": ["schema": reference(schema)]]))
        }
        var codes = Set([400, 401, 403, 422, 429, 500] + route.problems.map(\.status.code))
        if route.body != nil { codes.formUnion([413, 415]) }
        if route.method == .post { codes.insert(409) }
        if route.path.contains(where: { if case .value = $0 { true } else { false } }) { codes.insert(404) }
        return [.init(name: String(route.success.status), value: .object(success))]
            + codes.sorted().map {
                .init(name: String($0), value: ["$ref": .text("#/components/responses/Problem\($0)")])
            }
    }

    static func reference(_ schema: String) -> JSON { ["$ref": .text("#/components/schemas/\(schema)")] }

    private static func problem(_ status: Int) -> JSON {
        let titles = APIProblem.Code.allCases.filter { $0.status.code == status }.map {
            "`\($0.rawValue)`: \($0.title)."
        }
        var members: [JSON.Member] = [.init(name: "description", value: .text(titles.joined(separator: " ")))]
        func header(_ name: String, _ words: String, _ schema: JSON) -> JSON.Member {
            .init(
                name: "headers",
                value: .object([.init(name: name, value: ["description": .text(words), "schema": schema])]))
        }
        switch status {
        case 401, 403:
            members.append(header("WWW-Authenticate", "How to show a token.", ["type": "string"]))
        case 405: members.append(header("Allow", "What can be done.", ["type": "string"]))
        case 429: members.append(header("Retry-After", "In seconds.", ["type": "integer"]))
        default: break
        }
        members.append(.init(name: "content", value: ["application/problem+json": ["schema": reference("Problem")]]))
        return .object(members)
    }

    private static var others: [JSON.Member] {
        func problems(_ codes: Int...) -> [JSON.Member] {
            codes.map { .init(name: String($0), value: ["$ref": .text("#/components/responses/Problem\($0)")]) }
        }
        func text(_ type: String, _ words: String) -> JSON.Member {
            .init(
                name: "200",
                value: [
                    "description": .text(words),
                    "content": .object([.init(name: type, value: ["schema": ["type": "string"]])]),
                ])
        }
        return [
            .init(
                name: "/metrics",
                value: [
                    "get": [
                        "operationId": "getMetrics", "tags": ["network"],
                        "summary": "How the server is doing, for Prometheus",
                        "description": "Takes the role *look*.",
                        "responses": .object(
                            [text("text/plain", "Prometheus' text format, 0.0.4.")] + problems(401, 403, 429, 500)),
                    ]
                ]),
            .init(
                name: "/events",
                value: [
                    "get": [
                        "operationId": "getEvents", "tags": ["streams"],
                        "summary": "Changes and occurrences as they come (server-sent events)",
                        "description": .text(
                            """
                            An occurrence has its number as `id`, its kind as `event` and the schema Occurrence as `data`; after a \
                            pause `Last-Event-ID` has the rest sent. A change (`event: change`) only says what is out of date. \
                            Without `kinds` and `subjects` both are sent. Takes the role *look*.
                            """),
                        "parameters": [
                            [
                                "name": "kinds", "in": "query",
                                "description": "Which occurrences, with commas between; `all`.",
                                "schema": ["type": "string"],
                            ],
                            [
                                "name": "subjects", "in": "query",
                                "description": "Which changes, with commas between; `all`.",
                                "schema": ["type": "string"],
                            ],
                            [
                                "name": "Last-Event-ID", "in": "header",
                                "description": "The last occurrence that was heard.",
                                "schema": ["type": "string"],
                            ],
                        ],
                        "responses": .object(
                            [text("text/event-stream", "A stream that lasts for 15 minutes at most.")]
                                + problems(400, 401, 403, 422, 429, 500)),
                    ]
                ]),
            .init(
                name: "/api/openapi.json",
                value: [
                    "get": [
                        "operationId": "getDocument", "tags": ["network"], "summary": "This document", "security": [],
                        "responses": [
                            "200": [
                                "description": "This document.",
                                "content": ["application/json": ["schema": ["type": "object"]]],
                            ]
                        ],
                    ]
                ]),
        ]
    }

    // MARK: Schemas

    static let time: JSON = ["type": "string", "format": "date-time"]
    static let optionalTime: JSON = ["type": ["string", "null"], "format": "date-time"]
    static let text: JSON = ["type": "string"]
    static let optionalText: JSON = ["type": ["string", "null"]]
    static let count: JSON = ["type": "integer", "minimum": 0]
    static let flag: JSON = ["type": "boolean"]

    static func words(_ words: [String]) -> JSON {
        ["type": "string", "enum": .array(words.map { .text($0) })]
    }

    static func object(
        _ members: [(String, JSON)], optional: [String] = [], extra: [(String, JSON)] = []
    ) -> JSON {
        .object(
            [
                .init(name: "type", value: "object"), .init(name: "additionalProperties", value: false),
                .init(
                    name: "required",
                    value: .array(members.map(\.0).filter { !optional.contains($0) }.map { .text($0) })),
                .init(name: "properties", value: .object(members.map { .init(name: $0, value: $1) })),
            ] + extra.map { .init(name: $0, value: $1) })
    }

    static func list(_ schema: String) -> JSON {
        object([
            ("items", ["type": "array", "maxItems": .count(APICall.maximumLimit), "items": reference(schema)]),
            (
                "next",
                ["type": ["string", "null"], "description": "The cursor of the next page; null: this is the last."]
            ),
        ])
    }

    private static let waiting: [(String, JSON)] = [
        ("device", reference("Identity")), ("type", text), ("since", time), ("tries", count), ("requests", count),
        (
            "ticket",
            ["type": "string", "pattern": "^[0-9]{1,20}$", "description": "Stands for the value, in a decision."]
        ),
        (
            "question",
            [
                "type": "array", "minItems": .count(C2Server.questionCount), "maxItems": .count(C2Server.questionCount),
                "items": ["type": "integer", "minimum": 1, "maximum": 11],
                "description": "Which of the eleven words a person is asked for.",
            ]
        ), ("would_be_trusted", flag), ("note", optionalText),
    ]

    private static let device: [(String, JSON)] = [
        ("device", reference("Identity")), ("type", optionalText), ("state", words(["in", "out", "waiting"])),
        ("last_heard", optionalTime), ("program", optionalText), ("protocol_version", optionalText),
        ("note", optionalText),
    ]

    private static let roles = words(Role.allCases.map(\.rawValue))
    private static let policies: JSON = [
        "type": "string", "maxLength": 64,
        "pattern":
            "^(simple|trusted|observed|human|refuse|observed by ([2-5]( with [a-z ]+)?|(camera|tap|person)( and (camera|tap|person)){1,4}))$",
        "description":
            "As srup-c2 policy takes it: \"observed\", \"observed by 2\", \"observed by camera and tap\" and so on.",
    ]
    private static let ticket: JSON = ["type": "string", "pattern": "^[0-9]{1,20}$"]
    private static let note: JSON = ["type": "string", "maxLength": 500]

    private static var schemas: [(String, JSON)] {
        plain + requests + updateSchemas + [
            ("Waiting", object(waiting)),
            (
                "WaitingWithValue",
                object(
                    waiting + [
                        (
                            "value",
                            object([
                                ("hex", ["type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"]),
                                ("words", ["type": "array", "items": text, "minItems": 11, "maxItems": 11]),
                            ])
                        )
                    ], optional: ["value"])
            ),
            (
                "DeviceRow", object(device)
            ),
            (
                "Device",
                object(
                    device + [
                        (
                            "admitted_by",
                            [
                                "type": ["string", "null"],
                                "description": "simple, observed, observed by 2 and the like, human or trusted.",
                            ]
                        ),
                        ("key_fingerprint", optionalText), ("trusted", flag), ("registered", optionalTime),
                        ("first_joined", optionalTime),
                    ])
            ),
            (
                "Observer",
                object([
                    ("device", reference("Identity")), ("trusted", flag), ("in_network", flag),
                    ("last_heard", optionalTime), ("places", count),
                    ("looks_at", ["type": "array", "items": reference("Identity")]), ("queue_length", count),
                    ("verdicts", object([("joined", count), ("failed", count), ("refused", count)])),
                    ("note", optionalText),
                ])
            ),
            (
                "Join",
                object([
                    ("number", count), ("device", reference("Identity")), ("type", text),
                    ("kind", words(C2State.JoinRecord.Way.allCases.map(\.rawValue))),
                    ("observer", ["oneOf": [reference("Identity"), ["type": "null"]]]), ("began", time),
                    ("tries", count),
                    (
                        "ending",
                        [
                            "oneOf": [
                                ["type": "null"],
                                object([
                                    ("outcome", words(C2State.Ending.Outcome.allCases.map(\.rawValue))), ("why", text),
                                    ("by", optionalText), ("at", time),
                                ]),
                            ]
                        ]
                    ),
                ])
            ),
            (
                "Policy",
                object([
                    ("type", reference("DeviceType")), ("policy", policies),
                    ("configured", ["oneOf": [policies, ["type": "null"]]]), ("set_by", optionalText),
                    ("set_at", optionalTime),
                ])
            ),
            (
                "Missing",
                object([
                    ("device", reference("Identity")), ("type", text), ("last_seen", time), ("tried", time),
                    ("failures", count), ("why", optionalText),
                ])
            ),
            (
                "AuditLine",
                object([
                    ("number", count), ("time", time), ("event", text), ("detail", text),
                    ("about", ["oneOf": [reference("Identity"), ["type": "null"]]]), ("by", optionalText),
                ])
            ),
            (
                "Command",
                object([
                    ("number", count), ("device", reference("Identity")),
                    ("group", ["oneOf": [reference("GroupName"), ["type": "null"]]]),
                    ("kind", words(["action", "data", "identify"])), ("detail", text), ("by", text), ("sent", time),
                    ("answered", optionalTime),
                    (
                        "status",
                        ["type": ["string", "null"], "description": "The answer, by the protocol's own name."]
                    ),
                ])
            ),
            (
                "Value",
                object([
                    ("name", text), ("value", optionalText),
                    ("value_base64", ["type": "string", "contentEncoding": "base64"]), ("received", time),
                    (
                        "count",
                        [
                            "type": ["integer", "null"], "minimum": 1,
                            "description": "How many of this name have come; null where several of one name are told.",
                        ]
                    ),
                ])
            ),
            ("GroupRow", object([("group", reference("GroupName")), ("size", count)])),
            (
                "Group",
                object([
                    ("group", reference("GroupName")),
                    ("members", ["type": "array", "items": reference("Identity")]),
                ])
            ),
            (
                "Ended",
                object([
                    ("device", reference("Identity")), ("type", text), ("ended", time), ("why", text),
                    ("by", optionalText), ("closed", optionalTime), ("keys_removed", flag),
                ])
            ),
            ("Occurrence", occurrence),
            (
                "OccurrenceList",
                object([
                    ("items", ["type": "array", "items": reference("Occurrence")]),
                    ("last", ["type": "integer", "minimum": 0, "description": "`after` of the next request."]),
                ])
            ),
            (
                "Operator",
                object([
                    ("name", reference("OperatorName")), ("role", roles), ("disabled", flag), ("created", time),
                    ("password_set", time), ("sessions", count), ("tokens", count),
                ])
            ),
            ("Session", object([("number", count), ("place", text), ("created", time), ("used", time)])),
            (
                "Token",
                object([
                    ("number", count), ("label", text), ("role", roles), ("created", time),
                    ("last_used_day", ["type": ["string", "null"], "format": "date"]), ("expires", optionalTime),
                ])
            ),
        ]
            + [
                ("WaitingList", "Waiting"), ("DeviceList", "DeviceRow"), ("ObserverList", "Observer"),
                ("JoinList", "Join"),
                ("PolicyList", "Policy"), ("AuditList", "AuditLine"), ("OperatorList", "Operator"),
                ("SessionList", "Session"), ("TokenList", "Token"), ("CommandList", "Command"), ("ValueList", "Value"),
                ("GroupList", "GroupRow"), ("EndedList", "Ended"), ("MissingList", "Missing"),
            ].map { ($0, list($1)) }
    }

    private static let occurrence = object(
        [
            ("id", count), ("time", time), ("kind", words(Occurrence.Kind.allCases.map(\.rawValue))),
            ("device", reference("Identity")), ("type", optionalText),
            ("outcome", words(C2State.Ending.Outcome.allCases.map(\.rawValue))), ("why", text), ("by", text),
            ("observer", reference("Identity")),
        ], optional: ["outcome", "why", "by", "observer"])

    private static let plain: [(String, JSON)] = [
        (
            "Identity",
            [
                "type": "string", "pattern": "^[1-9a-f][0-9a-f]{0,15}$",
                "description": "Of a device, an observer or a server: hexadecimal, without zeros ahead.",
            ]
        ),
        ("DeviceType", ["type": "string", "pattern": "^[ -~]{1,64}$"]),
        ("OperatorName", ["type": "string", "pattern": "^[a-z0-9][a-z0-9._@-]{0,31}$"]),
        ("ZoneName", ["type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"]),
        ("GroupName", ["type": "string", "pattern": "^[a-z0-9-]{1,32}$"]),
        (
            "Problem",
            object(
                [
                    (
                        "type",
                        [
                            "type": "string", "format": "uri",
                            "enum": .array(APIProblem.Code.allCases.map { .text("urn:srup:problem:\($0.rawValue)") }),
                        ]
                    ), ("title", text), ("status", count), ("detail", text),
                    (
                        "errors",
                        [
                            "type": "array",
                            "items": object(
                                [("pointer", text), ("parameter", text), ("detail", text)],
                                optional: ["pointer", "parameter"]),
                            "description": "Which members of the body (JSON pointers) or parameters.",
                        ]
                    ), ("tries_left", count),
                ], optional: ["errors", "tries_left"])
        ),
        (
            "Network",
            object([
                ("name", text), ("server", reference("Identity")), ("release", text), ("key_service", text),
                ("broker_connected", flag), ("members", count), ("known", count), ("waiting", count),
                ("operator", reference("OperatorName")), ("role", roles), ("token", count),
            ])
        ),
        ("Decision", object([("device", reference("Identity")), ("decision", words(["approved", "refused"]))])),
        (
            "Sent",
            object([
                ("device", reference("Identity")),
                ("sent", words(["action", "data", "identify", "call", "deregister", "rollcall"])),
            ])
        ),
        (
            "SentToGroup",
            object([
                ("group", reference("GroupName")), ("sent", words(["action", "data"])),
                (
                    "command",
                    ["type": "integer", "minimum": 1, "description": "The number of the first one's command."]
                ),
                ("devices", ["type": "array", "items": reference("Identity")]),
            ])
        ),
        (
            "Receipt",
            object([
                ("device", reference("Identity")),
                ("receipt", ["type": "string", "description": "The file that `srup receipt` checks."]),
            ])
        ),
        ("Password", object([("name", reference("OperatorName")), ("password", text)])),
        (
            "NewTokenShown",
            object([("number", count), ("token", ["type": "string", "pattern": "^srup_[A-Za-z0-9_-]{43}$"])])
        ),
    ]

    private static let requests: [(String, JSON)] = [
        (
            "Approval",
            object(
                [
                    ("ticket", ticket),
                    (
                        "words",
                        [
                            "type": "array", "minItems": .count(C2Server.questionCount),
                            "maxItems": .count(C2Server.questionCount),
                            "items": ["type": "string", "pattern": "^[A-Za-z]{3,64}$"],
                        ]
                    ), ("compared", ["const": true]), ("note", note),
                ], optional: ["words", "compared", "note"],
                extra: [("oneOf", [["required": ["words"]], ["required": ["compared"]]])])
        ),
        ("Refusal", object([("ticket", ticket), ("note", note)], optional: ["note"])),
        ("Note", object([("note", note)])),
        ("Action", object([("action", ["type": "integer", "minimum": 0, "maximum": 255])])),
        (
            "Data",
            object(
                [
                    ("name", ["type": "string", "minLength": 1, "maxLength": 255]),
                    ("value", ["type": "string", "maxLength": 4096]),
                    (
                        "value_base64",
                        [
                            "type": "string", "maxLength": 5464, "contentEncoding": "base64",
                            "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
                        ]
                    ),
                    ("type", words(["known", "int", "float"] + DataType.allCases.map(\.rawValue))),
                ], optional: ["value", "value_base64", "type"],
                extra: [
                    ("oneOf", [["required": ["value"]], ["required": ["value_base64"]]]),
                    ("dependentRequired", ["type": ["value"]]),
                ])
        ),
        ("NewPolicy", object([("type", reference("DeviceType")), ("policy", policies)])),
        ("NewOperator", object([("name", reference("OperatorName")), ("role", roles)])),
        (
            "OperatorChange",
            object(
                [("role", roles), ("disabled", flag)], optional: ["role", "disabled"], extra: [("minProperties", 1)])
        ),
        (
            "NewToken",
            object(
                [
                    ("label", ["type": "string", "minLength": 1, "maxLength": 64]), ("role", roles),
                    ("days", ["type": "integer", "minimum": 1, "maximum": 3650, "default": 365]),
                ], optional: ["days"])
        ),
    ]
}
