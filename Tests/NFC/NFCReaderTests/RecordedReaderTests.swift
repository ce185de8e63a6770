import Foundation
import NFCProtocols
import ObservedValue
import ReaderRecording
import Recording
import TestProcesses
import Testing

/// A reader's line recorded by the real program, and replayed to the real libnfc.
@Suite(.serialized) struct RecordedReaderTests {
    static let test = Hex.encode(TestValue(edge: 40)?.bytes ?? [])
    /// All recordings that there are, those of users as well.
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Recordings").standardizedFileURL.path
    static let shipped =
        (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted().filter { name in
            name.hasSuffix(".jsonl") && (try? Recording(contentsOf: "\(folder)/\(name)"))?.reader != nil
        } ?? []

    /// What a tap is made with: a tag, or a peer that presents a value.
    enum Manner: String, CaseIterable { case type2, type4, peer, card }

    // MARK: Recording

    /// Records the reader "a" while one after the other is held at it.
    static func record(_ readers: Readers, _ manners: [(Manner, String)], seconds: Int = 40) throws -> Recording {
        let file = readers.runner.path("session.jsonl")
        try readers.runner.start(
            "srup-observer",
            ["record", "--reader", readers.chips.connstring("a"), "--seconds", "\(seconds)", "--output", file],
            as: "record")
        func said(_ count: Int) -> Bool {
            let text = (try? String(contentsOfFile: readers.runner.path("log/record.log"), encoding: .utf8)) ?? ""
            return text.components(separatedBy: "reader: a tap gave").count > count
        }
        for (number, (manner, value)) in manners.enumerated() {
            let role = "present-\(number)"
            switch manner {
            case .type2, .type4:
                try readers.chips.tell("tag t\(number) \(manner.rawValue) \(RestingTagTests.tag(value))")
                try readers.chips.tell("near a t\(number)")
            case .peer, .card:
                try readers.chips.tell("near a b")
                try readers.runner.start(
                    "srup-witness",
                    ["nfc", "write", "--device", readers.chips.connstring("b"), "--as", manner.rawValue, value],
                    as: role)
            }
            try readers.wait("tap \(number)", within: 30) { said(number + 1) }
            try readers.chips.tell("apart")
            readers.runner.stop(role)
            // Gone for two turns is gone; there is no sign of it to wait for.
            usleep(1_500_000)
        }
        #expect(readers.runner.end("record", SIGINT) == 0, "\(readers.runner.tail(of: "record"))")
        return try Recording(contentsOf: file)
    }

    // MARK: Replaying

    /// What "nfc read" is told by a recorded reader, as tests and roles.
    static func replayed(_ file: String, taps: Int) throws -> [String] {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let path = runner.path("reader")
        try runner.start(
            "srup-pn532-simulator", ["--serial", "a=\(path)", "--replay", "a=\(file)", "--immediate"], as: "replay")
        let deadline = Date().timeIntervalSinceReferenceDate + 20
        while !FileManager.default.fileExists(atPath: path), Date().timeIntervalSinceReferenceDate < deadline {
            usleep(10_000)
        }
        // What a recording has no more, does not come: the time is for as many as there are.
        try runner.run(
            "srup-witness",
            ["nfc", "read", "--json", "--device", "pn532_uart:\(path)", "--seconds", "\(30 + 2 * taps)"]
                + ["--taps", "\(max(taps, 1))"], as: "read", within: 100)
        let text = (try? String(contentsOfFile: runner.path("log/read.log"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            guard let object, object["event"] as? String == "tap", let role = object["role"] as? String else {
                return nil
            }
            return "\(role) \(object["test"] as? Int ?? -1)"
        }
    }

    static func expected(_ recording: Recording) -> [String] {
        recording.taps.compactMap { tap in tap.test.map { "\(tap.role) \($0)" } }
    }

    @Test(arguments: shipped)
    func aShippedRecordingReplaysToTheSameTaps(_ name: String) throws {
        let file = "\(Self.folder)/\(name)"
        let expected = Self.expected(try Recording(contentsOf: file))
        #expect(!expected.isEmpty)
        #expect(try Self.replayed(file, taps: expected.count) == expected)
    }

    @Test(arguments: Manner.allCases)
    func whatIsRecordedNowReplaysToTheSameTaps(_ manner: Manner) throws {
        try Readers.with { readers in
            let recording = try Self.record(readers, [(manner, Self.test), (manner, Self.test)])
            let expected = Self.expected(recording)
            #expect(expected.count >= 2, "\(recording.taps) \(readers.runner.tail(of: "record"))")
            if let keep = ProcessInfo.processInfo.environment["SRUP_KEEP_RECORDINGS"] {
                try? FileManager.default.copyItem(
                    atPath: readers.runner.path("session.jsonl"), toPath: "\(keep)/simulator-\(manner.rawValue).jsonl")
            }
            #expect(try Self.replayed(readers.runner.path("session.jsonl"), taps: expected.count) == expected)
        }
    }

    // MARK: What must not be in it

    /// All ways in which a value, or four bytes of it, may stand in a file.
    static func isFree(_ recording: Recording, of value: String) throws -> Bool {
        let bytes = try #require(Hex.decode(value))
        let text = Array(value.utf8)
        let frames = recording.line.compactMap { exchange -> [UInt8?]? in
            if case .frame(let bytes) = exchange.content { return bytes }
            return nil
        }
        for (secret, length) in [(bytes, 4), (text, 6)] {
            for start in 0...(secret.count - length) {
                let part = secret[start..<start + length].map { Optional($0) }
                for frame in frames where frame.count >= length {
                    for place in 0...(frame.count - length) where Array(frame[place..<place + length]) == part {
                        return false
                    }
                }
            }
        }
        let file = String(decoding: try recording.bytes(), as: UTF8.self).lowercased()
        return !file.contains(value) && !file.contains(Hex.encode(text))
    }

    @Test(arguments: Manner.allCases)
    func nothingOfAnotherValueIsInARecording(_ manner: Manner) throws {
        let secret = Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) })
        try Readers.with { readers in
            let recording = try Self.record(readers, [(manner, secret), (manner, Self.test)])
            #expect(try Self.isFree(recording, of: secret))
            // The instrument finds what is there.
            #expect(try !Self.isFree(recording, of: Self.test))
            #expect(recording.taps.first?.test == nil && recording.taps.count >= 2)
            #expect(recording.taps.last?.test == 40)
        }
    }

    @Test func aLineThatIsNoReadersIsTold() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        for (reader, words) in [
            ("pn532_i2c:/dev/i2c-1", "only one at a serial line"), ("pn532_uart:/nowhere", "/nowhere is not there"),
            ("pn532_uart:/dev/null", "/dev/null is no serial line"),
        ] {
            let code = try runner.run(
                "srup-observer",
                ["record", "--reader", reader, "--seconds", "1", "-o", runner.path("none.jsonl")], as: "record")
            #expect(code == (reader.contains("i2c") ? 64 : 69))
            #expect(runner.tail(of: "record").contains(words), "\(runner.tail(of: "record"))")
        }
        #expect(!FileManager.default.fileExists(atPath: runner.path("none.jsonl")))
    }
}

/// What is kept of a line, on made-up frames.
@Suite struct BlankingTests {
    static let secret: [UInt8] = (0..<16).map { UInt8($0) &* 11 &+ 3 }

    static func message(_ value: [UInt8]) -> [UInt8] { NDEFMessage([PresentedValue.record(value)]).bytes }
    static let test = message(TestValue(edge: 15)?.bytes ?? [])

    /// A line of commands and answers (TFI taken off both).
    static func events(_ exchanges: [([UInt8], [UInt8])]) -> [LineEvent] {
        exchanges.enumerated().flatMap { index, exchange in
            [
                LineEvent(ms: Double(2 * index), isFromHost: true, content: .frame(.information([0xD4] + exchange.0))),
                LineEvent(ms: Double(2 * index), isFromHost: false, content: .frame(.ack)),
                LineEvent(
                    ms: Double(2 * index + 1), isFromHost: false, content: .frame(.information([0xD5] + exchange.1))),
            ]
        }
    }

    /// What is kept of the answer to a command, by its number.
    static func answer(_ result: Blanking.Result, _ number: Int) -> [UInt8?] {
        if case .frame(let bytes) = result.line[3 * number + 2].content { return bytes }
        return []
    }

    static let listed: ([UInt8], [UInt8]) = (
        [0x4A, 1, 0], [0x4B, 1, 1, 0x00, 0x44, 0x00, 7, 4, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6]
    )

    /// Reads of a Type 2 tag with this memory, and 12 bytes before it.
    static func tag(_ memory: [UInt8]) -> [([UInt8], [UInt8])] {
        var all = [UInt8](repeating: 0x77, count: 12)
        all += [0xE1, 0x10, 0x12, 0x00]
        all += memory
        all += [UInt8](repeating: 0x66, count: 32)
        var exchanges = [listed]
        for start in stride(from: 0, to: all.count - 15, by: 16) {
            let read: [UInt8] = [0x40, 1, 0x30, UInt8(start / 4)]
            let answer: [UInt8] = [0x41, 0] + Array(all[start..<start + 16])
            exchanges.append((read, answer))
        }
        return exchanges
    }

    @Test func ofATestTagTheMessageIsKeptAndTheRestIsBlanked() {
        let result = Blanking.of(Self.events(Self.tag([0x03, UInt8(Self.test.count)] + Self.test + [0xFE])))
        #expect(result.kept == 1 && result.blanked == 0)
        // Its identifier is not, and of the chip's answers the beginnings are.
        let blank = [UInt8?](repeating: nil, count: 12)
        let head: [UInt8?] = [0xD5, 0x4B, 1, 1, 0x00, 0x44, 0x00, 7]
        #expect(Self.answer(result, 0) == head + blank.prefix(7))
        let capability: [UInt8?] = [0xE1, 0x10, 0x12, 0x00]
        #expect(Self.answer(result, 1) == [0xD5, 0x41, 0] + blank + capability)
        let kept = (2...4).flatMap { Self.answer(result, $0).dropFirst(3) }
        #expect(Array(kept.prefix(Self.test.count + 3)) == [0x03, UInt8(Self.test.count)] + Self.test + [0xFE])
        #expect(kept.dropFirst(Self.test.count + 3).allSatisfy { $0 == nil })
    }

    /// Memories of other tags than a test's.
    static let others: [[UInt8]] = {
        func tlv(_ message: [UInt8]) -> [UInt8] { [0x03, UInt8(message.count)] + message + [0xFE] }
        let mine = PresentedValue.record(TestValue(edge: 1)?.bytes ?? [])
        var named = mine
        named.id = Array(secret)
        let own: [UInt8] = [0xFD, 0x04] + Array(secret.prefix(4))
        return [
            tlv(message(secret)),
            // Something of the tag's own before the message; another record behind the value's; an identifier in it.
            own + tlv(test), tlv(NDEFMessage([mine, .text("door 4")]).bytes), tlv(NDEFMessage([named]).bytes),
            tlv([1, 2, 3, 4, 5]),
        ]
    }()

    @Test(arguments: others)
    func ofAnyOtherTagNothingIsKept(_ memory: [UInt8]) {
        let result = Blanking.of(Self.events(Self.tag(memory)))
        #expect(result.kept == 0 && result.blanked == 1)
        for number in 1..<result.line.count / 3 {
            #expect(Self.answer(result, number).dropFirst(3).allSatisfy { $0 == nil })
        }
    }

    @Test func aTagThatWasRewrittenIsBlankedInBothStates() {
        let other = Self.tag([0x03, UInt8(Self.test.count)] + Self.message(Self.secret))
        let result = Blanking.of(
            Self.events(other + Self.tag([0x03, UInt8(Self.test.count)] + Self.test + [0xFE]).dropFirst()))
        #expect(result.kept == 0 && result.blanked == 1)
    }

    @Test func whatAnswersNothingThatWasAskedIsBlanked() {
        let exchanges: [([UInt8], [UInt8])] = [
            ([0x40, 1, 0x30, 4], [0x41, 0] + Self.secret), ([0x02], [0x99] + Self.secret),
            ([0x60], [0x61] + Self.secret),
        ]
        let result = Blanking.of(Self.events(exchanges))
        let blank = [UInt8?](repeating: nil, count: 16)
        #expect(Self.answer(result, 0) == [0xD5, 0x41, 0] + blank)
        #expect(Self.answer(result, 1) == [0xD5, 0x99] + blank)
        #expect(Self.answer(result, 2) == [0xD5, 0x61] + blank)
    }

    /// As target: TgInitAsTarget, then PDUs.
    static func link(_ pdus: [[UInt8]]) -> [([UInt8], [UInt8])] {
        let general = LinkParameters.ours.generalBytes
        var request: [UInt8] = [0xD4, 0x00]
        request += [UInt8](repeating: 0x99, count: 10)
        request += [0, 0, 0, 0x32]
        request += general
        let began: [UInt8] = [0x8D, 0x04, UInt8(request.count + 1)] + request
        var exchanges: [([UInt8], [UInt8])] = [([0x8C, 0], began)]
        for pdu in pdus {
            exchanges.append(([0x86], [0x87, 0] + pdu))
            exchanges.append(([0x8E, 0, 0], [0x8F, 0]))
        }
        return exchanges
    }

    static func put(_ message: [UInt8], _ ns: UInt8 = 0) -> [UInt8] {
        PDU.information(
            dsap: 4, ssap: 32, ns: ns, nr: 0,
            information: SNEPHeader(code: 2, length: UInt32(message.count)).bytes + message
        ).bytes
    }

    static let connect = PDU.connect(dsap: 4, ssap: 32, PDU.Connect()).bytes

    @Test func ofALinkATestMessageIsKeptAndTheIdentifierIsNot() {
        let result = Blanking.of(Self.events(Self.link([Self.connect, Self.put(Self.test), [0x01, 0x40]])))
        #expect(result.kept == 1)
        let begin = Self.answer(result, 0)
        #expect(begin[6..<16].allSatisfy { $0 == nil } && begin[16...].allSatisfy { $0 != nil })
        #expect(Self.answer(result, 3) == [0xD5, 0x87, 0] + Self.put(Self.test))
    }

    /// What else peers say.
    static let talks: [[[UInt8]]] = {
        let part = PDU.information(dsap: 4, ssap: 32, ns: 1, nr: 0, information: [0x10, 0x02, 0, 0, 0, 30] + secret)
            .bytes
        let named = PDU.connect(dsap: 1, ssap: 32, PDU.Connect(service: "urn:nfc:xsn:acme:0123456789")).bytes
        let loose = PDU.unnumbered(dsap: 4, ssap: 32, information: secret).bytes
        let longer: [UInt8] = connect + [0x7F, 16] + secret
        return [
            [connect, put(message(secret))], [connect, put(test), put(message(secret), 1)],
            // A part of a message; a service's name; a PDU without a connection; bytes behind a PDU; no PDU at all.
            [connect, put(test), part], [named, put(test)], [loose, put(test)], [longer, put(test)],
            [put(test), secret],
        ]
    }()

    @Test(arguments: talks)
    func ofAnyOtherLinkNothingIsKept(_ pdus: [[UInt8]]) {
        let result = Blanking.of(Self.events(Self.link(pdus)))
        #expect(result.kept == 0 && result.blanked == 1)
        for number in pdus.indices {
            #expect(Self.answer(result, 1 + 2 * number).dropFirst(3).allSatisfy { $0 == nil })
        }
    }
}
