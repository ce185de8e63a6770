import PostgreSQL
import Storage

/// The cells of a network, and who works each: one table that all its servers share.
///
/// A cell is one broker and one C2 server, with the counters of their devices. Who works a cell holds a *lease*: until a time,
/// by the database server's clock, and with a number that only grows. Whoever takes the cell next gets a higher number, and
/// from then on nothing is stored any more by who had it before (``Lease/fence``).
///
/// Safe to use from several threads and processes.
public final class CellBook: Sendable {
    private let database: Database

    /// The cell of a server that says nothing of cells.
    public static let usual = "main"

    /// A cell; times in seconds from now.
    public struct Cell: Sendable, Hashable {
        /// Its name.
        public let name: String
        /// As participants reach its broker.
        public let host: String
        /// The broker's TCP port.
        public let port: Int
        /// The TCP port of its operators' pages; `nil`: it has none.
        public let pagesPort: Int?
        /// Whose invitations lead here; `nil`: no zone's.
        public let zone: String?
        /// Whether somebody new may be given to it.
        public let isOpen: Bool
        /// Who works it, or was the last to: a machine and a folder.
        public let holder: String?
        /// How often it has been taken.
        public let epoch: Int64
        /// How long the lease lasts without a word; negative: it has ended, so long ago.
        public let secondsLeft: Double?
    }

    /// The right to work a cell.
    public struct Lease: Sendable, Hashable {
        /// The cell's name.
        public let cell: String
        /// Higher than that of everybody who had it before.
        public let epoch: Int64
        /// Whether somebody else had it before, or nobody knows who: what has been sent since the last word that was stored is
        /// not known then.
        public let isFromAnother: Bool

        /// Without which nothing is stored.
        public var fence: Fence {
            Fence(
                table: "\(CellBook.store).cells", key: "name", value: cell, number: "epoch", is: epoch,
                why: "another server works the cell now")
        }
    }

    private static let store = "cells"

    /// - Throws: ``StorageError``.
    public init(in session: DatabaseSession) throws(StorageError) {
        database = try Database(in: session, store: Self.store, migrations: Self.migrations)
    }

    private static let migrations = [
        """
        CREATE TABLE cells (
            name TEXT PRIMARY KEY,
            host TEXT NOT NULL,
            port INTEGER NOT NULL,
            zone TEXT,
            open INTEGER NOT NULL DEFAULT 1,
            holder TEXT,
            epoch INTEGER NOT NULL DEFAULT 0,
            until REAL
        );
        """,
        "ALTER TABLE cells ADD COLUMN pages INTEGER;",
    ]

    /// Whether a cell can be named so: it is a part of a schema's name.
    public static func isName(_ text: String) -> Bool {
        (1...20).contains(text.utf8.count) && text.utf8.first.map { (0x61...0x7A).contains($0) } == true
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
    }

    /// Counts by the cells' names: who was there before there were several belongs to the usual one.
    public static func byName(_ counts: [String?: Int]) -> [String: Int] {
        Dictionary(counts.map { ($0.key ?? usual, $0.value) }) { $0 + $1 }
    }

    /// What the names of the schemas of a cell's stores begin with.
    public static func prefix(of cell: String) -> String { cell == usual ? "" : "cell_\(cell)_" }

    /// The time, in seconds, of the database server: the machines' own need not be right.
    static let now = "EXTRACT(EPOCH FROM clock_timestamp())::float8"

    // MARK: The cells

    /// All cells, by their names.
    ///
    /// - Throws: ``StorageError``.
    public func cells() throws(StorageError) -> [Cell] {
        try database.read(
            "SELECT name, host, port, zone, open, holder, epoch, until - \(Self.now), pages FROM cells ORDER BY name"
        ).compactMap { row in
            guard let name = row.text(0), let host = row.text(1) else { return nil }
            return Cell(
                name: name, host: host, port: Int(row.integer(2) ?? 0), pagesPort: row.integer(8).map { Int($0) },
                zone: row.text(3), isOpen: row.integer(4) == 1,
                holder: row.text(5), epoch: row.integer(6) ?? 0, secondsLeft: row.real(7))
        }
    }

    /// Adds a cell, or says anew how its broker is reached.
    ///
    /// - Throws: ``StorageError``.
    public func put(_ name: String, host: String, port: Int) throws(StorageError) {
        // Most often it says what it has said: no new row for that.
        try database.query(
            """
            INSERT INTO cells (name, host, port) VALUES (?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET host = excluded.host, port = excluded.port
            WHERE (cells.host, cells.port) IS DISTINCT FROM (excluded.host, excluded.port)
            """, .text(name), .text(host), .integer(Int64(port)))
    }

    /// On which port of the cell's host the pages of who works it are; `nil`: there are none. For who has its lease.
    ///
    /// - Throws: ``StorageError``.
    public func set(_ lease: Lease, pagesPort: Int?) throws(StorageError) {
        try database.query(
            "UPDATE cells SET pages = ? WHERE name = ? AND epoch = ?",
            pagesPort.map { .integer(Int64($0)) } ?? .null, .text(lease.cell), .integer(lease.epoch))
    }

    /// Whether somebody new may be given to a cell.
    ///
    /// - Returns: whether there is such a cell.
    /// - Throws: ``StorageError``.
    public func set(_ name: String, isOpen: Bool) throws(StorageError) -> Bool {
        try !database.query(
            "UPDATE cells SET open = ? WHERE name = ? RETURNING name", .integer(isOpen ? 1 : 0), .text(name)
        ).isEmpty
    }

    /// Whose invitations lead to a cell; `nil`: those of no zone.
    ///
    /// - Returns: whether there is such a cell.
    /// - Throws: ``StorageError``.
    public func set(_ name: String, zone: String?) throws(StorageError) -> Bool {
        try !database.query(
            "UPDATE cells SET zone = ? WHERE name = ? RETURNING name", zone.map { .text($0) } ?? .null, .text(name)
        ).isEmpty
    }

    // MARK: Who works them

    /// Takes a cell that nobody works, for so long.
    ///
    /// - Parameter holder: a place where no two servers run at once. Who was the last to have the cell gets it at once: it is
    ///   the same server, started again.
    /// - Returns: `nil` while somebody else has it.
    /// - Throws: ``StorageError``.
    public func take(_ cell: String, as holder: String, for time: Duration) throws(StorageError) -> Lease? {
        try database.transaction { connection throws(StorageError) in
            let row = try connection.query("SELECT holder FROM cells WHERE name = ? FOR UPDATE", .text(cell)).first
            let rows = try connection.query(
                """
                UPDATE cells SET holder = ?1, epoch = epoch + 1, until = \(Self.now) + ?2
                WHERE name = ?3 AND (until IS NULL OR until <= \(Self.now) OR holder = ?1) RETURNING epoch
                """, .text(holder), .real(time / .seconds(1)), .text(cell))
            guard let epoch = rows.first?.integer(0) else { return nil }
            return Lease(cell: cell, epoch: epoch, isFromAnother: epoch > 1 && row?.text(0) != holder)
        }
    }

    /// Keeps a lease for so long from now.
    ///
    /// - Returns: `false` when somebody else has the cell.
    /// - Throws: ``StorageError``.
    public func keep(_ lease: Lease, for time: Duration) throws(StorageError) -> Bool {
        try !database.query(
            "UPDATE cells SET until = \(Self.now) + ? WHERE name = ? AND epoch = ? RETURNING name",
            .real(time / .seconds(1)), .text(lease.cell), .integer(lease.epoch)
        ).isEmpty
    }

    /// Gives a lease back, so that nobody has to wait for its end.
    ///
    /// - Throws: ``StorageError``.
    public func giveBack(_ lease: Lease) throws(StorageError) {
        try database.query(
            "UPDATE cells SET until = \(Self.now) WHERE name = ? AND epoch = ?", .text(lease.cell),
            .integer(lease.epoch))
    }
}
