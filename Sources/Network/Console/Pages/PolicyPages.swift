import C2
import Foundation
import HTTPTypes
import Hummingbird
import Operators
import Participant
import SRUP

/// How devices come in, and what has happened.
extension Console {
    func addPolicies(to router: Router<ConsoleContext>) {
        router.get("/policies") { request, context in
            let session = try session(context, .look, request)
            var page = try await policiesPage(session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        router.post("/policies") { request, context in
            let (form, session) = try await form(request, context, for: "policies", .administer)
            do {
                let text = form["policy"] ?? ""
                let policy = JoinPolicy(rawValue: text)
                guard policy != nil || text.isEmpty else { throw OperationError.invalid("there is no such policy") }
                try await server.setPolicy(policy, for: form["type"] ?? "", by: session.name.text)
                return Response.found("/policies?done=policy")
            } catch let error as OperationError {
                return await answer(try await policiesPage(session).saying(PageError(error)), request, context)
            }
        }
    }

    private func policiesPage(_ session: Session) async throws -> Page {
        let policies: [C2Server.Policy]
        do {
            policies = try await server.policies()
        } catch {
            throw PageError(error)
        }
        var page = Page(template: "policies", title: "Policies", live: [.policy])
        let isAdministrator = session.role >= .administer
        if isAdministrator {
            page.values["administers"] = true
            page.values["token"] = session.forms.token(for: "policies")
        }
        page.values["all"] = JoinPolicy.allCases.map { ["value": $0.rawValue, "words": $0.words] }
        page.values["rows"] = policies.enumerated().map { index, one -> [String: Any] in
            var values: [String: Any] = [
                "number": String(index), "type": one.type,
                "name": one.type == "*" ? "all other types" : one.type.withoutControls,
                "words": "\(one.policy.rawValue): \(one.policy.words)",
                "source": one.set.map { "\($0.by), \(Words.time($0.since))" } ?? "c2.toml",
                "choices": JoinPolicy.allCases.map {
                    Self.option($0.rawValue, $0.rawValue, here: $0 == one.policy)
                },
            ]
            if one.set != nil { values["set"] = true }
            return values
        }
        return page
    }

    // MARK: Audit

    func addAudit(to router: Router<ConsoleContext>) {
        router.get("/audit") { request, context in
            _ = try session(context, .look, request)
            return await answer(try auditPage(request), request, context)
        }
        router.get("/audit/export") { request, context in
            _ = try session(context, .look, request)
            return try export(request)
        }
    }

    private struct AuditQuery {
        let text: String
        let about: DeviceID?
        let aboutText: String
        let before: Int64?

        init(_ request: Request) {
            let parameters = request.uri.queryParameters
            text = String((parameters["text"] ?? "").prefix(64)).withoutControls
            aboutText = String((parameters["about"] ?? "").prefix(16)).filter { !$0.isWhitespace }
            about = DeviceID(participant: aboutText)
            before = parameters["before"].flatMap { Int64($0) }
        }

        var parameters: [(String, String)] { [("text", text), ("about", about?.hex ?? "")] }
    }

    private func lines(_ query: AuditQuery, _ count: Int) throws(PageError) -> [ParticipantStore.AuditLine] {
        // What is no identity is nobody's.
        if query.about == nil, !query.aboutText.isEmpty { return [] }
        return try stored {
            try server.peers.auditLog(last: count, containing: query.text, about: query.about, before: query.before)
        }
    }

    private func auditPage(_ request: Request) throws -> Page {
        let query = AuditQuery(request)
        let found = try lines(query, Self.rowsOnPage + 1)
        var page = Page(template: "audit", title: "Audit", live: [.device, .join, .waiting, .policy])
        page.values = [
            "text": query.text, "about": query.aboutText, "lines": found.prefix(Self.rowsOnPage).map(line),
            "query": String(Self.address("", query.parameters).dropFirst()),
        ]
        if found.count > Self.rowsOnPage {
            let last = found[Self.rowsOnPage - 1].id
            page.values["more"] = Self.address("/audit", query.parameters + [("before", String(last))])
        }
        if query.before != nil { page.values["first"] = Self.address("/audit", query.parameters) }
        return page
    }

    /// Everything that is kept and looked for, as RFC 4180 has it, a part at a time.
    private func export(_ request: Request) throws -> Response {
        let query = AuditQuery(request)
        let found = try lines(query, 10_000)
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/csv; charset=utf-8",
                .contentDisposition: "attachment; filename=\"audit.csv\"",
            ],
            body: .init { writer in
                try await writer.write(ByteBuffer(string: "number,time,event,about,operator,detail\r\n"))
                for line in found {
                    let fields = [
                        String(line.id), Words.iso(line.time), line.event, line.subject?.hex ?? "", line.by ?? "",
                        line.detail,
                    ]
                    let text = fields.map(Self.csv).joined(separator: ",") + "\r\n"
                    try await writer.write(ByteBuffer(string: text))
                }
                try await writer.finish(nil)
            })
    }

    /// A field of CSV. One that a spreadsheet would take for a formula gets an apostrophe before it.
    static func csv(_ text: String) -> String {
        let safe = text.first.map { "=+-@\t\r".contains($0) } == true ? "'" + text : text
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }
}

extension JoinPolicy {
    /// What it means for devices of its type.
    var words: String {
        switch self {
        case .simple: "whoever says that type is in"
        case .trusted: "in when an operator has named the identity"
        case .observed: "in when a trusted observer has seen it"
        case .severally(let quorum):
            quorum.kinds.isEmpty
                ? "in when \(quorum.count) trusted observers have seen it"
                : "in when trusted observers have seen it: \(quorum)"
        case .human: "in when a person has compared what it shows"
        case .refuse: "never in"
        }
    }
}
