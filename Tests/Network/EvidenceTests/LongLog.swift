import Evidence
import SRUP
import SeededRandom

/// A log in memory, as a server would have written it.
struct LongLog {
    static let server = DeviceID(0xC2)
    static let device = DeviceID(0xD1)
    static let serverKey = Result { try PrivateKey.generate() }
    static let deviceKey = Result { try PrivateKey.generate() }
    static let sealEvery: UInt64 = 1000

    var records: [EvidenceRecord]

    init(lines: Int, unsealed: Int = 0, random: inout SplitMix64) throws {
        let (key, other) = (try Self.serverKey.get(), try Self.deviceKey.get())
        let digest = try key.publicKey.digest
        let anchor = try Seal(
            .anchor, server: Self.server, number: 0, hash: EvidenceHash.none, milliseconds: 1, signedBy: key,
            digest: digest)
        records = [
            .header(server: Self.server, key: digest, anchor: anchor),
            .key(digest: digest, pem: try key.publicKey.pem),
            .key(digest: try other.publicKey.digest, pem: try other.publicKey.pem),
        ]
        let parts = try Self.parts(signedBy: other)
        var previous = EvidenceHash.none
        let sealed = lines - unsealed
        for number in 1...UInt64(lines) {
            let line = EvidenceLine(
                number: number, milliseconds: 1_800_000_000_000 + Int64(number), event: "event \(number % 7)",
                detail: "what has happened at \(number)", subject: number % 3 == 0 ? Self.device : nil,
                by: number % 5 == 0 ? "anna" : nil, salt: random.bytes(EvidenceLine.saltSize),
                messages: number % 9 == 0 ? [parts[Int(number / 9) % parts.count]] : [])
            previous = line.hash(after: previous)
            records.append(.line(line, hash: previous))
            if (number % Self.sealEvery == 0 && number <= sealed) || number == UInt64(sealed) {
                records.append(
                    .seal(
                        try Seal(
                            .seal, server: Self.server, number: number, hash: previous, milliseconds: Int64(number),
                            signedBy: key, digest: digest)))
            }
        }
        records.append(.end(lines: UInt64(lines)))
    }

    private static func parts(signedBy key: PrivateKey) throws -> [EvidenceLine.SignedPart] {
        try (1...5).map { number in
            let message = Message(
                version: .preferred, sequence: SequenceNumber(UInt64(number)), sender: device, token: .random(),
                body: .joinRequest)
            return .init(bytes: try message.signed(with: key).bytes, key: try key.publicKey.digest)
        }
    }

    /// Where the lines are among the records.
    var places: [Int] {
        records.indices.filter { if case .line = records[$0] { true } else { false } }
    }

    func line(at place: Int) -> (line: EvidenceLine, hash: [UInt8])? {
        if case .line(let line, let hash) = records[place] { (line, hash) } else { nil }
    }

    var head: [UInt8] { places.last.flatMap { line(at: $0)?.hash } ?? [] }

    func verified(head: EvidenceVerifier.Head? = nil) throws -> EvidenceReport {
        var verifier = EvidenceVerifier(head: head, trusted: try Self.serverKey.get().publicKey)
        for record in records { verifier.take(record) }
        return verifier.finish()
    }

    /// What somebody can do who writes the file and has no key: all hashes are right again, from this record on.
    mutating func hashAnew(from place: Int) {
        var previous: [UInt8]?
        for index in records.indices {
            guard let (line, hash) = line(at: index) else { continue }
            guard index >= place, let before = previous else {
                previous = hash
                continue
            }
            let new = line.hash(after: before)
            records[index] = .line(line, hash: new)
            previous = new
        }
    }
}
