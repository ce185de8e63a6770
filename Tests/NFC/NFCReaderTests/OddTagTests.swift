import Foundation
import TestProcesses
import Testing

/// The tags of Tests/NFC/NFCProtocolsTests/cases, and slow phones, read through the real libnfc.
@Suite(.serialized) struct OddTagReaderTests {
    static let cases = ["sak60", "t2-lock-tlv-inside", "t4-endef", "t4-short-answer", "t4-v1-aid"]
    static let files = [
        "e103=000f20007f007f0406e10401000000", "e104=0027\(RestingTagTests.tag(TapTests.value))" + "00000000",
    ].joined(separator: " ")

    /// The simulator's command for a recorded tag.
    private func command(_ name: String) throws -> String {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../NFCProtocolsTests/cases/\(name).json")
        let whole = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let tag = try #require(whole["tag"] as? [String: Any])
        if let memory = tag["mem"] as? String { return "tag t memory \(memory)" }
        var words = try #require(tag["files"] as? [String: String]).map { "\($0.key)=\($0.value)" }
        for name in tag["aids"] as? [String] ?? [] { words.append("aid=\(name)") }
        if let sak = tag["sak"] as? Int { words.append("sak=\(String(sak, radix: 16))") }
        if let most = tag["mle"] as? Int { words.append("most=\(most)") }
        if let over = tag["over"] as? String { words.append("excess=\(over)") }
        return "tag t card \(words.joined(separator: " "))"
    }

    @Test(arguments: cases)
    func aRecordedTagIsATap(_ name: String) throws {
        try Readers.with { readers in
            try readers.chips.tell(try command(name))
            try readers.chips.tell("near a t")
            try readers.startRead()
            try readers.wait("the tap") { try readers.taps().count == 1 }
            let tap = try #require(try readers.taps().first)
            #expect(
                Readers.text(tap) == TapTests.value
                    && tap["role"] as? String == (name.hasPrefix("t2") ? "type2" : "type4"))
            // It rests, however often it must be asked for peer-to-peer first.
            usleep(1_500_000)
            #expect(try readers.taps().count == 1)
        }
    }

    /// A phone that takes 400 ms for each answer, as those do that ask an app: some 5 s in all.
    @Test(arguments: ["20", "60"])
    func aPhoneThatTakesItsTimeIsReadWhileItAnswers(_ sak: String) throws {
        try Readers.with { readers in
            try readers.chips.tell("tag t card \(Self.files) slow=400 sak=\(sak)")
            try readers.chips.tell("near a t")
            try readers.startRead()
            try readers.wait("the tap", within: 40) { try readers.taps().count == 1 }
            #expect(try Readers.text(readers.taps()[0]) == TapTests.value)
        }
    }

    /// And one that stops answering is left: the next is read.
    @Test func aPhoneThatIsTakenAwayWhileItThinksIsLeft() throws {
        try Readers.with { readers in
            try readers.chips.tell("tag t card \(Self.files) slow=400")
            try readers.chips.tell("near a t")
            try readers.startRead()
            usleep(1_500_000)
            try readers.chips.tell("apart")
            try readers.chips.tell("tag other type2 \(RestingTagTests.tag(String(repeating: "a", count: 32)))")
            try readers.chips.tell("near a other")
            try readers.wait("the other tag", within: 30) { try readers.taps().count == 1 }
            #expect(try readers.taps().first?["role"] as? String == "type2")
        }
    }
}
