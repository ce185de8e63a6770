import Linux
import Storage

/// Tokens for programs: shown once, stored as their hash.
extension OperatorStore {
    /// What every token begins with, so that scanners for secrets know one.
    public static let tokenPrefix = "srup_"
    private static let day = 86400.0

    /// Makes a token for an operator.
    ///
    /// - Parameters:
    ///   - label: what it is for; 1 to 64 characters.
    ///   - role: no higher than the operator's.
    ///   - expires: seconds since 1970; `nil`: when somebody ends it.
    /// - Returns: the token, which is not stored: it is shown now or never.
    /// - Throws: ``OperatorError``.
    public func makeToken(
        _ label: String, role: Role, for name: OperatorName, expires: Double? = nil, now: Double
    ) throws(OperatorError) -> (text: String, number: Int64) {
        let label = label.withoutControls
        guard (1...64).contains(label.count), label.utf8.count <= 256, label.contains(where: { !$0.isWhitespace })
        else { throw .invalid("a token's name has 1 to 64 characters") }
        if let expires, expires <= now { throw .invalid("the token would have ended already") }
        let text = Self.tokenPrefix + Secret.text(Secret.random())
        let number = try compute { connection throws(StorageError) -> Result<Int64, OperatorError> in
            let rows = try connection.query("SELECT id, role FROM operators WHERE name = ?", .text(name.text))
            guard let row = rows.first, let id = row.integer(0), let own = row.text(1).flatMap(Role.init) else {
                return .failure(.unknown(name))
            }
            guard role <= own else {
                return .failure(.invalid("\(name) has the role \(own.rawValue): a token of theirs cannot have more"))
            }
            try connection.query("DELETE FROM tokens WHERE expires <= ?", .real(now))
            guard try Self.count("tokens", of: id, connection) < Self.maximumTokens else {
                return .failure(.full("\(name) has \(Self.maximumTokens) tokens already; remove one first"))
            }
            let made = try connection.query(
                """
                INSERT INTO tokens (hash, operator, label, role, created, expires) VALUES (?, ?, ?, ?, ?, ?) RETURNING id
                """, .blob(Secret.hash(text)), .integer(id), .text(label), .text(role.rawValue), .real(now),
                expires.map { .real($0) } ?? .null)
            return .success(made.first?.integer(0) ?? 0)
        }
        return (text, number)
    }

    /// The token that a program shows; `nil` when it is none, has ended, or its operator is disabled. Notes the day.
    ///
    /// - Throws: ``OperatorError``.
    public func token(_ text: String, now: Double) throws(OperatorError) -> AccessToken? {
        guard text.hasPrefix(Self.tokenPrefix), Secret.isText(text.dropFirst(Self.tokenPrefix.count)) else {
            return nil
        }
        let found = try tokens(
            where: "tokens.hash = ? AND disabled = 0 AND (expires IS NULL OR expires > ?)",
            [.blob(Secret.hash(text)), .real(now)])
        guard let token = found.first else { return nil }
        let today = (now / Self.day).rounded(.down) * Self.day
        if token.used != today {
            try change { connection throws(StorageError) in
                try connection.query("UPDATE tokens SET used = ? WHERE id = ?", .real(today), .integer(token.number))
                return nil
            }
        }
        return token
    }

    /// Whether a token counts, by its number: for what goes on for longer than a request.
    ///
    /// - Throws: ``OperatorError``.
    public func isToken(_ number: Int64, now: Double) throws(OperatorError) -> Bool {
        try !tokens(
            where: "tokens.id = ? AND disabled = 0 AND (expires IS NULL OR expires > ?)",
            [.integer(number), .real(now)]
        ).isEmpty
    }

    /// All tokens, or those of one operator, the oldest first; those that have ended, too.
    ///
    /// - Throws: ``OperatorError``.
    public func tokens(of name: OperatorName? = nil) throws(OperatorError) -> [AccessToken] {
        if let name { return try tokens(where: "name = ?", [.text(name.text)]) }
        return try tokens(where: "1 = 1", [])
    }

    private func tokens(where condition: String, _ values: [Value]) throws(OperatorError) -> [AccessToken] {
        try read(
            """
            SELECT tokens.id, label, name, tokens.role, operators.role, tokens.created, used, expires
            FROM tokens JOIN operators ON operators.id = operator WHERE \(condition) ORDER BY tokens.id
            """, values
        ).compactMap { row in
            guard let number = row.integer(0), let name = row.text(2).flatMap({ OperatorName($0) }),
                let given = row.text(3).flatMap(Role.init), let own = row.text(4).flatMap(Role.init),
                let created = row.real(5)
            else { return nil }
            return AccessToken(
                number: number, label: row.text(1) ?? "", name: name, given: given, role: min(given, own),
                created: created, used: row.real(6), expires: row.real(7))
        }
    }

    /// Ends a token.
    ///
    /// - Parameter name: only if it is this operator's; `nil`: whose ever it is.
    /// - Throws: ``OperatorError``.
    public func removeToken(_ number: Int64, of name: OperatorName? = nil) throws(OperatorError) {
        try change { connection throws(StorageError) in
            let isTheirs = name == nil ? "" : " AND operator = (SELECT id FROM operators WHERE name = ?)"
            let gone = try connection.query(
                "DELETE FROM tokens WHERE id = ?\(isTheirs) RETURNING id",
                [.integer(number)] + (name.map { [.text($0.text)] } ?? []))
            return gone.isEmpty ? .unknownNumber(number) : nil
        }
    }
}
