import C2
import Foundation
import HTTPTypes
import Hummingbird
import Operators
import SRUP
import ValueForms

/// Who wants in, and the decision.
extension Console {
    /// How many are on one page: each has a form of its own.
    private static let waitingOnPage = 20

    func addWaiting(to router: Router<ConsoleContext>) {
        router.get("/waiting") { request, context in
            let session = try session(context, .look, request)
            let after = request.uri.queryParameters["after"].flatMap { DeviceID(participant: String($0)) }
            let done = doneWords(request)
            return await answer(try await waitingPage(session, after: after, done: done), request, context)
        }
        router.post("/waiting") { request, context in try await decideSeveral(request, context) }
        router.get("/waiting/:id") { request, context in
            let session = try session(context, .moderate, request)
            return await answer(try await comparePage(try identity(context), session), request, context)
        }
        router.post("/waiting/:id") { request, context in try await decideByComparing(request, context) }
    }

    /// The identity in a path.
    ///
    /// - Throws: ``PageError``.
    func identity(_ context: ConsoleContext) throws(PageError) -> DeviceID {
        guard let id = context.parameters.get("id").flatMap({ DeviceID(participant: $0) }) else {
            throw .notFound("such identity")
        }
        return id
    }

    /// What was done, as the address of a page says it; only words of ours.
    func doneWords(_ request: Request) -> String? {
        guard let done = request.uri.queryParameters["done"] else { return nil }
        let id = request.uri.queryParameters["id"].flatMap { DeviceID(participant: String($0)) }?.hex ?? "It"
        let count = request.uri.queryParameters["count"].flatMap { Int($0) }.map { min(max($0, 0), 1000) } ?? 0
        switch done {
        case "in": return "\(id) is let in."
        case "out": return "\(id) is not let in."
        case "several-in": return "\(Words.count(count, "device")) let in."
        case "several-out": return "\(Words.count(count, "device")) refused."
        case "note": return "The note is kept."
        case "sent": return "It is sent to \(id)."
        case "group-sent": return "It is sent to the group."
        case "group-in": return "\(id) is in the group."
        case "group-out": return "\(id) is not in the group any more."
        case "group-gone": return "The group is no more."
        case "ended-identity": return "The identity \(id) ends."
        case "rolled": return "\(id) is to show itself; what comes of it is under Observations."
        case "zone": return "The zone is set."
        case "zones": return "The zones of \(id) are set."
        case "called": return "\(id) is asked to come in."
        case "removed": return "\(id) is put out."
        case "trusted": return "\(id) may vouch for devices."
        case "distrusted": return "\(id) may not vouch any more."
        case "policy": return "The policy is set."
        case "release": return "The release is added."
        case "payload": return "The payload is here."
        case "withdrawn": return "The release is withdrawn."
        case "rollout": return "The rollout is started."
        case "rollout-pause": return "The rollout is paused."
        case "rollout-resume": return "The rollout goes on."
        case "rollout-stop": return "The rollout is stopped."
        case "rollout-take-back": return "The rollout is taken back."
        case "role": return "The role is set."
        case "ended": return "The session is ended."
        case "changed": return "It is changed."
        case "password": return "Your password is changed; you are signed out everywhere else."
        default: return nil
        }
    }

    private func waitingPage(
        _ session: Session, after: DeviceID?, done: String? = nil
    ) async throws -> Page {
        let waiting: [C2Server.Waiting]
        do {
            waiting = try await server.waiting(after: after, limit: Self.waitingOnPage + 1)
        } catch {
            throw PageError(error)
        }
        var page = Page(template: "waiting", title: "Waiting", live: [.waiting], done: done)
        let rows = waiting.prefix(Self.waitingOnPage)
        page.values["rows"] = rows.map(card)
        page.values["letters"] = "three"
        if session.role >= .moderate {
            page.values["moderates"] = true
            page.values["token"] = session.forms.token(for: "decide")
            page.values["after"] = after?.hex ?? ""
        }
        if rows.count > 1 { page.values["several"] = true }
        if rows.isEmpty { page.values["none"] = true }
        if waiting.count > rows.count, let last = rows.last {
            page.values["more"] = "/waiting?after=\(last.device.hex)"
        }
        if after != nil { page.values["first"] = "/waiting" }
        return page
    }

    private func card(_ waiting: C2Server.Waiting) -> [String: Any] {
        let now = now()
        var values: [String: Any] = [
            "id": waiting.device.hex, "type": waiting.type.withoutControls, "ticket": String(waiting.ticket),
            "since": Words.time(waiting.since) + " (" + Words.ago(waiting.since, now: now) + ")",
            "sinceISO": Words.iso(waiting.since), "tries": String(waiting.tries),
            "requests": waiting.requests >= 50 ? "50 or more" : String(waiting.requests),
            "known": known(waiting.device),
            "question": waiting.question.enumerated().map { index, place in
                ["index": String(index), "place": String(place + 1)]
            },
        ]
        if waiting.wouldBeTrusted { values["trusted"] = true }
        if let note = waiting.note { values["note"] = note }
        return values
    }

    /// What the key service knows of an identity.
    func known(_ id: DeviceID) -> String {
        guard let entry = try? identities.registration(id) else { return "not registered here" }
        var words = "registered \(Words.time(entry.registered))"
        words += entry.certified == nil ? ", no certificate" : ""
        words += entry.joined.map { ", first let in \(Words.time($0))" } ?? ", never let in before"
        return words
    }

    // MARK: By words

    private func decideSeveral(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let (form, session) = try await form(request, context, for: "decide", .moderate)
        let order = (form["do"] ?? "").split(separator: ":", maxSplits: 1).map(String.init)
        let only = order.count == 2 ? DeviceID(participant: order[1]) : nil
        guard order.count == 1 || only != nil else { throw PageError.notFound("such device") }
        var chosen: [DeviceID]
        switch order.first {
        case "approve": chosen = only.map { [$0] } ?? typed(form)
        case "refuse": chosen = only.map { [$0] } ?? form.all("chosen").compactMap { DeviceID(participant: $0) }
        default: throw PageError(.badRequest, "It was not said what to do.", "Load the page again and repeat.")
        }
        chosen = chosen.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        var problems: [(String, String)] = []
        if chosen.isEmpty {
            problems = [
                order.first == "approve"
                    ? ("No words were typed.", "Type the first three letters of the words that are asked for.")
                    : ("Nothing was chosen.", "Choose those that you want to refuse.")
            ]
        }
        var count = 0
        for id in chosen {
            do {
                if order.first == "approve" {
                    try await approve(id, form, session)
                } else {
                    try await server.refuse(id, ticket: ticket(form["ticket-\(id.hex)"]), by: session.name.text)
                }
                count += 1
            } catch let error as OperationError {
                let page = PageError(error)
                problems.append(("\(id.hex): " + page.words, page.remedy))
            } catch let error as PageError {
                problems.append(("\(id.hex): " + error.words, error.remedy))
            }
        }
        let wentIn = order.first == "approve"
        guard problems.isEmpty else {
            let after = DeviceID(participant: form["after"] ?? "")
            var page = try await waitingPage(session, after: after)
            page.status = .unprocessableContent
            page.problems = problems.map { (words: $0.0, remedy: $0.1) }
            if count > 0 { page.done = "\(Words.count(count, "device")) \(wentIn ? "let in" : "refused")." }
            return await answer(page, request, context)
        }
        if let first = chosen.first, chosen.count == 1 {
            return Response.found("/waiting?done=\(wentIn ? "in" : "out")&id=\(first.hex)")
        }
        return Response.found("/waiting?done=several-\(wentIn ? "in" : "out")&count=\(count)")
    }

    /// The devices of which words were typed.
    private func typed(_ form: Form) -> [DeviceID] {
        form.names(beginning: "word-").compactMap { name in
            form.all(name).contains { !$0.allSatisfy(\.isWhitespace) }
                ? DeviceID(participant: String(name.dropFirst(5))) : nil
        }
    }

    private func approve(_ id: DeviceID, _ form: Form, _ session: Session) async throws {
        let words = form.all("word-\(id.hex)")
        // An answer that is not whole counts as none: it tells nothing.
        guard words.count == C2Server.questionCount,
            words.allSatisfy({ $0.filter(\.isLetter).count >= ValueWords.letters })
        else {
            throw PageError(
                .unprocessableContent, "Not all words were typed.",
                "Type the first three letters of each word that is asked for.")
        }
        try await server.approve(
            id, ticket: ticket(form["ticket-\(id.hex)"]), .words(words.map { String($0.prefix(64)) }),
            by: session.name.text)
    }

    /// 0 is no value's.
    private func ticket(_ text: String?) -> UInt64 { text.flatMap { UInt64($0) } ?? 0 }

    // MARK: Side by side

    private func comparePage(_ id: DeviceID, _ session: Session) async throws -> Page {
        let found: C2Server.Waiting?
        do {
            found = try await server.waiting(id)
        } catch {
            throw PageError(error)
        }
        guard let waiting = found else { throw PageError(.ended(id)) }
        var page = Page(template: "compare", title: "Compare \(id.hex)", live: [.waiting])
        page.values = [
            "id": id.hex, "type": waiting.type.withoutControls, "ticket": String(waiting.ticket),
            "token": session.forms.token(for: "compare"),
        ]
        waiting.value.withBytes { value in
            page.values["words"] = ValueWords.words(of: value).map { ["word": $0] }
            page.values["hex"] = ValueHex.text(of: value)
            for form in [ValueForm.colours, .mono, .eink] {
                page.values[form.rawValue] = form.picture(of: value)?.svg(
                    title: "The value of \(id.hex) as a picture; use the words if you do not see it")
            }
        }
        return page
    }

    private func decideByComparing(_ request: Request, _ context: ConsoleContext) async throws -> Response {
        let id = try identity(context)
        let (form, session) = try await form(request, context, for: "compare", .moderate)
        let ticket = ticket(form["ticket"])
        do {
            switch form["do"] {
            case "approve":
                guard form["compared"] == "yes" else {
                    var page = try await comparePage(id, session)
                    page.status = .unprocessableContent
                    page.problems = [
                        ("You have not said that you have compared.", "Look at the device, then tick the box.")
                    ]
                    return await answer(page, request, context)
                }
                try await server.approve(id, ticket: ticket, .sideBySide, by: session.name.text)
                return Response.found("/waiting?done=in&id=\(id.hex)")
            case "refuse":
                try await server.refuse(id, ticket: ticket, by: session.name.text)
                return Response.found("/waiting?done=out&id=\(id.hex)")
            default: throw PageError(.badRequest, "It was not said what to do.", "Load the page again and repeat.")
            }
        } catch let error as OperationError {
            throw PageError(error)
        }
    }
}
