import C2
import HTTPTypes
import Hummingbird
import Linux
import Operators
import Participant
import SRUP

/// Groups: who is in which, and what is said to all of one.
extension Console {
    func addGroups(to router: Router<ConsoleContext>) {
        router.get("/groups") { request, context in
            let session = try session(context, .look, request)
            var page = try await groupsPage(session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        router.post("/groups") { request, context in
            let (form, session) = try await form(request, context, for: "groups", .moderate)
            return try await trying(request, context) {
                let group = try Self.group(form["group"])
                let id = try Self.device(form)
                try await server.add([id], to: group, by: session.name.text)
                return Response.found("/groups/\(group.text)?done=group-in&id=\(id.hex)")
            } page: {
                try await groupsPage(session)
            }
        }
        router.get("/groups/:group") { request, context in
            let session = try session(context, .look, request)
            var page = try groupPage(try group(context), session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        addGroupForms(to: router)
    }

    private func addGroupForms(to router: Router<ConsoleContext>) {
        add("add", to: router) { group, form, name in
            let id = try Self.device(form)
            try await server.add([id], to: group, by: name)
            return "/groups/\(group.text)?done=group-in&id=\(id.hex)"
        }
        add("remove", to: router) { group, form, name in
            let id = try Self.device(form)
            try await server.remove(id, from: group, by: name)
            return "/groups/\(group.text)?done=group-out&id=\(id.hex)"
        }
        add("action", to: router) { group, form, name in
            let action = try await server.actionNumber(form["action"] ?? "", of: nil)
            try await server.sendAction(action, to: group, by: name)
            return "/groups/\(group.text)?done=group-sent"
        }
        add("data", to: router) { group, form, name in
            let dataName = form["name"] ?? ""
            let value = try await server.wire(form["value"] ?? "", named: dataName, as: nil, for: nil)
            try await server.sendData(dataName, value: value, to: group, by: name)
            return "/groups/\(group.text)?done=group-sent"
        }
        add("destroy", to: router) { group, form, name in
            guard form["sure"] == "yes" else { throw OperationError.invalid("you have not said that you are sure") }
            try await server.destroy(group, by: name)
            return "/groups?done=group-gone"
        }
    }

    /// Something that can be done to a group, from its page; where that leads.
    private func add(
        _ what: String, to router: Router<ConsoleContext>,
        _ body: @escaping @Sendable (GroupID, Form, _ by: String) async throws -> String
    ) {
        router.post("/groups/:group/\(RouterPath(stringLiteral: what))") { request, context in
            let group = try group(context)
            let (form, session) = try await form(request, context, for: "group-\(what)", .moderate)
            return try await trying(request, context) {
                Response.found(try await body(group, form, session.name.text))
            } page: {
                try groupPage(group, session)
            }
        }
    }

    /// What cannot be done is said on the page that asked for it.
    private func trying(
        _ request: Request, _ context: ConsoleContext, _ body: () async throws -> Response,
        page: () async throws -> Page
    ) async throws -> Response {
        do {
            return try await body()
        } catch let error as OperationError {
            return await answer(try await page().saying(PageError(error)), request, context)
        }
    }

    private func group(_ context: ConsoleContext) throws(PageError) -> GroupID {
        guard let group = context.parameters.get("group").flatMap({ GroupID($0) }) else {
            throw .notFound("such group")
        }
        return group
    }

    private static func group(_ text: String?) throws(OperationError) -> GroupID {
        guard let group = GroupID(text ?? "") else { throw .invalid("a group's name has \(GroupID.form)") }
        return group
    }

    private static func device(_ form: Form) throws(OperationError) -> DeviceID {
        let text = (form["id"] ?? "").filter { !$0.isWhitespace }
        guard let id = DeviceID(participant: text) else {
            throw .invalid("an identity has 1 to 16 hexadecimal digits, in lower case and without zeros ahead")
        }
        return id
    }

    private func groupsPage(_ session: Session) async throws -> Page {
        let groups: [CommandStore.Group]
        do {
            groups = try await server.groups()
        } catch {
            throw PageError(error)
        }
        var page = Page(template: "groups", title: "Groups", live: [.device])
        page.values["rows"] = groups.map { ["name": $0.id.text, "size": String($0.members.count)] }
        page.values["form"] = GroupID.form
        if session.role >= .moderate {
            page.values["moderates"] = true
            page.values["token"] = session.forms.token(for: "groups")
        }
        return page
    }

    /// So many devices of a group are shown.
    private static let membersOnPage = 500

    private func groupPage(_ group: GroupID, _ session: Session) throws -> Page {
        guard let members = try stored({ try server.commandStore.members(of: group) }) else {
            throw PageError.notFound("group \(group.text)")
        }
        var page = Page(template: "group", title: "Group \(group.text)", live: [.device])
        let token = session.role >= .moderate ? session.forms.token(for: "group-remove") : nil
        page.values["name"] = group.text
        page.values["rows"] = try members.prefix(Self.membersOnPage).map { id in
            row(id, try stored { try server.peers.peer(id) }, of: group, token)
        }
        if members.count > Self.membersOnPage {
            page.values["more"] = "and \(members.count - Self.membersOnPage) more: srup-c2 group"
        }
        guard session.role >= .moderate else { return page }
        page.values["moderates"] = true
        for what in ["add", "action", "data", "destroy"] {
            page.values["\(what)Token"] = session.forms.token(for: "group-\(what)")
        }
        return page
    }

    private func row(
        _ id: DeviceID, _ peer: ParticipantStore.Peer?, of group: GroupID, _ token: String?
    ) -> [String: Any] {
        let isIn = peer?.isJoined == true
        var row: [String: Any] = [
            "id": id.hex, "type": (peer?.type ?? "?").withoutControls, "state": isIn ? "in" : "out",
            "mark": isIn ? "yes" : "no", "heard": heard(peer), "note": peer?.note ?? "", "group": group.text,
        ]
        if let token { row["token"] = token }
        return row
    }
}
