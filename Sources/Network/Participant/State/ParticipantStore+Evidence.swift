import Evidence
import SRUP
import Storage

/// Signed messages, kept until a line of the audit log takes them: what has made a decision is stored beside it.
///
/// A server's alone (``keepEvidence(of:key:now:)``). Messages are stored in the transaction that takes or gives their number,
/// lines in a later one: a crash in between leaves a line without its message, or a message for the next line, never a chain
/// that is broken.
extension ParticipantStore {
    static let evidenceTables = """
        ALTER TABLE audit ADD COLUMN salt BLOB;
        ALTER TABLE audit ADD COLUMN hash BLOB;
        CREATE TABLE evidence (
            id INTEGER PRIMARY KEY,
            line INTEGER,
            subject INTEGER,
            kind TEXT NOT NULL,
            token BLOB NOT NULL,
            ours INTEGER NOT NULL,
            time REAL NOT NULL,
            key BLOB NOT NULL,
            bytes BLOB NOT NULL
        );
        CREATE INDEX evidence_open ON evidence (subject, kind, id) WHERE line IS NULL;
        CREATE INDEX evidence_line ON evidence (line) WHERE line IS NOT NULL;
        CREATE INDEX evidence_token ON evidence (token) WHERE ours = 1;
        CREATE TABLE evidence_keys (digest BLOB PRIMARY KEY, pem TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE seals (
            kind TEXT NOT NULL,
            number INTEGER NOT NULL,
            server INTEGER NOT NULL,
            hash BLOB NOT NULL,
            time INTEGER NOT NULL,
            key BLOB NOT NULL,
            signature BLOB NOT NULL,
            PRIMARY KEY (kind, number)
        ) WITHOUT ROWID;
        """

    /// What a message is about, and so which lines take it.
    enum EvidenceKind: String {
        case join, command, ending

        init(_ body: Body) {
            self =
                switch body {
                case .response(let status): Self(status)
                case .joinRequest, .observedJoinRequest, .humanJoinRequest, .observedJoinResponse, .humanJoinResponse,
                    .observationRequest:
                    .join
                case .resignRequest, .terminateCommand, .deregisterRequest, .deregisterCommand: .ending
                default: .command
                }
        }

        private init(_ status: Status) {
            switch status {
            case .joinSuccess, .joinRefused, .joinFail, .observedJoinValid, .observedJoinInvalid, .observedJoinFail:
                self = .join
            case .resignSuccess, .resignFail, .deregisterSuccess, .deregisterFail: self = .ending
            default: self = .command
            }
        }

        /// What a line takes; `nil`: nothing.
        init?(event: String) {
            switch event {
            case "verdict", "joined", "not joined", "roll call": self = .join
            case "sent", "answered", "group": self = .command
            case "removed", "left", "ends", "ended": self = .ending
            default: return nil
            }
        }
    }

    /// So many messages wait for their line, of one identity and of all.
    private static let (maximumOfOne, maximumOfAll) = (EvidenceRecord.maximumMessages, 4096)
    /// After how many seconds no line will come any more.
    private static let longestWait = 86400.0
    /// After how many messages all are looked at.
    private static let sweepEvery: Int64 = 256
    /// A line is written in the turn of the message that ends what it is about: behind so many others that turn is long over.
    private static let longOver: Int64 = 1024

    /// Whether a line of this event has a message of our own with this token beside it.
    ///
    /// - Throws: ``StorageError``.
    public func hasLine(_ event: String, with token: Token) throws(StorageError) -> Bool {
        try !database.read(
            """
            SELECT 1 FROM evidence JOIN audit ON audit.id = evidence.line
            WHERE evidence.ours = 1 AND evidence.token = ? AND audit.event = ? LIMIT 1
            """, [.blob(token.bytes), .text(event)]
        ).isEmpty
    }

    /// Keeps a message that was taken, in the transaction of its number.
    func keep(_ signed: SignedMessage, key: PublicKey, now: Double, _ connection: Connection) throws(StorageError) {
        guard isKeepingEvidence else { return }
        let message = signed.message
        let kind = EvidenceKind(message.body)
        // Values that devices send are nobody's decision.
        if case .data = message.body { return }
        var subject = message.sender.value
        if case .response = message.body {
            let asked = try connection.query(
                "SELECT subject FROM evidence WHERE ours = 1 AND token = ? ORDER BY id DESC LIMIT 1",
                .blob(message.token.bytes)
            ).first?.unsigned(0)
            subject = asked ?? subject
        } else if kind == .join {
            try Self.dropWaiting(before: message.body, of: subject, connection)
        }
        try Self.remember(key, connection)
        try Self.insert(
            signed.bytes, message.token, kind, about: subject, key: key.digest, isOurs: false, now, connection)
    }

    /// A new join begins anew: what was said before has led to nothing. But who asks for a simple join may be looked at all the while,
    /// as a member that has connected anew: then only what was asked and answered goes.
    private static func dropWaiting(
        before request: Body, of subject: UInt64, _ connection: Connection
    ) throws(StorageError) {
        let waiting = "line IS NULL AND subject = ? AND kind = ?"
        let values: [Value] = [.unsigned(subject), .text(EvidenceKind.join.rawValue)]
        // A value that nobody has answered for.
        let open = "SELECT token FROM evidence WHERE \(waiting) GROUP BY token HAVING min(ours) = 1 LIMIT 1"
        guard case .joinRequest = request, try !connection.query(open, values).isEmpty else {
            try connection.query("DELETE FROM evidence WHERE \(waiting)", values)
            return
        }
        try connection.query(
            """
            DELETE FROM evidence WHERE \(waiting) AND token IN
                (SELECT token FROM evidence WHERE \(waiting) GROUP BY token HAVING min(ours) < max(ours))
            """, values + values)
    }

    /// Keeps a message of our own, in the transaction of its number.
    ///
    /// - Parameter peer: `nil` for a group's.
    func keepOwn(
        _ signed: SignedMessage, to peer: DeviceID?, now: Double, _ connection: Connection
    ) throws(StorageError) {
        guard let own = evidenceKeeper else { return }
        let message = signed.message
        var subject = peer?.value
        if case .observationRequest(let device, _) = message.body { subject = device.value }
        try Self.insert(
            signed.bytes, message.token, EvidenceKind(message.body), about: subject, key: own.digest, isOurs: true, now,
            connection)
    }

    // MARK: Between servers of one identity

    /// A question of ours and its answer, by their token, as they were signed; `nil` where not both are kept.
    ///
    /// - Throws: ``StorageError``, or why what the present turn has taken cannot be written.
    public func exchange(_ token: Token) throws -> (question: [UInt8], answer: [UInt8])? {
        // The answer may have come in this very turn.
        try writeUp()
        let rows = try database.read(
            "SELECT ours, bytes FROM evidence WHERE token = ? ORDER BY id", [.blob(token.bytes)])
        guard let question = rows.last(where: { $0.integer(0) == 1 })?.blob(1),
            let answer = rows.last(where: { $0.integer(0) == 0 })?.blob(1)
        else { return nil }
        return (question, answer)
    }

    /// Keeps what another server with our key has asked for us, and the answer, as if both had come by here.
    ///
    /// - Parameters:
    ///   - key: whose signature the answer has; it was checked.
    ///   - subject: whom it is about.
    ///   - now: seconds since 1970.
    /// - Throws: ``StorageError``, or why what the present turn has taken cannot be written.
    public func keepExchange(
        question: [UInt8], answer: SignedMessage, key: PublicKey, about subject: DeviceID, now: Double
    ) throws {
        guard let own = evidenceKeeper else { return }
        try writeUp()
        let token = answer.message.token
        try database.transaction { connection throws(StorageError) in
            try Self.insert(
                question, token, .join, about: subject.value, key: own.digest, isOurs: true, now, connection)
            try Self.remember(key, connection)
            try Self.insert(
                answer.bytes, token, .join, about: subject.value, key: key.digest, isOurs: false, now, connection)
        }
    }

    private static func insert(
        _ bytes: [UInt8], _ token: Token, _ kind: EvidenceKind, about subject: UInt64?, key: [UInt8], isOurs: Bool,
        _ now: Double, _ connection: Connection
    ) throws(StorageError) {
        let row = try connection.query(
            """
            INSERT INTO evidence (subject, kind, token, ours, time, key, bytes) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id
            """, subject.map { .unsigned($0) } ?? .null, .text(kind.rawValue), .blob(token.bytes),
            .integer(isOurs ? 1 : 0), .real(now), .blob(key),
            .blob(bytes)
        ).first
        try connection.query(
            """
            DELETE FROM evidence WHERE id IN (SELECT id FROM evidence
            WHERE line IS NULL AND \(isAbout(subject)) AND kind = ? ORDER BY id DESC LIMIT \(Database.noLimit) OFFSET ?)
            """, about(subject) + [.text(kind.rawValue), .integer(Int64(maximumOfOne))])
        let number = row?.integer(0) ?? 0
        if number % sweepEvery == 0 { try sweep(upTo: number - longOver, now, connection) }
    }

    /// A condition that an index serves with every engine, and the value in it.
    private static func isAbout(_ subject: UInt64?) -> String { subject == nil ? "subject IS NULL" : "subject = ?" }
    private static func about(_ subject: UInt64?) -> [Value] { subject.map { [.unsigned($0)] } ?? [] }

    /// Drops what no line will take any more. Of what is too much then, who has most loses it first: nobody else's does.
    ///
    /// - Parameter last: messages up to this number are of turns that are over.
    private static func sweep(upTo last: Int64, _ now: Double, _ connection: Connection) throws(StorageError) {
        try connection.query(
            "DELETE FROM evidence WHERE line IS NULL AND (time < ? OR time > ?)", .real(now - longestWait),
            .real(now + longestWait))
        // What the server has asked by itself: nobody has ordered it.
        try connection.query(
            "DELETE FROM evidence WHERE line IS NULL AND kind = ? AND id <= ?",
            .text(EvidenceKind.command.rawValue), .integer(last))
        // Who was told that it belongs already, or was refused before anybody looked.
        try connection.query(
            """
            DELETE FROM evidence WHERE line IS NULL AND kind = ? AND id <= ? AND EXISTS
                (SELECT 1 FROM evidence AS answer WHERE answer.line IS NULL AND answer.subject = evidence.subject
                AND answer.kind = evidence.kind AND answer.id <= ? AND answer.ours = 1
                AND answer.token = evidence.token AND substr(answer.bytes, 2, 1) = ?)
            """, .text(EvidenceKind.join.rawValue), .integer(last), .integer(last),
            .blob([MessageType.response.rawValue]))
        let groups = try connection.query(
            """
            SELECT subject, kind, count(*) FROM evidence WHERE line IS NULL
            GROUP BY subject, kind ORDER BY count(*) DESC, max(id) DESC
            """)
        var surplus = groups.reduce(0) { $0 + ($1.integer(2) ?? 0) } - Int64(maximumOfAll)
        guard surplus > 0 else { return }
        // Each keeps so many at most; counts are 64 at most, so that this is soon found.
        let counts = groups.map { $0.integer(2) ?? 0 }
        func excess(_ most: Int64) -> Int64 { counts.reduce(0) { $0 + max(0, $1 - most) } }
        var most = counts.first ?? 0
        while most > 0, excess(most) < surplus { most -= 1 }
        for (group, count) in zip(groups, counts) where surplus > 0 && count > most {
            let dropped = min(count - most, surplus)
            surplus -= dropped
            let subject = group.unsigned(0)
            try connection.query(
                """
                DELETE FROM evidence WHERE id IN (SELECT id FROM evidence
                WHERE line IS NULL AND \(isAbout(subject)) AND kind = ? ORDER BY id LIMIT ?)
                """, about(subject) + [.text(group.text(1) ?? ""), .integer(dropped)])
        }
    }

    /// Keeps a key once, by its fingerprint.
    static func remember(_ key: PublicKey, _ connection: Connection) throws(StorageError) {
        let digest = key.digest
        let known = try connection.query("SELECT 1 FROM evidence_keys WHERE digest = ?", .blob(digest))
        guard known.isEmpty else { return }
        try connection.query("INSERT INTO evidence_keys VALUES (?, ?)", .blob(digest), .text(key.pem))
    }

    /// The messages that a line of this event takes, and their rows.
    static func open(
        for event: String, about subject: DeviceID?, _ connection: Connection
    ) throws(StorageError) -> [(row: Int64, part: EvidenceLine.SignedPart)] {
        // What is about nobody is a group's, and is told at once.
        guard let kind = EvidenceKind(event: event), subject != nil || event == "sent" else { return [] }
        let rows = try connection.query(
            """
            SELECT id, key, bytes FROM evidence WHERE line IS NULL AND \(isAbout(subject?.value)) AND kind = ? ORDER BY id
            """, about(subject?.value) + [.text(kind.rawValue)])
        let found = rows.compactMap { row -> (row: Int64, part: EvidenceLine.SignedPart)? in
            guard let id = row.integer(0), let key = row.blob(1), let bytes = row.blob(2) else { return nil }
            return (id, EvidenceLine.SignedPart(bytes: bytes, key: key))
        }
        // A command's line is written when it was sent, and its answer's when that came: what else is there the server has
        // asked by itself.
        return found.suffix(kind == .command ? 1 : EvidenceRecord.maximumMessages)
    }
}
