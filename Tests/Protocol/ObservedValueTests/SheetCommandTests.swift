import ObservedValue
import Testing

/// The words of the acceptance check: never a value, and nothing but themselves.
@Suite struct SheetCommandTests {
    @Test(arguments: SheetCommand.allCases) func aWordIsReadInEitherCaseAndIsNoValue(_ command: SheetCommand) {
        let text = Array(command.text.utf8)
        #expect(SheetCommand(text: text) == command)
        #expect(SheetCommand(text: command.text.lowercased().utf8) == command)
        #expect(SheetCommand(text: " \t\(command.text)\r\n".utf8) == command)
        // What a code of 32 hexadecimal digits is taken for, this is not, in any case and with white space.
        #expect(
            ObservedValue(text: text) == nil && ObservedValue(text: Array("\(command.text.lowercased())\n".utf8)) == nil
        )
        #expect(text.count != 32 && text.count != 36 && Hex.decode(text) == nil)
        // The smallest QR code, in capitals and digits alone.
        #expect(text.count <= 20 && text.allSatisfy { (0x41...0x5A).contains($0) })
    }

    @Test(arguments: [
        "", "SRUPACCEPT", "SRUPACCEPTBEGINN", "SRUPACCEPT BEGIN", "XSRUPACCEPTBEGIN", "BEGIN", "SRUPACCEPTBEGIN\0",
        "srup accept begin", "5352555041434345505442454749 4E00", "SRUPACCEPTBEGIN SRUPACCEPTEND", "ＳRUPACCEPTBEGIN",
        String(repeating: " ", count: 100) + "SRUPACCEPTBEGIN", String(repeating: "SRUPACCEPTBEGIN", count: 5000),
    ])
    func whatIsNearlyAWordIsNone(_ text: String) { #expect(SheetCommand(text: text.utf8) == nil) }

    @Test func theOtherValueIsOneThatDenies() throws {
        let value = try #require(ObservedValue(bytes: OtherValue.bytes))
        #expect(!value.isDecimal && TestValue(value.bytes) == nil)
    }
}
