import C2
import Foundation
import HTTPTypes
import Hummingbird
import Linux
import Operators
import Participant
import SRUP
import Storage

/// All that is known of devices, and what can be done to one.
extension Console {
    static let rowsOnPage = 50

    func addDevices(to router: Router<ConsoleContext>) {
        router.get("/devices") { request, context in
            _ = try session(context, .look, request)
            return await answer(try await devicesPage(request), request, context)
        }
        router.get("/devices/:id") { request, context in
            let session = try session(context, .look, request)
            var page = try await devicePage(try identity(context), session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        add("note", done: "note", to: router) { id, form, name in
            try await server.note(form["note"] ?? "", about: id, by: name)
        }
        add("action", done: "sent", to: router) { id, form, name in
            let action = try await server.actionNumber(form["action"] ?? "", of: id)
            _ = try await server.sendAction(action, to: id, by: name)
        }
        add("data", done: "sent", to: router) { id, form, name in
            let dataName = form["name"] ?? ""
            let value = try await server.wire(form["value"] ?? "", named: dataName, as: nil, for: id)
            _ = try await server.sendData(dataName, value: value, to: id, by: name)
        }
        add("identify", done: "sent", to: router) { id, _, name in try await server.askIdentification(of: id, by: name)
        }
        add("remove", done: "removed", to: router) { id, form, name in
            guard form["sure"] == "yes" else { throw OperationError.invalid("you have not said that you are sure") }
            try await server.remove(id, by: name)
        }
        add("deregister", done: "ended-identity", to: router) { id, form, name in
            guard form["sure"] == "yes" else { throw OperationError.invalid("you have not said that you are sure") }
            try await server.deregister(id, by: name)
        }
        add("call", done: "called", to: router) { id, _, name in try await server.callToJoin(id, by: name) }
        add("trust", done: "trusted", to: router) { id, _, name in try await server.setTrust(true, of: id, by: name) }
        add("distrust", done: "distrusted", to: router) { id, _, name in
            try await server.setTrust(false, of: id, by: name)
        }
    }

    /// Something that can be done to a device, from its page.
    private func add(
        _ what: String, done: String, to router: Router<ConsoleContext>,
        _ body: @escaping @Sendable (DeviceID, Form, _ by: String) async throws -> Void
    ) {
        router.post("/devices/:id/\(RouterPath(stringLiteral: what))") { request, context in
            let id = try identity(context)
            let (form, session) = try await form(request, context, for: "device-\(what)", .moderate)
            do {
                try await body(id, form, session.name.text)
                return Response.found("/devices/\(id.hex)?done=\(done)&id=\(id.hex)")
            } catch let error as OperationError {
                let problem = PageError(error)
                guard case .invalid = error else { throw problem }
                return await answer(try await devicePage(id, session).saying(problem), request, context)
            }
        }
    }

    // MARK: All of them

    private func devicesPage(_ request: Request) async throws -> Page {
        let parameters = request.uri.queryParameters
        var query = ParticipantStore.PeerQuery()
        query.text = String((parameters["text"] ?? "").prefix(64)).withoutControls
        query.type = parameters["type"].map(String.init).flatMap { $0.isEmpty ? nil : $0 }
        query.after = parameters["after"].flatMap { DeviceID(participant: String($0)) }
        let state = parameters["state"] ?? ""
        switch state {
        case "in": query.isJoined = true
        case "out": query.isJoined = false
        default: break
        }
        let store = server.peers
        let (found, total, types) = try stored {
            (
                try store.peers(query, limit: Self.rowsOnPage + 1), try store.countPeers(query),
                try store.types().map(\.type)
            )
        }
        let waiting = await server.waitingIDs()
        var page = Page(template: "devices", title: "Devices", live: [.device, .waiting])
        page.values["text"] = query.text
        page.values["states"] = [("", "All"), ("in", "In the network"), ("out", "Not in the network")].map {
            value, name in
            Self.option(value, name, here: value == state)
        }
        page.values["types"] = types.prefix(500).map { Self.option($0, $0, here: $0 == query.type) }
        page.values["total"] = Words.count(total, "device") + (query.text.isEmpty ? "" : " like that")
        page.values["rows"] = found.prefix(Self.rowsOnPage).map { row($0, isWaiting: waiting.contains($0.id)) }
        if found.count > Self.rowsOnPage {
            page.values["more"] = Self.address(
                "/devices",
                [
                    ("text", query.text), ("state", String(state)), ("type", query.type ?? ""),
                    ("after", found[Self.rowsOnPage - 1].id.hex),
                ])
        }
        if query.after != nil {
            page.values["first"] = Self.address(
                "/devices", [("text", query.text), ("state", String(state)), ("type", query.type ?? "")])
        }
        return page
    }

    static func option(_ value: String, _ name: String, here: Bool) -> [String: Any] {
        var option: [String: Any] = ["value": value, "name": name]
        if here { option["here"] = true }
        return option
    }

    /// An address with parameters, without those that are empty.
    static func address(_ path: String, _ parameters: [(String, String)]) -> String {
        let parts = parameters.filter { !$0.1.isEmpty }.map { "\($0.0)=\(escaped($0.1))" }
        return parts.isEmpty ? path : path + "?" + parts.joined(separator: "&")
    }

    /// For one value in a query.
    static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }

    private func row(_ peer: ParticipantStore.Peer, isWaiting: Bool) -> [String: Any] {
        [
            "id": peer.id.hex, "type": (peer.type ?? "?").withoutControls,
            "state": isWaiting ? "waits" : peer.isJoined ? "in" : "out",
            "mark": isWaiting ? "open" : peer.isJoined ? "yes" : "no",
            "heard": heard(peer), "program": Self.program(peer), "note": peer.note ?? "",
        ]
    }

    /// From messages that counted only.
    func heard(_ peer: ParticipantStore.Peer?) -> String {
        peer?.lastHeard.map { Words.ago($0, now: now()) } ?? "never"
    }

    static func program(_ peer: ParticipantStore.Peer?) -> String {
        peer?.identification.map { Identification($0).program.withoutControls(atMost: 80) } ?? ""
    }

    /// Reads from a file of the server's.
    ///
    /// - Throws: ``PageError``.
    func stored<Result>(_ body: () throws -> Result) throws(PageError) -> Result {
        do {
            return try body()
        } catch {
            logger.error("a page cannot be shown: \(error)")
            throw PageError(
                .internalServerError, "What is stored cannot be read.", "Look at the log and at srup-c2 doctor.")
        }
    }

    // MARK: One of them

    private func devicePage(_ id: DeviceID, _ session: Session) async throws -> Page {
        let found = try stored { try server.peers.peer(id) }
        let registration = try stored { try identities.registration(id) }
        guard found != nil || registration != nil else { throw PageError.notFound("device \(id.hex)") }
        let isWaiting = await server.waitingIDs().contains(id)
        let (isTrusted, joins, lines) = try stored {
            (
                try server.store.trusted().contains(id), try server.store.joins(of: id, limit: 20),
                try server.peers.auditLog(last: 50, about: id)
            )
        }
        let isJoined = found?.isJoined == true
        let type = found?.type ?? registration?.type ?? "?"
        var page = Page(template: "device", title: id.hex, live: [.device, .waiting, .join])
        page.values = [
            "id": id.hex, "type": type.withoutControls, "heard": heard(found), "program": Self.program(found),
            "state": isWaiting ? "waits" : isJoined ? "in" : "out",
            "mark": isWaiting ? "open" : isJoined ? "yes" : "no",
            "admission": found?.admission.map { Self.words($0.way) } ?? "never",
            "version": found.map { "\($0.version)" } ?? "", "known": known(id),
            "fingerprint": found?.key.map { $0.fingerprint } ?? "not known yet", "note": found?.note ?? "",
            "joins": joins.map(join), "lines": lines.map(line),
        ]
        try await addCommands(id, to: &page)
        if isWaiting { page.values["waits"] = true }
        if isJoined { page.values["joined"] = true }
        if session.role >= .moderate, found != nil {
            page.values["moderates"] = true
            for what in ["note", "action", "data", "identify"] {
                page.values["\(what)Token"] = session.forms.token(for: "device-\(what)")
            }
            page.values["ways"] = ways(isTrusted: isTrusted, isJoined: isJoined, session)
        }
        return page
    }

    /// What it has sent, what it was told, and its groups.
    private func addCommands(_ id: DeviceID, to page: inout Page) async throws {
        let store = server.commandStore
        let (sent, groups) = try stored { (try store.commands(to: id, limit: 20), try store.groups(of: id)) }
        let now = now()
        let readings = ((try? await server.readings(of: id)) ?? []).map { reading -> [String: Any] in
            [
                "name": reading.raw.name.withoutControls(atMost: 80),
                "value": reading.value?.text.withoutControls(atMost: 200)
                    ?? Words.count(reading.raw.value.count, "byte"),
                "received": Words.ago(reading.raw.received, now: now), "count": String(reading.raw.count),
            ]
        }
        page.values["readings"] = readings
        if !readings.isEmpty { page.values["hasValues"] = true }
        page.values["sent"] = sent.map { command -> [String: Any] in
            let answer =
                command.status.map { "\($0)" } ?? (command.answered == nil ? "none yet" : "answered")
            var values: [String: Any] = [
                "number": String(command.number), "when": Words.time(command.sent), "by": command.by,
                "what": "\(command.kind.rawValue) \(command.detail)".withoutControls(atMost: 200), "answer": answer,
            ]
            if let group = command.group { values["group"] = group.text }
            return values
        }
        if !sent.isEmpty { page.values["hasSent"] = true }
        if !groups.isEmpty { page.values["groups"] = groups.map(\.text).joined(separator: ", ") }
    }

    private func ways(isTrusted: Bool, isJoined: Bool, _ session: Session) -> [[String: Any]] {
        func way(_ path: String, _ words: String, _ button: String, _ style: String, sure: String? = nil)
            -> [String: Any]
        {
            var values: [String: Any] = [
                "path": path, "words": words, "button": button, "class": style,
                "token": session.forms.token(for: "device-\(path)"),
            ]
            if let sure { values["sure"] = sure }
            return values
        }
        var ways = [
            isTrusted
                ? way("distrust", "It may vouch for other devices.", "Take trust back", "second")
                : way("trust", "Only observers that you know should vouch for others.", "Trust as observer", "second")
        ]
        if !isJoined {
            ways.append(
                way("call", "It is told to ask to be let in; its policy decides then.", "Ask it to come in", "second"))
        }
        if isJoined {
            ways.append(
                way(
                    "remove", "It is told that it is out, and may ask to come in again.", "Put out", "danger",
                    sure: "I am sure"))
        }
        ways.append(
            way(
                "deregister",
                "Its identity ends for good: certificate revoked, connection closed, no key for it any more. It cannot be taken back.",
                "End its identity", "danger", sure: "I am sure, it cannot be taken back"))
        return ways
    }

    private static func words(_ way: ParticipantStore.Admission.Way) -> String {
        switch way {
        case .simple: "by its word alone"
        case .observed: "seen by an observer"
        case .severally(let quorum): "seen by several observers (\(quorum))"
        case .human: "compared by a person"
        case .trusted: "named by the operator"
        }
    }
}
