import Linux
import ObservedValue
import SRUP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A part of an exported log: one line of the file.
public enum EvidenceRecord: Sendable, Hashable {
    /// The first: whose log it is, by which key it is sealed, and where what is kept of it begins.
    case header(server: DeviceID, key: [UInt8], anchor: Seal?)
    /// A public key, before the first line that needs it.
    case key(digest: [UInt8], pem: String)
    case line(EvidenceLine, hash: [UInt8])
    /// A line that is left out: its place in the chain can be checked, what it says is not told.
    case omitted(number: UInt64, content: [UInt8], hash: [UInt8])
    /// Behind the line that it is about.
    case seal(Seal)
    /// The last: how many lines there were.
    case end(lines: UInt64)

    /// Which form this is, as the first line says it.
    public static let format = "srup-evidence-1"
    /// A longer line of a file is none of ours: 64 messages of the longest kind in hexadecimal.
    public static let maximumLine = 9 << 20
    /// One line of the log has no more messages.
    public static let maximumMessages = 64

    /// The record as one line of JSON, without its end: keys in alphabetical order, no spaces.
    public var json: String { EvidenceJSON(self).jsonLine }

    /// Reads one line.
    ///
    /// - Throws: ``EvidenceError`` for anything that ``json`` does not write.
    public init(json bytes: some Sequence<UInt8> & Sendable) throws(EvidenceError) {
        let data = Data(bytes)
        guard let read = try? JSONDecoder().decode(EvidenceJSON.self, from: data) else { throw .notJSON }
        guard let record = read.record else { throw .notARecord }
        // A key that is there twice, or one that is not ours, would be read differently by others.
        guard Data(record.json.utf8) == data else { throw .unusualForm }
        self = record
    }
}

/// Why a file is no exported log.
public enum EvidenceError: Error, Sendable, Hashable, CustomStringConvertible {
    case notJSON
    case notARecord
    case unusualForm
    case tooLong(limit: Int)
    /// At this line of the file.
    indirect case at(line: Int, EvidenceError)
    case cannotRead(path: String, why: String)

    /// What is wrong.
    public var description: String {
        switch self {
        case .notJSON: "not a JSON object with the fields of docs/evidence.md"
        case .notARecord: "none of the records of docs/evidence.md, or a value in it that cannot be one"
        case .unusualForm: "not in the form that \"srup-c2 audit export\" writes"
        case .tooLong(let limit): "longer than \(limit) bytes"
        case .at(let line, let error): "line \(line) of the file is \(error)"
        case .cannotRead(let path, let why): "\(path) cannot be read: \(why)"
        }
    }
}

/// The fields of all records; docs/evidence.md says which ones each has.
private struct EvidenceJSON: Codable {
    struct Part: Codable { let bytes, key: String }
    struct Sealed: Codable {
        let hash, key: String
        let number: UInt64
        let server, signature: String
        let time: Int64

        init(_ seal: Seal) {
            (hash, key, number) = (Hex.encode(seal.hash), Hex.encode(seal.key), seal.number)
            (server, signature, time) = (seal.server.hex, Hex.encode(seal.signature), seal.milliseconds)
        }

        func seal(_ kind: Seal.Kind) -> Seal? {
            guard let hash = digest(hash), let key = digest(key), let server = DeviceID(participant: server),
                let signature = Hex.decode(signature), signature.count <= 1024
            else { return nil }
            return Seal(
                kind, server: server, number: number, hash: hash, milliseconds: time, key: key, signature: signature)
        }
    }

    var about: String?
    var anchor: Sealed?
    var by: String?
    var content: String?
    var detail: String?
    var end: UInt64?
    var event: String?
    var format: String?
    var hash: String?
    var key: String?
    var messages: [Part]?
    var number: UInt64?
    var pem: String?
    var salt: String?
    var seal: Sealed?
    var server: String?
    var time: Int64?

    init(_ record: EvidenceRecord) {
        switch record {
        case .header(let server, let key, let anchor):
            format = EvidenceRecord.format
            self.server = server.hex
            self.key = Hex.encode(key)
            self.anchor = anchor.map(Sealed.init)
        case .key(let digest, let pem): (key, self.pem) = (Hex.encode(digest), pem)
        case .line(let line, let hash):
            (number, time, event, detail) = (line.number, line.milliseconds, line.event, line.detail)
            (about, by, salt) = (line.subject?.hex, line.by, Hex.encode(line.salt))
            messages = line.messages.map { Part(bytes: Hex.encode($0.bytes), key: Hex.encode($0.key)) }
            self.hash = Hex.encode(hash)
        case .omitted(let number, let content, let hash):
            (self.number, self.content, self.hash) = (number, Hex.encode(content), Hex.encode(hash))
        case .seal(let seal): self.seal = Sealed(seal)
        case .end(let lines): end = lines
        }
    }

    var record: EvidenceRecord? {
        if let format { return format == EvidenceRecord.format ? header : nil }
        if let end { return .end(lines: end) }
        if let seal { return seal.seal(.seal).map { .seal($0) } }
        if let pem { return key.flatMap(digest).map { .key(digest: $0, pem: pem) } }
        guard let number, let hash = hash.flatMap(digest) else { return nil }
        if let content { return digest(content).map { .omitted(number: number, content: $0, hash: hash) } }
        return line(number).map { .line($0, hash: hash) }
    }

    private var header: EvidenceRecord? {
        guard let server = server.flatMap({ DeviceID(participant: $0) }), let key = key.flatMap(digest) else {
            return nil
        }
        guard let anchor else { return .header(server: server, key: key, anchor: nil) }
        return anchor.seal(.anchor).map { .header(server: server, key: key, anchor: $0) }
    }

    private func line(_ number: UInt64) -> EvidenceLine? {
        guard let time, let event, let detail, let salt = salt.flatMap({ Hex.decode($0) }), let messages,
            salt.count == EvidenceLine.saltSize, messages.count <= EvidenceRecord.maximumMessages
        else { return nil }
        var parts: [EvidenceLine.SignedPart] = []
        for message in messages {
            guard let bytes = Hex.decode(message.bytes), let key = digest(message.key) else { return nil }
            parts.append(.init(bytes: bytes, key: key))
        }
        var subject: DeviceID?
        if let about {
            guard let id = DeviceID(hex: about) else { return nil }
            subject = id
        }
        return EvidenceLine(
            number: number, milliseconds: time, event: event, detail: detail, subject: subject, by: by, salt: salt,
            messages: parts)
    }
}

private func digest(_ text: String) -> [UInt8]? {
    guard text.utf8.count == 64 else { return nil }
    return Hex.decode(text)
}
