import ObservedValue
import SRUP

/// Checks a log, record by record, in memory that does not grow with the number of lines (but some bytes for each key).
public struct EvidenceVerifier {
    /// A head that somebody has noted: the log must have that line.
    public struct Head: Sendable, Hashable {
        /// Of the line; `nil`: only its hash was noted.
        public let number: UInt64?
        /// The line's hash.
        public let hash: [UInt8]

        /// Reads "HASH" or "NUMBER:HASH".
        public init?(_ text: String) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), let hash = Hex.decode(parts[parts.count - 1]), hash.count == 32 else {
                return nil
            }
            if parts.count == 2 {
                guard let number = UInt64(parts[0]) else { return nil }
                self.number = number
            } else {
                number = nil
            }
            self.hash = hash
        }

        /// "NUMBER:HASH".
        public var description: String { (number.map { "\($0):" } ?? "") + Hex.encode(hash) }
    }

    /// What was found so far.
    public private(set) var report = EvidenceReport()
    private let wanted: Head?
    private let trusted: PublicKey?
    private var keys = EvidenceKeys()
    private var messages = MessageCheck()
    private var server: (id: DeviceID, key: [UInt8], anchor: Seal?)?
    private var previous = EvidenceHash.none
    private var isAnchored = false
    /// Numbers that have not come where they belong.
    private var missing: [ClosedRange<UInt64>] = []
    private var hasSeenHead = false
    private var hasEnded = false

    /// - Parameters:
    ///   - head: must be found.
    ///   - trusted: the server's key, from where it is known; `nil`: the one that the log names is believed, and reported.
    public init(head: Head? = nil, trusted: PublicKey? = nil) {
        wanted = head
        self.trusted = trusted
    }

    /// Takes the next record.
    public mutating func take(_ record: EvidenceRecord) {
        guard !hasEnded else { return report.note(.file, report.last, "there is more behind the end") }
        switch record {
        case .header(let id, let key, let anchor): header(id, key, anchor)
        case .key(let digest, let pem): key(digest, pem)
        case .line(let line, let hash):
            link(line.number, line.content, hash)
            check(line)
        case .omitted(let number, let content, let hash):
            report.omitted += 1
            messages.hasGap = true
            link(number, content, hash)
        case .seal(let seal): take(seal)
        case .end(let lines): end(lines)
        }
    }

    // MARK: The beginning

    private mutating func header(_ id: DeviceID, _ key: [UInt8], _ anchor: Seal?) {
        guard server == nil, report.lines == 0 else {
            return report.note(.file, report.last, "a second header")
        }
        server = (id, key, anchor)
        (report.server, report.key) = (id.hex, Hex.encode(key))
        if let trusted, trusted.digest != key {
            report.note(.unsealed, 0, "the log is sealed by the key \(Hex.encode(key)), which is not the one expected")
        }
        guard let anchor else { return }
        (report.last, previous) = (anchor.number, anchor.hash)
        look(at: anchor.number, anchor.hash)
    }

    private mutating func key(_ digest: [UInt8], _ pem: String) {
        guard keys.add(digest, pem) else {
            return report.note(.file, report.last, "the key \(Hex.encode(digest)) is not the one of this name")
        }
        guard let server, digest == server.key, !isAnchored, let anchor = server.anchor else { return }
        isAnchored = isGenuine(anchor)
        if !isAnchored { report.note(.unsealed, anchor.number, "where the log begins is not signed by its server") }
    }

    private mutating func isGenuine(_ seal: Seal) -> Bool {
        guard let server, seal.server == server.id, seal.key == server.key else { return false }
        return keys.key(seal.key).map { seal.isSigned(by: $0) } == true
    }

    // MARK: The chain

    private mutating func link(_ number: UInt64, _ content: [UInt8], _ hash: [UInt8]) {
        if report.first == nil {
            report.first = number
            if !isAnchored { report.note(.unsealed, number, "where the log begins is not signed") }
        }
        report.lines += 1
        look(at: number, hash)
        guard number > report.last else { return standsWrong(number) }
        if number == report.last + 1 {
            if EvidenceHash.link(after: previous, number: number, content: content) != hash {
                report.note(.changed, number, "it is not what was written, or does not follow the line before")
            }
        } else {
            miss((report.last + 1)...(number - 1))
        }
        (report.last, report.head, previous) = (number, hash, hash)
    }

    private mutating func look(at number: UInt64, _ hash: [UInt8]) {
        if let wanted, wanted.hash == hash, wanted.number ?? number == number { hasSeenHead = true }
    }

    /// So many gaps are told one by one.
    private static let maximumGaps = 1000

    private mutating func miss(_ range: ClosedRange<UInt64>) {
        guard missing.count < Self.maximumGaps else { return report.note(.removed, range.lowerBound, "it is missing") }
        missing.append(range)
    }

    private mutating func standsWrong(_ number: UInt64) {
        guard let index = missing.firstIndex(where: { $0.contains(number) }) else {
            return report.note(.inserted, number, "a second line with this number, behind line \(report.last)")
        }
        let range = missing.remove(at: index)
        if number > range.lowerBound { missing.append(range.lowerBound...(number - 1)) }
        if number < range.upperBound { missing.append((number + 1)...range.upperBound) }
        report.note(.reordered, number, "it stands behind line \(report.last)")
    }

    // MARK: Seals

    private mutating func take(_ seal: Seal) {
        guard isGenuine(seal) else {
            // Earlier keys of the server's own prove nothing to who knows only the newest one.
            return report.note(.unsealed, seal.number, "a seal that is not signed by the log's server")
        }
        if seal.number > report.last {
            report.note(.removed, seal.number, "the server has signed this line, and it is not there")
        } else if seal.number < report.last {
            report.note(.reordered, seal.number, "its seal stands behind line \(report.last)")
        } else if seal.hash != previous {
            report.note(
                .changed, seal.number,
                "the server has signed another line here: this one, or lines before it, were changed")
        } else {
            (report.sealed, report.sealedAt) = (seal.number, seal.milliseconds)
        }
    }

    // MARK: Messages

    private mutating func check(_ line: EvidenceLine) {
        if line.event == "restored", report.restored.count < EvidenceReport.maximumProblems {
            report.restored.append(line.number)
        }
        if line.event == EvidenceLine.beginning { report.adopted = line.number - 1 }
        report.messages += line.messages.count
        for words in messages.problems(line, keys: &keys, server: server?.id) {
            report.note(.message, line.number, words)
        }
        report.bare = messages.bare
    }

    // MARK: The end

    private mutating func end(_ lines: UInt64) {
        hasEnded = true
        if lines != report.lines {
            report.note(.file, report.last, "there are \(report.lines) lines, and there should be \(lines)")
        }
    }

    /// Says what was found in all.
    public mutating func finish() -> EvidenceReport {
        for range in missing.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            let words = range.count == 1 ? "it is missing" : "it and all lines up to \(range.upperBound) are missing"
            report.note(.removed, range.lowerBound, words)
        }
        missing = []
        if server == nil { report.note(.file, 0, "it does not begin with a header") }
        if !hasEnded { report.note(.file, report.last, "it ends too early") }
        if let wanted, !hasSeenHead { missHead(wanted) }
        return report
    }

    private mutating func missHead(_ head: Head) {
        let begin = (server?.anchor?.number ?? 0) + 1
        if let number = head.number, number + 1 < begin {
            return report.note(
                .head, number,
                "the head is older than what is kept, which begins with line \(begin): look in the archive")
        }
        report.note(
            .head, head.number ?? report.last,
            "there is no line with the hash \(Hex.encode(head.hash)): lines were removed at the end or rewritten, or a backup was put back"
        )
    }
}

extension EvidenceLine {
    /// The event of the line at which a log begins to be chained.
    public static let beginning = "evidence begins"
}

/// The keys that messages are checked with.
struct EvidenceKeys {
    private var texts: [[UInt8]: String] = [:]
    private var read: [[UInt8]: PublicKey] = [:]
    /// A key that has been read takes some 4 KiB.
    private static let maximumRead = 256

    /// - Returns: whether it is the key of that name.
    mutating func add(_ digest: [UInt8], _ pem: String) -> Bool {
        guard let key = try? PublicKey(pem: pem), key.digest == digest else { return false }
        texts[digest] = pem
        keep(digest, key)
        return true
    }

    mutating func key(_ digest: [UInt8]) -> PublicKey? {
        if let known = read[digest] { return known }
        guard let key = texts[digest].flatMap({ try? PublicKey(pem: $0) }) else { return nil }
        keep(digest, key)
        return key
    }

    private mutating func keep(_ digest: [UInt8], _ key: PublicKey) {
        if read.count >= Self.maximumRead, let any = read.keys.first { read[any] = nil }
        read[digest] = key
    }
}
