import Foundation
import Testing

@testable import ValueForms

/// What people compare: every bit is seen, nothing else is needed, and what is typed is judged strictly.
@Suite struct ValueFormsTests {
    private func shown(_ value: [UInt8], _ form: ValueForm) -> String {
        value.withUnsafeBytes { form.text(of: $0, hasColour: false) }
    }

    private static let values: [[UInt8]] = [
        Array(repeating: 0, count: 16), Array(repeating: 255, count: 16), Array(0..<16),
        (0..<16).map { UInt8(truncatingIfNeeded: $0 * 73 + 41) },
    ]

    @Test(arguments: ValueForm.allCases) func valuesThatDifferInOneBitDifferInWhatIsShown(_ form: ValueForm) {
        for value in Self.values {
            let before = shown(value, form)
            for bit in 0..<128 {
                var other = value
                other[bit / 8] ^= 1 << (bit % 8)
                #expect(shown(other, form) != before, "bit \(bit)")
                other.withUnsafeBytes { bytes in
                    #expect(
                        form.picture(of: bytes) != value.withUnsafeBytes { form.picture(of: $0) }
                            || [.words, .hex].contains(form))
                }
            }
        }
    }

    @Test func wordsAreReadBack() {
        for value in Self.values {
            let words = value.withUnsafeBytes { ValueWords.words(of: $0) }
            #expect(words.count == ValueWords.count)
            #expect(ValueWords.value(of: words) == value)
            #expect(ValueWords.value(of: words.map { $0.uppercased() }) == value)
            #expect(ValueWords.value(of: Array(words.dropLast())) == nil)
            #expect(ValueWords.value(of: words.dropLast() + ["nonsenseword"]) == nil)
            // A word of the other list is none here.
            #expect(ValueWords.value(of: [words[10]] + words.dropFirst()) == nil)
        }
        #expect(Self.values[0].withUnsafeBytes { ValueWords.words(of: $0) }[0] == ValueWords.first[0])
        #expect(
            Self.values[1].withUnsafeBytes { ValueWords.words(of: $0) } == Array(
                repeating: ValueWords.first[4095], count: 10) + [ValueWords.last[255]])
    }

    @Test func theListIsAsItShouldBe() {
        let (first, last) = (ValueWords.first, ValueWords.last)
        #expect(first.count == 4096 && last.count == 256)
        #expect(first == first.sorted() && last == last.sorted())
        let all = first + last
        #expect(Set(all).count == 4352)
        #expect(all.allSatisfy { (4...9).contains($0.count) && $0.utf8.allSatisfy { (0x61...0x7A).contains($0) } })
        #expect(Set(all.map { $0.prefix(5) }).count == 4352)
        // Two letters apart: no two share what is left when a letter is taken out of either, or one is covered.
        var near: Set<String> = []
        var clashes: [String] = []
        for word in all {
            let letters = Array(word)
            var mine: Set<String> = [word + "#"]
            for index in letters.indices {
                var (covered, shorter) = (letters, letters)
                covered[index] = "?"
                shorter.remove(at: index)
                mine.formUnion([String(covered), String(shorter) + "#"])
            }
            if !mine.isDisjoint(with: near) { clashes.append(word) }
            near.formUnion(mine)
        }
        #expect(clashes.isEmpty)
        for word in ["rape", "death", "killer", "nazi", "virus", "jesus", "gun", "suicide", "slave", "facebook"] {
            #expect(!all.contains(word))
        }
    }

    @Test func whatIsTypedMustBeginTheWordsThatWereAskedFor() {
        let value = Self.values[2]
        value.withUnsafeBytes { bytes in
            let words = ValueWords.words(of: bytes)
            let places = [2, 6, 10]
            let right = places.map { String(words[$0].prefix(3)) }
            func isRight(_ typed: [String], _ places: [Int] = places) -> Bool {
                ValueWords.isBeginning(typed, at: places, of: bytes)
            }
            #expect(isRight(right))
            #expect(isRight(right.map { " " + $0.uppercased() + "\t" }))
            #expect(isRight(places.map { words[$0] }))
            #expect(!isRight(right.map { String($0.dropLast()) }))
            #expect(!isRight(places.map { words[$0] + "x" }))
            #expect(!isRight(["", "", ""]) && !isRight([]) && !isRight([], []))
            #expect(!isRight(right, [2, 6]) && !isRight(right, [2, 6, 11]) && !isRight(right, [-1, 6, 10]))
            #expect(!isRight([right[0], right[1], "zzz"]))
            #expect(!isRight(["*", "*", "*"]) && !isRight(["%%%", "...", "???"]))
        }
    }

    @Test func hexadecimalIsGrouped() {
        let text = Self.values[2].withUnsafeBytes { ValueHex.text(of: $0) }
        #expect(text == "00010203-0405-0607-0809-0a0b0c0d0e0f")
    }

    @Test func picturesHaveTheirCellsWhereTheySay() throws {
        try Self.values[2].withUnsafeBytes { bytes in
            let colours = try #require(ValueForm.colours.picture(of: bytes))
            // 00 01 02 03: the pairs 0,0,0,0 0,0,0,1 0,0,0,2 0,0,0,3
            #expect(Array(colours.cells.prefix(16)) == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3])
            let mono = try #require(ValueForm.mono.picture(of: bytes))
            #expect(mono.cells.count == 144)
            for (x, y) in [(0, 0), (1, 1), (10, 0), (11, 1), (0, 10), (1, 11)] { #expect(mono.colour(x, y) == .black) }
            #expect(mono.colour(10, 10) == .white && mono.colour(11, 11) == .white)
            // No turned picture has its corners where this one has them.
            var turned = mono.cells
            for _ in 0..<3 {
                turned = (0..<144).map { turned[(11 - $0 % 12) * 12 + $0 / 12] }
                #expect([turned[0], turned[11], turned[132], turned[143]] != [1, 1, 1, 0])
            }
        }
        let eink = try Self.values[1].withUnsafeBytes { try #require(ValueForm.eink.picture(of: $0)) }
        // Read back to the base of three: 2^128 - 1.
        var number = [UInt8](repeating: 0, count: 17)
        for digit in eink.cells {
            var carry = Int(digit)
            for index in number.indices.reversed() {
                let sum = Int(number[index]) * 3 + carry
                number[index] = UInt8(sum & 255)
                carry = sum >> 8
            }
        }
        #expect(number == [0] + Array(repeating: 255, count: 16))
    }

    @Test func aPageShowsAPictureWithItsTitleEscaped() throws {
        let picture = try Self.values[3].withUnsafeBytes { try #require(ValueForm.colours.picture(of: $0)) }
        let svg = picture.svg(pixels: 10, title: "<script>\"&")
        #expect(svg.contains("<title>&lt;script&gt;&quot;&amp;</title>") && !svg.contains("<script"))
        #expect(svg.components(separatedBy: "width=\"10\"").count == 65)
        let coloured = picture.cells.count { $0 > 1 }
        #expect(svg.components(separatedBy: "<circle").count == coloured + 1)
    }

    // MARK: Colours

    /// Linear light of three kinds of eyes that do not tell all colours (Machado, Oliveira, Fernandes 2009, severity 1).
    private static let eyes: [(name: String, matrix: [Double])] = [
        ("all", [1, 0, 0, 0, 1, 0, 0, 0, 1]),
        ("protan", [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998]),
        ("deutan", [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881]),
        ("tritan", [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900]),
    ]

    /// CIE L*a*b*, D65.
    private func lab(_ colour: CellColour, _ matrix: [Double]) -> [Double] {
        let linear = [colour.red, colour.green, colour.blue].map { part -> Double in
            let value = Double(part) / 255
            return value <= 0.04045 ? value / 12.92 : power((value + 0.055) / 1.055, 2.4)
        }
        let seen = (0..<3).map { row in
            min(1, max(0, (0..<3).reduce(0) { $0 + matrix[3 * row + $1] * linear[$1] }))
        }
        let xyz = [
            (0.4124 * seen[0] + 0.3576 * seen[1] + 0.1805 * seen[2]) / 0.95047,
            0.2126 * seen[0] + 0.7152 * seen[1] + 0.0722 * seen[2],
            (0.0193 * seen[0] + 0.1192 * seen[1] + 0.9505 * seen[2]) / 1.08883,
        ].map { $0 > 0.008856 ? power($0, 1.0 / 3) : 7.787 * $0 + 16.0 / 116 }
        return [116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])]
    }

    private func power(_ base: Double, _ exponent: Double) -> Double { base == 0 ? 0 : exp(exponent * log(base)) }

    private func smallestDistance(_ palette: [CellColour], _ matrix: [Double]) -> Double {
        var smallest = Double.infinity
        for (index, one) in palette.enumerated() {
            for other in palette[..<index] {
                let (a, b) = (lab(one, matrix), lab(other, matrix))
                smallest = min(smallest, (0..<3).reduce(0) { $0 + (a[$1] - b[$1]) * (a[$1] - b[$1]) }.squareRoot())
            }
        }
        return smallest
    }

    @Test func everybodyTellsTheColoursApart() {
        for eye in Self.eyes {
            // The reference's palette falls to 13 for tritan eyes.
            #expect(smallestDistance([.black, .white, .orange, .blue], eye.matrix) > 50, "\(eye.name)")
            #expect(smallestDistance([.white, .black, .red], eye.matrix) > 45, "\(eye.name)")
        }
        let reference = [
            CellColour.white, CellColour(255, 0, 0, "R"), CellColour(255, 255, 0, "Y"), CellColour(0, 0, 255, "B"),
        ]
        #expect(smallestDistance(reference, Self.eyes[3].matrix) < 20)
    }
}
