import SRUP
import Testing

/// Values and their types (docs/protocol.md, "DATA values").
@Suite struct DataTypeTests {
    @Test(arguments: [
        (DataType.int8, "-128", [0x80] as [UInt8]), (.int8, "127", [0x7F]), (.int16, "-2", [0xFE, 0xFF]),
        (.int16, "258", [2, 1]), (.int32, "-2147483648", [0, 0, 0, 0x80]), (.int32, "1", [1, 0, 0, 0]),
        (.int64, "9223372036854775807", [255, 255, 255, 255, 255, 255, 255, 127]),
        (.float32, "1.5", [0, 0, 0xC0, 0x3F]), (.float64, "-2.0", [0, 0, 0, 0, 0, 0, 0, 0xC0]),
        (.string, "grün", [0x67, 0x72, 0xC3, 0xBC, 0x6E]), (.string, "", []), (.bytes, "00ff10", [0, 255, 16]),
        (.bytes, "", []),
    ])
    func aValueIsLittleEndianOnTheWireAndComesBackAsItsText(_ type: DataType, _ text: String, _ wire: [UInt8]) throws {
        let value = try type.value(text: text)
        #expect(value.wire == wire && value.type == type)
        #expect(try type.value(wire: wire) == value)
        #expect(value.text == text)
    }

    @Test(arguments: [
        (DataType.int8, "128"), (.int8, "-129"), (.int16, "32768"), (.int32, "2147483648"),
        (.int64, "9223372036854775808"),
        (.int32, ""), (.int32, "1.0"), (.int32, " 1"), (.int32, "0x10"), (.int32, "eins"), (.float64, "nan"),
        (.float64, "inf"), (.float32, "1e39"), (.float64, "1,5"), (.float64, ""), (.bytes, "0"), (.bytes, "zz"),
        (.bytes, "0 1"),
    ])
    func whatIsNoSuchValueIsRefused(_ type: DataType, _ text: String) {
        #expect(throws: DataTypeError.self) { try type.value(text: text) }
    }

    @Test func anErrorShowsNoControlCharacterAndIsBounded() {
        let error = #expect(throws: DataTypeError.self) {
            try DataType.int32.value(text: "\u{1B}[31m" + String(repeating: "x", count: 10_000))
        }
        let words = error?.description ?? ""
        #expect(words.utf8.count < 100 && !words.contains("\u{1B}"))
    }

    @Test(arguments: [DataType.int8, .int16, .int32, .int64, .float32, .float64])
    func anotherWidthIsRefused(_ type: DataType) throws {
        let width = try #require(type.width)
        for count in 0...16 where count != width {
            #expect(throws: DataTypeError.self) { try type.value(wire: Array(repeating: 1, count: count)) }
        }
        _ = try type.value(wire: Array(repeating: 1, count: width))
    }

    @Test func aStringIsUTF8() {
        #expect(throws: DataTypeError.self) { try DataType.string.value(wire: [0xC3]) }
        #expect(throws: DataTypeError.self) { try DataType.string.value(wire: [0xFF, 0xFE]) }
    }

    /// As Python's int and float come from the reference implementation.
    @Test func theReferencesNamesAreKnown() {
        #expect(DataType(name: "int") == .int32 && DataType(name: "float") == .float64)
        for type in DataType.allCases {
            #expect(DataType(name: type.rawValue) == type)
            #expect(DataType.names.contains(type.rawValue))
        }
        #expect(DataType(name: "uint8") == nil && DataType(name: "") == nil)
    }

    @Test(arguments: [
        ("a", true), ("lamps-2", true), (String(repeating: "a", count: 32), true),
        (String(repeating: "a", count: 33), false),
        ("", false), ("+", false), ("#", false), ("a/b", false), ("Lamps", false), ("a b", false), ("ä", false),
        ("$SYS", false), ("a\0", false), ("a\n", false),
    ])
    func aGroupsNameHasNoWildcardAndNoLevelInIt(_ text: String, _ isName: Bool) {
        #expect((GroupID(text) != nil) == isName)
        #expect((GroupID(Array(text.utf8)) != nil) == isName)
        if let group = GroupID(text) { #expect(group.text == text && group.bytes == Array(text.utf8)) }
    }
}
