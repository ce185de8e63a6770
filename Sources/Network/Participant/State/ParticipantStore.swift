import SRUP
import Storage
import Synchronization

/// What a participant must not forget: its peers with their keys and counters, its open requests, messages that the
/// broker has not confirmed yet, and an audit log. One SQLite file.
///
/// Every change is on disk when the call returns. Safe to use from several threads.
public final class ParticipantStore: Sendable {
    /// How far a new number jumps ahead, so that messages crossing on the wire are not dropped by a reference peer,
    /// whose one counter serves both directions (docs/protocol.md, "Sequence numbers").
    public static let stride: UInt64 = 16

    /// The SQLite file.
    public let database: Database
    private let keys = KeyCache()
    /// Who signs the audit log, where it is evidence.
    let keeper = Mutex<EvidenceKeeper?>(nil)
    /// What is written at the end of a turn; `nil`: all is written at once.
    let book = Mutex<TurnBook?>(nil)

    /// - Parameter use: ``Database/Use/look`` for who only reports.
    /// - Throws: ``StorageError``.
    public init(path: String, use: Database.Use = .change) throws(StorageError) {
        database = try Database(path: path, migrations: Self.migrations, use: use)
    }

    /// On a database server.
    ///
    /// - Throws: ``StorageError``.
    public init(in session: DatabaseSession) throws(StorageError) {
        database = try Database(in: session, store: "participant", migrations: Self.migrations)
    }

    static let putSetting = Database.put(into: "settings", key: ["name"], ["value"])

    /// Gathers all that `body` writes here into one transaction (`Database.turn`). What is sent must wait for it:
    /// ``Participant/afterwards``.
    ///
    /// - Throws: ``StorageError``: nothing was stored.
    public func turn(_ body: () throws(StorageError) -> Void) throws(StorageError) { try database.turn(body) }

    // MARK: Settings of the identity

    /// A value that registration or use has left.
    ///
    /// - Throws: ``StorageError``.
    public func value(_ name: String) throws(StorageError) -> String? {
        try database.query("SELECT value FROM settings WHERE name = ?", .text(name)).first?.text(0)
    }

    /// Sets or (with `nil`) removes a value.
    ///
    /// - Throws: ``StorageError``.
    public func set(_ name: String, to value: String?) throws(StorageError) {
        if let value {
            try database.query(Self.putSetting, .text(name), .text(value))
        } else {
            try database.query("DELETE FROM settings WHERE name = ?", .text(name))
        }
    }

    // MARK: Peers

    /// Somebody we exchange messages with.
    public struct Peer: Sendable {
        /// The peer's identity.
        public let id: DeviceID
        /// `nil` after the peer was forgotten; its counters stay, so that old messages stay dead.
        public let key: PublicKey?
        /// The device type that the key service tells.
        public let type: String?
        /// The protocol version of its last message that counted; before that, the one to speak first.
        public let version: ProtocolVersion
        /// Whether a join with this peer has succeeded and not ended.
        public let isJoined: Bool
        /// How it came in, when that is known.
        public let admission: Admission?
        /// The token of our last answer to one of its joins: after a crash it tells which have been answered.
        public let lastAnswer: Token?
        /// The highest number that was sent to it; 0 before the first message.
        public let lastSent: SequenceNumber
        /// The highest number that was taken from it; 0 before the first message.
        public let lastReceived: SequenceNumber
        /// When its last message that counted came, in seconds since 1970; `nil` before the first one.
        public let lastHeard: Double?
        /// What it has answered to an ID_REQUEST; text from outside.
        public let identification: String?
        /// What an operator has noted about it.
        public let note: String?
    }

    /// How a member was let in: whether that is good enough is asked again at each of its joins.
    public struct Admission: Sendable, Hashable {
        /// What the member was let in for.
        public enum Way: RawRepresentable, Sendable, Hashable {
            /// By its word alone.
            case simple
            /// An observer has seen it.
            case observed
            /// A person has compared what it shows.
            case human
            /// Several observers have seen it; how many and which, in the server's words.
            case severally(String)
            /// The operator has named its identity.
            case trusted

            private static let several = "observed by "

            /// As it is stored.
            public init?(rawValue: String) {
                switch rawValue {
                case "simple": self = .simple
                case "observed": self = .observed
                case "human": self = .human
                case "trusted": self = .trusted
                default:
                    guard rawValue.hasPrefix(Self.several) else { return nil }
                    self = .severally(String(rawValue.dropFirst(Self.several.count)))
                }
            }

            /// As it is stored.
            public var rawValue: String {
                switch self {
                case .simple: "simple"
                case .observed: "observed"
                case .human: "human"
                case .severally(let text): Self.several + text
                case .trusted: "trusted"
                }
            }
        }
        /// What the member was let in for.
        public let way: Way
        /// Of the answer that let it in.
        public let token: Token

        /// How a member was let in, and by which answer.
        public init(_ way: Way, _ token: Token) {
            self.way = way
            self.token = token
        }
    }

    /// What the answer to a join does to the membership of the peer that it goes to.
    public enum MembershipChange: Sendable {
        case begins(Admission)
        /// With the answer's token.
        case ends(Token)
    }

    /// - Throws: ``StorageError``.
    public func peer(_ id: DeviceID) throws(StorageError) -> Peer? {
        try peers(where: "id = ?", [.unsigned(id.value)]).first
    }

    /// The device type that the key service has told of a peer; `nil` when it has not, too.
    ///
    /// - Throws: ``StorageError``.
    public func type(of id: DeviceID) throws(StorageError) -> String? {
        try database.read("SELECT type FROM peers WHERE id = ?", [.unsigned(id.value)]).first?.text(0)
    }

    /// - Throws: ``StorageError``.
    public func joinedPeers() throws(StorageError) -> [Peer] { try peers(where: "joined = 1", []) }

    /// Who belongs, of which type and since which way in; without keys: reading a key costs more than all the rest of a peer.
    ///
    /// - Throws: ``StorageError``.
    public func members() throws(StorageError) -> [(id: DeviceID, type: String?, way: Admission.Way?)] {
        try database.read("SELECT id, type, admission FROM peers WHERE joined = 1 ORDER BY id").compactMap { row in
            row.unsigned(0).map { (DeviceID($0), row.text(1), row.text(2).flatMap { Admission.Way(rawValue: $0) }) }
        }
    }

    func peers(where condition: String, _ values: [Value], limit: Int = Int(Database.noLimit)) throws(StorageError)
        -> [Peer]
    {
        try database.read(
            """
            SELECT id, public_key, type, version, joined, sent, received, admission, admission_token, answered, heard, told, note
            FROM peers WHERE \(condition) ORDER BY id LIMIT ?
            """, values + [.integer(Int64(limit))]
        ).compactMap { row in
            guard let id = row.unsigned(0) else { return nil }
            return Peer(
                id: DeviceID(id), key: row.text(1).flatMap { keys.key($0) }, type: row.text(2),
                version: ProtocolVersion(rawValue: UInt8(truncatingIfNeeded: row.integer(3) ?? 0)) ?? .preferred,
                isJoined: row.integer(4) == 1,
                admission: row.text(7).flatMap { Admission.Way(rawValue: $0) }.flatMap { way in
                    row.blob(8).flatMap { Token($0) }.map { Admission(way, $0) }
                }, lastAnswer: row.blob(9).flatMap { Token($0) }, lastSent: SequenceNumber(row.unsigned(5) ?? 0),
                lastReceived: SequenceNumber(row.unsigned(6) ?? 0), lastHeard: row.real(10),
                identification: row.text(11), note: row.text(12))
        }
    }

    /// Notes a peer's key; its counters are kept.
    ///
    /// - Throws: ``StorageError``.
    public func remember(_ id: DeviceID, key: PublicKey, type: String? = nil) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            try Self.insertPeer(id, connection)
            try connection.query(
                "UPDATE peers SET public_key = ?, type = coalesce(?, type) WHERE id = ?", .text(key.pem),
                type.map { .text($0) } ?? .null, .unsigned(id.value))
        }
    }

    /// - Throws: ``StorageError``.
    public func setJoined(_ id: DeviceID, _ joined: Bool) throws(StorageError) {
        try database.query(
            "UPDATE peers SET joined = ?, admission = NULL, admission_token = NULL WHERE id = ?",
            .integer(joined ? 1 : 0), .unsigned(id.value))
    }

    /// What is spoken to a peer from now on, until it speaks itself.
    ///
    /// - Throws: ``StorageError``.
    public func setVersion(_ version: ProtocolVersion, of id: DeviceID) throws(StorageError) {
        try database.query(
            "UPDATE peers SET version = ? WHERE id = ?", .integer(Int64(version.rawValue)), .unsigned(id.value))
    }

    /// Drops a peer's key and its membership, not its counters.
    ///
    /// - Throws: ``StorageError``.
    public func forget(_ id: DeviceID) throws(StorageError) {
        try database.query(
            "UPDATE peers SET public_key = NULL, joined = 0, admission = NULL, admission_token = NULL WHERE id = ?",
            .unsigned(id.value))
    }

    /// Drops all of a peer: key, counters, membership, notes, what is on its way to it. Only for an identity that has ended for
    /// good: under its name nobody comes again whose old messages could be taken.
    ///
    /// - Throws: ``StorageError``.
    public func erase(_ id: DeviceID) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            try connection.query("DELETE FROM peers WHERE id = ?", .unsigned(id.value))
            try connection.query(
                "DELETE FROM requests WHERE peer = ? OR subject = ?", .unsigned(id.value), .unsigned(id.value))
            let topic = Topic.member(id).description
            try connection.query("DELETE FROM outbox WHERE topic = ?", .text(topic))
            _ = takeDown(.ended(topic: topic))
        }
    }

    private static func insertPeer(_ id: DeviceID, _ connection: Connection) throws(StorageError) {
        try connection.query(
            "INSERT INTO peers (id, version) VALUES (?, ?) ON CONFLICT DO NOTHING", .unsigned(id.value),
            .integer(Int64(ProtocolVersion.preferred.rawValue)))
    }

    /// Forgets all peers, open requests and messages on their way, for a new identity; the audit log stays.
    ///
    /// - Throws: ``StorageError``.
    public func beginAnew() throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            for table in ["peers", "requests", "outbox", "groups"] { try connection.query("DELETE FROM \(table)") }
        }
    }

    // MARK: Counters

    /// Takes a verified message's number: `nil` when it is the highest from this peer so far (it is on disk then),
    /// otherwise the number that it had to exceed.
    ///
    /// - Parameters:
    ///   - opening: a request that the message makes, stored with the number: a crash leaves both or neither. It takes the
    ///     place of an open one of the same kind, peer and subject, for which nobody waits any more.
    ///   - now: seconds since 1970, kept as the time that the peer was last heard; `nil`: that stays as it is.
    ///   - proof: the message and its sender's key, kept for the line that tells of what it has led to.
    /// - Throws: ``StorageError``.
    public func accept(
        _ sequence: SequenceNumber, from id: DeviceID, version: ProtocolVersion, opening: Request? = nil,
        now: Double? = nil, proof: (signed: SignedMessage, key: PublicKey)? = nil
    ) throws(StorageError) -> SequenceNumber? {
        try database.transaction { connection throws(StorageError) in
            let row = try connection.query("SELECT received FROM peers WHERE id = ?", .unsigned(id.value)).first
            let last = SequenceNumber(row?.unsigned(0) ?? 0)
            guard sequence > last else { return last }
            if row == nil { try Self.insertPeer(id, connection) }
            try connection.query(
                "UPDATE peers SET received = ?, version = ?, heard = coalesce(?, heard) WHERE id = ?",
                .unsigned(sequence.value), .integer(Int64(version.rawValue)), now.map { .real($0) } ?? .null,
                .unsigned(id.value))
            if let opening {
                if let subject = opening.subject {
                    try connection.query(
                        "DELETE FROM requests WHERE kind = ? AND peer = ? AND subject = ?",
                        .text(opening.kind.rawValue), .unsigned(opening.peer.value), .unsigned(subject.value))
                }
                try Self.insert(opening, connection)
            }
            if let proof, isKeepingEvidence,
                !takeDown(.taken(proof.signed, key: proof.key, now: now ?? 0))
            {
                try keep(proof.signed, key: proof.key, now: now ?? 0, connection)
            }
            return nil
        }
    }

    /// A message that waits for the broker's confirmation.
    public struct Outgoing: Sendable {
        /// The store's number for it, by which the link confirms it.
        public let id: Int64
        /// The name of the MQTT topic that it goes to.
        public let topic: String
        /// The signed message, byte for byte.
        public let payload: [UInt8]
    }

    /// Takes the next number for `peer`, lets `make` sign a message with it, and keeps the result until the broker has
    /// confirmed it: number and message are on disk together, so that after a crash the very same bytes are sent again
    /// and never two messages with one number.
    ///
    /// - Parameter answering: a request of `peer` that this message ends, in the same transaction: an answer goes out
    ///   once, whatever crashes.
    /// - Parameter membership: the peer's from now on, in the same transaction: membership and the answer that tells of it
    ///   are stored together.
    /// - Parameter opening: what the answer permits the peer to ask for, in the same transaction.
    /// - Throws: ``StorageError``, ``ParticipantError`` when `make` fails, the numbers are used up, or the request has been
    ///   answered.
    public func enqueue(
        to peer: DeviceID, topic: Topic, answering: (token: Token, kind: Request.Kind)? = nil,
        membership: MembershipChange? = nil, opening: Request? = nil, now: Double,
        _ make: (SequenceNumber, ProtocolVersion) throws -> [UInt8]
    ) throws -> Outgoing {
        let outgoing = try number(
            to: peer, topic: topic, answering: answering, membership: membership, opening: opening, now: now
        ) { .whole(try make($0, $1)) }
        guard let outgoing else { throw ParticipantError.cannotWrite("it was put off") }
        return outgoing
    }

    /// A message when its number is taken.
    enum Writing: Sendable {
        /// With its signature.
        case whole([UInt8])
        /// For ``TurnBook``.
        case unsigned(UnsignedMessage)
    }

    /// The same for a message that may be signed later.
    ///
    /// - Returns: `nil` when it is written at the end of the turn.
    func number(
        to peer: DeviceID, topic: Topic, answering: (token: Token, kind: Request.Kind)?, membership: MembershipChange?,
        opening: Request?, now: Double, _ make: (SequenceNumber, ProtocolVersion) throws -> Writing
    ) throws -> Outgoing? {
        let outcome = try database.transaction {
            connection throws(StorageError) -> Result<Outgoing?, ParticipantError> in
            if let answering {
                let open = try connection.query(
                    "SELECT 1 FROM requests WHERE token = ? AND kind = ? AND peer = ?",
                    .blob(answering.token.bytes), .text(answering.kind.rawValue), .unsigned(peer.value))
                guard !open.isEmpty else { return .failure(.alreadyAnswered) }
            }
            let row = try connection.query(
                "SELECT sent, received, version FROM peers WHERE id = ?", .unsigned(peer.value)
            ).first
            if row == nil { try Self.insertPeer(peer, connection) }
            let last = SequenceNumber(max(row?.unsigned(0) ?? 0, row?.unsigned(1) ?? 0))
            guard let next = last.advanced(by: Self.stride) else { return .failure(.sequenceExhausted(peer)) }
            let version = row?.integer(2).flatMap { ProtocolVersion(rawValue: UInt8(truncatingIfNeeded: $0)) }
            let writing: Writing
            do {
                writing = try make(next, version ?? .preferred)
            } catch {
                return .failure(.cannotWrite(String(describing: error)))
            }
            if let answering {
                try connection.query("DELETE FROM requests WHERE token = ?", .blob(answering.token.bytes))
            }
            if let opening { try Self.insert(opening, connection) }
            try connection.query(
                "UPDATE peers SET sent = ? WHERE id = ?", .unsigned(next.value), .unsigned(peer.value))
            if let membership { try Self.apply(membership, to: peer, connection) }
            return .success(try write(writing, to: peer, topic: topic.description, now: now, connection))
        }
        return try outcome.get()
    }

    /// - Returns: `nil` when it is written at the end of the turn.
    func write(
        _ writing: Writing, to peer: DeviceID?, topic: String, now: Double, _ connection: Connection
    ) throws(StorageError) -> Outgoing? {
        switch writing {
        case .whole(let bytes):
            if isKeepingEvidence, let signed = try? SignedMessage(parsing: bytes) {
                try keepOwn(signed, to: peer, now: now, connection)
            }
            return try Self.insertOutgoing(bytes, topic: topic, now: now, connection)
        case .unsigned(let message):
            _ = takeDown(.sent(message, to: peer, topic: topic, now: now))
            return nil
        }
    }

    private static func apply(
        _ change: MembershipChange, to peer: DeviceID, _ connection: Connection
    ) throws(StorageError) {
        let (joined, admission, token): (Int64, Admission?, Token) =
            switch change {
            case .begins(let admission): (1, admission, admission.token)
            case .ends(let token): (0, nil, token)
            }
        try connection.query(
            "UPDATE peers SET joined = ?, admission = ?, admission_token = ?, answered = ? WHERE id = ?",
            .integer(joined), admission.map { .text($0.way.rawValue) } ?? .null,
            admission.map { .blob($0.token.bytes) } ?? .null, .blob(token.bytes), .unsigned(peer.value))
    }

    /// Whether the broker has all that was sent.
    ///
    /// - Throws: ``StorageError``.
    public func isAllConfirmed() throws(StorageError) -> Bool {
        try database.read("SELECT 1 FROM outbox LIMIT 1").isEmpty
    }

    /// The broker has it.
    ///
    /// - Throws: ``StorageError``.
    public func confirmed(_ id: Int64) throws(StorageError) {
        try database.query("DELETE FROM outbox WHERE id = ?", .integer(id))
    }

    /// What an earlier run has not seen confirmed, in the order it was made; what is older than an hour is dropped,
    /// since every request it could answer has expired.
    ///
    /// - Throws: ``StorageError``.
    public func unconfirmed(now: Double) throws(StorageError) -> [Outgoing] {
        try database.transaction { connection throws(StorageError) in
            try connection.query(
                "DELETE FROM outbox WHERE created < ? OR created > ?", .real(now - 3600), .real(now + 3600))
            return try connection.query("SELECT id, topic, payload FROM outbox ORDER BY id")
        }.compactMap { row in
            guard let id = row.integer(0), let topic = row.text(1), let payload = row.blob(2) else { return nil }
            return Outgoing(id: id, topic: topic, payload: payload)
        }
    }

    // MARK: Open requests

    /// What a token stands for while its answer is awaited or owed.
    public struct Request: Sendable, Hashable {
        /// Who has asked whom for what.
        public enum Kind: String, Sendable {
            /// `peer` (the server) has asked us to look at `subject`; we owe it the verdict.
            case duty
            /// `peer` (the server) has told us to do something; we owe it the word how that went.
            case order
            /// `peer` (the server) offers an update (INITIATE); we owe it the word how fetching went.
            case update
            /// The update is here and verified; `peer` may have it put to use (ACTIVATE), once.
            case ready
            /// `peer` (the server) has had it put to use; we owe it the word how that went.
            case activation
        }
        /// The token of the request, which its answer must carry.
        public let token: Token
        /// Who has asked whom for what.
        public let kind: Kind
        /// The other side: who owes us the answer, or whom we owe it.
        public let peer: DeviceID
        /// The device to be looked at; `nil` when the request is about none.
        public let subject: DeviceID?
        /// What else the request said.
        public let detail: String?

        /// A request to be opened; nothing is stored yet.
        public init(token: Token, kind: Kind, peer: DeviceID, subject: DeviceID? = nil, detail: String? = nil) {
            self.token = token
            self.kind = kind
            self.peer = peer
            self.subject = subject
            self.detail = detail
        }
    }

    static func insert(_ request: Request, _ connection: Connection) throws(StorageError) {
        try connection.query(
            """
            INSERT INTO requests (token, kind, peer, subject, detail, number)
            VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM requests))
            ON CONFLICT (token) DO UPDATE SET kind = excluded.kind, peer = excluded.peer, subject = excluded.subject,
            detail = excluded.detail, number = excluded.number
            """, .blob(request.token.bytes), .text(request.kind.rawValue), .unsigned(request.peer.value),
            request.subject.map { .unsigned($0.value) } ?? .null, request.detail.map { .text($0) } ?? .null)
    }

    /// All open requests of a kind.
    ///
    /// - Throws: ``StorageError``.
    public func requests(_ kind: Request.Kind) throws(StorageError) -> [Request] {
        try database.query(
            "SELECT token, peer, subject, detail FROM requests WHERE kind = ? ORDER BY number", .text(kind.rawValue)
        )
        .compactMap { row in
            guard let token = row.blob(0).flatMap({ Token($0) }), let peer = row.unsigned(1) else { return nil }
            return Request(
                token: token, kind: kind, peer: DeviceID(peer), subject: row.unsigned(2).map(DeviceID.init),
                detail: row.text(3))
        }
    }

    /// What an open request of `peer` stands for; `nil`: there is none with this token.
    ///
    /// - Throws: ``StorageError``.
    public func kind(of token: Token, from peer: DeviceID) throws(StorageError) -> Request.Kind? {
        try database.query(
            "SELECT kind FROM requests WHERE token = ? AND peer = ?", .blob(token.bytes), .unsigned(peer.value)
        ).first?.text(0).flatMap { Request.Kind(rawValue: $0) }
    }

    /// Drops open requests that will not be answered.
    ///
    /// - Throws: ``StorageError``.
    public func drop(_ kind: Request.Kind, except token: Token? = nil) throws(StorageError) {
        try database.query(
            "DELETE FROM requests WHERE kind = ? AND token <> ?", .text(kind.rawValue), .blob(token?.bytes ?? []))
    }

    /// Drops requests of kinds that earlier versions kept here.
    ///
    /// - Throws: ``StorageError``.
    public func dropEarlierRequests() throws(StorageError) {
        try database.query("DELETE FROM requests WHERE kind <> ?", .text(Request.Kind.duty.rawValue))
    }

    static let migrations = [
        """
        CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE peers (
            id INTEGER PRIMARY KEY,
            public_key TEXT,
            type TEXT,
            version INTEGER NOT NULL,
            joined INTEGER NOT NULL DEFAULT 0,
            sent INTEGER NOT NULL DEFAULT 0,
            received INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE requests (
            token BLOB PRIMARY KEY,
            kind TEXT NOT NULL,
            peer INTEGER NOT NULL,
            subject INTEGER
        );
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            topic TEXT NOT NULL,
            payload BLOB NOT NULL,
            created REAL NOT NULL
        );
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            time REAL NOT NULL,
            event TEXT NOT NULL,
            detail TEXT NOT NULL
        );
        """,
        """
        ALTER TABLE peers ADD COLUMN admission TEXT;
        ALTER TABLE peers ADD COLUMN admission_token BLOB;
        ALTER TABLE peers ADD COLUMN answered BLOB;
        """,
        """
        ALTER TABLE peers ADD COLUMN heard REAL;
        ALTER TABLE peers ADD COLUMN told TEXT;
        ALTER TABLE peers ADD COLUMN note TEXT;
        ALTER TABLE audit ADD COLUMN subject INTEGER;
        ALTER TABLE audit ADD COLUMN operator TEXT;
        CREATE INDEX audit_of ON audit (subject, id);
        CREATE INDEX peers_joined ON peers (joined, id);
        """,
        groupTables,
        """
        ALTER TABLE requests ADD COLUMN detail TEXT;
        """,
        evidenceTables,
        """
        ALTER TABLE requests ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
        UPDATE requests SET number = rowid; -- SQLite only
        CREATE INDEX requests_in_order ON requests (number);
        """,
    ]
}

/// Why a participant could not do what it was asked to.
public enum ParticipantError: Error, Sendable, CustomStringConvertible {
    case sequenceExhausted(DeviceID)
    case cannotWrite(String)
    /// The request has been answered or has expired.
    case alreadyAnswered
    case notRegistered(folder: String)
    /// The server has ended the identity that was there; its keys are gone.
    case identityEnded(folder: String)
    /// Whether there is an identity is not for us to know.
    case mayNotBeRead(path: String, why: String)
    /// A key is encrypted for its machine, and this process has not been lent the machine's key.
    case bound(path: String)
    /// A key is encrypted for another machine.
    case boundElsewhere(path: String)
    case identity(String)
    /// The file for events cannot be used.
    case events(String)

    /// What is wrong and, where that is known, what to do; in words for the operator.
    public var description: String {
        switch self {
        case .sequenceExhausted(let peer): "the sequence numbers with \(peer) are used up; register a new identity"
        case .cannotWrite(let why): "a message could not be written: \(why)"
        case .alreadyAnswered: "this request has been answered already"
        case .identityEnded(let folder):
            "the server has ended the identity that was in \(folder), and its keys are gone; register to get another one"
        case .notRegistered(let folder): "there is no identity in \(folder); register first"
        case .mayNotBeRead(let path, let why):
            "\(path) may not be read: \(why); run this as the owner of the folder, or as root"
        case .bound(let path):
            "\(path) is encrypted for this machine, and its key (\(MachineKey.name)) was not lent to this process: use the "
                + "systemd service, or run this as root"
        case .boundElsewhere(let path):
            "\(path) is encrypted for another machine (or this machine's key was made anew): register again with --replace"
        case .identity(let why), .events(let why): why
        }
    }
}
