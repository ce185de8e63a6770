import C2
import Foundation
import HTTPTypes
import Hummingbird
import Operators
import Participant
import SRUP

/// Observers, and what they and people have decided.
extension Console {
    func addObservers(to router: Router<ConsoleContext>) {
        router.get("/observers") { request, context in
            let session = try session(context, .look, request)
            var page = try await observersPage(session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        router.post("/observers") { request, context in
            let (form, session) = try await form(request, context, for: "observers", .moderate)
            do {
                guard let id = DeviceID(participant: (form["id"] ?? "").filter { !$0.isWhitespace }) else {
                    throw OperationError.invalid("an identity has 1 to 16 hexadecimal digits in lower case")
                }
                let trusts = form["trust"] == "yes"
                try await server.setTrust(trusts, of: id, by: session.name.text)
                return Response.found("/observers?done=\(trusts ? "trusted" : "distrusted")&id=\(id.hex)")
            } catch let error as OperationError {
                return await answer(try await observersPage(session).saying(PageError(error)), request, context)
            }
        }
        router.get("/observations") { request, context in
            _ = try session(context, .look, request)
            let before = request.uri.queryParameters["before"].flatMap { Int64($0) }
            return await answer(try observationsPage(before: before), request, context)
        }
    }

    private func observersPage(_ session: Session) async throws -> Page {
        let all: [C2Server.ObserverSummary]
        do {
            all = try await server.observers()
        } catch {
            throw PageError(error)
        }
        let verdicts = try stored { try server.store.verdicts() }
        var page = Page(template: "observers", title: "Observers", live: [.device, .join])
        if session.role >= .moderate {
            page.values["moderates"] = true
            page.values["token"] = session.forms.token(for: "observers")
        }
        page.values["rows"] = all.map { one -> [String: Any] in
            let outcomes = verdicts[one.id] ?? [:]
            var values: [String: Any] = [
                "id": one.id.hex, "trust": one.isTrusted ? "trusted" : "not trusted",
                "trustMark": one.isTrusted ? "yes" : "open",
                "state": one.peer?.isJoined == true ? "in the network" : "not in the network",
                "heard": heard(one.peer), "queue": Words.count(one.queue.count, "device"),
                "looks": one.looksAt.prefix(8).map { ["id": $0.hex] },
                "to": one.isTrusted ? "no" : "yes", "button": one.isTrusted ? "Take trust back" : "Trust",
                "verdicts": [C2State.Ending.Outcome.joined, .failed, .refused].compactMap { outcome in
                    outcomes[outcome].map { "\($0) \(Self.words(outcome))" }
                }.joined(separator: ", "),
            ]
            if let note = one.peer?.note { values["note"] = note }
            return values
        }
        return page
    }

    private func observationsPage(before: Int64?) throws -> Page {
        let joins = try stored { try server.store.joins(before: before, limit: Self.rowsOnPage + 1) }
        var page = Page(template: "observations", title: "Observations", live: [.join, .waiting])
        page.values["joins"] = joins.prefix(Self.rowsOnPage).map(join)
        if joins.count > Self.rowsOnPage {
            page.values["more"] = "/observations?before=\(joins[Self.rowsOnPage - 1].id)"
        }
        if before != nil { page.values["first"] = "/observations" }
        return page
    }

    static func words(_ outcome: C2State.Ending.Outcome) -> String {
        switch outcome {
        case .joined: "let in"
        case .failed: "failed"
        case .refused: "told to ask again"
        case .replaced: "asked anew"
        }
    }

    /// A join as a row.
    func join(_ join: C2State.JoinRecord) -> [String: Any] {
        let ending = join.ending
        var values: [String: Any] = [
            "number": String(join.id), "id": join.device.hex, "type": join.type.withoutControls,
            "began": Words.time(join.began), "beganISO": Words.iso(join.began), "tries": String(join.tries),
            "outcome": ending.map { Self.words($0.outcome) } ?? "under way",
            "mark": ending.map { $0.outcome == .joined ? "yes" : $0.outcome == .failed ? "no" : "open" } ?? "open",
            "took": ending.map { Words.span($0.at - join.began) } ?? "", "why": ending?.why ?? "",
        ]
        if let observer = join.observer { values["observer"] = observer.hex }
        if let by = ending?.by { values["by"] = by }
        if let remedy = ending.flatMap({ Self.remedy($0, isObserved: join.way != .human) }) {
            values["remedy"] = remedy
        }
        return values
    }

    /// What to do about a join that has failed.
    private static func remedy(_ ending: C2State.Ending, isObserved: Bool) -> String? {
        guard ending.outcome == .failed else { return nil }
        return isObserved
            ? "Is the device in front of its observer, and does it show its code? Then have it ask again."
            : "Have it ask again when you are with it."
    }

    /// A line of the audit log as a row.
    func line(_ line: ParticipantStore.AuditLine) -> [String: Any] {
        [
            "number": String(line.id), "time": Words.time(line.time), "timeISO": Words.iso(line.time),
            "event": line.event, "detail": line.detail, "by": line.by ?? "",
        ]
    }
}
