import C2
import Foundation
import HTTPTypes
import Hummingbird
import Operators
import Program
import SRUP

/// A page before it is written.
struct Page {
    /// The template of its body.
    let template: String
    let title: String
    /// What its body shows.
    var values: [String: Any] = [:]
    /// Which changes make it out of date.
    var live: [Change.Subject] = []
    /// What did not work: words, and what to do.
    var problems: [(words: String, remedy: String)] = []
    /// What was done, for the top of the page.
    var done: String?
    var status = HTTPResponse.Status.ok
    /// In seconds, when trying again then helps.
    var retryAfter: Int?

    /// The same page, with what did not work at its top.
    func saying(_ problem: PageError) -> Page {
        var page = self
        page.status = problem.status
        page.problems = [(problem.words, problem.remedy)]
        page.retryAfter = problem.retryAfter
        return page
    }
}

/// The pages that the head of each leads to.
private enum Place: CaseIterable {
    case waiting, devices, groups, observers, phone, observations, releases, rollouts, policies, audit, operators

    var path: String { "/\(self)" }
    var name: String { "\(self)".prefix(1).uppercased() + "\(self)".dropFirst() }
    var role: Role {
        switch self {
        case .operators: .administer
        case .phone: .moderate
        default: .look
        }
    }
}

extension Console {
    /// Writes a page for whoever asks.
    func answer(_ page: Page, _ request: Request, _ context: ConsoleContext) async -> Response {
        let waiting = context.visitor?.session == nil ? 0 : await server.waitingCount
        return write(page, request.uri.path, context.visitor?.session, waiting: waiting)
    }

    /// What could not be shown or done, as a page of its own.
    func page(_ error: PageError, _ request: Request, _ context: ConsoleContext) -> Response {
        if error.leadsToSignIn, request.method == .get {
            return signInPage(request, context, next: request.uri.description, error: nil)
        }
        var page = Page(template: "error", title: error.words, status: error.status, retryAfter: error.retryAfter)
        page.values = ["words": error.words, "remedy": error.remedy]
        page.values["back"] = request.method == .get ? "/waiting" : Self.parent(of: request.uri.path)
        if context.visitor?.session != nil { page.values["visitor"] = true }
        return write(page, request.uri.path, context.visitor?.session, waiting: 0)
    }

    /// The page that a form's address belongs to.
    private static func parent(of path: String) -> String {
        let parts = path.split(separator: "/")
        guard let first = parts.first, Place.allCases.contains(where: { "\($0)" == first }) else { return "/waiting" }
        return parts.count > 2 ? "/" + parts.dropLast().joined(separator: "/") : "/\(first)"
    }

    func write(_ page: Page, _ path: String, _ session: Session?, waiting: Int) -> Response {
        var values: [String: Any] = [
            "network": settings.name, "title": page.title, "version": Assets.version, "release": Release.version,
            "body": templates.render(page.template, page.values),
            "live": page.live.map(\.rawValue).joined(separator: " "),
        ]
        if let session {
            values["visitor"] = true
            values["name"] = session.name.text
            if let cells, cells.cells().count > 1 { values["cell"] = cells.own }
            values["outToken"] = session.forms.token(for: "sign-out")
            values["nav"] = Place.allCases.filter { place in
                place.role <= session.role && (place != .phone || phones != nil)
            }.map { place -> [String: Any] in
                var entry: [String: Any] = ["href": place.path, "name": place.name]
                if path == place.path { entry["here"] = true }
                if place == .waiting, waiting > 0 { entry["count"] = String(waiting) }
                return entry
            }
        }
        if let done = page.done { values["done"] = done }
        if !page.problems.isEmpty {
            values["problem"] = true
            values["problems"] = page.problems.map { ["words": $0.words, "remedy": $0.remedy] }
        }
        var response = Response(
            status: page.status, headers: [.contentType: "text/html; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: templates.render("layout", values))))
        if let seconds = page.retryAfter { response.headers[.retryAfter] = String(seconds) }
        return response
    }
}

extension Response {
    /// Leads on to a page of ours after something was done, so that loading again does not do it again.
    static func found(_ path: String) -> Response { Response(status: .seeOther, headers: [.location: path]) }
}

/// Times and spans for people.
enum Words {
    /// `2026-11-29 12:05`, UTC.
    static func time(_ seconds: Double) -> String {
        let text = iso(seconds)
        return String(text.prefix(10)) + " " + text.dropFirst(11).prefix(5)
    }

    /// RFC 3339, UTC.
    static func iso(_ seconds: Double) -> String {
        // Years of four digits, whatever a file or a peer says.
        let bounded = seconds.isFinite ? min(max(seconds, 0), 253_402_300_799) : 0
        return Date(timeIntervalSince1970: bounded.rounded(.down)).formatted(.iso8601)
    }

    /// `3 min ago`.
    static func ago(_ seconds: Double, now: Double) -> String {
        let past = now - seconds
        return past < -60 ? time(seconds) : span(past) + " ago"
    }

    /// `12 s`, `3 min`, `5 h`, `8 days`.
    static func span(_ seconds: Double) -> String {
        let seconds = max(0, seconds)
        switch seconds {
        case ..<0.95: return "\(Int((seconds * 10).rounded()))00 ms".replacingOccurrences(of: "000 ms", with: "0 ms")
        case ..<120: return "\(Int(seconds.rounded())) s"
        case ..<7200: return "\(Int(seconds / 60)) min"
        case ..<172_800: return "\(Int(seconds / 3600)) h"
        default: return "\(Int(min(seconds, 1e12) / 86400)) days"
        }
    }

    /// `1 device`, `2 devices`.
    static func count(_ count: Int, _ one: String, _ more: String? = nil) -> String {
        "\(count) \(count == 1 ? one : more ?? one + "s")"
    }
}
