/// What can be read of bytes that need not be a whole message: for tools that show what crosses a network.
///
/// Participants take ``SignedMessage`` and nothing else. Here a status or type that nobody knows, bytes behind the end and
/// a cut tail leave what comes before them readable, and writable again.
public struct MessageOutline: Sendable, Hashable {
    /// The protocol version; `nil` when there is no first byte or it is of another version.
    public var version: ProtocolVersion?
    /// The second byte, whether it is a ``MessageType`` or not.
    public var type: UInt8?
    /// The sequence number; `nil` when it could not be read.
    public var sequence: SequenceNumber?
    /// The sender's identity; `nil` when it could not be read.
    public var sender: DeviceID?
    /// May be empty here.
    public var token: [UInt8]?
    /// May be empty here.
    public var signature: [UInt8]?
    /// Everything after the signature.
    public var tail: [UInt8]?

    /// An outline without any part, to be filled in.
    public init() {}

    /// Reads as far as it goes; of another protocol version nothing, since its layout is not known.
    public init(reading bytes: [UInt8]) {
        var reader = ByteReader(Array(bytes.prefix(Message.maximumSize)))
        do throws(WireError) {
            version = ProtocolVersion(rawValue: try reader.byte(.version))
            guard version != nil else { return }
            type = try reader.byte(.type)
            sequence = SequenceNumber(try reader.integer64(.sequence))
            sender = DeviceID(try reader.integer64(.sender))
            token = Array(reader.bytes[try reader.counted(.token)])
            signature = Array(reader.bytes[try reader.counted(.signature)])
            // What is longer than any message is not taken for a tail that a signature could cover.
            if bytes.count <= Message.maximumSize { tail = reader.rest() }
        } catch {
            // What has been read is kept.
        }
    }

    /// The tail's meaning and the bytes behind it; `nil` when the type is not known or the tail cannot be read.
    public var body: (Body, trailing: [UInt8])? {
        guard let type = type.flatMap(MessageType.init), let tail else { return nil }
        var reader = ByteReader(tail)
        guard let body = try? Body(type, from: &reader) else { return nil }
        return (body, reader.rest())
    }

    /// Puts a body's bytes into the tail.
    ///
    /// - Throws: ``WireError`` when a field is too long.
    public mutating func setTail(_ body: Body, trailing: [UInt8]) throws(WireError) {
        var writer = ByteWriter(capacity: 400)
        try body.write(to: &writer)
        tail = writer.bytes + trailing
    }

    private func head() throws(WireError) -> [UInt8] {
        var writer = ByteWriter(capacity: 20 + (token?.count ?? 0))
        guard let version, let type, let sequence, let sender, let token else {
            throw WireError(.message, at: 0, .empty)
        }
        writer.byte(version.rawValue)
        writer.byte(type)
        writer.integer64(sequence.value)
        writer.integer64(sender.value)
        try writer.counted(token, .token)
        return writer.bytes
    }

    /// The bytes on the wire.
    ///
    /// - Throws: ``WireError`` when a part is missing or too long.
    public func bytes() throws(WireError) -> [UInt8] {
        var writer = ByteWriter(capacity: Message.maximumSize)
        writer.raw(try head())
        guard let signature, let tail else { throw WireError(.signature, at: writer.bytes.count, .empty) }
        try writer.counted(signature, .signature)
        writer.raw(tail)
        guard writer.bytes.count <= Message.maximumSize else {
            throw WireError(.message, at: 0, .tooLong(writer.bytes.count, limit: Message.maximumSize))
        }
        return writer.bytes
    }

    /// Signs all but the signature, as ``Message/signed(with:)`` does.
    ///
    /// - Throws: ``WireError`` when a part is missing or too long, ``CryptoError`` when OpenSSL refuses.
    public mutating func sign(with key: PrivateKey) throws {
        signature = try key.sign(try head(), tail ?? [])
    }

    /// Whether the signature is `key`'s over the rest; `nil` when that is not all there.
    public func isSigned(by key: PublicKey) -> Bool? {
        guard let signature, let tail, let head = try? head() else { return nil }
        return key.isSignature(signature[...], over: head[...], tail[...])
    }
}
