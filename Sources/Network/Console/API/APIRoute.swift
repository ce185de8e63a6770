import HTTPTypes
import Operators

/// One thing that programs can ask for, with what the OpenAPI document says of it: the two cannot differ.
struct APIRoute: Sendable {
    /// A parameter of the query.
    struct Parameter: Sendable {
        let name: String
        let words: String
        let schema: JSON
        var isRequired = false
    }

    let method: HTTPRequest.Method
    /// Below `/api/v1`; `{device}` stands for something.
    let path: [Segment]
    /// Names it for programs that are generated.
    let id: String
    let role: Role
    let summary: String
    var words: String?
    var query: [Parameter] = []
    /// The schema of the body; `nil`: there is none.
    var body: String?
    /// The status and the schema of what is answered when it is done; no schema: nothing.
    let success: (status: Int, schema: String?)
    /// What else may be answered, besides what may be answered to everything.
    var problems: [APIProblem.Code] = []
    /// The body is a file of any size, which is taken as it comes.
    let isFile: Bool
    let act: @Sendable (APICall) async throws -> APIAnswer

    enum Segment: Sendable, Hashable {
        case word(String)
        case value(String)
    }

    init(
        _ method: HTTPRequest.Method, _ path: String, _ id: String, _ role: Role, _ summary: String,
        words: String? = nil, query: [Parameter] = [], body: String? = nil, status: Int = 200, _ schema: String? = nil,
        problems: [APIProblem.Code] = [], isFile: Bool = false,
        act: @escaping @Sendable (APICall) async throws -> APIAnswer
    ) {
        self.method = method
        self.path = path.split(separator: "/").map { part in
            part.hasPrefix("{") ? .value(String(part.dropFirst().dropLast())) : .word(String(part))
        }
        self.id = id
        self.role = role
        self.summary = summary
        self.words = words
        self.query = query
        self.body = body
        success = (status, schema)
        self.problems = problems
        self.isFile = isFile
        self.act = act
    }

    /// As it stands in the document.
    var pattern: String {
        path.map { segment in
            switch segment {
            case .word(let word): "/" + word
            case .value(let name): "/{\(name)}"
            }
        }.joined()
    }

    /// What the values in its path are; `nil` when it is another path.
    func match(_ parts: [String]) -> [String: String]? {
        guard parts.count == path.count else { return nil }
        var values: [String: String] = [:]
        for (segment, part) in zip(path, parts) {
            switch segment {
            case .word(let word): guard word == part else { return nil }
            case .value(let name): values[name] = part
            }
        }
        return values
    }
}

extension APIRoute.Parameter {
    /// Those of every list that has pages.
    static let pages: [APIRoute.Parameter] = [
        .init(
            name: "limit", words: "How many items at most.",
            schema: [
                "type": "integer", "minimum": 1, "maximum": .count(APICall.maximumLimit),
                "default": .count(APICall.usualLimit),
            ]),
        .init(
            name: "cursor", words: "`next` of the page before; its content is no promise.",
            schema: ["type": "string", "maxLength": 200]),
    ]

    static func device(_ words: String) -> APIRoute.Parameter {
        .init(name: "device", words: words, schema: ["$ref": "#/components/schemas/Identity"])
    }
}
