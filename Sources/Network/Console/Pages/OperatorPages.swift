import C2
import Foundation
import HTTPTypes
import Hummingbird
import Linux
import Operators

/// Who may sign in, and each one's own account.
extension Console {
    func addOperators(to router: Router<ConsoleContext>) {
        router.get("/operators") { request, context in
            let session = try session(context, .administer, request)
            var page = try operatorsPage(session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        router.post("/operators") { request, context in
            let (form, session) = try await form(request, context, for: "operators", .administer)
            do {
                return try await changeOperator(form, session, request, context)
            } catch let error as OperatorError {
                return await answer(try operatorsPage(session).saying(PageError(error)), request, context)
            }
        }
    }

    private func operatorsPage(_ session: Session) throws -> Page {
        var page = Page(template: "operators", title: "Operators")
        page.values["token"] = session.forms.token(for: "operators")
        page.values["rows"] = try operators.operators().map { one -> [String: Any] in
            var values: [String: Any] = [
                "name": one.name.text, "role": one.role.rawValue, "since": Words.time(one.created),
                "sessions": String(one.sessions), "tokens": String(one.tokens),
                "toggle": one.isDisabled ? "enable" : "disable",
                "toggleWords": one.isDisabled ? "Enable" : "Disable",
                "roles": Role.allCases.map { Self.option($0.rawValue, $0.rawValue, here: $0 == one.role) },
            ]
            if one.isDisabled { values["off"] = true }
            return values
        }
        page.values["roles"] = Role.allCases.map { ["value": $0.rawValue, "words": $0.words] }
        return page
    }

    private func changeOperator(
        _ form: Form, _ session: Session, _ request: Request, _ context: ConsoleContext
    ) async throws -> Response {
        guard let name = OperatorName(form["name"] ?? "") else {
            throw OperatorError.invalid("a name has \(OperatorName.form)")
        }
        func role() throws(OperatorError) -> Role {
            guard let role = form["role"].flatMap(Role.init) else { throw .invalid("there is no such role") }
            return role
        }
        switch form["do"] {
        case "add":
            let role = try role()
            let made = try newPassword()
            try await signIn.add(name, role: role, password: made.password, now: now())
            audit("operator added", "\(name), \(role.rawValue)", by: session.name)
            return await show(made.text, of: name, request, context)
        case "role":
            let role = try role()
            try operators.setRole(role, of: name)
            audit("operator's role", "\(name): \(role.rawValue)", by: session.name)
        case "disable", "enable":
            let isDisabled = form["do"] == "disable"
            try operators.setDisabled(isDisabled, name)
            audit(isDisabled ? "operator disabled" : "operator enabled", name.text, by: session.name)
        case "out":
            try operators.endSessions(of: name)
            audit("operator signed out", name.text, by: session.name)
        case "password":
            let made = try newPassword()
            try await signIn.setPassword(made.password, of: name, now: now())
            audit("operator's password", name.text, by: session.name)
            return await show(made.text, of: name, request, context)
        case "remove":
            guard name != session.name else {
                throw OperatorError.invalid("nobody removes themselves: ask another administrator")
            }
            try operators.remove(name)
            audit("operator removed", name.text, by: session.name)
        default: throw PageError(.badRequest, "It was not said what to do.", "Load the page again and repeat.")
        }
        return Response.found("/operators?done=changed")
    }

    private func newPassword() throws(OperatorError) -> (password: Password, text: String) {
        guard let made = Password.random() else { throw .failed("no password could be made") }
        return made
    }

    private func show(
        _ password: String, of name: OperatorName, _ request: Request, _ context: ConsoleContext
    ) async -> Response {
        var page = Page(template: "new-secret", title: "The password of \(name)")
        page.values = [
            "title": page.title, "words": "\(name) signs in with it and changes it then.", "secret": password,
            "back": "/operators",
        ]
        return await answer(page, request, context)
    }

    // MARK: One's own

    func addAccount(to router: Router<ConsoleContext>) {
        router.get("/account") { request, context in
            let session = try session(context, .look, request)
            var page = try accountPage(session)
            page.done = doneWords(request)
            return await answer(page, request, context)
        }
        addAccountForm("password", to: router) { form, session, request, context in
            guard form["new"] == form["again"] else {
                throw OperatorError.invalid("the new password was not typed the same twice")
            }
            let password = try Password(form["new"] ?? "")
            try await signIn.changePassword(
                of: session, from: form["old"] ?? "", to: password, address: context.address, now: now())
            audit("password changed", "their own", by: session.name)
            return Response.found("/account?done=password")
        }
        addAccountForm("sessions", to: router) { form, session, request, context in
            if form["end"] == "others" {
                try operators.endSessions(of: session.name, but: session.number)
            } else {
                let number = form["end"].flatMap { Int64($0) } ?? 0
                try operators.endSession(number, of: session.name)
                if number == session.number { return Response.found("/sign-in") }
            }
            return Response.found("/account?done=ended")
        }
        addAccountForm("tokens", to: router) { form, session, request, context in
            if let number = form["remove"].flatMap({ Int64($0) }) {
                try operators.removeToken(number, of: session.name)
                audit("token removed", "number \(number)", by: session.name)
                return Response.found("/account?done=changed")
            }
            guard let role = form["role"].flatMap(Role.init), let days = form["days"].flatMap({ Int($0) }),
                (1...3650).contains(days)
            else { throw OperatorError.invalid("a token has a role, and ends in 1 to 3,650 days") }
            let label = form["label"] ?? ""
            let made = try operators.makeToken(
                label, role: role, for: session.name, expires: now() + Double(days) * 86400, now: now())
            audit("token made", "number \(made.number), \(label.debugDescription)", by: session.name)
            var page = Page(template: "new-secret", title: "A token")
            page.values = [
                "title": page.title, "words": "For \(label.withoutControls). It has the role \(role.rawValue).",
                "secret": made.text, "back": "/account",
            ]
            return await answer(page, request, context)
        }
    }

    private func addAccountForm(
        _ what: String, to router: Router<ConsoleContext>,
        _ body: @escaping @Sendable (Form, Session, Request, ConsoleContext) async throws -> Response
    ) {
        router.post("/account/\(RouterPath(stringLiteral: what))") { request, context in
            let (form, session) = try await form(request, context, for: "account-\(what)", .look)
            do {
                return try await body(form, session, request, context)
            } catch let error as OperatorError {
                var problem = PageError(error)
                if case .wrong = error {
                    problem = PageError(.unprocessableContent, "The present password is wrong.", "Type it again.")
                }
                return await answer(try accountPage(session).saying(problem), request, context)
            }
        }
    }

    private func accountPage(_ session: Session) throws -> Page {
        let now = now()
        var page = Page(template: "account", title: session.name.text)
        page.values = [
            "name": session.name.text, "role": session.role.rawValue, "roleWords": session.role.words,
            "roles": Role.allCases.filter { $0 <= session.role }.map { ["value": $0.rawValue] },
        ]
        for what in ["password", "sessions", "tokens"] {
            page.values["\(what)Token"] = session.forms.token(for: "account-\(what)")
        }
        page.values["sessions"] = try operators.sessions(of: session.name, now: now).map { one -> [String: Any] in
            var values: [String: Any] = [
                "place": one.place, "since": Words.time(one.created), "used": Words.ago(one.used, now: now),
                "number": String(one.number), "token": session.forms.token(for: "account-sessions"),
            ]
            if one.number == session.number { values["this"] = true }
            return values
        }
        page.values["tokens"] = try operators.tokens(of: session.name).map { one -> [String: Any] in
            [
                "label": one.label, "role": one.role.rawValue, "made": Words.time(one.created),
                "used": one.used.map { String(Words.iso($0).prefix(10)) } ?? "never",
                "ends": one.expires.map { String(Words.iso($0).prefix(10)) } ?? "when it is removed",
                "number": String(one.number), "token": session.forms.token(for: "account-tokens"),
            ]
        }
        return page
    }
}

extension Role {
    /// What it is for.
    var words: String {
        switch self {
        case .look: "see everything"
        case .moderate: "let devices in, take them out, send to them, trust observers"
        case .administer: "policies and operators, too"
        }
    }
}
