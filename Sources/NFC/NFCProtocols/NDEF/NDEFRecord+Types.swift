import ObservedValue

/// The record types that are understood here (NFC Forum, Record Type Definitions for Text 1.0 and URI 1.0).
extension NDEFRecord {
    /// A Text record: language code (such as "en") and text.
    public static func text(_ text: String, language: String = "en") -> NDEFRecord {
        let code = Array(language.utf8.prefix(63))
        return NDEFRecord(
            .wellKnown, type: Array("T".utf8), payload: [UInt8(code.count)] + code + Array(text.utf8))
    }

    /// A URI record; a known beginning is abbreviated.
    public static func uri(_ uri: String) -> NDEFRecord {
        let best =
            Self.uriPrefixes.indices.dropFirst().filter { uri.hasPrefix(Self.uriPrefixes[$0]) }
            .max { Self.uriPrefixes[$0].utf8.count < Self.uriPrefixes[$1].utf8.count } ?? 0
        return NDEFRecord(
            .wellKnown, type: Array("U".utf8),
            payload: [UInt8(best)] + uri.utf8.dropFirst(Self.uriPrefixes[best].utf8.count))
    }

    /// A record of a media type (RFC 2046), such as "text/plain".
    public static func media(_ type: String, _ payload: [UInt8]) -> NDEFRecord {
        NDEFRecord(.media, type: Array(type.utf8), payload: payload)
    }

    /// A record of an external type "domain:name".
    public static func external(_ type: String, _ payload: [UInt8]) -> NDEFRecord {
        NDEFRecord(.external, type: Array(type.utf8), payload: payload)
    }

    /// Language code and text; `nil` when this is no Text record.
    ///
    /// - Throws: ``NDEFError`` when it is one and malformed.
    public func text() throws(NDEFError) -> (language: String, text: String)? {
        guard format == .wellKnown, type == Array("T".utf8) else { return nil }
        guard let status = payload.first, payload.count > Int(status & 0x3F) else { throw NDEFError(.badText, at: 0) }
        let language = payload[1..<1 + Int(status & 0x3F)]
        let rest = payload[(1 + Int(status & 0x3F))...]
        let text: String?
        if status & 0x80 == 0 {
            text = String(validating: rest, as: UTF8.self)
        } else {
            text = Self.utf16(rest)
        }
        guard let text, let code = String(validating: language, as: UTF8.self) else {
            throw NDEFError(.badText, at: 0)
        }
        return (code, text)
    }

    /// UTF-16, big-endian unless a byte-order mark says otherwise.
    private static func utf16(_ bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.count.isMultiple(of: 2) else { return nil }
        var units: [UInt16] = []
        for index in stride(from: bytes.startIndex, to: bytes.endIndex, by: 2) {
            units.append(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]))
        }
        if units.first == 0xFFFE { units = units.map(\.byteSwapped) }
        if units.first == 0xFEFF { units.removeFirst() }
        return String(validating: units, as: UTF16.self)
    }

    /// The URI; `nil` when this is no URI record.
    ///
    /// - Throws: ``NDEFError`` when it is one and malformed.
    public func uri() throws(NDEFError) -> String? {
        if format == .absoluteURI { return String(validating: type, as: UTF8.self) }
        guard format == .wellKnown, type == Array("U".utf8) else { return nil }
        guard let code = payload.first, Int(code) < Self.uriPrefixes.count,
            let rest = String(validating: payload.dropFirst(), as: UTF8.self)
        else { throw NDEFError(.badURI, at: 0) }
        return Self.uriPrefixes[Int(code)] + rest
    }

    /// The media type or external type, in lower case: both are compared without regard to case.
    public var typeName: String? {
        guard format == .media || format == .external else { return nil }
        return String(validating: type, as: UTF8.self)?.lowercased()
    }

    /// URI RTD 1.0, table 3.
    private static let uriPrefixes = [
        "", "http://www.", "https://www.", "http://", "https://", "tel:", "mailto:", "ftp://anonymous:anonymous@",
        "ftp://ftp.", "ftps://", "sftp://", "smb://", "nfs://", "ftp://", "dav://", "news:", "telnet://", "imap:",
        "rtsp://", "urn:", "pop:", "sip:", "sips:", "tftp:", "btspp://", "btl2cap://", "btgoep://", "tcpobex://",
        "irdaobex://", "file://", "urn:epc:id:", "urn:epc:tag:", "urn:epc:pat:", "urn:epc:raw:", "urn:epc:",
        "urn:nfc:",
    ]
}

/// A 128-bit value as it is presented by a tap.
public enum PresentedValue {
    /// The external type that holds 16 raw bytes.
    public static let externalType = "srup:nonce"
    /// The media type that holds 16 raw bytes or the text of a value (`ObservedValue`).
    public static let mediaType = "application/vnd.srup.nonce"

    /// The record in which a device presents its value: Text, 32 lower-case hexadecimal digits.
    public static func record(_ value: [UInt8]) -> NDEFRecord {
        .text(Hex.encode(value))
    }

    /// The value of the first record that holds one; `nil` when none does.
    public static func find(in message: NDEFMessage) -> [UInt8]? {
        for record in message.records {
            if let text = try? record.text()?.text, let value = ObservedValue(text: text.utf8)?.bytes { return value }
            guard let name = record.typeName, name == externalType || name == mediaType else { continue }
            if record.payload.count == 16 { return record.payload }
            if name == mediaType, let value = ObservedValue(text: record.payload)?.bytes { return value }
        }
        return nil
    }

    /// The word of the acceptance check in the first Text record that is one; `nil` when none is, or there is a value.
    public static func command(in message: NDEFMessage) -> SheetCommand? {
        guard find(in: message) == nil else { return nil }
        return message.records.lazy.compactMap { record in
            (try? record.text()?.text).flatMap { $0 }.flatMap { SheetCommand(text: $0.utf8) }
        }.first
    }
}
