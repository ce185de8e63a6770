/// What keeps the tables of one or of several stores: SQLite, or a database server over one connection.
///
/// Used by a ``DatabaseSession`` alone, by one thread at a time. Statements are written so that all engines take them; values
/// stand for `?`, or for `?1`, `?2`.
public protocol StorageEngine: AnyObject {
    /// Where the tables are, for people; never with a password.
    var place: String { get }

    /// Whether a statement that fails leaves the transaction as it was before it. Otherwise the transaction, or the part of
    /// it, can only be rolled back.
    var forgivesFailures: Bool { get }

    /// Whether a transaction is under way that can go on.
    var isInTransaction: Bool { get }

    /// Whether a statement changes nothing.
    func onlyReads(_ sql: String) -> Bool

    /// Another connection to the same tables, which only reads, and sees what has been stored; `nil` where there is none.
    func reader() throws(StorageError) -> (any StorageEngine)?

    /// Runs one statement, in the transaction that is under way or in none, and collects its rows.
    func query(_ sql: String, _ values: [Value], of store: String) throws(StorageError) -> [Row]

    /// Begins a transaction that writes. Without one ``rollback()`` does nothing.
    func begin() throws(StorageError)

    /// Within a transaction: keeps all other programs from writing this store until its end, and waits for one that does.
    func claim(_ store: String) throws(StorageError)

    /// Begins a transaction that only reads, and sees everything as it is at its beginning. It ends with ``rollback()``.
    func beginSnapshot() throws(StorageError)

    /// Stores what was written since ``begin()``.
    ///
    /// - Throws: ``StorageError``; ``StorageError/unknownWhetherStored(place:why:)`` when no answer has come.
    func commit() throws(StorageError)

    /// Ends the transaction, if there is one, and leaves nothing of it.
    func rollback()

    /// Begins a part that may fail by itself. Parts do not hold parts.
    func beginPart() throws(StorageError)

    /// The part has succeeded.
    func endPart() throws(StorageError)

    /// The part has failed: nothing of it stays.
    func dropPart()

    /// How many migrations a store has had.
    func schema(of store: String) throws(StorageError) -> Int

    /// Runs migration scripts within a transaction and notes how many the store has had with them.
    func migrate(_ store: String, _ scripts: ArraySlice<String>, to version: Int) throws(StorageError)

    // MARK: Whole stores

    /// The tables of a store, those first that others refer to.
    func tables(of store: String) throws(StorageError) -> [StoredTable]

    /// Lends all rows of a table to `body`, some at a time: a table may be larger than the memory.
    func eachRow(
        of table: StoredTable, in store: String, _ body: ([Row]) throws(StorageError) -> Void
    ) throws(StorageError)

    /// The highest number that a table has given to a row by itself; `nil` when it gives none. None of them is given again,
    /// though its row may be gone.
    func lastNumber(of table: StoredTable, in store: String) throws(StorageError) -> Int64?

    /// Sees to it that a table which gives numbers goes on above this one, and above those that its rows have.
    func setLastNumber(_ number: Int64, of table: StoredTable, in store: String) throws(StorageError)
}

/// A table of a store, by its name, with the names of its columns.
public struct StoredTable: Sendable, Hashable {
    /// Its name, without that of the schema.
    public let name: String
    /// Its columns, in their order.
    public let columns: [String]

    /// As an engine has found it.
    public init(name: String, columns: [String]) {
        self.name = name
        self.columns = columns
    }

    /// The statement that reads all of it.
    public var selection: String { "SELECT \(columnList) FROM \"\(name)\"" }

    /// The statement that puts a row into it, with a value for each column.
    var insertion: String {
        "INSERT INTO \"\(name)\" (\(columnList)) VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))"
    }

    // In quotes: what is a plain name to one engine is a word of the language to another.
    private var columnList: String { columns.map { "\"\($0)\"" }.joined(separator: ", ") }
}
