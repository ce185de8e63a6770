import Linux
import Storage

/// Sessions: what a browser holds is stored as its hash, so that whoever reads the file is not signed in.
extension OperatorStore {
    /// Begins a session, unless the operator was changed since `credential` was read.
    ///
    /// - Returns: what the browser has to hold.
    func beginSession(
        _ credential: Credential, place: String, now: Double
    ) throws(OperatorError) -> String {
        let text = Secret.text(Secret.random())
        let place = place.withoutControls(atMost: 200)
        try change { connection throws(StorageError) in
            // Its password may have been set, or it may have been disabled, while the given one was computed.
            let rows = try connection.query(
                "SELECT id FROM operators WHERE id = ? AND salt = ? AND hash = ? AND disabled = 0",
                .integer(credential.id), .blob(credential.hash.salt), .blob(credential.hash.hash))
            guard !rows.isEmpty else { return .wrong }
            try dropEnded(now, connection)
            // The one that was used longest ago makes room.
            try connection.query(
                """
                DELETE FROM sessions WHERE id IN
                    (SELECT id FROM sessions WHERE operator = ? ORDER BY used DESC, id DESC LIMIT \(Database.noLimit) OFFSET ?)
                """, .integer(credential.id), .integer(Int64(Self.maximumSessions - 1)))
            try connection.query(
                "INSERT INTO sessions (hash, operator, secret, created, used, place) VALUES (?, ?, ?, ?, ?, ?)",
                .blob(Secret.hash(text)), .integer(credential.id), .blob(Secret.random()), .real(now), .real(now),
                .text(place))
            return nil
        }
        return text
    }

    private func dropEnded(_ now: Double, _ connection: Connection) throws(StorageError) {
        try connection.query(
            "DELETE FROM sessions WHERE created <= ? OR used <= ? OR created > ? OR used > ?", self.ends(now))
    }

    /// Sessions with these times are over: before the first two, after the others.
    private func ends(_ now: Double) -> [Value] {
        let ahead = now + Self.clockTolerance
        return [
            .real(now - lifetimes.absolute / .seconds(1)), .real(now - lifetimes.idle / .seconds(1)), .real(ahead),
            .real(ahead),
        ]
    }

    /// The session that a browser shows; `nil` when it is none or has ended. Notes its use, to the minute.
    ///
    /// - Parameter now: seconds since 1970. A clock that was set back by more than five minutes ends sessions of later.
    /// - Throws: ``OperatorError``.
    public func session(_ text: String, now: Double) throws(OperatorError) -> Session? {
        guard Secret.isText(text) else { return nil }
        let found = try sessions(where: "sessions.hash = ? AND disabled = 0", [.blob(Secret.hash(text))], now: now)
        guard let session = found.first else { return nil }
        if now >= session.used + 60 {
            try change { connection throws(StorageError) in
                try connection.query(
                    "UPDATE sessions SET used = ? WHERE id = ?", .real(now), .integer(session.number))
                return nil
            }
        }
        return session
    }

    /// An operator's sessions, the newest first.
    ///
    /// - Throws: ``OperatorError``.
    public func sessions(of name: OperatorName, now: Double) throws(OperatorError) -> [Session] {
        try sessions(where: "name = ?", [.text(name.text)], now: now)
    }

    private func sessions(
        where condition: String, _ values: [Value], now: Double
    ) throws(OperatorError) -> [Session] {
        try read(
            """
            SELECT sessions.id, name, role, sessions.created, used, place, secret
            FROM sessions JOIN operators ON operators.id = operator
            WHERE \(condition) AND sessions.created > ? AND used > ? AND sessions.created <= ? AND used <= ?
            ORDER BY sessions.id DESC
            """, values + ends(now)
        ).compactMap { row in
            guard let number = row.integer(0), let name = row.text(1).flatMap({ OperatorName($0) }),
                let role = row.text(2).flatMap(Role.init), let created = row.real(3), let used = row.real(4),
                let secret = row.blob(6), secret.count == Secret.size
            else { return nil }
            return Session(
                number: number, name: name, role: role, created: created, used: used, place: row.text(5) ?? "",
                forms: FormKey(bytes: secret))
        }
    }

    /// Ends one session of an operator.
    ///
    /// - Throws: ``OperatorError``.
    public func endSession(_ number: Int64, of name: OperatorName) throws(OperatorError) {
        try change { connection throws(StorageError) in
            let gone = try connection.query(
                """
                DELETE FROM sessions WHERE id = ? AND operator = (SELECT id FROM operators WHERE name = ?) RETURNING id
                """, .integer(number), .text(name.text))
            return gone.isEmpty ? .unknownNumber(number) : nil
        }
    }

    /// Ends all sessions of an operator, but for one if that is wanted.
    ///
    /// - Returns: how many there were.
    /// - Throws: ``OperatorError``.
    @discardableResult
    public func endSessions(of name: OperatorName, but kept: Int64? = nil) throws(OperatorError) -> Int {
        guard try find(name) != nil else { throw .unknown(name) }
        return try compute { connection throws(StorageError) in
            .success(
                try connection.query(
                    """
                    DELETE FROM sessions WHERE operator = (SELECT id FROM operators WHERE name = ?) AND id <> ? RETURNING id
                    """, .text(name.text), .integer(kept ?? -1)
                ).count)
        }
    }
}
