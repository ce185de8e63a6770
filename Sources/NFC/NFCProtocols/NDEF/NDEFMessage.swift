/// What is wrong with the bytes of an NDEF message, and where.
public struct NDEFError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What can be wrong; the raw value says it in words.
    public enum Reason: String, Sendable {
        case empty = "there are no bytes"
        case truncated = "the bytes end in the middle of a record"
        case tooLong = "the message is longer than the limit"
        case tooManyRecords = "there are too many records"
        case noMessageBegin = "the first record has no message-begin flag"
        case secondMessageBegin = "a later record has a message-begin flag"
        case noMessageEnd = "no record has a message-end flag"
        case trailingBytes = "bytes follow the last record"
        case badEmptyRecord = "an empty record has a type, an id or a payload"
        case badType = "a record of unknown or unchanged type has a type"
        case chunkWithoutStart = "a chunk does not follow an initial chunk"
        case chunkNotContinued = "an initial chunk is not followed by its next chunk"
        case chunkWithID = "a middle or last chunk has an id"
        case badText = "a Text record's payload is malformed"
        case badURI = "a URI record's payload is malformed"
    }

    /// What is wrong.
    public let reason: Reason
    /// Where the record in question begins, in bytes.
    public let offset: Int

    init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// What is wrong and where, in words.
    public var description: String { "NDEF: \(reason.rawValue) (at byte \(offset))" }
}

/// One NDEF record (NFC Forum, NDEF 1.0, section 3.2), its chunks already joined.
public struct NDEFRecord: Sendable, Hashable {
    /// TNF, in three bits.
    public enum TypeNameFormat: UInt8, Sendable, CaseIterable {
        case empty, wellKnown, media, absoluteURI, external, unknown, unchanged, reserved
    }

    /// How the type is to be read (TNF).
    public var format: TypeNameFormat
    /// The type's bytes, as "T" of a Text record; at most 255.
    public var type: [UInt8]
    /// The id's bytes, at most 255; empty when there is none.
    public var id: [UInt8]
    /// The record's content, whose form the type tells.
    public var payload: [UInt8]

    /// A record of these parts; nothing is checked.
    public init(_ format: TypeNameFormat, type: [UInt8] = [], id: [UInt8] = [], payload: [UInt8] = []) {
        self.format = format
        self.type = type
        self.id = id
        self.payload = payload
    }
}

/// An NDEF message: at least one record.
///
/// ```
///  bit 7    6    5    4    3    2..0
///     MB   ME   CF   SR   IL    TNF
///     type length                      1 byte
///     payload length                   1 byte with SR, else 4, the highest first
///     id length                        1 byte, with IL only
///     type, id, payload
/// ```
public struct NDEFMessage: Sendable, Hashable {
    /// The records in their order, at least one.
    public var records: [NDEFRecord]

    /// The longest message that is taken, in bytes.
    public static let maximumSize = 8192
    /// The most records that are taken, chunks counted.
    public static let maximumRecords = 64

    /// A message of these records, at least one; nothing is checked.
    public init(_ records: [NDEFRecord]) {
        self.records = records
    }

    /// - Throws: ``NDEFError``.
    public init(parsing bytes: some Collection<UInt8>, limit: Int = NDEFMessage.maximumSize) throws(NDEFError) {
        let bytes = Array(bytes)
        guard !bytes.isEmpty else { throw NDEFError(.empty, at: 0) }
        guard bytes.count <= limit else { throw NDEFError(.tooLong, at: limit) }
        var reader = NDEFReader(bytes)
        records = []
        var chunked: NDEFRecord?
        var count = 0
        while true {
            let start = reader.position
            let part = try reader.record()
            count += 1
            guard count <= Self.maximumRecords else { throw NDEFError(.tooManyRecords, at: start) }
            if count == 1, !part.isBegin { throw NDEFError(.noMessageBegin, at: start) }
            if count > 1, part.isBegin { throw NDEFError(.secondMessageBegin, at: start) }
            if var whole = chunked {
                guard part.record.format == .unchanged else { throw NDEFError(.chunkNotContinued, at: start) }
                guard part.record.type.isEmpty else { throw NDEFError(.badType, at: start) }
                guard !part.hasID else { throw NDEFError(.chunkWithID, at: start) }
                whole.payload += part.record.payload
                chunked = whole
            } else {
                guard part.record.format != .unchanged else { throw NDEFError(.chunkWithoutStart, at: start) }
                chunked = part.record
            }
            if !part.isChunk, let whole = chunked {
                records.append(whole)
                chunked = nil
            }
            guard part.isEnd else { continue }
            guard chunked == nil else { throw NDEFError(.chunkNotContinued, at: start) }
            guard reader.isAtEnd else { throw NDEFError(.trailingBytes, at: reader.position) }
            return
        }
    }

    /// The message's bytes; nothing is chunked.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for (index, record) in records.enumerated() {
            let isShort = record.payload.count < 256
            var flags = record.format.rawValue
            if index == 0 { flags |= 0x80 }
            if index == records.count - 1 { flags |= 0x40 }
            if isShort { flags |= 0x10 }
            if !record.id.isEmpty { flags |= 0x08 }
            bytes += [flags, UInt8(truncatingIfNeeded: record.type.count)]
            let count = UInt32(truncatingIfNeeded: record.payload.count)
            if isShort {
                bytes.append(UInt8(count))
            } else {
                bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
            }
            if !record.id.isEmpty { bytes.append(UInt8(truncatingIfNeeded: record.id.count)) }
            bytes += record.type + record.id + record.payload
        }
        return bytes
    }
}

/// Takes records off bytes, every length checked against what is there.
struct NDEFReader {
    struct Part {
        var record: NDEFRecord
        var isBegin, isEnd, isChunk, hasID: Bool
    }

    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func record() throws(NDEFError) -> Part {
        let start = position
        // A message that just ends is one whose end flag is missing.
        guard position < bytes.count else { throw NDEFError(.noMessageEnd, at: start) }
        let flags = try byte(start)
        let typeLength = Int(try byte(start))
        var payloadLength = UInt32(try byte(start))
        if flags & 0x10 == 0 {
            for _ in 0..<3 { payloadLength = payloadLength << 8 | UInt32(try byte(start)) }
        }
        let hasID = flags & 0x08 != 0
        let idLength = hasID ? Int(try byte(start)) : 0
        let format = NDEFRecord.TypeNameFormat(rawValue: flags & 7) ?? .reserved
        if format == .empty, typeLength > 0 || payloadLength > 0 || idLength > 0 {
            throw NDEFError(.badEmptyRecord, at: start)
        }
        if format == .unknown || format == .unchanged, typeLength > 0 { throw NDEFError(.badType, at: start) }
        let type = try take(typeLength, start)
        let id = try take(idLength, start)
        // Compared before it is used: four bytes of length can say 4 GiB.
        guard payloadLength <= UInt32(bytes.count - position) else { throw NDEFError(.truncated, at: start) }
        let payload = try take(Int(payloadLength), start)
        return Part(
            record: NDEFRecord(format, type: type, id: id, payload: payload), isBegin: flags & 0x80 != 0,
            isEnd: flags & 0x40 != 0, isChunk: flags & 0x20 != 0, hasID: hasID)
    }

    private mutating func byte(_ start: Int) throws(NDEFError) -> UInt8 {
        guard position < bytes.count else { throw NDEFError(.truncated, at: start) }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func take(_ count: Int, _ start: Int) throws(NDEFError) -> [UInt8] {
        guard count <= bytes.count - position else { throw NDEFError(.truncated, at: start) }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }
}
