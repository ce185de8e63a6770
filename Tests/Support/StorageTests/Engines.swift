import PostgreSQL
import Storage
import TestProcesses
import Testing

/// What keeps the tables.
enum Engine: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite, postgres

    var testDescription: String { rawValue }

    /// Those that there are on this machine: with ``PostgresServer/missing`` SQLite alone.
    static let here: [Engine] = PostgresServer.missing == nil ? allCases : [.sqlite]
}

/// A database that several programs open, of whichever engine.
final class Shelf: Sendable {
    private let scratch: Scratch
    private let address: PostgreSQLAddress?
    /// Of the server's database.
    let text: String

    init(_ engine: Engine, _ server: PostgresServer? = nil) throws {
        scratch = try Scratch()
        guard engine == .postgres else {
            (address, text) = (nil, "")
            return
        }
        text = try (server ?? PostgresServer.shared.get()).makeDatabase()
        address = try PostgreSQLAddress(text)
    }

    /// As another program does.
    func session(_ use: Database.Use = .change) throws(StorageError) -> DatabaseSession? {
        guard let address else { return nil }
        return try DatabaseSession(address, use: use)
    }

    func open(_ migrations: [String], _ use: Database.Use = .change, store: String = "shelf") throws(StorageError)
        -> Database
    {
        guard let session = try session(use) else {
            return try Database(path: scratch(store + ".db"), migrations: migrations, use: use)
        }
        return try Database(in: session, store: store, migrations: migrations)
    }
}

func why<Result>(_ body: () throws -> Result) -> String {
    do {
        _ = try body()
        return ""
    } catch {
        return "\(error)"
    }
}
