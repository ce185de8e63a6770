import COpenSSL
import SRUP

/// A line of the audit log with the signed messages that made the decision it tells of.
public struct EvidenceLine: Sendable, Hashable {
    /// One more than the line before.
    public var number: UInt64
    /// Milliseconds since 1970.
    public var milliseconds: Int64
    /// What has happened, a word or two.
    public var event: String
    /// More about it.
    public var detail: String
    /// Whom it is about, where it is about somebody.
    public var subject: DeviceID?
    /// The operator who did it; `nil` when nobody did.
    public var by: String?
    /// 16 random bytes: who knows only the line's hash cannot guess the line and try.
    public var salt: [UInt8]
    /// The messages, in the order in which they were sent and came.
    public var messages: [SignedPart]

    /// A message as it was on the wire.
    public struct SignedPart: Sendable, Hashable {
        /// The whole message, with its signature.
        public let bytes: [UInt8]
        /// SHA-256 of the key that its sender had (``PublicKey/digest``).
        public let key: [UInt8]

        /// A message and the key to check it with.
        public init(bytes: [UInt8], key: [UInt8]) {
            self.bytes = bytes
            self.key = key
        }
    }

    /// How many bytes ``salt`` has.
    public static let saltSize = 16

    /// A line to be hashed.
    public init(
        number: UInt64, milliseconds: Int64, event: String, detail: String, subject: DeviceID?, by: String?,
        salt: [UInt8], messages: [SignedPart]
    ) {
        self.number = number
        self.milliseconds = milliseconds
        self.event = event
        self.detail = detail
        self.subject = subject
        self.by = by
        self.salt = salt
        self.messages = messages
    }

    /// SHA-256 of all that the line says, without its number and its place (docs/evidence.md, "The hash of a line").
    ///
    /// ```
    /// time 8 | salt | event | detail | 0, or 1 and subject 8 | 0, or 1 and operator | messages 4 | { key 32 | message }*
    /// ```
    /// Numbers are big-endian; texts, salt and messages each follow their length in 4 bytes.
    public var content: [UInt8] {
        var writer = EvidenceBytes()
        writer.integer(UInt64(bitPattern: milliseconds))
        writer.counted(salt)
        writer.counted(event.utf8)
        writer.counted(detail.utf8)
        writer.bytes.append(subject == nil ? 0 : 1)
        if let subject { writer.integer(subject.value) }
        writer.bytes.append(by == nil ? 0 : 1)
        if let by { writer.counted(by.utf8) }
        writer.count(messages.count)
        for message in messages {
            writer.bytes += message.key
            writer.counted(message.bytes)
        }
        return EvidenceHash.of(writer.bytes)
    }

    /// The line's hash, at its place in the chain.
    ///
    /// - Parameter previous: the hash of the line before.
    public func hash(after previous: [UInt8]) -> [UInt8] {
        EvidenceHash.link(after: previous, number: number, content: content)
    }
}

/// How lines are chained: each hash covers the one before.
public enum EvidenceHash {
    /// Stands before the first line that there ever was.
    public static let none = [UInt8](repeating: 0, count: 32)
    private static let title = Array("SRUP evidence line 1\n".utf8)

    /// SHA-256.
    public static func of(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &digest)
        return digest
    }

    /// The hash of a line of which only ``EvidenceLine/content`` is known.
    public static func link(after previous: [UInt8], number: UInt64, content: [UInt8]) -> [UInt8] {
        var writer = EvidenceBytes()
        writer.bytes = title + previous
        writer.integer(number)
        writer.bytes += content
        return of(writer.bytes)
    }
}

private struct EvidenceBytes {
    var bytes: [UInt8] = []

    mutating func integer(_ value: UInt64) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }

    mutating func count(_ value: Int) { withUnsafeBytes(of: UInt32(clamping: value).bigEndian) { bytes += $0 } }

    mutating func counted(_ part: some Collection<UInt8>) {
        count(part.count)
        bytes += part
    }
}
