/// A message before it is signed: header fields and body.
///
/// ```
/// offset  size
///  0      1    protocol version
///  1      1    message type
///  2      8    sequence id           least significant byte first
/// 10      8    sender id             least significant byte first
/// 18      2+T  token                 length most significant byte first
/// 20+T    2+S  signature             length most significant byte first
/// 22+T+S  …    body, by type (see Body)
/// ```
/// (docs/protocol.md, "Message layout".) The signature covers everything but itself and its length.
public struct Message: Hashable, Sendable {
    /// What a reference peer can take: its serialiser counts a whole message in 16 bits.
    public static let maximumSize = 0xFFFF

    /// The version that the first byte names.
    public var version: ProtocolVersion
    /// The message's number in the conversation with its receiver.
    public var sequence: SequenceNumber
    /// The identity of the participant that signs the message.
    public var sender: DeviceID
    /// Which exchange the message is part of (docs/protocol.md, "Tokens").
    public var token: Token
    /// What the message says; the header's type follows from it.
    public var body: Body

    /// A message of these parts; whether they fit the wire shows when it is signed.
    public init(
        version: ProtocolVersion = .preferred, sequence: SequenceNumber, sender: DeviceID, token: Token, body: Body
    ) {
        self.version = version
        self.sequence = sequence
        self.sender = sender
        self.token = token
        self.body = body
    }

    /// The bytes before the signature and those after it.
    func parts() throws(WireError) -> (head: [UInt8], tail: [UInt8]) {
        var head = ByteWriter(capacity: 20 + token.bytes.count)
        head.byte(version.rawValue)
        head.byte(body.type.rawValue)
        head.integer64(sequence.value)
        head.integer64(sender.value)
        try head.counted(token.bytes, .token)
        var tail = ByteWriter(capacity: 400)
        try body.write(to: &tail)
        return (head.bytes, tail.bytes)
    }

    /// What a signature over this message covers.
    ///
    /// - Throws: ``WireError`` when a field is longer than 65 535 bytes.
    public func signedBytes() throws(WireError) -> [UInt8] {
        let (head, tail) = try parts()
        return head + tail
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256 (docs/protocol.md, "Signature").
    ///
    /// - Throws: ``WireError`` when a field or the whole is too long, ``CryptoError`` when OpenSSL refuses.
    public func signed(with key: PrivateKey) throws -> SignedMessage {
        try UnsignedMessage(self, for: key).signed(with: key)
    }

    /// Puts a signature that was made elsewhere in its place.
    public func signed(withSignature signature: [UInt8]) throws(WireError) -> SignedMessage {
        let (head, tail) = try parts()
        return try assembled(head, signature, tail)
    }

    fileprivate func assembled(_ head: [UInt8], _ signature: [UInt8], _ tail: [UInt8]) throws(WireError)
        -> SignedMessage
    {
        var writer = ByteWriter(capacity: head.count + signature.count + tail.count + 2)
        writer.raw(head)
        try writer.counted(signature, .signature)
        writer.raw(tail)
        guard writer.bytes.count <= Message.maximumSize else {
            throw WireError(.message, at: 0, .tooLong(writer.bytes.count, limit: Message.maximumSize))
        }
        return SignedMessage(self, bytes: writer.bytes, headEnd: head.count, tailStart: writer.bytes.count - tail.count)
    }
}

/// A message that lacks nothing but its signature, and fits the wire with it: who has many to sign, signs them later and together.
public struct UnsignedMessage: Sendable {
    /// What is to be signed.
    public let message: Message
    private let head: [UInt8]
    private let tail: [UInt8]

    /// - Parameters:
    ///   - message: with its number and its sender.
    ///   - key: that will sign.
    /// - Throws: ``WireError`` when a field or the whole is too long.
    public init(_ message: Message, for key: PrivateKey) throws(WireError) {
        self.message = message
        (head, tail) = try message.parts()
        let size = head.count + 2 + key.size + tail.count
        guard size <= Message.maximumSize else {
            throw WireError(.message, at: 0, .tooLong(size, limit: Message.maximumSize))
        }
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256 (docs/protocol.md, "Signature").
    ///
    /// - Throws: ``CryptoError`` when OpenSSL refuses.
    public func signed(with key: PrivateKey) throws -> SignedMessage {
        try message.assembled(head, try key.sign(head, tail), tail)
    }
}

/// A message with its signature: what goes over the wire. Having one says nothing of the signature's truth, see
/// ``isSigned(by:)``.
public struct SignedMessage: Hashable, Sendable {
    /// What the bytes say.
    public let message: Message
    /// The whole message as it is (or was) on the wire.
    public let bytes: [UInt8]
    private let headEnd: Int
    private let tailStart: Int

    init(_ message: Message, bytes: [UInt8], headEnd: Int, tailStart: Int) {
        self.message = message
        self.bytes = bytes
        self.headEnd = headEnd
        self.tailStart = tailStart
    }

    /// Reads one message that fills `bytes` exactly.
    ///
    /// - Throws: ``WireError`` for anything that is not a whole message of a known version and type.
    public init(parsing bytes: [UInt8]) throws(WireError) {
        guard bytes.count <= Message.maximumSize else {
            throw WireError(.message, at: 0, .tooLong(bytes.count, limit: Message.maximumSize))
        }
        var reader = ByteReader(bytes)
        let versionByte = try reader.byte(.version)
        guard let version = ProtocolVersion(rawValue: versionByte) else {
            throw WireError(.version, at: 0, .unsupportedVersion(versionByte))
        }
        let typeByte = try reader.byte(.type)
        guard let type = MessageType(rawValue: typeByte) else {
            throw WireError(.type, at: 1, .unknownType(typeByte))
        }
        let sequence = SequenceNumber(try reader.integer64(.sequence))
        let sender = DeviceID(try reader.integer64(.sender))
        let tokenStart = reader.offset
        guard let token = Token(Array(bytes[try reader.counted(.token)])) else {
            throw WireError(.token, at: tokenStart, .empty)
        }
        headEnd = reader.offset
        guard try !reader.counted(.signature).isEmpty else { throw WireError(.signature, at: headEnd, .empty) }
        tailStart = reader.offset
        let body = try Body(type, from: &reader)
        try reader.end()
        message = Message(version: version, sequence: sequence, sender: sender, token: token, body: body)
        self.bytes = bytes
    }

    /// The signature's bytes.
    public var signature: ArraySlice<UInt8> { bytes[(headEnd + 2)..<tailStart] }

    /// What the signature covers.
    public var signedBytes: [UInt8] { Array(bytes[..<headEnd] + bytes[tailStart...]) }

    /// Whether the signature is `key`'s over these very bytes.
    public func isSigned(by key: PublicKey) -> Bool {
        key.isSignature(signature, over: bytes[..<headEnd], bytes[tailStart...])
    }
}
