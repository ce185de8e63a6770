import Storage

/// What the servers of cells ask of each other: a table that all share. Who asks puts a row there, whose cell it concerns does
/// what it says and writes the answer into it, and who asked takes it away.
public final class ErrandBook: Sendable {
    private let database: Database
    private let cell: String

    /// A look by an observer of another cell.
    public struct Errand: Sendable, Hashable {
        /// Of the request; nobody else's.
        public let token: [UInt8]
        /// The identity that is looked at.
        public let device: UInt64
        /// The identity that looks.
        public let observer: UInt64
        /// What only the observer can open.
        public let envelope: [UInt8]
        /// So long from now the answer is waited for.
        public let timeLeft: Duration

        /// A look that is asked for.
        public init(token: [UInt8], device: UInt64, observer: UInt64, envelope: [UInt8], timeLeft: Duration) {
            self.token = token
            self.device = device
            self.observer = observer
            self.envelope = envelope
            self.timeLeft = timeLeft
        }
    }

    private enum State: Int64 {
        case asked, begun, answered
    }

    /// A row that nobody has taken away goes this long after its end: whoever asked has died.
    private static let kept = Duration.seconds(3600)

    /// - Parameters:
    ///   - session: of the cell's stores: what is asked is stored with what they hold.
    ///   - cell: whose server this is.
    /// - Throws: ``StorageError``.
    public init(in session: DatabaseSession, cell: String) throws(StorageError) {
        database = try Database(in: session, store: "errands", migrations: Self.migrations, isShared: true)
        self.cell = cell
    }

    private static let migrations = [
        """
        CREATE TABLE errands (
            token BLOB PRIMARY KEY,
            asker TEXT NOT NULL,
            worker TEXT NOT NULL,
            device INTEGER NOT NULL,
            observer INTEGER NOT NULL,
            envelope BLOB NOT NULL,
            until REAL NOT NULL,
            state INTEGER NOT NULL,
            status INTEGER,
            question BLOB,
            answer BLOB
        );
        CREATE INDEX errands_of_asker ON errands (asker, state);
        CREATE INDEX errands_of_worker ON errands (worker, state);
        """
    ]

    // MARK: Who asks

    /// Asks another cell.
    ///
    /// - Throws: ``StorageError``.
    public func put(_ errand: Errand, for worker: String) throws(StorageError) {
        try database.query(
            """
            INSERT INTO errands (token, asker, worker, device, observer, envelope, until, state)
            VALUES (?, ?, ?, ?, ?, ?, \(CellBook.now) + ?, ?)
            """, .blob(errand.token), .text(cell), .text(worker), .unsigned(errand.device), .unsigned(errand.observer),
            .blob(errand.envelope), .real(errand.timeLeft / .seconds(1)), .integer(State.asked.rawValue))
    }

    /// What has become of an errand.
    public struct Answer: Sendable, Hashable {
        /// Of the request.
        public let token: [UInt8]
        /// Who looked, or should have.
        public let observer: UInt64
        /// As on the wire.
        public let status: UInt8
        /// What was signed: the request, and the answer; `nil` where the observer was not asked.
        public let question, answer: [UInt8]?
    }

    /// Takes away what has been answered, and what is long over.
    ///
    /// - Throws: ``StorageError``.
    public func takeAnswers() throws(StorageError) -> [Answer] {
        // Most often there is nothing: that is no write.
        let isThere = try database.read(
            "SELECT 1 FROM errands WHERE asker = ? AND (state = ? OR until < \(CellBook.now) - ?) LIMIT 1",
            [.text(cell), .integer(State.answered.rawValue), .real(Self.kept / .seconds(1))])
        guard !isThere.isEmpty else { return [] }
        return try database.query(
            """
            DELETE FROM errands WHERE asker = ? AND (state = ? OR until < \(CellBook.now) - ?)
            RETURNING token, observer, state, status, question, answer
            """, .text(cell), .integer(State.answered.rawValue), .real(Self.kept / .seconds(1))
        ).compactMap { row in
            guard row.integer(2) == State.answered.rawValue, let token = row.blob(0), let observer = row.unsigned(1),
                let status = row.integer(3).flatMap({ UInt8(exactly: $0) })
            else { return nil }
            return Answer(
                token: token, observer: observer, status: status, question: row.blob(4), answer: row.blob(5))
        }
    }

    // MARK: Whose cell it concerns

    /// What this cell is asked for and has not begun, the oldest first.
    ///
    /// - Throws: ``StorageError``.
    public func asked(limit: Int) throws(StorageError) -> [Errand] { try errands(.asked, limit: limit) }

    /// What this cell has begun and not answered.
    ///
    /// - Throws: ``StorageError``.
    public func begun() throws(StorageError) -> [Errand] { try errands(.begun, limit: 10_000) }

    private func errands(_ state: State, limit: Int) throws(StorageError) -> [Errand] {
        try database.read(
            """
            SELECT token, device, observer, envelope, until - \(CellBook.now) FROM errands
            WHERE worker = ? AND state = ? ORDER BY until LIMIT ?
            """, [.text(cell), .integer(state.rawValue), .integer(Int64(limit))]
        ).compactMap { row in
            guard let token = row.blob(0), let device = row.unsigned(1), let observer = row.unsigned(2),
                let envelope = row.blob(3), let left = row.real(4)
            else { return nil }
            return Errand(
                token: token, device: device, observer: observer, envelope: envelope,
                timeLeft: .seconds(max(-1e6, min(left, 1e6))))
        }
    }

    /// The observer is being asked.
    ///
    /// - Throws: ``StorageError``.
    public func begin(_ token: [UInt8]) throws(StorageError) {
        try database.query(
            "UPDATE errands SET state = ? WHERE token = ? AND worker = ?", .integer(State.begun.rawValue), .blob(token),
            .text(cell))
    }

    /// The observer has answered, or cannot.
    ///
    /// - Parameter signed: the request and the answer, where there are both.
    /// - Throws: ``StorageError``.
    public func answer(
        _ token: [UInt8], _ status: UInt8, signed: (question: [UInt8], answer: [UInt8])?
    ) throws(StorageError) {
        try database.query(
            "UPDATE errands SET state = ?, status = ?, question = ?, answer = ? WHERE token = ? AND worker = ?",
            .integer(State.answered.rawValue), .integer(Int64(status)), signed.map { .blob($0.question) } ?? .null,
            signed.map { .blob($0.answer) } ?? .null, .blob(token), .text(cell))
    }
}
