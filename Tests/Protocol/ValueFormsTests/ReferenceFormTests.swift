import Foundation
import Testing

@testable import ValueForms

/// Pictures and words as the reference shows them, cell by cell and number by number (displays.json, made by its release 4.0).
@Suite struct ReferenceFormTests {
    struct Displays: Decodable {
        struct Item: Decodable {
            let nonce: String
            let colour_8x8_rows: [String]
            let mono_12x12_rows: [String]
            let word_indices: [Int]
        }
        let items: [Item]
    }

    private static func displays() throws -> [Displays.Item] {
        let file = try #require(Bundle.module.url(forResource: "displays", withExtension: "json"))
        return try JSONDecoder().decode(Displays.self, from: Data(contentsOf: file)).items
    }

    private func bytes(_ hex: String) -> [UInt8] {
        stride(from: 0, to: 32, by: 2).map { UInt8(hex.dropFirst($0).prefix(2), radix: 16) ?? 0 }
    }

    @Test func everyDisplayOfTheReferenceIsMatched() throws {
        let displays = try Self.displays()
        #expect(displays.count >= 7)
        for item in displays {
            try bytes(item.nonce).withUnsafeBytes { value in
                let colours = try #require(ReferenceForm.colours.picture(of: value))
                let rows = (0..<8).map { y in String((0..<8).map { colours.colour($0, y).letter }) }
                #expect(rows == item.colour_8x8_rows, "\(item.nonce)")
                let mono = try #require(ReferenceForm.mono.picture(of: value))
                let dots = (0..<12).map { y in String((0..<12).map { mono.colour($0, y) == .black ? "#" : "." }) }
                #expect(dots == item.mono_12x12_rows, "\(item.nonce)")
                #expect(ReferenceForm.wordNumbers(of: value) == item.word_indices, "\(item.nonce)")
            }
        }
    }

    @Test func theReferencesColoursAreItsOwn() throws {
        let picture = try #require(
            bytes(String(repeating: "1b", count: 16)).withUnsafeBytes { ReferenceForm.colours.picture(of: $0) })
        #expect((0..<4).map { picture.colour($0, 0).hex } == ["#ffffff", "#ff0000", "#ffff00", "#0000ff"])
    }

    @Test func wordsComeFromAListThatIsGiven() throws {
        let value = bytes("636dd7ad8c004d09b2c391d0cc3aa2b0")
        let list = (0..<ReferenceForm.listLength).map { "w\($0)" }
        value.withUnsafeBytes { value in
            let text = ReferenceForm.words.text(of: value, hasColour: false, list: list)
            #expect(text.hasPrefix(" 1  W688\n 2  W469\n"))
            #expect(text.hasSuffix("10  W3180\n"))
            #expect(
                ReferenceForm.words.text(of: value, hasColour: false, list: nil).hasPrefix(" 1  word 688 of the list\n")
            )
            // A list that is too short names none that it does not have.
            #expect(ReferenceForm.words.text(of: value, hasColour: false, list: ["a"]).contains("word 688"))
            #expect(ReferenceForm.words.picture(of: value) == nil)
            #expect(ReferenceForm.mono.text(of: value, hasColour: false, list: nil).split(separator: "\n").count == 12)
        }
    }

    /// What the documents warn of.
    @Test func theReferencesMonochromePictureDoesNotShowAllBits() {
        let one = bytes(String(repeating: "0", count: 31) + "1")
        let other = bytes("8" + String(repeating: "0", count: 31))
        #expect(
            one.withUnsafeBytes { ReferenceForm.mono.picture(of: $0) }
                == other.withUnsafeBytes { ReferenceForm.mono.picture(of: $0) })
        // The others do.
        for form in [ReferenceForm.colours, .words] {
            for bit in 0..<128 {
                var changed = one
                changed[bit / 8] ^= 1 << (bit % 8)
                func text(_ value: [UInt8]) -> String {
                    value.withUnsafeBytes { form.text(of: $0, hasColour: false, list: nil) }
                }
                #expect(text(changed) != text(one), "\(form) \(bit)")
            }
        }
    }
}
