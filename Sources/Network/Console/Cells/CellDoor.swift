import HTTPTypes
import Hummingbird
import Operators

/// Hands on what is meant for another cell, before anything else is looked at.
///
/// Only of who may come in here: whoever has not signed in is answered here, so that nobody reaches another machine by way of this
/// one who could not be told something by it.
struct CellDoor: RouterMiddleware {
    typealias Context = ConsoleContext

    let console: Console
    let pages: CellPages

    /// Holds the name of the cell that a browser looks at.
    static let cookie = "__Host-srup-cell"
    static func cookie(for cell: String) -> String { "\(cookie)=\(cell); Path=/; Secure; HttpOnly; SameSite=Strict" }
    /// What every server answers for itself: sessions are the same everywhere, and each tells of its own machine.
    private static let here = ["/sign-in", "/sign-out", "/cells", "/metrics", "/assets/"]

    func handle(
        _ request: Request, context: ConsoleContext,
        next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        let isProgram = request.headers[.authorization] != nil
        let wanted =
            isProgram ? CellPages.wanted.flatMap { request.headers[$0] } : request.cookie(Self.cookie)
        guard let wanted, wanted != pages.own, !Self.here.contains(where: { path.hasPrefix($0) }),
            let visitor = (try? console.visitor(of: request)) ?? nil
        else { return try await next(request, context) }
        do {
            // Two servers that both mean the other one would go on for ever.
            if CellPages.handedOn.flatMap({ request.headers[$0] }) != nil {
                throw PageError(
                    .misdirectedRequest,
                    "This is the cell \"\(pages.own)\", not \(String(wanted.prefix(20)).debugDescription).",
                    "The cells' addresses are mixed up: look at srup-c2 cell list.")
            }
            guard let cell = pages.cells().first(where: { $0.name == wanted }) else {
                throw PageError(
                    .notFound, "There is no such cell.", "Choose one at /cells; srup-c2 cell list shows them, too.")
            }
            if !request.method.isSafe { context.expectLongRequest() }
            return try await pages.handOn(request, to: cell)
        } catch let error as PageError {
            if isProgram || path.hasPrefix("/api") {
                var problem = APIProblem(error.status == .notFound ? .notFound : .failed, error.words)
                problem.retryAfter = error.retryAfter
                var response = problem.response
                response.status = error.status
                return response
            }
            var context = context
            context.visitor = visitor
            return console.page(error, request, context)
        }
    }
}
