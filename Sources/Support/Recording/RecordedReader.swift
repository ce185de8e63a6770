/// A reader's serial line.
public struct RecordedReader: Codable, Sendable, Hashable {
    /// In bits a second.
    public var speed: Int

    /// A line of this speed.
    public init(speed: Int) {
        self.speed = speed
    }

    func check() throws(RecordingProblem) {
        guard (1200...4_000_000).contains(speed) else { throw "\"speed\" is none" }
    }
}

/// Something that went over a reader's serial line: a frame from host or chip, or bytes that are none.
public struct RecordedExchange: Codable, Sendable, Hashable {
    /// What it was.
    public enum Content: Sendable, Hashable {
        /// TFI and data of an information frame; `nil` for a byte that was blanked.
        case frame([UInt8?])
        case acknowledgement
        case refusal
        /// So many bytes that are in no frame; they are not recorded.
        case noise(Int)
    }

    /// Since the recording began, in milliseconds.
    public var ms: Double
    /// Whether the host has sent it; else the chip has.
    public var isFromHost: Bool
    /// What it was.
    public var content: Content

    /// Something at a time.
    public init(ms: Double, isFromHost: Bool, content: Content) {
        self.ms = ms
        self.isFromHost = isFromHost
        self.content = content
    }

    /// Of a frame, in bytes.
    static let maximumFrame = 300

    private enum CodingKeys: String, CodingKey { case ms, host, chip, noise }

    /// Reads what ``encode(to:)`` writes.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        ms = try values.decode(Double.self, forKey: .ms)
        let host = try values.decodeIfPresent(String.self, forKey: .host)
        let key = host == nil ? CodingKeys.chip : .host
        isFromHost = host != nil
        switch try host ?? values.decode(String.self, forKey: .chip) {
        case "ack": content = .acknowledgement
        case "nack": content = .refusal
        case "noise": content = .noise(try values.decode(Int.self, forKey: .noise))
        case let text:
            guard let bytes = Self.bytes(text) else {
                throw DecodingError.dataCorruptedError(forKey: key, in: values, debugDescription: "no bytes")
            }
            content = .frame(bytes)
        }
    }

    /// Bytes in hexadecimal, ".." for what is blanked.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(ms, forKey: .ms)
        let key = isFromHost ? CodingKeys.host : .chip
        switch content {
        case .frame(let bytes): try values.encode(Self.text(bytes), forKey: key)
        case .acknowledgement: try values.encode("ack", forKey: key)
        case .refusal: try values.encode("nack", forKey: key)
        case .noise(let count):
            try values.encode("noise", forKey: key)
            try values.encode(count, forKey: .noise)
        }
    }

    /// Two hexadecimal digits a byte, or two dots.
    static func text(_ bytes: [UInt8?]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { byte in
                byte.map { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] } ?? Array("..".utf8)
            }, as: UTF8.self)
    }

    static func bytes(_ text: String) -> [UInt8?]? {
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 2), characters.count <= 2 * maximumFrame, !characters.isEmpty else {
            return nil
        }
        var bytes: [UInt8?] = []
        for index in stride(from: 0, to: characters.count, by: 2) {
            let pair = characters[index...index + 1]
            if pair.elementsEqual("..".utf8) {
                bytes.append(nil)
            } else {
                // Digits only: Swift's own reading takes a sign, too.
                guard pair.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
                    let byte = UInt8(String(decoding: pair, as: UTF8.self), radix: 16)
                else { return nil }
                bytes.append(byte)
            }
        }
        return bytes
    }

    func check() throws(RecordingProblem) {
        try ms.check()
        if case .noise(let count) = content, !(1...1_000_000).contains(count) { throw "\"noise\" is no count" }
    }
}

/// What a tap gave.
public struct RecordedTap: Codable, Sendable, Hashable {
    /// Since the recording began, in milliseconds.
    public var ms: Double
    /// Who spoke first, and how ("target", "initiator", "type2", "type4").
    public var role: String
    /// The edge in the test sheet's value that it gave, in millimetres; `nil`: it gave something else, which is not
    /// recorded.
    public var test: Int?

    /// A tap.
    public init(ms: Double, role: String, test: Int?) {
        self.ms = ms
        self.role = role
        self.test = test
    }

    func check() throws(RecordingProblem) {
        try ms.check()
        guard ["target", "initiator", "type2", "type4"].contains(role) else { throw "\"role\" is none" }
        guard test.map({ (0...999).contains($0) }) ?? true else { throw "\"test\" is none" }
    }
}
