import CSQLite

/// Why the state could not be used.
public enum StorageError: Error, Sendable, CustomStringConvertible {
    case cannotOpen(path: String, why: String)
    case failed(path: String, code: Int32, why: String, statement: String)
    /// A database server has refused something; `state` is SQL's own code of five characters.
    case refused(place: String, state: String, why: String, statement: String)
    /// The connection to a database server was lost: nothing of the transaction has been stored.
    case lost(place: String, why: String)
    /// The connection was lost while the server was told to store: nobody knows whether it has. What is in memory does not
    /// count any more: go on from what is stored.
    case unknownWhetherStored(place: String, why: String)

    /// Whether the file itself is broken, and not what it lies on or who asks.
    public var isDamage: Bool {
        switch self {
        case .failed(_, let code, _, _): [SQLITE_CORRUPT, SQLITE_NOTADB].contains(code & 0xFF)
        case .refused(_, let state, _, _): state == "XX001" || state == "XX002"
        case .cannotOpen, .lost, .unknownWhetherStored: false
        }
    }

    /// SQL's code for what a program may not store any more, since another has taken its place. It is no standard's: the class
    /// `SR` is free.
    public static let fenceState = "SR001"

    /// Whether another program has taken this one's place: nothing can be stored any more.
    public var isFenced: Bool {
        guard case .refused(_, Self.fenceState, _, _) = self else { return false }
        return true
    }

    /// Whether the same transaction may well succeed when it is run once more: others were in its way.
    /// https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
    var isCollision: Bool {
        guard case .refused(_, let state, _, _) = self else { return false }
        return state == "40001" || state == "40P01"
    }

    /// For people, in one line: which file or database, what is wrong with it and, where something helps, what to do.
    public var description: String {
        switch self {
        case .cannotOpen(let path, let why): "the state file \(path) cannot be opened: \(why)"
        case .failed(let path, let code, let why, let statement):
            switch code & 0xFF {
            case SQLITE_FULL: "the disk is full: \(path) could not be written; free some space"
            case SQLITE_READONLY: "\(path) is read-only; check the file system and the owner of the file"
            case SQLITE_CORRUPT, SQLITE_NOTADB:
                "\(path) is damaged (\(why)); restore it from a backup, or move it away and register again"
            default: "\(path): \(why) (SQLite \(code)) in \"\(statement)\""
            }
        case .refused(let place, let state, let why, let statement):
            switch state {
            case "53100": "the disk of \(place) is full; free some space there"
            case "25006":
                "\(place) may only be read: it is a standby, or was set so; name the server that may be written, too"
            case "55P03": "\(place): another program has been writing the same for too long (\(why))"
            case "57014": "\(place): that took too long, and was ended (\(why)) in \"\(statement)\""
            case Self.fenceState: "\(place): \(why); nothing is stored from here any more"
            case "XX001", "XX002": "\(place) is damaged (\(why)); restore it from a backup"
            default: "\(place): \(why) (SQLSTATE \(state)) in \"\(statement)\""
            }
        case .lost(let place, let why):
            "the connection to \(place) was lost, and nothing of what was under way is stored: \(why)"
        case .unknownWhetherStored(let place, let why):
            "the connection to \(place) was lost while it was storing: nobody knows whether it has, and what is stored counts: "
                + why
        }
    }
}
