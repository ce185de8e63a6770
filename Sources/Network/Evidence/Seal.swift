import ObservedValue
import SRUP

/// The server's signed word about its log.
public struct Seal: Sendable, Hashable {
    /// What it says.
    public enum Kind: String, Sendable {
        /// Up to this line the log is as it was written.
        case seal
        /// What is kept of the log begins behind this line.
        case anchor
    }

    /// What it says.
    public let kind: Kind
    /// Whose log it is.
    public let server: DeviceID
    /// Of the line that it is about; 0 for an anchor before all lines.
    public let number: UInt64
    /// The hash of that line.
    public let hash: [UInt8]
    /// When it was signed, in milliseconds since 1970.
    public let milliseconds: Int64
    /// SHA-256 of the key that has signed.
    public let key: [UInt8]
    /// RSASSA-PSS with SHA-256.
    public let signature: [UInt8]

    /// One that was read; ``isSigned(by:)`` says whether it is genuine.
    public init(
        _ kind: Kind, server: DeviceID, number: UInt64, hash: [UInt8], milliseconds: Int64, key: [UInt8],
        signature: [UInt8]
    ) {
        self.kind = kind
        self.server = server
        self.number = number
        self.hash = hash
        self.milliseconds = milliseconds
        self.key = key
        self.signature = signature
    }

    /// Signs.
    ///
    /// - Throws: ``CryptoError``.
    public init(
        _ kind: Kind, server: DeviceID, number: UInt64, hash: [UInt8], milliseconds: Int64,
        signedBy key: PrivateKey, digest: [UInt8]
    ) throws(CryptoError) {
        let text = Self.statement(kind, server, number, hash, milliseconds)
        self.init(
            kind, server: server, number: number, hash: hash, milliseconds: milliseconds, key: digest,
            signature: try key.signPSS(Array(text.utf8)))
    }

    /// Whether `key` has signed it.
    public func isSigned(by key: PublicKey) -> Bool {
        key.isPSSSignature(signature, over: Array(statement.utf8))
    }

    /// The text that is signed; five lines, each with its end.
    public var statement: String { Self.statement(kind, server, number, hash, milliseconds) }

    private static func statement(
        _ kind: Kind, _ server: DeviceID, _ number: UInt64, _ hash: [UInt8], _ milliseconds: Int64
    ) -> String {
        """
        SRUP evidence \(kind.rawValue) 1
        server: \(server.hex)
        number: \(number)
        hash: \(Hex.encode(hash))
        time: \(milliseconds)

        """
    }
}
