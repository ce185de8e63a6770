import Linux
import ObservedValue
import SRUP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A message as one JSON object: what `srup decode --json` prints and `srup encode` reads.
public struct MessageJSON: Codable, Sendable, Equatable {
    /// The protocol version, 4 or 5, or what the first byte says instead; when encoding, 5 unless said otherwise.
    public var version: UInt8?
    /// The protocol's name, as OBSERVATION_REQUEST; the byte, as 0x30, when it has none.
    public var type: String?
    /// The sequence number; needed when encoding.
    public var sequence: UInt64?
    /// The identity in hexadecimal.
    public var sender: String?
    /// The token as text; when encoding without any token, a random one is made.
    public var token: String?
    /// Instead of `token` when that is not printable.
    public var token_hex: String?
    /// valid, invalid or unchecked; not read when encoding.
    public var signature: String?
    /// The signature in hexadecimal; read when encoding without a private key.
    public var signature_hex: String?

    /// INITIATE's address of the update, without the NUL.
    public var url: String?
    /// Instead of `url` when that is not UTF-8.
    public var url_hex: String?
    /// Whether the NUL is there that the reference counts in; true unless said otherwise.
    public var url_terminated: Bool?
    /// INITIATE's digest of the update, without the NUL: SHA-256 as lower-case hexadecimal.
    public var digest: String?
    /// Instead of `digest` when that is not UTF-8.
    public var digest_hex: String?
    /// Whether the NUL is there that the reference counts in; true unless said otherwise.
    public var digest_terminated: Bool?
    /// The protocol's name, as OBSERVED_JOIN_VALID.
    public var status: String?
    /// As 0x60; when encoding, read only where there is no `status`: for codes that have no name.
    public var status_code: String?
    /// ACTION's number, 0 to 255.
    public var action: UInt8?
    /// DATA's id as text.
    public var data_id: String?
    /// Instead of `data_id` when that is not UTF-8.
    public var data_id_hex: String?
    /// DATA's value as text; `nil` when it is not UTF-8.
    public var data: String?
    /// DATA's value in hexadecimal, beside `data` when decoding; when encoding it counts, if there are both.
    public var data_hex: String?
    /// The device that the message is about, as its identity in hexadecimal.
    public var device: String?
    /// The group that the message is about, as text.
    public var group: String?
    /// Instead of `group` when that is not UTF-8.
    public var group_hex: String?
    /// The observer that a device asks for, as its identity in hexadecimal.
    public var observer: String?
    /// The sealed envelope in hexadecimal.
    public var envelope: String?
    /// The value in the envelope: when decoding, if the private key opens it; when encoding, sealed for the recipient.
    public var nonce: String?
    /// Whether the private key that was given opens the envelope; not read when encoding.
    public var opened: Bool?
    /// What the envelope holds when that is not 32 hexadecimal digits; not read when encoding.
    public var opened_hex: String?
    /// What follows the signature, where it is not taken apart: of syndication messages, of types nobody knows, of messages
    /// that are cut.
    public var tail: String?
    /// Bytes behind the end of the message.
    public var trailing: String?
    /// Not read when encoding.
    public var supported: Bool?

    // Of what is no message.
    /// What is wrong, in words; `nil` for a message. Not read when encoding, nor are the next three.
    public var error: String?
    /// The field that is wrong, by its name in ``WireError/Field``.
    public var field: String?
    /// Where that field begins, in bytes from the start of the message.
    public var offset: Int?
    /// What is wrong, in a short name for counting (``WireError/reason``).
    public var reason: String?
    /// Where the message came from, when that is known; not read when encoding.
    public var topic: String?
    /// When the message came, in seconds since 1970, when that is known; not read when encoding.
    public var time: Double?

    /// An object without any key.
    public init() {}
}

/// What is known when a message is decoded.
public struct DecodingKeys: Sendable {
    /// Keys to try on the messages of senders that are not in ``bySender``.
    public var any: [PublicKey] = []
    /// Keys of certain senders, each the only one that is tried on its sender's messages.
    public var bySender: [DeviceID: PublicKey] = [:]
    /// The key that opens sealed envelopes; `nil`: they stay closed.
    public var recipient: PrivateKey?

    /// Knows no key: signatures stay unchecked and envelopes closed.
    public init() {}
}

extension MessageJSON {
    /// Decodes bytes; what is no message becomes an object with `error` and with all that could be read.
    public init(decoding bytes: [UInt8], keys: DecodingKeys) {
        self.init()
        do throws(WireError) {
            self.init(try SignedMessage(parsing: bytes), keys: keys)
        } catch {
            self.init(MessageOutline(reading: bytes), keys: keys)
            if version == nil { version = bytes.first }
            self.error = error.description
            field = error.field.rawValue
            offset = error.offset
            reason = error.reason
        }
    }

    private init(_ outline: MessageOutline, keys: DecodingKeys) {
        self.init()
        version = outline.version?.rawValue
        type = outline.type.map { MessageType(rawValue: $0)?.description ?? Self.byte($0) }
        sequence = outline.sequence?.value
        sender = outline.sender?.hex
        if let bytes = outline.token {
            if let text = Token(bytes)?.text { token = text } else { token_hex = Hex.encode(bytes) }
        }
        signature_hex = outline.signature.map { Hex.encode($0) }
        signature = Self.judged(outline.sender, keys) { outline.isSigned(by: $0) }
        if let (body, trailing) = outline.body {
            show(body, keys)
            if !trailing.isEmpty { self.trailing = Hex.encode(trailing) }
        } else if outline.type == MessageType.response.rawValue, let code = outline.tail?.first {
            status_code = Self.byte(code)
            if let tail = outline.tail, tail.count > 1 { trailing = Hex.encode(tail.dropFirst()) }
        } else {
            tail = outline.tail.map { Hex.encode($0) }
        }
    }

    private static func byte(_ byte: UInt8) -> String { "0x" + Hex.encode([byte]) }

    init(_ signed: SignedMessage, keys: DecodingKeys) {
        self.init()
        let message = signed.message
        version = message.version.rawValue
        type = message.body.type.description
        sequence = message.sequence.value
        sender = message.sender.hex
        if let text = message.token.text { token = text } else { token_hex = Hex.encode(message.token.bytes) }
        signature_hex = Hex.encode(signed.signature)
        signature = Self.judged(message.sender, keys) { signed.isSigned(by: $0) }
        show(message.body, keys)
    }

    private mutating func show(_ body: Body, _ keys: DecodingKeys) {
        switch body {
        case .initiate(let url, let digest):
            (self.url, url_hex, url_terminated) = (
                url.text, url.text == nil ? Hex.encode(url.bytes) : nil, url.isTerminated
            )
            (self.digest, digest_hex, digest_terminated) = (
                digest.text, digest.text == nil ? Hex.encode(digest.bytes) : nil, digest.isTerminated
            )
        case .response(let status):
            self.status = status.description
            status_code = Self.byte(status.rawValue)
        case .action(let id): action = id
        case .data(let id, let value):
            data_id = String(validating: id, as: UTF8.self)
            if data_id == nil { data_id_hex = Hex.encode(id) }
            data = String(validating: value, as: UTF8.self)
            data_hex = Hex.encode(value)
        case .groupAdd(let device, let group), .groupDelete(let device, let group):
            self.device = device.hex
            setGroup(group)
        case .groupDestroy(let group): setGroup(group)
        case .joinCommand(let device): self.device = device.hex
        case .observedJoinRequest(let observer): self.observer = observer.hex
        case .humanJoinResponse(let envelope), .observedJoinResponse(let envelope): setEnvelope(envelope, keys)
        case .observationRequest(let device, let envelope):
            self.device = device.hex
            setEnvelope(envelope, keys)
        case .notSupported(_, let tail):
            self.tail = Hex.encode(tail)
            supported = false
        case .activate, .idRequest, .joinRequest, .humanJoinRequest, .resignRequest, .terminateCommand,
            .deregisterRequest, .deregisterCommand:
            break
        }
    }

    /// - Parameter isSigned: `nil` when there is no whole signature to check.
    private static func judged(
        _ sender: DeviceID?, _ keys: DecodingKeys, _ isSigned: (PublicKey) -> Bool?
    ) -> String? {
        let candidates = sender.flatMap { keys.bySender[$0] }.map { [$0] } ?? keys.any
        guard !candidates.isEmpty else { return "unchecked" }
        let results = candidates.map(isSigned)
        if results.contains(nil) { return nil }
        return results.contains(true) ? "valid" : "invalid"
    }

    private mutating func setGroup(_ bytes: [UInt8]) {
        group = String(validating: bytes, as: UTF8.self)
        if group == nil { group_hex = Hex.encode(bytes) }
    }

    private mutating func setEnvelope(_ envelope: Envelope, _ keys: DecodingKeys) {
        self.envelope = Hex.encode(envelope.bytes)
        guard let key = keys.recipient else { return }
        let text = try? envelope.open(with: key)
        opened = text != nil
        text?.withBytes { text in
            if Nonce(hex: text) != nil {
                nonce = String(decoding: text, as: UTF8.self)
            } else {
                opened_hex = Hex.encode(text)
            }
        }
    }
}

/// Why a JSON object is no message: which key, what is allowed.
public struct MessageJSONError: Error, Sendable, CustomStringConvertible {
    /// The JSON key that is wrong; empty when it is the whole object.
    public let key: String
    /// What is wrong with it, or what it must be.
    public let problem: String

    /// An error about one JSON key, or about the whole object when `key` is empty.
    public init(key: String, problem: String) {
        self.key = key
        self.problem = problem
    }

    /// The key and what is wrong with it, in words.
    public var description: String { key.isEmpty ? problem : "\"\(key)\": \(problem)" }
}

/// What is needed to write a message.
public struct EncodingKeys: Sendable {
    /// The key that signs the message; `nil`: its signature is read from `signature_hex`.
    public var signer: PrivateKey?
    /// The key that the nonce is sealed for; `nil`: the sealed envelope is read from `envelope`.
    public var recipient: PublicKey?

    /// Has no key: signature and envelope are read from the object.
    public init() {}
}

extension MessageJSON {
    private static let known: Set<String> = [
        "version", "type", "sequence", "sender", "token", "token_hex", "signature", "signature_hex", "url", "url_hex",
        "url_terminated", "digest", "digest_hex", "digest_terminated", "status", "status_code", "action", "data_id",
        "data_id_hex", "data", "data_hex", "device", "group", "group_hex", "observer", "envelope", "nonce", "opened",
        "opened_hex",
        "tail", "trailing", "supported", "error", "field", "offset", "reason", "topic", "time",
    ]

    /// Reads a JSON object.
    ///
    /// - Throws: ``MessageJSONError``, also for keys that are not known.
    public init(json: [UInt8]) throws(MessageJSONError) {
        struct AnyKey: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
        struct Keys: Decodable {
            let names: [String]
            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: AnyKey.self)
                names = container.allKeys.map(\.stringValue)
                // The decoder does not say which number is out of range.
                func check<Number: Decodable & FixedWidthInteger>(_ name: String, _ type: Number.Type) throws {
                    let key = AnyKey(stringValue: name)
                    guard !container.contains(key) || (try? container.decode(type, forKey: key)) != nil else {
                        throw MessageJSONError(key: name, problem: "must be a whole number up to \(Number.max)")
                    }
                }
                try check("version", UInt8.self)
                try check("sequence", UInt64.self)
                try check("action", UInt8.self)
            }
        }
        do {
            let names = try JSONDecoder().decode(Keys.self, from: Data(json)).names
            if let stranger = names.sorted().first(where: { !Self.known.contains($0) }) {
                throw MessageJSONError(key: stranger, problem: "there is no such key")
            }
            self = try JSONDecoder().decode(MessageJSON.self, from: Data(json))
        } catch let error as MessageJSONError {
            throw error
        } catch DecodingError.typeMismatch(_, let context), DecodingError.dataCorrupted(let context),
            DecodingError.valueNotFound(_, let context)
        {
            throw MessageJSONError(
                key: context.codingPath.map(\.stringValue).joined(separator: "."), problem: context.debugDescription)
        } catch {
            throw MessageJSONError(key: "", problem: "\(error)")
        }
    }

    /// Writes the message.
    ///
    /// - Throws: ``MessageJSONError``, ``WireError``, ``CryptoError``.
    public func encoded(_ keys: EncodingKeys) throws -> SignedMessage {
        let message = Message(
            version: try readVersion(),
            sequence: SequenceNumber(try need(sequence, "sequence", "a number")),
            sender: try id(sender, "sender"), token: try readToken(), body: try readBody(keys))
        if let signer = keys.signer { return try message.signed(with: signer) }
        return try message.signed(withSignature: try readSignature())
    }

    /// Writes the message, also one that no participant would take: of a type (`0x30`) or with a status code (`status_code`)
    /// that nobody knows, with `trailing` bytes, or with a `tail` in place of its fields.
    ///
    /// - Throws: ``MessageJSONError``, ``WireError``, ``CryptoError``.
    public func encodedBytes(_ keys: EncodingKeys) throws -> [UInt8] {
        let type = try typeByte()
        let known = MessageType(rawValue: type)
        let rest = try trailing.map { try need(Hex.decode($0), "trailing", "hexadecimal digits") } ?? []
        let code = known == .response && status == nil ? try statusByte() : nil
        let isRaw = known == nil || tail != nil && known?.isSyndication == false
        guard isRaw || code != nil || !rest.isEmpty else { return try encoded(keys).bytes }
        var outline = MessageOutline()
        outline.version = try readVersion()
        outline.type = type
        outline.sequence = SequenceNumber(try need(sequence, "sequence", "a number"))
        outline.sender = try id(sender, "sender")
        outline.token = try readToken().bytes
        if isRaw {
            outline.tail = try need(tail.flatMap { Hex.decode($0) }, "tail", "hexadecimal digits") + rest
        } else if let code {
            outline.tail = [code] + rest
        } else {
            try outline.setTail(try readBody(keys), trailing: rest)
        }
        if let signer = keys.signer { try outline.sign(with: signer) } else { outline.signature = try readSignature() }
        return try outline.bytes()
    }

    private func typeByte() throws -> UInt8 {
        let found = type.flatMap { name in MessageType(name: name)?.rawValue ?? Self.byte(of: name) }
        return try need(
            found, "type",
            "one of " + MessageType.allCases.map(\.description).joined(separator: ", ") + ", or a byte as 0x30")
    }

    private func statusByte() throws -> UInt8 {
        try need(
            status_code.flatMap { Self.byte(of: $0) }, "status",
            "one of " + Status.allCases.map(\.description).joined(separator: ", ")
                + "; or give a byte as 0x42 in \"status_code\"")
    }

    /// "0x" and two hexadecimal digits.
    private static func byte(of text: String) -> UInt8? {
        guard text.utf8.count == 4, text.hasPrefix("0x") else { return nil }
        return Hex.decode(text.dropFirst(2))?.first
    }

    private func readVersion() throws -> ProtocolVersion {
        try version.map { try Self.need(ProtocolVersion(rawValue: $0), "version", "4 or 5") } ?? .preferred
    }

    private func readSignature() throws -> [UInt8] {
        let bytes = try need(
            signature_hex.flatMap { Hex.decode($0) }, "signature_hex", "hexadecimal digits, or give a private key")
        guard !bytes.isEmpty else { throw MessageJSONError(key: "signature_hex", problem: "must not be empty") }
        return bytes
    }

    private func need<Value>(_ value: Value?, _ key: String, _ allowed: String) throws -> Value {
        try Self.need(value, key, allowed)
    }

    private static func need<Value>(_ value: Value?, _ key: String, _ allowed: String) throws -> Value {
        guard let value else { throw MessageJSONError(key: key, problem: "must be \(allowed)") }
        return value
    }

    private func id(_ text: String?, _ key: String) throws -> DeviceID {
        try need(text.flatMap { DeviceID(hex: $0) }, key, "1 to 16 lower-case hexadecimal digits without leading zeros")
    }

    private func readToken() throws -> Token {
        if let token_hex {
            return try need(Hex.decode(token_hex).flatMap { Token($0) }, "token_hex", "1 to 65535 bytes in hexadecimal")
        }
        guard let token else { return .random() }
        return try need(Token(token), "token", "1 to 65535 bytes")
    }

    private func bytes(_ text: String?, _ hex: String?, _ key: String) throws -> [UInt8] {
        if let hex { return try need(Hex.decode(hex), key + "_hex", "hexadecimal digits, two for each byte") }
        return Array(try need(text, key, "a string").utf8)
    }

    private func readEnvelope(_ keys: EncodingKeys) throws -> Envelope {
        if let recipient = keys.recipient {
            let nonce = try need(nonce.flatMap { Nonce(hex: $0) }, "nonce", "32 hexadecimal digits")
            return try Envelope.sealing(nonce, for: recipient)
        }
        return Envelope(
            try need(envelope.flatMap { Hex.decode($0) }, "envelope", "hexadecimal digits, or give a recipient's key"))
    }

    private func readBody(_ keys: EncodingKeys) throws -> Body {
        let type = try need(
            type.flatMap { MessageType(name: $0) }, "type",
            "one of " + MessageType.allCases.map(\.description).joined(separator: ", "))
        switch type {
        case .initiate:
            return .initiate(
                url: TerminatedText(try bytes(url, url_hex, "url"), terminated: url_terminated ?? true),
                digest: TerminatedText(try bytes(digest, digest_hex, "digest"), terminated: digest_terminated ?? true))
        case .response:
            return .response(
                try need(
                    status.flatMap { Status(name: $0) }, "status",
                    "one of " + Status.allCases.map(\.description).joined(separator: ", ")))
        case .activate: return .activate
        case .action: return .action(try need(action, "action", "a number from 0 to 255"))
        case .data:
            return .data(id: try bytes(data_id, data_id_hex, "data_id"), value: try bytes(data, data_hex, "data"))
        case .idRequest: return .idRequest
        case .groupAdd: return .groupAdd(device: try id(device, "device"), group: try bytes(group, group_hex, "group"))
        case .groupDelete:
            return .groupDelete(device: try id(device, "device"), group: try bytes(group, group_hex, "group"))
        case .groupDestroy: return .groupDestroy(group: try bytes(group, group_hex, "group"))
        case .joinRequest: return .joinRequest
        case .joinCommand: return .joinCommand(device: try id(device, "device"))
        case .humanJoinRequest: return .humanJoinRequest
        case .humanJoinResponse: return .humanJoinResponse(try readEnvelope(keys))
        case .observedJoinRequest: return .observedJoinRequest(observer: try id(observer, "observer"))
        case .observedJoinResponse: return .observedJoinResponse(try readEnvelope(keys))
        case .observationRequest:
            return .observationRequest(device: try id(device, "device"), try readEnvelope(keys))
        case .resignRequest: return .resignRequest
        case .terminateCommand: return .terminateCommand
        case .deregisterRequest: return .deregisterRequest
        case .deregisterCommand: return .deregisterCommand
        default:
            return .notSupported(
                type,
                tail: try need(
                    tail.flatMap { Hex.decode($0) }, "tail", "hexadecimal digits (syndication is not taken apart)"))
        }
    }

    /// One line of JSON, keys in alphabetical order, with escapes for what would not be seen in a terminal.
    public var line: String { jsonLine }

    /// For people: one fact to a line, long hexadecimal shortened.
    public var text: String {
        var rows: [(String, String)] = []
        func add(_ name: String, _ value: String?) { if let value { rows.append((name, Self.shortened(value))) } }
        add("sender", sender)
        add("sequence", sequence.map(String.init))
        add("token", token ?? token_hex.map { "hex " + $0 })
        add("url", url ?? url_hex.map { "hex " + $0 })
        add("digest", digest ?? digest_hex.map { "hex " + $0 })
        add("status", status.map { "\($0) (\(status_code ?? ""))" } ?? status_code)
        add("action", action.map(String.init))
        add("data id", data_id ?? data_id_hex.map { "hex " + $0 })
        add("data", data.map { $0.debugDescription } ?? data_hex.map { "hex " + $0 })
        add("device", device)
        add("group", group ?? group_hex.map { "hex " + $0 })
        add("observer", observer)
        add(
            "envelope",
            envelope.map { "\($0.utf8.count / 2) bytes" + (opened == false ? ", not opened by this key" : "") })
        add("nonce", nonce)
        add("opened", opened_hex.map { "hex " + $0 })
        if supported == false {
            add("tail", tail.map { "\($0.utf8.count / 2) bytes (not supported)" })
        } else {
            add("tail", tail.map { "\($0.utf8.count / 2) bytes: \($0)" })
        }
        add("trailing", trailing.map { "\($0.utf8.count / 2) bytes: \($0)" })
        add("signature", signature)
        let name = type.map { "\($0), version \(version ?? 0)" }
        let head =
            (error.map { "no message: \($0)" + (name.map { " (\($0))" } ?? "") } ?? name ?? "?")
            + (topic.map { " on \(Self.shortened($0))" } ?? "")
        return ([head] + rows.map { "  " + $0.0 + String(repeating: " ", count: max(1, 11 - $0.0.count)) + $0.1 })
            .joined(separator: "\n")
    }

    /// A peer's text must neither steer the terminal nor look like a line of ours.
    private static func shortened(_ text: String) -> String {
        text.withoutControls(atMost: 157)
    }
}
