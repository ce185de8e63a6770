/// Whole stores, from one engine to the other: to move to a database server, and for a backup that any machine can read.
extension Database {
    /// So many rows of a whole store are held in memory at once.
    public static let rowsAtOnce = 256

    /// Puts all rows of another store of the same kind in the place of those here, as one transaction. Numbers that a table
    /// has given to its rows are not given again.
    ///
    /// Both have had all migrations. What the other one holds must not change meanwhile: ``DatabaseSession/snapshot(_:)``, or
    /// nobody else uses it.
    ///
    /// - Returns: how many rows.
    /// - Throws: ``StorageError``; nothing was changed here then.
    @discardableResult
    public func takeOver(_ other: Database) throws(StorageError) -> Int {
        precondition(other.session !== session, "a session cannot be copied to itself")
        return try transaction { connection throws(StorageError) in
            try other.run { source throws(StorageError) in try connection.takeOver(source) }
        }
    }

    /// Whether there is nothing in any table.
    ///
    /// - Throws: ``StorageError``.
    public func isEmpty() throws(StorageError) -> Bool {
        try run { connection throws(StorageError) in
            for table in try connection.engine.tables(of: connection.store) {
                guard try connection.query("SELECT 1 FROM \"\(table.name)\" LIMIT 1").isEmpty else { return false }
            }
            return true
        }
    }
}

extension Connection {
    fileprivate func takeOver(_ source: Connection) throws(StorageError) -> Int {
        let tables = try source.engine.tables(of: source.store)
        let own = try engine.tables(of: store)
        guard Set(own.map(\.name)) == Set(tables.map(\.name)) else {
            throw .cannotOpen(
                path: engine.place, why: "it does not hold the same tables as \(source.engine.place)")
        }
        for table in tables.reversed() { try query("DELETE FROM \"\(table.name)\"") }
        var count = 0
        for table in tables {
            try source.engine.eachRow(of: table, in: source.store) { rows throws(StorageError) in
                for row in rows { try query(table.insertion, row.values) }
                count += rows.count
            }
            let last = try source.engine.lastNumber(of: table, in: source.store) ?? 0
            try engine.setLastNumber(last, of: table, in: store)
        }
        return count
    }
}
