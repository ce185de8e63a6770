import CPostgres
import Glibc
import Storage

/// One connection to a server, as long as it holds. Nothing here waits for longer than it says.
final class PostgreSQLLink {
    private let pointer: OpaquePointer
    private let address: PostgreSQLAddress
    private var place: String { address.place }

    /// So long a statement may take.
    private let patience: Duration
    /// Migrations take as long as they take, within reason.
    static let longestMigration = Duration.seconds(3600)

    init(_ address: PostgreSQLAddress, _ use: Database.Use, _ patience: Duration) throws(StorageError) {
        self.address = address
        self.patience = patience
        let options = Array(address.options)
        // Ends with NULL; libpq copies all of it.
        let keys = options.map { strdup($0.key) } + [nil]
        let values = options.map { strdup($0.value) } + [nil]
        defer { (keys + values).forEach { free($0) } }
        let made = keys.map { UnsafePointer($0) }.withUnsafeBufferPointer { keys in
            values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                PQconnectdbParams(keys.baseAddress, values.baseAddress, 0)
            }
        }
        guard let made else { throw .cannotOpen(path: address.place, why: "there is no memory") }
        pointer = made
        srup_pq_be_silent(pointer)
        guard PQstatus(pointer) == CONNECTION_OK, PQsetnonblocking(pointer, 1) == 0 else {
            throw .cannotOpen(path: address.place, why: failure)
        }
        try setUp(use)
    }

    deinit { PQfinish(pointer) }

    private func setUp(_ use: Database.Use) throws(StorageError) {
        let encoding = PQparameterStatus(pointer, "server_encoding").map { String(cString: $0) } ?? ""
        guard encoding == "UTF8" else {
            throw .cannotOpen(
                path: place,
                why: "its encoding is \(encoding); make the database with \"ENCODING 'UTF8' TEMPLATE template0\"")
        }
        guard PQserverVersion(pointer) >= 130_000 else {
            throw .cannotOpen(path: place, why: "the server is older than PostgreSQL 13")
        }
        var settings = [
            "standard_conforming_strings = on", "lock_timeout = 5000",
            // The server ends it before nobody waits for it here any more.
            "statement_timeout = \(Int(patience / .milliseconds(1) * 2 / 3) + 1)",
            // Whoever stands still in a transaction keeps all others from writing.
            "idle_in_transaction_session_timeout = 60000",
        ]
        if use == .look { settings.append("default_transaction_read_only = on") }
        try script(settings.map { "SET \($0)" }.joined(separator: ";"))
        let row = try rows(
            of: send("SELECT current_setting('fsync'), current_setting('synchronous_commit')"), "SELECT"
        ).first
        // A replay counter that steps back after a power cut would open an old number again.
        guard use == .look || row?.text(0) == "on" else {
            throw .cannotOpen(
                path: place, why: "the server has fsync = off, and would forget in a power cut what it has confirmed")
        }
        if row?.text(1) == "off" { try script("SET synchronous_commit = on") }
    }

    /// What libpq says has gone wrong with the connection.
    private var failure: String { address.words(String(cString: PQerrorMessage(pointer))) }

    /// Whether a transaction is under way that can go on.
    var isInTransaction: Bool { PQtransactionStatus(pointer) == PQTRANS_INTRANS }

    // MARK: Statements

    /// Runs statements without values, separated by semicolons.
    ///
    /// - Returns: what the last one has done, in the server's words.
    /// - Throws: ``StorageError/lost(place:why:)`` when the connection has ended, and this must not be used any more.
    @discardableResult
    func script(_ sql: String, patience: Duration? = nil) throws(StorageError) -> String {
        let results = try send(sql, patience: patience)
        defer { results.forEach { PQclear($0) } }
        for result in results { try check(result, sql) }
        return results.last.flatMap { PQcmdStatus($0) }.map { String(cString: $0) } ?? ""
    }

    private func send(_ sql: String, patience: Duration? = nil) throws(StorageError) -> [OpaquePointer] {
        // With a parameter list, even an empty one, the results could be binary, but there could be one statement only.
        try answers(PQsendQuery(pointer, sql), patience ?? self.patience)
    }

    /// Runs one statement without values, and collects its rows in the binary form.
    func fetch(_ sql: String) throws(StorageError) -> [Row] {
        try rows(of: answers(PQsendQueryParams(pointer, sql, 0, nil, nil, nil, nil, 1), patience), sql)
    }

    func prepare(_ name: String, _ sql: String, _ types: [UInt32]) throws(StorageError) {
        let results = try answers(PQsendPrepare(pointer, name, sql, Int32(types.count), types), patience)
        defer { results.forEach { PQclear($0) } }
        for result in results { try check(result, sql) }
    }

    func execute(_ name: String, _ sql: String, _ values: [Value]) throws(StorageError) -> [Row] {
        let bytes = values.map(WireValue.bytes)
        guard bytes.allSatisfy({ $0?.count ?? 0 < 1 << 30 }) else {
            throw .refused(place: place, state: "54000", why: "a value is too large", statement: String(sql.prefix(80)))
        }
        // One piece of memory for all values, so that their addresses hold.
        let whole: [UInt8] = Array(bytes.compactMap { $0 }.joined()) + [0]
        let sent = whole.withUnsafeBytes { memory in
            var place = 0
            var starts: [UnsafePointer<CChar>?] = []
            for value in bytes {
                starts.append(
                    value == nil ? nil : memory.baseAddress.map { ($0 + place).assumingMemoryBound(to: CChar.self) })
                place += value?.count ?? 0
            }
            return PQsendQueryPrepared(
                pointer, name, Int32(values.count), starts, bytes.map { Int32($0?.count ?? 0) },
                values.map { _ in 1 }, 1)
        }
        return try rows(of: answers(sent, patience), sql)
    }

    private func rows(of results: [OpaquePointer], _ sql: String) throws(StorageError) -> [Row] {
        defer { results.forEach { PQclear($0) } }
        for result in results { try check(result, sql) }
        guard let result = results.last else { return [] }
        let columns = PQnfields(result)
        var rows: [Row] = []
        rows.reserveCapacity(Int(PQntuples(result)))
        for row in 0..<PQntuples(result) {
            var values: [Value] = []
            for column in 0..<columns {
                guard PQgetisnull(result, row, column) == 0 else {
                    values.append(.null)
                    continue
                }
                let bytes = UnsafeRawBufferPointer(
                    start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
                guard let value = WireValue.value(bytes, type: PQftype(result, column)) else {
                    throw .refused(
                        place: place, state: "0A000",
                        why: "a column has a type that is not known here (\(PQftype(result, column)))",
                        statement: String(sql.prefix(80)))
                }
                values.append(value)
            }
            rows.append(Row(values))
        }
        return rows
    }

    private func check(_ result: OpaquePointer, _ sql: String) throws(StorageError) {
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK: return
        default: break
        }
        let why = srup_pq_message(result).map { String(cString: $0) } ?? failure
        guard srup_pq_is_fatal(result) == 0, PQstatus(pointer) == CONNECTION_OK,
            let state = srup_pq_sqlstate(result).map({ String(cString: $0) })
        else { throw .lost(place: place, why: address.words(why)) }
        throw .refused(place: place, state: state, why: address.words(why), statement: String(sql.prefix(80)))
    }

    // MARK: Waiting

    /// Everything that the server answers to what was sent.
    private func answers(_ sent: Int32, _ patience: Duration) throws(StorageError) -> [OpaquePointer] {
        guard sent == 1 else {
            guard PQstatus(pointer) == CONNECTION_OK else { throw .lost(place: place, why: failure) }
            throw .refused(place: place, state: "54000", why: failure, statement: "")
        }
        let end = ContinuousClock.now + patience
        var results: [OpaquePointer] = []
        do throws(StorageError) {
            while true {
                let left = PQflush(pointer)
                if left == 0 { break }
                guard left > 0 else { throw .lost(place: place, why: failure) }
                try wait(Int16(POLLIN | POLLOUT), until: end)
            }
            while true {
                while PQisBusy(pointer) == 1 { try wait(Int16(POLLIN), until: end) }
                guard let result = PQgetResult(pointer) else { return results }
                results.append(result)
            }
        } catch {
            // What has come before the end says why it ended.
            defer { results.forEach { PQclear($0) } }
            for result in results { try check(result, "") }
            throw error
        }
    }

    private func wait(_ events: Int16, until end: ContinuousClock.Instant) throws(StorageError) {
        let left = (end - ContinuousClock.now) / .milliseconds(1)
        guard left > 0 else { throw .lost(place: place, why: "no answer has come in time") }
        var poller = pollfd(fd: PQsocket(pointer), events: events, revents: 0)
        let ready = poll(&poller, 1, Int32(min(left.rounded(.up), 60_000)))
        guard ready >= 0 || errno == EINTR else { throw .lost(place: place, why: String(cString: strerror(errno))) }
        guard ready > 0, poller.revents != Int16(POLLOUT) else { return }
        guard PQconsumeInput(pointer) == 1 else { throw .lost(place: place, why: failure) }
    }
}
