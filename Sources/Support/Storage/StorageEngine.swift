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
}
