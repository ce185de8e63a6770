import Testing

@testable import NFCProtocols

/// NDEF on literal bytes (NFC Forum, NDEF 1.0; RTD Text 1.0; RTD URI 1.0).
@Suite struct NDEFTests {
    /// What nfcpy sends for 32 digits: one short Text record, "en".
    static let digits = Array("00112233445566778899aabbccddeeff".utf8)
    static let nonce: [UInt8] = [0xD1, 0x01, 0x23, 0x54, 0x02, 0x65, 0x6E] + digits

    @Test func aTextRecordIsReadAndWrittenByteForByte() throws {
        let message = try NDEFMessage(parsing: Self.nonce)
        #expect(message.records.count == 1)
        let text = try #require(try message.records[0].text())
        #expect(text == ("en", "00112233445566778899aabbccddeeff"))
        #expect(message.bytes == Self.nonce)
        #expect(NDEFMessage([.text("00112233445566778899aabbccddeeff")]).bytes == Self.nonce)
    }

    @Test func recordsOfEveryFormatComeBack() throws {
        let records: [NDEFRecord] = [
            .init(.empty), .text("ä€", language: "de"), .uri("https://example.net/x"),
            .media("text/plain", Array("hi".utf8)), .external("srup:nonce", [1, 2]),
            .init(.absoluteURI, type: Array("urn:x:y".utf8)), .init(.unknown, payload: [0xFF]),
            .init(.reserved, type: [9], payload: [1]), .init(.media, type: Array("a/b".utf8), id: [7, 7], payload: []),
            .init(.unknown, payload: [UInt8](repeating: 5, count: 300)),
        ]
        let message = NDEFMessage(records)
        #expect(try NDEFMessage(parsing: message.bytes) == message)
        #expect(try records[2].uri() == "https://example.net/x" && records[2].payload.first == 4)
        #expect(try records[5].uri() == "urn:x:y")
    }

    @Test func longRecordsAreRead() throws {
        // SR = 0: four bytes of length.
        let bytes: [UInt8] = [0xC1, 0x01, 0x00, 0x00, 0x00, 0x04, 0x54, 0x02, 0x65, 0x6E, 0x78]
        #expect(try NDEFMessage(parsing: bytes).records[0].text()?.text == "x")
    }

    @Test func chunksAreJoined() throws {
        let bytes: [UInt8] = [
            0xB1, 0x01, 0x03, 0x54, 0x02, 0x65, 0x6E,  // MB CF SR, TNF 1
            0x36, 0x00, 0x01, 0x61,  // CF SR, TNF 6
            0x56, 0x00, 0x01, 0x62,  // ME SR, TNF 6
        ]
        let message = try NDEFMessage(parsing: bytes)
        #expect(message.records.count == 1)
        #expect(try message.records[0].text()?.text == "ab")
    }

    static let wrong: [([UInt8], NDEFError.Reason)] = [
        ([], NDEFError.Reason.empty), ([0xD1], .truncated), ([0xD1, 0x01], .truncated),
        ([0xD1, 0x01, 0x05, 0x54, 0x00], .truncated), ([0x51, 0x01, 0x01, 0x54, 0x00], .noMessageBegin),
        ([0x91, 0x01, 0x01, 0x54, 0x00], .noMessageEnd),
        ([0x91, 0x01, 0x00, 0x54, 0xD1, 0x01, 0x00, 0x54], .secondMessageBegin),
        ([0xD1, 0x01, 0x00, 0x54, 0x00], .trailingBytes), ([0xD0, 0x01, 0x00, 0x54], .badEmptyRecord),
        ([0xD5, 0x01, 0x00, 0x54], .badType), ([0xD6, 0x00, 0x00], .chunkWithoutStart),
        ([0xF1, 0x01, 0x00, 0x54], .chunkNotContinued),
        ([0xB1, 0x01, 0x00, 0x54, 0x51, 0x01, 0x00, 0x54], .chunkNotContinued),
        ([0xB1, 0x01, 0x00, 0x54, 0x5E, 0x00, 0x00, 0x01, 0x09], .chunkWithID),
        // A payload of 4 GiB.
        ([0xC1, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0x54], .truncated),
        ([0xC1, 0x01, 0x7F, 0xFF, 0xFF, 0xFF, 0x54], .truncated),
    ]

    @Test(arguments: wrong)
    func whatIsWrongIsTold(_ bytes: [UInt8], _ reason: NDEFError.Reason) {
        let error = #expect(throws: NDEFError.self) { try NDEFMessage(parsing: bytes) }
        #expect(error?.reason == reason)
    }

    @Test func chunksWithoutEndAreBounded() {
        var chunks: [UInt8] = [0xB1, 0x01, 0x00, 0x54]
        for _ in 0..<2000 { chunks += [0x36, 0x00, 0x00] }
        #expect(throws: NDEFError.self) { try NDEFMessage(parsing: chunks) }
        #expect(throws: NDEFError.self) { try NDEFMessage(parsing: [UInt8](repeating: 0xD1, count: 8193)) }
    }

    @Test func everyCutAndFlipIsAnErrorOrAMessage() {
        for length in 0..<Self.nonce.count {
            #expect(throws: NDEFError.self) { try NDEFMessage(parsing: Self.nonce.prefix(length)) }
        }
        for index in Self.nonce.indices {
            for bit in 0..<8 {
                var bytes = Self.nonce
                bytes[index] ^= 1 << UInt8(bit)
                if let message = try? NDEFMessage(parsing: bytes) { _ = PresentedValue.find(in: message) }
            }
        }
    }

    @Test func malformedTextIsTold() {
        for payload: [UInt8] in [[], [0x05, 0x65], [0x00, 0xFF], [0x80, 0x61], [0x02, 0xC3, 0x28]] {
            #expect(throws: NDEFError.self) { try NDEFRecord(.wellKnown, type: [0x54], payload: payload).text() }
        }
    }

    @Test func textInUTF16IsRead() throws {
        let big = NDEFRecord(.wellKnown, type: [0x54], payload: [0x80, 0x00, 0x61, 0x20, 0xAC])
        #expect(try big.text()?.text == "a€")
        let little = NDEFRecord(.wellKnown, type: [0x54], payload: [0x80, 0xFF, 0xFE, 0x61, 0x00])
        #expect(try little.text()?.text == "a")
    }

    @Test func aValueIsFoundInAllItsForms() {
        let raw = (0..<16).map { UInt8($0 * 17) }
        let forms: [NDEFRecord] = [
            .text("00112233445566778899aabbccddeeff"), .text("00112233-4455-6677-8899-AABBCCDDEEFF"),
            .external("srup:nonce", raw), .external("SRUP:Nonce", raw),
            .media("application/vnd.srup.nonce", raw), .media("application/vnd.srup.nonce", Self.digits),
            .text(" \t00112233-4455-6677-8899-aabbccddeeff\r\n"),
            .text("\u{0B}\u{0C}00112233445566778899AAbbccDDeeff\n"),
        ]
        for form in forms { #expect(PresentedValue.find(in: NDEFMessage([form])) == raw) }
        // The first that parses counts.
        #expect(
            PresentedValue.find(
                in: NDEFMessage([
                    .uri("https://example.net"), .text("no"), forms[0], .text(String(repeating: "f", count: 32)),
                ])) == raw)
        #expect(PresentedValue.record(raw) == forms[0])
    }

    @Test(arguments: [
        NDEFRecord.text("00112233445566778899aabbccddeef"), .text("00112233445566778899aabbccddeeff0"),
        .text("-00112233445566778899aabbccddeeff"), .text("00112233445566778899aabbccddeefg"),
        .text("0-0-1-1-2233445566778899aabbccddeeff"), .text("00112233-4455-6677-8899aabb-ccddeeff"),
        .text("00112233445566778899aabb-ccddeeff"), .text("00112233 445566778899aabbccddeeff"), .text("  "), .text(""),
        .text("{00112233-4455-6677-8899-aabbccddeeff}"), .text("\u{A0}00112233445566778899aabbccddeeff"),
        .text("00112233--455-6677-8899-aabbccddeeff"), .text("0x112233445566778899aabbccddeeff11"),
        .external("srup:nonce", [1]), .external("srup:nonce", digits),
        .external("other:nonce", [UInt8](repeating: 0, count: 16)),
        .init(.unknown, payload: [UInt8](repeating: 0, count: 16)),
    ])
    func anythingElseIsNoValue(_ record: NDEFRecord) {
        #expect(PresentedValue.find(in: NDEFMessage([record])) == nil)
    }
}
