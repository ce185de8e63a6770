import C2
import Cells
import Glibc
import KeyService
import Linux
import Logging
import Operators
import Participant
import PostgreSQL
import Storage
import Synchronization

/// A database server in place of the files in a server's folder: `database` and `cell` in c2.toml.
struct DatabasePlace: Sendable {
    let address: PostgreSQLAddress
    /// Which part of the network is worked from this folder.
    let cell: String
}

/// The stores of a server's folder: SQLite files in it, or schemas in the database that c2.toml names.
///
/// On a database server what belongs to a cell (state and counters of the C2 server, commands, releases) has a session of its
/// own, so that it is stored together; key service and operators, which all cells share, have another.
final class ServerStores: Sendable {
    let folder: String
    let database: DatabasePlace?
    private let sessions = Mutex<[Session: DatabaseSession]>([:])
    private let held = Mutex<CellBook.Lease?>(nil)

    private struct Session: Hashable {
        let isOfCell, isForLooking: Bool
    }

    init(_ folder: String, _ database: DatabasePlace?) {
        self.folder = folder
        self.database = database
    }

    /// - Throws: `SettingsError` when what c2.toml says of it is wrong; ``ParticipantError`` when it may not be read.
    convenience init(_ folder: String) throws {
        let path = folder + "/c2.toml"
        if PublicFile.isThere(path), let problem = PublicFile.problem(path) {
            throw ParticipantError.identity("\(path) \(problem); is \(folder) the right folder?")
        }
        self.init(folder, try ServerSettings.database(folder))
    }

    private var home: String { folder + "/server" }

    /// What belongs to the cell is stored from now on only while this lease counts. To be called before a store is opened.
    func use(_ lease: CellBook.Lease) {
        held.withLock { $0 = lease }
    }

    /// So long one transaction waits for the database to come back. What fails is tried again by whoever wants it; and a program
    /// that is to end must not stand still for longer.
    private static let patience = Duration.seconds(1)

    private func session(
        ofCell isOfCell: Bool, _ use: Database.Use, _ place: DatabasePlace
    ) throws(StorageError) -> DatabaseSession {
        let key = Session(isOfCell: isOfCell, isForLooking: use == .look)
        if let open = sessions.withLock({ $0[key] }) { return open }
        let session = try DatabaseSession(
            place.address, use: use, prefix: isOfCell ? CellBook.prefix(of: place.cell) : "",
            fence: isOfCell && use == .change ? held.withLock { $0?.fence } : nil, patience: Self.patience)
        return sessions.withLock { sessions in
            if let first = sessions[key] { return first }
            sessions[key] = session
            return session
        }
    }

    /// What is read in it, for looking, is as it was at one moment: that of the cell first, then what all share.
    func inSnapshot(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        guard let database else { return try body() }
        try session(ofCell: true, .look, database).snapshot { () throws(StorageError) in
            try self.session(ofCell: false, .change, database).snapshot(body)
        }
    }

    private func store<Store>(
        ofCell isOfCell: Bool = true, _ use: Database.Use, file: () throws(StorageError) -> Store,
        _ schema: (DatabaseSession) throws(StorageError) -> Store
    ) throws(StorageError) -> Store {
        guard let database else { return try file() }
        return try schema(try session(ofCell: isOfCell, use, database))
    }

    // MARK: The C2 server's

    /// Its identity, with its counters, peers and log.
    func identity(use: Database.Use = .change) throws -> (Identity, ParticipantStore) {
        try Identity.load(from: home) { path throws(StorageError) in try self.participant(path, use) }
    }

    func participant(use: Database.Use = .change) throws(StorageError) -> ParticipantStore {
        try participant(Identity.statePath(home), use)
    }

    private func participant(_ path: String, _ use: Database.Use) throws(StorageError) -> ParticipantStore {
        try store(
            use, file: { () throws(StorageError) in try ParticipantStore(path: path, use: use) },
            { session throws(StorageError) in try ParticipantStore(in: session) })
    }

    func state(use: Database.Use = .change) throws(StorageError) -> C2State {
        try store(
            use, file: { () throws(StorageError) in try C2State(path: self.home + "/c2.db", use: use) },
            { session throws(StorageError) in try C2State(in: session) })
    }

    func commands(use: Database.Use = .change) throws(StorageError) -> CommandStore {
        try store(
            use, file: { () throws(StorageError) in try CommandStore(path: self.home + "/commands.db", use: use) },
            { session throws(StorageError) in try CommandStore(in: session) })
    }

    func updates(use: Database.Use = .change) throws(StorageError) -> UpdateStore {
        try store(
            use, file: { () throws(StorageError) in try UpdateStore(path: self.home + "/updates.db", use: use) },
            { session throws(StorageError) in try UpdateStore(in: session) })
    }

    // MARK: What all cells share

    func keyService() throws(StorageError) -> KeyServiceState {
        try store(
            ofCell: false, .change,
            file: { () throws(StorageError) in
                try KeyServiceState(path: KeyServiceState.path(in: self.folder))
            }, { session throws(StorageError) in try KeyServiceState(in: session) })
    }

    func operators(lifetimes: OperatorStore.Lifetimes = .init()) throws(StorageError) -> OperatorStore {
        try store(
            ofCell: false, .change,
            file: { () throws(StorageError) in
                try OperatorStore(path: OperatorStore.path(in: self.folder), lifetimes: lifetimes)
            }, { session throws(StorageError) in try OperatorStore(in: session, lifetimes: lifetimes) })
    }

    /// The key service's, which must be there: opening would make a new one.
    func presentKeyService() throws -> KeyServiceState {
        let path = KeyServiceState.path(in: folder)
        if database == nil, let problem = PublicFile.problem(path) {
            throw ParticipantError.identity("\(path) \(problem); is \(folder) the right folder?")
        }
        return try keyService()
    }

    func revocations() throws -> Revocations { try Revocations(folder: folder, state: try keyService()) }

    // MARK: Cells

    /// The table of cells, over a connection of its own; `nil` where there is no database server, and one cell.
    func cells() throws(StorageError) -> CellBook? {
        guard let database else { return nil }
        // A lease must be kept while the machine is busy: nobody waits long here.
        return try CellBook(
            in: try DatabaseSession(database.address, patience: Self.patience, answer: .seconds(3)))
    }

    /// The other cells, for the C2 server of this one; `nil` where there is no database server.
    func neighbours() throws(StorageError) -> CellNeighbours? {
        guard let database else { return nil }
        // In the same session as what the server stores: within a turn it is one transaction.
        let errands = try ErrandBook(in: try session(ofCell: true, .change, database), cell: database.cell)
        return CellNeighbours(errands: errands, identities: try keyService(), cell: database.cell)
    }

    /// This machine and folder: ``FolderLock`` sees to it that one server runs here.
    var holder: String {
        let machine = ((try? PublicFile.read("/etc/machine-id")) ?? "").prefix(8)
        return "\(Host.name):\(folder)\(machine.isEmpty ? "" : " (\(machine))")"
    }
}

private enum Host {
    static var name: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "?" }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension FolderOptions {
    func stores() throws -> ServerStores { try ServerStores(folder) }
}
