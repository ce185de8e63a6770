import Foundation
import Operators

/// Operators, their sessions and tokens for programs.
extension Console {
    var operatorRoutes: [APIRoute] { accountRoutes + sessionRoutes + tokenRoutes }

    /// Whose things are asked for: one's own, or anybody's with the role administer.
    ///
    /// - Throws: ``APIProblem``, ``OperatorError``.
    private func owner(_ call: APICall) throws -> OperatorName {
        let name = try call.name()
        guard name != call.token.name else { return name }
        guard call.token.role >= .administer else { throw APIProblem.role(.administer, has: call.token.role) }
        guard try operators.find(name) != nil else { throw OperatorError.unknown(name) }
        return name
    }

    /// Like ``audit(_:_:by:)``, with the token.
    private func audit(_ event: String, _ detail: String, _ call: APICall) {
        do {
            try server.peers.audit(event, detail.withoutControls, by: call.actor, now: now())
        } catch {
            logger.error("the audit log cannot be written: \(error)")
        }
    }

    /// What nobody may do to themselves: they would have to ask another administrator to undo it.
    private static func notOneself(_ name: OperatorName, _ call: APICall) throws(APIProblem) {
        guard name != call.token.name else { throw APIProblem(.oneself, "ask another administrator") }
    }

    private var accountRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "operators", "listOperators", .administer, "Who may sign in", query: APIRoute.Parameter.pages,
                "OperatorList"
            ) { call in
                let limit = try call.limit()
                let after = try call.cursor("operators")
                let all = try operators.operators().filter { one in after.map { one.name.text > $0 } ?? true }
                return APIAnswer(
                    all.prefix(limit).map(Self.json),
                    next: all.count > limit ? Cursor("operators", all[limit - 1].name) : nil)
            },
            APIRoute(
                .post, "operators", "addOperator", .administer, "Add an operator",
                words: "The answer holds their first password, which is shown once.", body: "NewOperator", status: 201,
                "Password", problems: [.taken, .full]
            ) { call in
                try call.onlyMembers("name", "role")
                guard let name = OperatorName(try call.text("name", 1...32)) else {
                    throw APIProblem.invalid(OperatorName.form, pointer: "#/name")
                }
                guard let role = try call.role("role") else {
                    throw APIProblem.invalid("it is missing", pointer: "#/role")
                }
                let made = try Self.newPassword()
                try await signIn.add(name, role: role, password: made.password, now: now())
                audit("operator added", "\(name), \(role.rawValue)", call)
                return APIAnswer(
                    status: .created, ["name": .text(name.text), "password": .text(made.text)], isSecret: true)
            },
            APIRoute(
                .patch, "operators/{name}", "changeOperator", .administer,
                "Give an operator another role, disable or enable them",
                words: "Their sessions end. Nobody does this to themselves.", body: "OperatorChange", "Operator",
                problems: [.unknown, .lastAdministrator, .oneself]
            ) { call in
                try call.onlyMembers("role", "disabled")
                let name = try call.name()
                let (role, isDisabled) = (try call.role("role"), try call.optionalBool("disabled"))
                guard role != nil || isDisabled != nil else {
                    throw APIProblem.invalid("say role, disabled, or both", pointer: "#/role")
                }
                try Self.notOneself(name, call)
                if let role {
                    try operators.setRole(role, of: name)
                    audit("operator's role", "\(name): \(role.rawValue)", call)
                }
                if let isDisabled {
                    try operators.setDisabled(isDisabled, name)
                    if isDisabled { streams.end(of: name) }
                    audit(isDisabled ? "operator disabled" : "operator enabled", name.text, call)
                }
                guard let found = try operators.find(name) else { throw OperatorError.unknown(name) }
                return APIAnswer(Self.json(found))
            },
            APIRoute(
                .delete, "operators/{name}", "removeOperator", .administer, "Remove an operator",
                words: "Their sessions and tokens end. Nobody removes themselves.", status: 204,
                problems: [.unknown, .lastAdministrator, .oneself]
            ) { call in
                let name = try call.name()
                try Self.notOneself(name, call)
                try operators.remove(name)
                streams.end(of: name)
                audit("operator removed", name.text, call)
                return .nothing
            },
            APIRoute(
                .post, "operators/{name}/password", "resetPassword", .administer, "Give an operator a new password",
                words: "It is in the answer, shown once; their sessions end.", "Password",
                problems: [.unknown, .oneself]
            ) { call in
                let name = try call.name()
                try Self.notOneself(name, call)
                guard try operators.find(name) != nil else { throw OperatorError.unknown(name) }
                let made = try Self.newPassword()
                try await signIn.setPassword(made.password, of: name, now: now())
                audit("operator's password", name.text, call)
                return APIAnswer(["name": .text(name.text), "password": .text(made.text)], isSecret: true)
            },
        ]
    }

    private static func newPassword() throws(OperatorError) -> (password: Password, text: String) {
        guard let made = Password.random() else { throw .failed("no password could be made") }
        return made
    }

    private static func json(_ one: Operator) -> JSON {
        [
            "name": .text(one.name.text), "role": .text(one.role.rawValue), "disabled": .bool(one.isDisabled),
            "created": .text(Words.iso(one.created)), "password_set": .text(Words.iso(one.passwordSet)),
            "sessions": .count(one.sessions), "tokens": .count(one.tokens),
        ]
    }

    // MARK: Sessions

    private var sessionRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "operators/{name}/sessions", "listSessions", .look, "Where an operator is signed in",
                words: "One's own with any role, those of others with administer.", query: APIRoute.Parameter.pages,
                "SessionList", problems: [.unknown]
            ) { call in
                let (name, limit) = (try owner(call), try call.limit())
                let before = try call.numberCursor("sessions")
                let all = try operators.sessions(of: name, now: now()).filter { one in
                    before.map { one.number < $0 } ?? true
                }
                return APIAnswer(
                    all.prefix(limit).map { one in
                        [
                            "number": .integer(one.number), "place": .text(one.place),
                            "created": .text(Words.iso(one.created)), "used": .text(Words.iso(one.used)),
                        ]
                    }, next: all.count > limit ? Cursor("sessions", all[limit - 1].number) : nil)
            },
            APIRoute(
                .delete, "operators/{name}/sessions", "endSessions", .look, "Sign an operator out everywhere",
                status: 204, problems: [.unknown]
            ) { call in
                let name = try owner(call)
                try operators.endSessions(of: name)
                audit("operator signed out", name.text, call)
                return .nothing
            },
            APIRoute(
                .delete, "operators/{name}/sessions/{number}", "endSession", .look, "End one session", status: 204,
                problems: [.unknown]
            ) { call in
                let (name, number) = (try owner(call), try call.number())
                try operators.endSession(number, of: name)
                audit("session ended", "\(name), number \(number)", call)
                return .nothing
            },
        ]
    }

    // MARK: Tokens

    private var tokenRoutes: [APIRoute] {
        [
            APIRoute(
                .get, "operators/{name}/tokens", "listTokens", .look,
                "An operator's tokens, never the tokens themselves",
                words: "One's own with any role, those of others with administer.", query: APIRoute.Parameter.pages,
                "TokenList", problems: [.unknown]
            ) { call in
                let (name, limit) = (try owner(call), try call.limit())
                let after = try call.numberCursor("tokens") ?? 0
                let all = try operators.tokens(of: name).filter { $0.number > after }
                return APIAnswer(
                    all.prefix(limit).map(Self.json),
                    next: all.count > limit ? Cursor("tokens", all[limit - 1].number) : nil)
            },
            APIRoute(
                .post, "operators/{name}/tokens", "addToken", .look, "Make a token of one's own",
                words: """
                    For oneself only, and with no more than the role of the token that asks. The new one is in the answer, shown \
                    once.
                    """, body: "NewToken", status: 201, "NewTokenShown", problems: [.full, .unknown]
            ) { call in
                try call.onlyMembers("label", "role", "days")
                let name = try call.name()
                guard name == call.token.name else {
                    throw APIProblem(.forbidden, "a token is made by the operator whose it is")
                }
                let label = try call.text("label", 1...64)
                guard let role = try call.role("role") else {
                    throw APIProblem.invalid("it is missing", pointer: "#/role")
                }
                guard role <= call.token.role else { throw APIProblem.role(role, has: call.token.role) }
                let days = call.body["days"] == nil ? 365 : try call.integer("days", 1...3650)
                let now = now()
                let made = try operators.makeToken(
                    label, role: role, for: name, expires: now + Double(days) * 86400, now: now)
                audit("token made", "number \(made.number), \(label.debugDescription), \(role.rawValue)", call)
                return APIAnswer(
                    status: .created, ["number": .integer(made.number), "token": .text(made.text)], isSecret: true)
            },
            APIRoute(
                .delete, "operators/{name}/tokens/{number}", "removeToken", .look, "End a token",
                words: "One's own with any role, also the one that asks; those of others with administer.", status: 204,
                problems: [.unknown]
            ) { call in
                let (name, number) = (try owner(call), try call.number())
                try operators.removeToken(number, of: name)
                audit("token removed", "\(name), number \(number)", call)
                return .nothing
            },
        ]
    }

    private static func json(_ one: AccessToken) -> JSON {
        [
            "number": .integer(one.number), "label": .text(one.label), "role": .text(one.role.rawValue),
            "created": .text(Words.iso(one.created)),
            "last_used_day": .optional(one.used.map { String(Words.iso($0).prefix(10)) }),
            "expires": .optional(one.expires.map(Words.iso)),
        ]
    }
}
