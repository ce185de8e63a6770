import C2
import COpenSSL
import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import Limits
import Operators
import Program
import Synchronization

/// What the API keeps while the server runs.
final class APIState: Sendable {
    let answers = IdempotencyTable()
    let time: Timekeeper
    private let budget: Mutex<SenderBudget<Int64>>
    private let counts = Mutex<[Count: UInt64]>([:])

    /// What is counted together.
    struct Count: Hashable {
        /// Of the route; "other" for what is none.
        let operation: String
        let status: Int
    }

    /// - Parameter callsPerSecond: of one token, in the long run; ten times as many at once.
    init(callsPerSecond: Double, time: Timekeeper = .monotonic) {
        self.time = time
        budget = Mutex(SenderBudget(burst: callsPerSecond * 10, perSecond: callsPerSecond, maximum: 10_000))
    }

    /// Takes one call from a token's budget; after how many seconds there is one when there is none now.
    func take(_ token: Int64) -> Int? {
        let now = time.now()
        return budget.withLock { budget in
            if budget.take(token, at: now) { return nil }
            return max(1, Int((budget.wait(token, at: now) / .seconds(1)).rounded(.up)))
        }
    }

    func count(_ operation: String, _ status: Int) {
        counts.withLock { $0[Count(operation: operation, status: status), default: 0] += 1 }
    }

    /// How many were answered, by operation and status.
    var counted: [Count: UInt64] { counts.withLock { $0 } }
}

/// Answers everything below `/api`, and what programs ask for elsewhere, before any page is looked at. A session's cookie
/// counts for nothing here, so that no page elsewhere can do anything with it.
struct APIDoor: RouterMiddleware {
    typealias Context = ConsoleContext

    let console: Console
    private let routes: [APIRoute]
    private let document: [UInt8]

    /// Larger bodies are refused, in bytes.
    static let maximumBody = 64 << 10
    /// Where the document is.
    static let documentPath = "/api/openapi.json"
    private static let base = ["api", "v1"]

    init(console: Console) {
        self.console = console
        routes = console.apiRoutes
        document = OpenAPI.document(routes, name: console.settings.name).bytes
    }

    func handle(
        _ request: Request, context: ConsoleContext,
        next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        let isOurs = path == "/api" || path.hasPrefix("/api/") || path == "/metrics"
        guard isOurs || path == "/events" && request.headers[.authorization] != nil else {
            return try await next(request, context)
        }
        var operation = "other"
        var response: Response
        do {
            response = try await answer(request, context, path, &operation)
        } catch let error as PageError {
            var problem = APIProblem(error.status == .tooManyRequests ? .tooMany : .failed, error.words)
            problem.retryAfter = error.retryAfter
            response = problem.response
        } catch {
            let problem = APIProblem(error)
            if problem.code == .failed { console.logger.error("the API could not do \(operation): \(error)") }
            response = problem.response
        }
        console.api.count(operation, response.status.code)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(
        _ request: Request, _ context: ConsoleContext, _ path: String, _ operation: inout String
    ) async throws -> Response {
        switch path {
        case Self.documentPath:
            operation = "document"
            try only(.get, request)
            return Response(
                status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-cache"],
                body: .init(byteBuffer: ByteBuffer(bytes: document)))
        case "/metrics":
            operation = "metrics"
            try only(.get, request)
            _ = try token(request, .look)
            return Response(
                status: .ok, headers: [.contentType: Metrics.contentType],
                body: .init(byteBuffer: ByteBuffer(string: await console.metrics())))
        case "/events":
            operation = "events"
            guard request.method == .get else { throw APIProblem(.methodNotAllowed, "GET it").allowing("GET") }
            let visitor = Visitor(try token(request, .look))
            try checkWishes(request)
            return try console.events(request, visitor, hasConnection: context.hasConnection)
        default: return try await dispatch(request, context, path, &operation)
        }
    }

    /// A program that misspells what it wants to hear would wait for it for ever.
    private func checkWishes(_ request: Request) throws(APIProblem) {
        let known = [
            "kinds": Occurrence.Kind.allCases.map(\.rawValue) + ["all"],
            "subjects": Change.Subject.allCases.map(\.rawValue) + ["all"],
        ]
        let parameters = known.keys.map { APIRoute.Parameter(name: $0, words: "", schema: [:]) }
        for (name, value) in try query(request, parameters) {
            for word in value.split(separator: ",") where known[name]?.contains(String(word)) != true {
                throw .invalid("one or more of \(known[name]?.joined(separator: ",") ?? "")", parameter: name)
            }
        }
    }

    private func only(_ method: HTTPRequest.Method, _ request: Request) throws(APIProblem) {
        guard request.method == method || method == .get && request.method == .head else {
            throw Self.notAllowed([method])
        }
    }

    private static func notAllowed(_ methods: [HTTPRequest.Method]) -> APIProblem {
        let all = methods.map(\.rawValue) + (methods.contains(.get) ? ["HEAD"] : [])
        return APIProblem(.methodNotAllowed, "look at \(documentPath)").allowing(all.sorted().joined(separator: ", "))
    }

    private func dispatch(
        _ request: Request, _ context: ConsoleContext, _ path: String, _ operation: inout String
    ) async throws -> Response {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            .map { $0.removingPercentEncoding }
        let plain = parts.compactMap { $0 }
        guard plain.count == parts.count else { throw APIProblem(.malformed, "the path is not encoded rightly") }
        let found =
            Array(plain.prefix(2)) == Self.base
            ? routes.compactMap { route in route.match(Array(plain.dropFirst(2))).map { (route, $0) } } : []
        guard !found.isEmpty else { throw APIProblem(.notFound, "look at \(Self.documentPath)") }
        let method = request.method == .head ? .get : request.method
        guard let (route, values) = found.first(where: { $0.0.method == method }) else {
            throw Self.notAllowed(found.map(\.0.method))
        }
        operation = route.id
        let token = try token(request, route.role)
        let (body, raw) = try await body(request, route)
        var call = APICall(token: token, path: values, query: try query(request, route.query), body: body)
        if route.isFile {
            context.expectLongRequest()
            call.upload = request
        }
        guard route.method == .post, let key = try idempotencyKey(request) else {
            return try await route.act(call).response
        }
        return try await once(key, route, call, Self.fingerprint(request, raw))
    }

    // MARK: Who

    /// - Throws: ``APIProblem``, ``OperatorError``.
    private func token(_ request: Request, _ role: Role) throws -> AccessToken {
        let headers = request.headers[values: .authorization]
        guard headers.count == 1 else {
            throw APIProblem(.unauthenticated, "show a token as Authorization: Bearer srup_...")
        }
        let parts = headers[0].split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            let token = try console.operators.token(
                parts[1].trimmingCharacters(in: .whitespaces), now: console.now())
        else { throw APIProblem(.unauthenticated, "the token is none, or does not count any more") }
        if let seconds = console.api.take(token.number) {
            var problem = APIProblem(.tooMany, "this token has asked too often; try again in \(seconds) s")
            problem.retryAfter = seconds
            throw problem
        }
        guard token.role >= role else { throw APIProblem.role(role, has: token.role) }
        return token
    }

    // MARK: What

    private func query(
        _ request: Request, _ parameters: [APIRoute.Parameter]
    ) throws(APIProblem) -> [String: String] {
        guard let form = Form(request.uri.query ?? "") else {
            throw APIProblem(.malformed, "the query is not encoded rightly")
        }
        var found: [String: String] = [:]
        for name in form.names(beginning: "") {
            let values = form.all(name)
            let shown = String(name.prefix(64))
            guard parameters.contains(where: { $0.name == name }) else {
                throw .invalid("there is no such parameter", parameter: shown)
            }
            guard values.count == 1 else { throw .invalid("it was given twice", parameter: shown) }
            guard !values[0].unicodeScalars.contains("\0") else {
                throw .invalid("it holds a character that no text has", parameter: shown)
            }
            found[name] = values[0]
        }
        for parameter in parameters where parameter.isRequired && found[parameter.name] == nil {
            throw .invalid("it is missing", parameter: parameter.name)
        }
        return found
    }

    private func body(_ request: Request, _ route: APIRoute) async throws(APIProblem) -> (JSON, [UInt8]) {
        let empty = JSON.object([])
        guard route.body != nil else { return (empty, []) }
        let type = (request.headers[.contentType] ?? "").prefix { $0 != ";" }
            .trimmingCharacters(in: .whitespaces).lowercased()
        guard type == "application/json" else {
            throw APIProblem(.unsupportedMediaType, "send the body as application/json")
        }
        let collected: ByteBuffer?
        do {
            collected = try await request.collected(atMost: Self.maximumBody)
        } catch {
            throw APIProblem(.malformed, "the body did not come whole")
        }
        guard let collected else {
            throw APIProblem(.tooLarge, "a body has \(Self.maximumBody) bytes at most")
        }
        let bytes = Array(collected.readableBytesView)
        do {
            let body = try JSON(bytes)
            guard case .object = body else { throw APIProblem.invalid("the body is an object", pointer: "") }
            return (body, bytes)
        } catch let error as JSONError {
            throw APIProblem(.malformed, "the body is no JSON: \(error.words) (byte \(error.offset))")
        } catch let error as APIProblem {
            throw error
        } catch {
            throw APIProblem(error)
        }
    }

    // MARK: Once

    private static let keyHeader = HTTPField.Name("Idempotency-Key")

    private func idempotencyKey(_ request: Request) throws(APIProblem) -> String? {
        let keys = Self.keyHeader.map { request.headers[values: $0] } ?? []
        guard let key = keys.first else { return nil }
        guard keys.count == 1, (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .invalid("a key has 1 to 255 visible ASCII characters", parameter: "Idempotency-Key") }
        return key
    }

    private static func fingerprint(_ request: Request, _ body: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let whole = Array("\(request.uri.path)?\(request.uri.query ?? "")\n".utf8) + body
        _ = SHA256(whole, whole.count, &digest)
        return digest
    }

    private func once(
        _ key: String, _ route: APIRoute, _ call: APICall, _ fingerprint: [UInt8]
    ) async throws -> Response {
        let (table, number) = (console.api.answers, call.token.number)
        switch table.begin(number, key, fingerprint, now: console.api.time.now()) {
        case .fresh: break
        case .reused: throw APIProblem(.keyReused, "use a new key for each request, and the same only to repeat one")
        case .underWay:
            var problem = APIProblem(.keyInUse, "wait for its answer")
            problem.retryAfter = 1
            throw problem
        case .answered(.secret):
            throw APIProblem(.secretNotRepeated, "make a new one if the answer was lost")
        case .answered(.problem(let problem)): throw problem
        case .answered(.answer(let answer)): return answer.response
        }
        do {
            let answer = try await route.act(call)
            table.end(number, key, answer.isSecret ? .secret : .answer(answer))
            return answer.response
        } catch {
            let problem = APIProblem(error)
            let isFinal = problem.code != .failed && problem.code != .tooMany
            table.end(number, key, isFinal ? .problem(problem) : nil)
            throw error
        }
    }
}
