import Glibc
import SRUP
import Storage

/// What the broker has to know of identities that have ended, as files in the server's folder:
///
/// ```
/// revoked/HASH.r0, .r1, …  lists of revoked certificates, the newest last. OpenSSL looks for another one at each handshake,
///                          so that the broker goes by a new one at once, without being told (capath in mosquitto.conf).
/// revoked.pem              the newest: at its start the broker must have one (crlfile)
/// ended                    names, one a line, sorted: libBrokerGuard.so closes their connections and lets them do nothing,
///                          whatever certificate they have
/// ```
/// A list alone would not do: OpenSSL believes a resumed TLS session without looking at the certificate again, and of
/// certificates from before an update, or from after a backup that was put back, the numbers are not known.
///
/// Safe to use from several processes at once.
public struct Revocations: Sendable {
    private let folder: String
    private let authority: Authority
    private let state: KeyServiceState

    /// The subfolder with the lists.
    static let lists = "revoked"
    /// The newest list.
    static let newest = "revoked.pem"
    /// The file with the names.
    static let names = "ended"

    static func newestList(in folder: String) -> String { folder + "/" + newest }
    static func listFolder(in folder: String) -> String { folder + "/" + lists }
    static func nameFile(in folder: String) -> String { folder + "/" + names }

    /// A list that is older than this is replaced, in seconds, long before it ends.
    private static let renewalAge = 30.0 * 86400
    /// A longer list would hold up handshakes; names are refused all the same.
    static let maximumEntries = 20_000
    /// In bytes; a list with all its entries has about 1 MiB.
    private static let largestFile = 16 << 20
    /// How long an entry stays whose certificate is not known here, in seconds.
    private static let keptUnknown = Double(Authority.days + 1) * 86400

    /// The files in a server's folder, and what they are made from.
    ///
    /// - Parameters:
    ///   - authority: of this folder.
    ///   - state: of this folder.
    public init(folder: String, authority: Authority, state: KeyServiceState) {
        self.folder = folder
        self.authority = authority
        self.state = state
    }

    /// The same, with the authority that is in the folder.
    ///
    /// - Throws: ``PrivateFileError``, ``CryptoError``.
    public init(folder: String, state: KeyServiceState) throws {
        self.init(folder: folder, authority: try Authority(folder: folder), state: state)
    }

    // MARK: Publishing

    /// Brings the files up to date: after this the broker refuses whoever has ended.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: whose end the broker has learned by it; `nil` when nothing had to be done.
    /// - Throws: ``AuthorityError``, ``PrivateFileError``, ``StorageError``.
    @discardableResult
    public func publish(now: Double = Authority.systemTime()) throws -> [DeviceID]? {
        try locked { try publishLocked(now) }
    }

    private func publishLocked(_ now: Double) throws -> [DeviceID]? {
        let due = try unlisted(now)
        let last = (try? PublicFile.read(path(Self.newest), atMost: Self.largestFile)).flatMap(
            authority.contents(ofList:))
        guard try !due.isEmpty || isStale(last, now) else { return nil }
        try state.prune(now: now)
        let list = try authority.revocationList(
            try entries(last, now), number: (last?.number ?? 0) + 1, issued: Self.moment(after: last, now))
        // The list first: who is thrown off by the names comes back at once.
        try PrivateFile.write(list, to: try nextList())
        try PrivateFile.write(list, to: path(Self.newest))
        let names = try state.namesToRefuse(now: now).map { $0.hex + "\n" }
        try PrivateFile.write(
            names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }.joined(), to: path(Self.names))
        try state.markListed(due, now: now)
        return due
    }

    /// Whom this folder's broker has not been told of. Where other cells' folders go by the same state, that is not known
    /// there: each has to tell its own broker.
    private func unlisted(_ now: Double) throws -> [DeviceID] {
        let unlisted = try state.unlisted().map(\.id)
        guard state.isShared else { return unlisted }
        let told = Set(try namesInFile(path(Self.names)))
        return Set(unlisted).union(try state.namesToRefuse(now: now).filter { !told.contains($0) }).sorted {
            $0.value < $1.value
        }
    }

    private func namesInFile(_ file: String) throws -> [DeviceID] {
        guard PublicFile.isThere(file) else { return [] }
        return try PublicFile.read(file, atMost: Self.largestFile).split(whereSeparator: \.isWhitespace).compactMap {
            DeviceID(participant: $0)
        }
    }

    private func path(_ name: String) -> String { folder + "/" + name }

    private func isStale(_ last: Authority.ListContents?, _ now: Double) throws -> Bool {
        guard let last, PublicFile.isThere(path(Self.names)), PublicFile.isThere(try list(0)) else { return true }
        return now - last.issued > Self.renewalAge || last.issued > now || last.ends - now < Self.renewalAge
    }

    /// What was in the list before stays, too, until its certificate has run out: the database may be an old one.
    private func entries(_ last: Authority.ListContents?, _ now: Double) throws -> [Authority.Revoked] {
        var entries = try state.revoked(now: now, atMost: Self.maximumEntries)
        let known = Set(entries.map(\.serial))
        let others = (last?.revoked ?? []).filter {
            !known.contains($0.serial) && now - $0.since < Self.keptUnknown
        }
        let runOut = try state.runOut(others.map(\.serial), now: now)
        entries += others.filter { !runOut.contains($0.serial) }
        return Array(entries.prefix(Self.maximumEntries))
    }

    /// Above that of the list before and never in the future. An hour back, as with certificates; lists within that hour count
    /// up by the second.
    private static func moment(after last: Authority.ListContents?, _ now: Double) -> Double {
        let usual = (now - 3600).rounded(.down)
        guard let last, last.issued >= usual, last.issued + 1 <= now else { return usual }
        return last.issued + 1
    }

    private func list(_ number: Int) throws -> String {
        "\(folder)/\(Self.lists)/\(try authority.listName()).r\(number)"
    }

    /// OpenSSL looks for them in order, without gaps.
    private func nextList() throws -> String { try list(try countLists()) }

    private func countLists() throws -> Int {
        var number = 0
        while PublicFile.isThere(try list(number)) { number += 1 }
        return number
    }

    /// One process at a time.
    private func locked<Result>(_ body: () throws -> Result) throws -> Result {
        try PrivateFile.makeFolder(path(Self.lists))
        let lock = open(path(Self.lists) + "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0, errno == EINTR {}
        return try body()
    }

    // MARK: The broker's start

    /// To be called before the broker starts, while none runs: whoever has ended is refused from its first moment, and only
    /// the newest list is left.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: as ``publish(now:)``.
    public func prepareStart(now: Double = Authority.systemTime()) throws {
        try locked {
            _ = try publishLocked(now)
            let count = try countLists()
            guard count > 1 else { return }
            try PrivateFile.write(try PublicFile.read(path(Self.newest), atMost: Self.largestFile), to: try list(0))
            for number in (1..<count).reversed() { unlink(try list(number)) }
        }
    }

    // MARK: After an old backup was put back

    /// Ends again whoever had ended by the names in a file, and is here as if that had not been: a database out of a backup
    /// brings nobody back.
    ///
    /// - Parameters:
    ///   - file: names, one a line; `nil`: this folder's.
    ///   - now: seconds since 1970.
    /// - Returns: who.
    /// - Throws: ``StorageError``, ``PrivateFileError``.
    public func endAgain(by file: String? = nil, now: Double = Authority.systemTime()) throws -> [DeviceID] {
        try namesInFile(file ?? path(Self.names)).filter {
            try state.end($0, why: "it had ended before a backup was put back", by: "restore", now: now)
        }
    }

    /// What is wrong with the list, in words; `nil`: nothing.
    ///
    /// - Parameter now: seconds since 1970.
    public static func problem(folder: String, now: Double = Authority.systemTime()) -> String? {
        let file = folder + "/" + newest
        guard let text = try? PublicFile.read(file, atMost: largestFile) else {
            return "\(file): there is no list of revoked certificates"
        }
        guard let authority = try? Authority(folder: folder) else { return nil }
        guard let list = authority.contents(ofList: text) else {
            return "\(file): the list of revoked certificates is not this authority's"
        }
        if list.ends < now {
            return "\(file): the list of revoked certificates has ended, and the broker lets nobody in"
        }
        guard list.ends - now < 60 * 86400 else { return nil }
        return "\(file): the list of revoked certificates ends in \(Int((list.ends - now) / 86400)) days "
            + "(srup-c2 key-service renews it: does it run?)"
    }
}
