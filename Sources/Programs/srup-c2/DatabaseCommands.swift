import ArgumentParser
import C2
import Cells
import Foundation
import KeyService
import Operators
import Participant
import PostgreSQL
import Program
import Settings
import Storage

struct DatabaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "database",
        abstract: "Where the server keeps what it must not forget: in files, or on a PostgreSQL server.",
        discussion: """
            srup-c2 database move postgresql://srup@db.example.net/srup
            srup-c2 database show
            """,
        subcommands: [MoveDatabase.self, ShowDatabase.self])
}

/// What a store holds, whichever engine keeps it, and what people call it.
struct NamedStore {
    let name: String
    let database: Database
}

extension ServerStores {
    /// All stores, those of the cell first: who belongs there is registered, too, so that of what changes meanwhile more is
    /// registered than belongs, and never less.
    func all(use: Database.Use = .change) throws -> [NamedStore] {
        [
            NamedStore(name: "state and counters", database: try participant(use: use).database),
            NamedStore(name: "joins, zones and policies", database: try state(use: use).database),
            NamedStore(name: "commands and groups", database: try commands(use: use).database),
            NamedStore(name: "releases and rollouts", database: try updates(use: use).database),
            NamedStore(name: "identities", database: try keyService().database),
            NamedStore(name: "operators", database: try operators().database),
        ]
    }

    /// Puts all that the other one's stores hold, as they are at this moment, in the place of what is in these.
    ///
    /// - Returns: how many rows each had.
    func takeOver(_ other: ServerStores) throws -> [(name: String, rows: Int)] {
        let (own, sources) = (try all(), try other.all(use: .look))
        var counts: [(name: String, rows: Int)] = []
        try other.inSnapshot { () throws(StorageError) in
            for (store, source) in zip(own, sources) {
                counts.append((store.name, try store.database.takeOver(source.database)))
            }
        }
        return counts
    }
}

private struct MoveDatabase: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move", abstract: "Move everything that is kept in files to a PostgreSQL database.",
        discussion: """
            The database must be there, and empty: createdb --encoding UTF8 --template template0 srup. Stop the C2 server and \
            the key service first. Everything is copied; then the address is written into c2.toml, and the files are put \
            aside into DIR/before-database. Nothing is changed when the copy fails. Keys and certificates stay files.

            Exit codes: 0 moved, 1 it could not be, 78 there is no such folder, a server runs in it, or the database is not \
            empty.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(
        help: ArgumentHelp("postgresql://user@host/database, for a password ?passfile=/path", valueName: "address"))
    var address: String

    func run() throws {
        let folder = URL(fileURLWithPath: folder.folder).standardizedFileURL.path
        do {
            let place = DatabasePlace(address: try PostgreSQLAddress(address), cell: CellBook.usual)
            try Mover(folder: folder, address: address, target: ServerStores(folder, place)).move()
        } catch let error as Mover.Failure {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}

/// From files to a database server.
private struct Mover {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let folder: String
    let address: String
    let target: ServerStores

    private static let aside = "before-database"
    private static let files = [
        "server/state.db", "server/c2.db", "server/commands.db", "server/updates.db", "key-service.db",
        "server/operators.db",
    ]

    func move() throws {
        guard PublicFile.isThere(folder + "/c2.toml"), PublicFile.isThere(folder + "/" + Self.files[0]) else {
            throw Failure(description: "\(folder) is no folder of \"srup-c2 init\" with its stores in files")
        }
        guard try ServerSettings.database(folder) == nil else {
            throw Failure(description: "\(folder)/c2.toml names a database already")
        }
        let lock: FolderLock
        do { lock = try FolderLock(folder + "/server") } catch { throw Failure(description: "\(error)") }
        defer { withExtendedLifetime(lock) {} }
        guard ControlSocket.ask(KeyServiceMetrics.socket(folder)) == nil else {
            throw Failure(description: "the key service runs in \(folder): stop it first")
        }
        guard try target.keyService().counts().all == 0, try target.participant().value("identity") == nil else {
            throw Failure(description: "\(target.database?.address.place ?? "?") holds a network already")
        }
        for (name, rows) in try target.takeOver(ServerStores(folder, nil)) { print("\(name): \(rows) rows") }
        try PrivateFile.write(try configuration(), to: folder + "/c2.toml")
        try PrivateFile.makeFolder(folder + "/" + Self.aside)
        for file in Self.files { try putAside(file) }
        print(
            "all is in \(target.database?.address.place ?? "?") now, and c2.toml says so; the files are in \(folder)/\(Self.aside)")
    }

    /// SQLite's own files beside one go with it.
    private func putAside(_ file: String) throws {
        let name = file.split(separator: "/").last.map(String.init) ?? file
        for end in ["", "-wal", "-shm"] where PublicFile.isThere(folder + "/" + file + end) {
            let (from, to) = ("\(folder)/\(file)\(end)", "\(folder)/\(Self.aside)/\(name)\(end)")
            guard rename(from, to) == 0 else {
                throw Failure(description: "\(from) cannot be moved away: \(String(cString: strerror(errno)))")
            }
        }
    }

    /// With the address: in the place of the example that "init" has written, or at the top.
    private func configuration() throws -> String {
        let line = "database = \(ServerSettings.quoted(address))"
        var lines = try PublicFile.read(folder + "/c2.toml").split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
        if let index = lines.firstIndex(where: { $0.hasPrefix("# database = ") }) {
            lines[index] = line
        } else {
            lines.insert(line, at: lines.firstIndex { !$0.hasPrefix("#") } ?? 0)
        }
        return lines.joined(separator: "\n")
    }
}

private struct ShowDatabase: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show where the stores are, and whether they can be reached.",
        discussion: "Exit codes: 0 they can, 1 they cannot, 78 there is no such folder.")

    @OptionGroup var folder: FolderOptions

    func run() throws {
        guard PublicFile.isThere(folder.folder + "/c2.toml") else {
            throw Program.failure(ParticipantError.notRegistered(folder: folder.folder), code: .configuration)
        }
        do {
            let stores = try folder.stores()
            guard let place = stores.database else { return print("files in \(folder.folder)") }
            let (identity, _) = try stores.identity(use: .look)
            print("\(place.address.place), cell \(place.cell), C2 server \(identity.id)")
        } catch let error as SettingsError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }
}
