/// A frame between a PN532 and its host (NXP UM0701-02, section 6.2).
///
/// ```
///  00 00 FF  LEN LCS         TFI data DCS 00     normal: LEN + LCS = 0
///  00 00 FF  FF FF LENM LENL LCS  TFI data DCS 00     extended
///  00 00 FF  00 FF 00                            ACK
///  00 00 FF  FF 00 00                            NACK
/// ```
public enum HostFrame: Sendable, Hashable {
    case ack
    case nack
    /// TFI and data.
    case information([UInt8])

    /// An ACK on the line.
    public static let ackBytes: [UInt8] = [0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00]
    /// A NACK on the line.
    public static let nackBytes: [UInt8] = [0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00]
    /// What the chip says to a command that it does not understand.
    public static let error: [UInt8] = [0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00]

    /// The frame on the line of TFI and data.
    public static func bytes(_ body: [UInt8]) -> [UInt8] {
        let sum = body.reduce(UInt8(0)) { $0 &+ $1 }
        let tail: [UInt8] = [0 &- sum, 0x00]
        if body.count < 256 {
            let length = UInt8(body.count)
            return [0x00, 0x00, 0xFF, length, 0 &- length] + body + tail
        }
        let high = UInt8(body.count >> 8)
        let low = UInt8(body.count & 0xFF)
        return [0x00, 0x00, 0xFF, 0xFF, 0xFF, high, low, 0 &- (high &+ low)] + body + tail
    }
}

/// Finds frames in a stream of bytes, and the next one after garbage.
public struct HostFrameReader: Sendable {
    private var bytes: [UInt8] = []
    /// Bytes that were in no frame, nor before one (00, 55), since the beginning.
    public private(set) var noise = 0

    /// No byte has come yet.
    public init() {}

    /// Takes what has come.
    public mutating func append(_ more: some Sequence<UInt8>) {
        bytes += more
    }

    /// Forgets what has come.
    public mutating func clear() {
        bytes.removeAll()
    }

    private mutating func remove(_ count: Int, isNoise: Bool = true) {
        if isNoise { noise += bytes.prefix(count).count { $0 != 0x00 && $0 != 0x55 } }
        bytes.removeFirst(count)
    }

    /// The next whole frame; `nil` when more has to come first.
    public mutating func next() -> HostFrame? {
        while true {
            guard
                let start = bytes.indices.first(where: {
                    $0 + 1 < bytes.count && bytes[$0] == 0 && bytes[$0 + 1] == 0xFF
                })
            else {
                // What cannot be the beginning of a frame goes.
                if bytes.count > 1 { remove(bytes.count - 1) }
                return nil
            }
            remove(start)
            guard bytes.count >= 4 else { return nil }
            if bytes[2] == 0x00, bytes[3] == 0xFF {
                remove(4, isNoise: false)
                return .ack
            }
            if bytes[2] == 0xFF, bytes[3] == 0x00 {
                remove(4, isNoise: false)
                return .nack
            }
            let isExtended = bytes[2] == 0xFF && bytes[3] == 0xFF
            if isExtended && bytes.count < 7 { return nil }
            let head = isExtended ? 7 : 4
            let length = isExtended ? Int(bytes[4]) << 8 | Int(bytes[5]) : Int(bytes[2])
            let isSound =
                isExtended
                ? bytes[4] &+ bytes[5] &+ bytes[6] == 0 && length <= 300 : bytes[2] &+ bytes[3] == 0 && length > 0
            guard isSound else {
                remove(2)
                continue
            }
            guard bytes.count >= head + length + 1 else { return nil }
            let body = Array(bytes[head..<head + length])
            let sum = body.reduce(bytes[head + length]) { $0 &+ $1 }
            remove(head + length + 1, isNoise: sum != 0)
            // The chip ignores a frame whose checksum is wrong.
            if sum == 0 { return .information(body) }
        }
    }
}
