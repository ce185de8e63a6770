import Hummingbird
import Synchronization

/// Counts requests to the key service, for monitoring. Safe to use from several threads.
public final class RequestTally: Sendable {
    /// What is counted together.
    public struct Count: Sendable, Hashable {
        /// The part of the path that says what is wanted; "other" for what is none.
        public let step: String
        /// HTTP's.
        public let status: Int
    }

    /// Strangers make up paths.
    private static let steps: Set<String> = [
        "status", "register", "validate", "access", "c2", "get_key", "get_type", "c2_check",
    ]
    private let counts = Mutex<[Count: UInt64]>([:])

    func count(_ path: String, _ status: Int) {
        let parts = path.split(separator: "/").map(String.init)
        // KeyEx/register/STEP, or v4/KeyEx/register/STEP.
        let rest = parts.first == "v4" ? parts.dropFirst() : parts[...]
        let step = rest.starts(with: ["KeyEx", "register"]) ? rest.dropFirst(2).first : nil
        if parts.first == "releases" { return count(as: "releases", status) }
        let known = step.flatMap { Self.steps.contains($0) ? $0 : nil } ?? "other"
        count(as: known, status)
    }

    private func count(as step: String, _ status: Int) {
        counts.withLock { $0[Count(step: step, status: status), default: 0] += 1 }
    }

    /// How many there were of each since the start.
    public var counted: [Count: UInt64] { counts.withLock { $0 } }
}

/// Counts what is answered.
struct CountRequests: RouterMiddleware {
    typealias Context = KeyServiceContext

    let tally: RequestTally

    func handle(
        _ request: Request, context: KeyServiceContext,
        next: (Request, KeyServiceContext) async throws -> Response
    ) async throws -> Response {
        do {
            let response = try await next(request, context)
            tally.count(request.uri.path, response.status.code)
            return response
        } catch {
            tally.count(request.uri.path, (error as? HTTPError)?.status.code ?? 500)
            throw error
        }
    }
}
