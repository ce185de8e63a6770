/// The text of a configuration file, whichever program saved it: UTF-8, with or without its mark (BOM), or UTF-16 with
/// its mark (what Windows' Notepad calls Unicode). Windows' own code page ("ANSI") is taken only where nothing depends on
/// it, when all that is not ASCII stands in comments: a guess would put another character into a network's name. Anything
/// else is told, with the line and how to save the file.
public struct SettingsText: Sendable {
    /// How the text lies in the file.
    public enum Encoding: Sendable, Hashable {
        case utf8(hasMark: Bool)
        case utf16(isBigEndian: Bool)
        /// With characters beyond ASCII in comments alone.
        case windows1252
    }

    /// Without the mark.
    public let text: String
    /// How the text lies in the file, and how ``bytes(of:)`` makes others lie.
    public let encoding: Encoding

    private static let mark8: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// - Parameter name: of the file, for the error.
    /// - Throws: ``SettingsError`` when the bytes are neither.
    public init(_ bytes: [UInt8], name: String) throws(SettingsError) {
        try Self.refuseDocuments(bytes, name)
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            let isBigEndian = bytes[0] == 0xFE
            guard let text = String(validating: Self.units(bytes.dropFirst(2), isBigEndian), as: UTF16.self),
                bytes.count % 2 == 0
            else {
                throw SettingsError(
                    file: name, line: 0, key: nil, problem: "begins like UTF-16 and is none; \(Self.advice)")
            }
            self.text = text
            encoding = .utf16(isBigEndian: isBigEndian)
        } else {
            let hasMark = bytes.starts(with: Self.mark8)
            let body = bytes.dropFirst(hasMark ? Self.mark8.count : 0)
            if let text = String(validating: body, as: UTF8.self) {
                self.text = text
                encoding = .utf8(hasMark: hasMark)
            } else if !hasMark, let text = Self.withForeignComments(body) {
                self.text = text
                encoding = .windows1252
            } else {
                throw Self.notUTF8(body, name)
            }
        }
        if let place = text.utf8.firstIndex(of: 0) {
            throw SettingsError(
                file: name, line: Self.line(of: place, in: text.utf8), key: nil,
                problem: "holds a NUL character: it is no text, or UTF-16 without its mark; \(Self.advice)")
        }
        if text.utf8.contains(0x0D), !text.utf8.contains(0x0A) {
            throw SettingsError(
                file: name, line: 0, key: nil,
                problem: "ends its lines as old Macs do (CR alone); save it with the line ends of Unix or Windows")
        }
    }

    /// Another text as it would lie in this file.
    public func bytes(of text: String) -> [UInt8] {
        switch encoding {
        case .utf8(let hasMark): (hasMark ? Self.mark8 : []) + Array(text.utf8)
        case .utf16(let isBigEndian):
            ([0xFEFF] + Array(text.utf16)).flatMap {
                isBigEndian ? [UInt8($0 >> 8), UInt8($0 & 0xFF)] : [UInt8($0 & 0xFF), UInt8($0 >> 8)]
            }
        case .windows1252: text.unicodeScalars.map { Self.windows1252Bytes[$0] ?? UInt8(ascii: "?") }
        }
    }

    private static let advice = "save the file as UTF-8 (Notepad: Save as, and below the name Encoding: UTF-8)"

    /// What a word processor saves when it is not told otherwise.
    private static func refuseDocuments(_ bytes: [UInt8], _ name: String) throws(SettingsError) {
        let kind: String
        if bytes.starts(with: "{\\rtf".utf8) {
            kind = "is rich text (RTF); save it as plain text (TextEdit: Format, Make Plain Text)"
        } else if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) || bytes.starts(with: [0xD0, 0xCF, 0x11, 0xE0]) {
            kind = "is a word processor's document; save it as plain text, in UTF-8"
        } else {
            return
        }
        throw SettingsError(file: name, line: 0, key: nil, problem: kind)
    }

    /// The text of a file in Windows' code page whose comments alone have characters beyond ASCII; `nil` for others, and
    /// for those with strings of several lines, where "#" may begin no comment.
    private static func withForeignComments(_ bytes: ArraySlice<UInt8>) -> String? {
        var text = String.UnicodeScalarView()
        var quote: UInt8?
        var (isComment, isEscaped, quotesInRow) = (false, false, 0)
        for byte in bytes {
            if byte >= 0x80 {
                guard isComment, let scalar = windows1252(byte)?.unicodeScalars.first else { return nil }
                text.append(scalar)
                continue
            }
            text.append(UnicodeScalar(byte))
            quotesInRow = !isComment && (byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")) ? quotesInRow + 1 : 0
            guard quotesInRow < 3 else { return nil }
            if byte == 0x0A {
                (quote, isComment, isEscaped) = (nil, false, false)
            } else if let open = quote {
                if isEscaped {
                    isEscaped = false
                } else if byte == open {
                    quote = nil
                } else {
                    isEscaped = open == UInt8(ascii: "\"") && byte == UInt8(ascii: "\\")
                }
            } else if !isComment {
                isComment = byte == UInt8(ascii: "#")
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") { quote = byte }
            }
        }
        return String(text)
    }

    private static func units(_ bytes: ArraySlice<UInt8>, _ isBigEndian: Bool) -> [UInt16] {
        stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2).map { place in
            let (first, second) = (UInt16(bytes[place]), UInt16(bytes[place + 1]))
            return isBigEndian ? first << 8 | second : second << 8 | first
        }
    }

    /// - Parameter bytes: hold something that is not UTF-8.
    private static func notUTF8(_ bytes: ArraySlice<UInt8>, _ name: String) -> SettingsError {
        let place = firstInvalid(bytes)
        let byte = bytes[place]
        let hexadecimal = String(byte, radix: 16, uppercase: true)
        let meaning = windows1252(byte).map { " (\"\($0)\" in Windows' own code page)" } ?? ""
        return SettingsError(
            file: name, line: line(of: place, in: bytes), key: nil,
            problem: "the byte \(hexadecimal)\(meaning) is not UTF-8; \(advice)")
    }

    private static func firstInvalid(_ bytes: ArraySlice<UInt8>) -> Int {
        var decoder = UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var place = bytes.startIndex
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .valid(let scalar): place += scalar.count
            case .error, .emptyInput: return min(place, bytes.endIndex - 1)
            }
        }
    }

    private static func line<Bytes: Collection>(of place: Bytes.Index, in bytes: Bytes) -> Int
    where Bytes.Element == UInt8 {
        1 + bytes[..<place].count { $0 == 10 }
    }

    /// https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT: Latin-1 but for 0x80 to 0x9F.
    private static func windows1252(_ byte: UInt8) -> Character? {
        let middle: [Character?] = [
            "€", nil, "‚", "ƒ", "„", "…", "†", "‡", "ˆ", "‰", "Š", "‹", "Œ", nil, "Ž", nil,
            nil, "‘", "’", "“", "”", "•", "–", "—", "˜", "™", "š", "›", "œ", nil, "ž", "Ÿ",
        ]
        return switch byte {
        case 0x80...0x9F: middle[Int(byte) - 0x80]
        case 0xA0...: Character(UnicodeScalar(byte))
        default: nil
        }
    }

    private static let windows1252Bytes: [Unicode.Scalar: UInt8] = {
        var bytes: [Unicode.Scalar: UInt8] = [:]
        for byte in UInt8.min...UInt8.max {
            let scalar = byte < 0x80 ? UnicodeScalar(byte) : windows1252(byte)?.unicodeScalars.first
            if let scalar { bytes[scalar] = byte }
        }
        return bytes
    }()
}

extension SettingsText {
    /// What a word processor has made of a line's quotes and spaces, in words to go behind an error; `nil` when nothing.
    static func typography(_ text: String, line: Int) -> String? {
        // CR LF is one character.
        let lines = text.split(maxSplits: line, omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        guard line > 0, line <= lines.count else { return nil }
        let scalars = lines[line - 1].unicodeScalars
        if let quote = scalars.first(where: { "“”„‟‘’‚‛«»‹›″′".unicodeScalars.contains($0) }) {
            return "the line has a typographic quote (\(quote)), where a straight one (\") is needed: type it again"
        }
        // No-break spaces and the like; a byte order mark in the midst of a text.
        if scalars.contains(where: {
            $0 != " " && ($0.properties.isWhitespace && $0.value > 0x7F || $0.value == 0xFEFF)
        }) {
            return "the line has a special space, where a usual one is needed: type it again"
        }
        return nil
    }
}
