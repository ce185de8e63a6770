import AsyncHTTPClient
import HTTPTypes
import Hummingbird
import Limits
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization

/// The pages of a network's cells: those of each are its own server's, and every server leads to all of them.
///
/// So it does not matter whose pages an operator's browser or a program reaches, be it by way of a load balancer: what is for another
/// cell is handed on to that one's server as it came, and its answer given back. Operators, sessions and tokens are known to all.
public final class CellPages: Service, Sendable {
    /// A cell, as operators are shown it.
    public struct Cell: Sendable, Hashable {
        /// Its name.
        public let name: String
        /// Where its pages are, `HOST:PORT`; `nil`: it has none.
        public let place: String?

        /// - Parameter place: `HOST:PORT`, an IPv6 address in brackets.
        public init(name: String, place: String?) {
            (self.name, self.place) = (name, place)
        }
    }

    /// The cell that is worked here.
    let own: String
    private let list: @Sendable () throws -> [Cell]
    private let client: HTTPClient
    /// For lines that an operator's page causes as often as it asks.
    private let causedLog: BoundedLog
    private let known = Mutex<(cells: [Cell], until: ContinuousClock.Instant)>(([], .now))

    /// So long nobody asks the database again.
    private static let memory = Duration.seconds(2)
    /// An answer must begin after this time; one that comes bit by bit, as events do, may last.
    private static let patience = TimeAmount.seconds(60)

    /// - Parameters:
    ///   - own: the cell that is worked here.
    ///   - authorityFile: the network's authority in PEM, which has signed the certificates of all pages.
    ///   - list: all cells of the network.
    public init(
        own: String, authorityFile: String, logger: Logger, list: @escaping @Sendable () throws -> [Cell]
    ) {
        self.own = own
        self.list = list
        causedLog = BoundedLog(logger)
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(authorityFile)
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(5), read: Self.patience), decompression: .disabled)
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Until the service group shuts down; then nothing is handed on any more.
    public func run() async throws {
        try? await gracefulShutdown()
        try? await client.shutdown()
    }

    /// All cells, by their names; those that were known last while the database does not answer.
    func cells() -> [Cell] {
        let now = ContinuousClock.now
        let last = known.withLock { $0 }
        if now < last.until { return last.cells }
        do {
            let cells = try list().sorted { $0.name < $1.name }
            known.withLock { $0 = (cells, now + Self.memory) }
            return cells
        } catch {
            return last.cells
        }
    }

    // MARK: Handing on

    /// Says in a request that it was handed on, and by which cell: it is not handed on again.
    static let handedOn = HTTPField.Name("SRUP-Handed-On")
    /// By which programs say which cell they mean.
    static let wanted = HTTPField.Name("SRUP-Cell")

    /// What belongs to a connection and not to what is said in it (RFC 9110, 7.6.1).
    private static let ofConnection: Set<String> = [
        "connection", "proxy-connection", "keep-alive", "te", "transfer-encoding", "upgrade", "trailer", "host",
        "expect", "srup-handed-on",
    ]

    /// Asks another cell's pages the same, and gives back what they answer.
    ///
    /// - Throws: ``PageError`` when they cannot be asked.
    func handOn(_ request: Request, to cell: Cell) async throws(PageError) -> Response {
        guard let place = cell.place else {
            throw PageError(
                .badGateway, "The cell \"\(cell.name)\" has no pages.",
                "Set [pages] in its server's c2.toml, or choose another cell at /cells.")
        }
        var asked = HTTPClientRequest(url: "https://\(place)\(request.uri.string)")
        asked.method = .init(rawValue: request.method.rawValue)
        for field in request.headers where !Self.ofConnection.contains(field.name.canonicalName) {
            asked.headers.add(name: field.name.rawName, value: field.value)
        }
        // Forms count by the page that they come from.
        if let host = request.head.authority { asked.headers.add(name: "Host", value: host) }
        asked.headers.add(name: "SRUP-Handed-On", value: own)
        if !request.method.isSafe {
            let length = request.headers[.contentLength].flatMap { Int64($0) }
            asked.headers.remove(name: "Content-Length")
            asked.body = .stream(request.body, length: length.map { .known($0) } ?? .unknown)
        }
        let answer: HTTPClientResponse
        do {
            answer = try await client.execute(asked, deadline: .now() + .hours(24), logger: nil)
        } catch {
            causedLog.log(
                .warning, about: cell.name,
                "the pages of the cell \"\(cell.name)\" at \(place) cannot be asked: \(error)")
            var problem = PageError(
                .badGateway, "The pages of the cell \"\(cell.name)\" at \(place) do not answer.",
                "Look whether its server runs, or choose another cell at /cells.")
            problem.retryAfter = 10
            throw problem
        }
        var response = Response(status: .init(code: Int(answer.status.code)))
        for (name, value) in answer.headers where !Self.ofConnection.contains(name.lowercased()) {
            if let name = HTTPField.Name(name) { response.headers.append(.init(name: name, value: value)) }
        }
        response.body = request.method == .head ? .init() : .init(asyncSequence: answer.body)
        return response
    }
}
