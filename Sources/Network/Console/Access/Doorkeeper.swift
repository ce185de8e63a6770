import Foundation
import HTTPTypes
import Hummingbird
import Operators

/// Finds out who asks, and turns away what a foreign page has sent in an operator's name. Which role something takes is said
/// where it is answered.
struct Doorkeeper: RouterMiddleware {
    typealias Context = ConsoleContext

    let console: Console

    /// Holds the session. The prefix makes the browser take it from this host alone, over TLS, for all paths.
    static let cookie = "__Host-srup"

    func handle(
        _ request: Request, context: ConsoleContext,
        next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        do {
            context.visitor = try console.visitor(of: request)
            if !request.method.isSafe, request.headers[.authorization] == nil, !Self.isOwn(request) {
                throw PageError.foreignForm
            }
            return try await next(request, context)
        } catch let error as PageError {
            return console.page(error, request, context)
        } catch let error as OperatorError {
            return console.page(PageError(error), request, context)
        } catch let error as HTTPError {
            return console.page(PageError(error), request, context)
        }
    }

    /// Whether a form was sent by a page of this server. Browsers say whose page it was, and no page can lie about that.
    static func isOwn(_ request: Request) -> Bool {
        guard let host = request.head.authority else { return false }
        if let origin = request.headers[.origin] { return origin == "https://\(host)" }
        let site = HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] }
        return site == "same-origin"
    }
}

extension Console {
    /// Who sends a request, by a token or a session; `nil`: somebody who has not signed in.
    func visitor(of request: Request) throws(OperatorError) -> Visitor? {
        guard let header = request.headers[.authorization] else {
            guard let text = request.cookie(Doorkeeper.cookie) else { return nil }
            return try operators.session(text, now: now()).map(Visitor.init)
        }
        // Who shows a token is nobody else: its answers are those of a program.
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return try operators.token(String(parts[1]), now: now()).map(Visitor.init)
    }
}

extension HTTPRequest.Method {
    /// Whether it only reads (RFC 9110, 9.2.1).
    var isSafe: Bool { self == .get || self == .head || self == .options }
}

extension Request {
    /// The value of a cookie; `nil` when there is none, or more than one of the name: somebody has planted one.
    func cookie(_ name: String) -> String? {
        var found: [Substring] = []
        for header in headers[values: .cookie] {
            for part in header.split(separator: ";") {
                let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                if pair.count == 2, pair[0] == name { found.append(pair[1]) }
            }
        }
        return found.count == 1 ? String(found[0]) : nil
    }
}

/// What every answer says to a browser: nothing from elsewhere, in no frame, kept nowhere.
struct SafeHeaders: RouterMiddleware {
    typealias Context = ConsoleContext

    private static let fields: [(String, String)] = [
        (
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
                + "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Permissions-Policy", "camera=(self), geolocation=(), microphone=()"),
    ]

    func handle(
        _ request: Request, context: ConsoleContext,
        next: (Request, ConsoleContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        for (name, value) in Self.fields {
            if let name = HTTPField.Name(name) { response.headers[name] = value }
        }
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        return response
    }
}
