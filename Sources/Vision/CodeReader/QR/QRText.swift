import Glibc

/// What data codewords say (ISO/IEC 18004, 7.4): segments of digits, letters, bytes and kanji; and of hanzi (GB/T 18284).
package struct QRText {
    private let data: [UInt8]
    private var position = 0
    private let version: Int
    /// UTF-8 where the character set is known or can be told.
    package private(set) var value: [UInt8] = []
    /// Bytes whose character set was not said, not yet in `value`.
    private var pending: [UInt8] = []
    private var set: String?
    /// FNC1 in first position, or in second: an application's data, in its own form.
    package private(set) var isGS1 = false

    /// - Parameter isStrict: the padding must be what the standard says.
    package init?(_ data: [UInt8], version: Int, isStrict: Bool) {
        self.data = data
        self.version = version
        while left >= 4, let mode = take(4), mode != 0 {
            guard segment(mode), value.count + pending.count <= CodeReader.maximumLength else { return nil }
        }
        flush()
        guard !value.isEmpty else { return nil }
        if isStrict {
            // After the last segment: zeros to the next byte, then two bytes in turn.
            let start = (position + 7) / 8
            for (index, byte) in data[min(start, data.count)...].enumerated()
            where byte != (index % 2 == 0 ? 0xEC : 0x11) { return nil }
        }
    }

    private var left: Int { data.count * 8 - position }

    private mutating func take(_ count: Int) -> Int? {
        guard left >= count else { return nil }
        var bits = 0
        for _ in 0..<count {
            bits = bits << 1 | Int(data[position >> 3] >> UInt8(7 - position & 7) & 1)
            position += 1
        }
        return bits
    }

    /// Reads the count of characters, whose width depends on version and mode.
    private mutating func count(_ widths: (Int, Int, Int)) -> Int? {
        take(version < 10 ? widths.0 : version < 27 ? widths.1 : widths.2)
    }

    private mutating func segment(_ mode: Int) -> Bool {
        switch mode {
        case 1: return digits()
        case 2: return letters()
        case 3: return take(16) != nil  // Structured Append: each symbol is read for itself
        case 4: return bytes()
        case 5: isGS1 = true
        case 7: return characterSet()
        case 8: return kanji()
        case 9:
            isGS1 = true
            return take(8) != nil
        case 13: return hanzi()
        default: return false
        }
        return true
    }

    private mutating func digits() -> Bool {
        guard var rest = count((10, 12, 14)), rest * 10 / 3 <= left else { return false }
        while rest > 0 {
            let group = min(rest, 3)
            guard let number = take([0, 4, 7, 10][group]), number < [1, 10, 100, 1000][group] else { return false }
            let text = String(number)
            pending += String(repeating: "0", count: group - text.count).utf8
            pending += text.utf8
            rest -= group
        }
        return true
    }

    private static let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".utf8)

    private mutating func letters() -> Bool {
        guard var rest = count((9, 11, 13)), rest * 11 / 2 <= left else { return false }
        var text: [UInt8] = []
        while rest > 0 {
            guard let pair = take(rest > 1 ? 11 : 6), pair < (rest > 1 ? 45 * 45 : 45) else { return false }
            if rest > 1 { text.append(Self.letters[pair / 45]) }
            text.append(Self.letters[pair % 45])
            rest -= min(rest, 2)
        }
        var index = 0
        while index < text.count {
            // In GS1 a percent sign separates fields; two stand for itself.
            if isGS1, text[index] == UInt8(ascii: "%") {
                let isDouble = index + 1 < text.count && text[index + 1] == UInt8(ascii: "%")
                pending.append(isDouble ? UInt8(ascii: "%") : 0x1D)
                index += isDouble ? 2 : 1
            } else {
                pending.append(text[index])
                index += 1
            }
        }
        return true
    }

    private mutating func bytes() -> Bool {
        guard let count = count((8, 16, 16)), count * 8 <= left else { return false }
        for _ in 0..<count { pending.append(UInt8(take(8) ?? 0)) }
        return true
    }

    /// Shift JIS in 13 bits a character: the second byte has 0xC0 values, and there is a gap between two ranges.
    private mutating func kanji() -> Bool {
        pairs(of: Self.japanese, seconds: 0xC0) { $0 + ($0 < 0x1F00 ? 0x8140 : 0xC140) }
    }

    /// GB 2312 in 13 bits a character, behind four bits that say that it is this set.
    private mutating func hanzi() -> Bool {
        take(4) == 1 && pairs(of: "GB18030", seconds: 0x60) { $0 + ($0 < 0x0A00 ? 0xA1A1 : 0xA6A1) }
    }

    private mutating func pairs(of set: String, seconds: Int, _ shifted: (Int) -> Int) -> Bool {
        guard let count = count((8, 10, 12)), count * 13 <= left else { return false }
        var text: [UInt8] = []
        for _ in 0..<count {
            guard let packed = take(13) else { return false }
            let code = shifted((packed / seconds) << 8 | packed % seconds)
            text += [UInt8(code >> 8 & 0xFF), UInt8(code & 0xFF)]
        }
        flush()
        value += Self.converted(text, from: set) ?? text
        return true
    }

    // MARK: Character sets

    /// Shift JIS as it is used: 0x5C is a backslash.
    private static let japanese = "CP932"

    /// An extended channel interpretation: which character set follows.
    private mutating func characterSet() -> Bool {
        guard let first = take(8) else { return false }
        var number = first
        if first & 0x80 != 0 {
            let more = first & 0x40 == 0 ? 8 : 16
            guard first & 0xE0 != 0xE0, let rest = take(more) else { return false }
            number = (first & (more == 8 ? 0x3F : 0x1F)) << more | rest
        }
        flush()
        set =
            switch number {
            case 0, 2: "CP437"
            case 1, 3: "ISO-8859-1"
            case 4...18: "ISO-8859-\(number - 2)"
            case 20: Self.japanese
            case 21...24: "CP\(number + 1229)"
            case 25: "UTF-16BE"
            case 26: "UTF-8"
            case 28: "BIG5"
            case 29: "GB18030"
            case 30: "EUC-KR"
            default: nil
            }
        return true
    }

    /// Moves what is pending to the value, as UTF-8.
    private mutating func flush() {
        defer { pending = [] }
        value += set.flatMap { Self.converted(pending, from: $0) } ?? Self.text(ofBytes: pending)
    }

    /// What bytes say when nothing tells their character set: UTF-8, or themselves.
    static func text(ofBytes bytes: [UInt8]) -> [UInt8] {
        bytes.contains { $0 >= 0x80 } ? converted(bytes, fromOneOf: guesses(bytes)) ?? bytes : bytes
    }

    /// The standard says ISO 8859-1; what is printed is mostly UTF-8 and, in Japan, Shift JIS.
    private static func guesses(_ bytes: [UInt8]) -> [String] {
        if String(validating: bytes, as: UTF8.self) != nil { return ["UTF-8"] }
        // In ISO 8859-1 these are control characters, which nobody prints.
        let hasControls = bytes.contains { (0x80...0x9F).contains($0) }
        let high = bytes.count { $0 >= 0x80 }
        let hasRuns = zip(bytes, bytes.dropFirst()).count { $0 >= 0xA1 && $0 <= 0xDF && $1 >= 0xA1 && $1 <= 0xDF } > 1
        return hasControls || (hasRuns && high > 2) ? [japanese, "ISO-8859-1"] : ["ISO-8859-1"]
    }

    private static func converted(_ bytes: [UInt8], fromOneOf sets: [String]) -> [UInt8]? {
        for set in sets {
            if let text = converted(bytes, from: set) { return text }
        }
        return nil
    }

    /// The text in UTF-8; `nil` when it is not valid in that set or the C library does not know the set.
    private static func converted(_ bytes: [UInt8], from set: String) -> [UInt8]? {
        if set == "UTF-8" { return String(validating: bytes, as: UTF8.self).map { Array($0.utf8) } }
        guard let converter = iconv_open("UTF-8", set), converter != iconv_t(bitPattern: -1) else { return nil }
        defer { iconv_close(converter) }
        var input = bytes.map { CChar(bitPattern: $0) }
        var output = [UInt8](repeating: 0, count: bytes.count * 4 + 16)
        var used = 0
        let isConverted = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBytes { output in
                var source = input.baseAddress
                var sourceLeft = input.count
                var target = output.baseAddress?.assumingMemoryBound(to: CChar.self)
                var targetLeft = output.count
                let result = iconv(converter, &source, &sourceLeft, &target, &targetLeft)
                used = output.count - targetLeft
                return result != -1 && sourceLeft == 0
            }
        }
        return isConverted ? Array(output.prefix(used)) : nil
    }
}
