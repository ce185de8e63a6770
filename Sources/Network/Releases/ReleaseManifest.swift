import ObservedValue

/// What a release key says of a payload: what it is, for which devices, and until when it may be installed.
///
/// ```
/// SRUP release manifest 1
/// type: thermometer
/// version: 1.4.2
/// size: 1048576
/// sha256: 64 hexadecimal digits, in lower case
/// expires: 1811808000
/// url: https://updates.example.net/thermometer-1.4.2.bin
/// signer: the release key's public half, 64 hexadecimal digits
/// signature: Ed25519 over all lines before, 128 hexadecimal digits
/// ```
/// There is one way only to write each manifest: these lines, each with its end (LF), and nothing else; a text that differs
/// from it in one byte is none. INITIATE names the address and the SHA-256 of this text.
public struct ReleaseManifest: Sendable, Hashable, CustomStringConvertible {
    /// The type of the devices that it is for, as they have registered.
    public let type: String
    /// Which of two payloads is the newer one.
    public let version: ReleaseVersion
    /// Of the payload, in bytes.
    public let size: UInt64
    /// SHA-256 of the payload, 32 bytes.
    public let digest: [UInt8]
    /// From this second since 1970 on it may not be installed any more.
    public let expires: UInt64
    /// Where the payload is.
    public let url: String
    /// Whose signature it has. Whether that key is to be believed is for the reader to know.
    public let signer: ReleasePublicKey
    private let signature: [UInt8]

    /// A longer text is none, in bytes.
    public static let maximumLength = 4096
    /// A payload is no larger, in bytes: 16 GiB.
    public static let maximumSize: UInt64 = 16 << 30
    /// A longer address is none, in bytes.
    public static let maximumURL = 2048
    /// The content type of a manifest's file.
    public static let contentType = "text/plain; charset=utf-8"
    private static let title = "SRUP release manifest 1"

    /// What is signed.
    public struct Content: Sendable, Hashable {
        /// The type of the devices that it is for.
        public var type: String
        /// The payload's version.
        public var version: ReleaseVersion
        /// Of the payload, in bytes.
        public var size: UInt64
        /// SHA-256 of the payload, 32 bytes.
        public var digest: [UInt8]
        /// From this second since 1970 on it may not be installed any more.
        public var expires: UInt64
        /// Where the payload is.
        public var url: String

        /// What a payload is; nothing is checked before it is signed.
        ///
        /// - Parameters:
        ///   - type: the devices' type.
        ///   - version: the payload's version.
        ///   - size: in bytes.
        ///   - digest: SHA-256 of the payload.
        ///   - expires: seconds since 1970.
        ///   - url: where the payload is.
        public init(
            type: String, version: ReleaseVersion, size: UInt64, digest: [UInt8], expires: UInt64, url: String
        ) {
            self.type = type
            self.version = version
            self.size = size
            self.digest = digest
            self.expires = expires
            self.url = url
        }
    }

    /// Signs.
    ///
    /// - Throws: ``ReleaseError`` for content that no device would take, or a key that cannot sign.
    public init(_ content: Content, signedBy key: ReleaseKey) throws(ReleaseError) {
        if let problem = Self.problem(content) { throw .malformed(problem) }
        signer = try key.publicKey
        signature = try key.sign(Array(Self.statement(content, signer).utf8))
        (type, version, size, digest) = (content.type, content.version, content.size, content.digest)
        (expires, url) = (content.expires, content.url)
    }

    /// Reads a manifest whose signature is its signer's.
    ///
    /// - Throws: ``ReleaseError/malformed(_:)``, ``ReleaseError/badSignature``.
    public init(parsing bytes: some Collection<UInt8>) throws(ReleaseError) {
        guard bytes.count <= Self.maximumLength else {
            throw .malformed("it is longer than \(Self.maximumLength) bytes")
        }
        let values = try Self.values(Array(bytes))
        guard let version = ReleaseVersion(values[1]) else { throw .malformed("its version") }
        guard let size = UInt64(values[2]) else { throw .malformed("its size") }
        guard let digest = Hex.decode(values[3]) else { throw .malformed("its sha256") }
        guard let expires = UInt64(values[4]) else { throw .malformed("its expiry") }
        guard let signer = ReleasePublicKey(values[6]) else { throw .malformed("its signer") }
        guard let signature = Hex.decode(values[7]), signature.count == ReleasePublicKey.signatureSize else {
            throw .malformed("its signature")
        }
        let content = Content(
            type: values[0], version: version, size: size, digest: digest, expires: expires, url: values[5])
        if let problem = Self.problem(content) { throw .malformed(problem) }
        let statement = Self.statement(content, signer)
        // One way only to write it: what was read is what is signed, byte for byte.
        guard Array(Self.text(statement, signature).utf8).elementsEqual(bytes) else {
            throw .malformed("how it is written")
        }
        guard signer.isSignature(signature, over: Array(statement.utf8)) else { throw .badSignature }
        self.signature = signature
        self.signer = signer
        (type, self.version, self.size, self.digest) = (content.type, version, size, digest)
        (self.expires, url) = (expires, content.url)
    }

    /// Whether a device may install what it names.
    ///
    /// - Parameters:
    ///   - keys: the release keys that the device believes.
    ///   - type: the device's own type.
    ///   - highest: the highest version that it has ever had; `nil`: none.
    ///   - now: seconds since 1970.
    ///   - allowsOlder: whether a lower or the same version is taken as well: a step back that its owner wants.
    /// - Throws: ``ReleaseError``.
    public func check(
        keys: [ReleasePublicKey], type: String, highest: ReleaseVersion?, now: Double, allowsOlder: Bool = false
    ) throws(ReleaseError) {
        guard keys.contains(signer) else { throw .otherKey(signer) }
        guard self.type == type else { throw .otherType(self.type, wanted: type) }
        guard now < Double(expires) else { throw .expired(expires) }
        if let highest, version <= highest, !allowsOlder { throw .notNewer(version, than: highest) }
    }

    /// The text that ``init(parsing:)`` reads.
    public var description: String { Self.text(Self.statement(content, signer), signature) }

    /// The text's bytes: what is served, and whose SHA-256 INITIATE names.
    public var bytes: [UInt8] { Array(description.utf8) }

    /// What is signed.
    public var content: Content {
        Content(type: type, version: version, size: size, digest: digest, expires: expires, url: url)
    }

    // MARK: Form

    private static let names = ["type", "version", "size", "sha256", "expires", "url", "signer", "signature"]

    private static func values(_ bytes: [UInt8]) throws(ReleaseError) -> [String] {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformed("it is no text") }
        let lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false).map { String(Substring($0)) }
        // Behind the last line's end there is nothing.
        guard lines.count == names.count + 2, lines.last == "", lines[0] == title else {
            throw .malformed("it is no manifest of this kind (\"\(title)\")")
        }
        var values: [String] = []
        for (name, line) in zip(names, lines.dropFirst()) {
            guard line.hasPrefix(name + ": ") else { throw .malformed("\"\(name)\" is not where it belongs") }
            values.append(String(line.dropFirst(name.count + 2)))
        }
        return values
    }

    private static func problem(_ content: Content) -> String? {
        if !isType(content.type) { return "its type" }
        if content.digest.count != 32 { return "its sha256" }
        if !(1...maximumSize).contains(content.size) { return "its size" }
        if content.expires > 1 << 40 { return "its expiry" }
        if !isAddress(content.url) { return "its url" }
        return nil
    }

    /// 1 to 64 printable ASCII characters, with spaces inside only, as at registration.
    public static func isType(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
            && text.first != " " && text.last != " "
    }

    /// `https://` and printable ASCII without spaces.
    public static func isAddress(_ text: String) -> Bool {
        text.hasPrefix("https://") && (9...maximumURL).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func statement(_ content: Content, _ signer: ReleasePublicKey) -> String {
        """
        \(title)
        type: \(content.type)
        version: \(content.version)
        size: \(content.size)
        sha256: \(Hex.encode(content.digest))
        expires: \(content.expires)
        url: \(content.url)
        signer: \(signer)

        """
    }

    private static func text(_ statement: String, _ signature: [UInt8]) -> String {
        statement + "signature: \(Hex.encode(signature))\n"
    }
}
