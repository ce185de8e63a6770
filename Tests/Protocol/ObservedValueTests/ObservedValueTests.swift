import ObservedValue
import Testing

@Suite struct ObservedValueTests {
    static let plain = "00112233445566778899aabbccddeeff"
    static let uuid = "00112233-4455-6677-8899-aabbccddeeff"
    static let bytes: [UInt8] = [
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
    ]

    @Test(arguments: [
        plain, uuid, plain.uppercased(), uuid.uppercased(), "00112233445566778899AaBbCcDdEeFf",
        " \t\r\n\u{0B}\u{0C}\(plain)\n",
        "\n\(uuid) ", String(repeating: " ", count: 10_000) + plain,
    ])
    func allWaysOfWritingAValueAreRead(_ text: String) {
        let value = ObservedValue(text: text.utf8)
        #expect(value?.bytes == Self.bytes)
        #expect(value?.hex == Self.plain)
    }

    @Test(arguments: [
        "", " ", "\n\n", String(plain.dropLast()), plain + "0", plain + plain, "0x" + String(plain.dropLast(2)),
        String(uuid.dropLast()), uuid + "0", "{\(uuid)}", "urn:uuid:\(uuid)", "\(plain)\0", "\0\(plain)",
        // Hyphens in other places, or something else in theirs.
        "0011223-34455-6677-8899-aabbccddeeff", "00112233 4455 6677 8899 aabbccddeeff",
        "00112233-4455-6677-8899_aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeef-", "------------------------------------",
        "--------------------------------",
        // White space inside, and such as ASCII does not have.
        "0011223344556677 8899aabbccddeeff", "\u{A0}\(plain)", "\u{FEFF}\(plain)",
        // Digits of other scripts.
        "００112233445566778899aabbccddee", "0011223344556677٨899aabbccddeef", "g0112233445566778899aabbccddeeff",
        "+0112233445566778899aabbccddeeff",
    ])
    func everythingElseIsNoValue(_ text: String) {
        #expect(ObservedValue(text: text.utf8) == nil)
    }

    @Test func noByteButADigitMayStandAnywhere() {
        let plain = Array(Self.plain.utf8)
        let digits = Set("0123456789abcdefABCDEF".utf8)
        for place in [0, 7, 8, 31] {
            for byte in 0...UInt8.max {
                var text = plain
                text[place] = byte
                #expect((ObservedValue(text: text) != nil) == digits.contains(byte), "\(byte) at \(place)")
            }
        }
    }

    @Test(arguments: [0, 1, 15, 17, 32, 1000])
    func onlySixteenBytesAreAValue(_ count: Int) {
        #expect(ObservedValue(bytes: Array(repeating: UInt8(1), count: count)) == nil)
        #expect(ObservedValue(bytes: Self.bytes)?.bytes == Self.bytes)
    }

    @Test(arguments: [
        ("00112233445566778899001122334455", true), ("99999999999999999999999999999999", true),
        ("00000000000000000000000000000000", true), ("0011223344556677889900112233445a", false),
        ("a0112233445566778899001122334455", false), ("0a112233445566778899001122334455", false),
    ])
    func aParcelsNumberIsDecimal(_ text: String, _ isDecimal: Bool) {
        #expect(ObservedValue(text: text.utf8)?.isDecimal == isDecimal)
    }

    @Test func oneValueIsTheSameHoweverItWasShown() {
        #expect(ObservedValue(text: Self.plain.utf8) == ObservedValue(text: Self.uuid.uppercased().utf8))
        #expect(Set([Self.plain, Self.uuid].compactMap { ObservedValue(text: $0.utf8) }).count == 1)
    }
}

@Suite struct HexTests {
    @Test func digitsAreTheSixteenAndNoOther() {
        let lower = Dictionary(uniqueKeysWithValues: zip("0123456789abcdef".utf8, UInt8(0)...15))
        let upper = Dictionary(uniqueKeysWithValues: zip("ABCDEF".utf8, UInt8(10)...15))
        for byte in 0...UInt8.max {
            #expect(Hex.lowercaseNibble(byte) == lower[byte], "\(byte)")
            #expect(Hex.nibble(byte) == (lower[byte] ?? upper[byte]), "\(byte)")
        }
    }

    @Test func everyByteComesBack() {
        let bytes = Array(0...UInt8.max)
        #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        #expect(Hex.decode(Hex.encode(bytes).uppercased()) == bytes)
        #expect(Hex.encode([0x00, 0x0F, 0xF0, 0xFF]) == "000ff0ff")
        #expect(Hex.encode([UInt8]()) == "" && Hex.decode("") == [])
    }

    @Test(arguments: ["0", "000", "0g", "g0", "0 ", " 0", "0x00", "-1", "é0", "0\0"])
    func whatIsNotInPairsOfDigitsIsNone(_ text: String) {
        #expect(Hex.decode(text) == nil)
    }
}
