import ObservedValue
import Testing

/// Which bytes are hexadecimal digits: twenty-two, and no other.
@Suite struct HexTests {
    @Test func everyByteIsADigitOrNone() {
        let digits = Array("0123456789abcdefABCDEF".utf8)
        for byte in UInt8.min...UInt8.max {
            let expected = digits.firstIndex(of: byte).map { UInt8($0 < 16 ? $0 : $0 - 6) }
            #expect(Hex.nibble(byte) == expected, "\(byte)")
        }
    }

    @Test func controlCharactersInPlaceOfDigitsAreNoValue() {
        // Those from 0x10 to 0x19 are digits with one bit cleared.
        for byte in UInt8(0x10)...0x19 {
            #expect(Hex.decode(Array(repeating: byte, count: 32)) == nil)
        }
        #expect(Hex.decode("00fF") == [0x00, 0xFF])
        #expect(Hex.decode("0") == nil && Hex.decode("") == [])
    }
}
