import DisplaySimulator
import Foundation
import Testing

@testable import ValueForms

/// One drawing for displays of every size: what is shown can be read back from the pixels, and every bit is seen.
@Suite struct ValueDrawingTests {
    private static let value: [UInt8] = (0..<16).map { UInt8(truncatingIfNeeded: $0 * 73 + 41) }

    private func drawing(_ form: ValueForm, _ value: [UInt8] = value) -> ValueDrawing {
        value.withUnsafeBytes { ValueDrawing($0, as: form) }
    }

    private func words(_ value: [UInt8]) -> [String] { value.withUnsafeBytes { ValueWords.words(of: $0) } }

    /// The numbered words on pages, as somebody reads them.
    private func read(_ pages: [Raster], scale: Int = 1, isInkLight: Bool) -> [Int: String] {
        var found: [Int: String] = [:]
        for page in pages {
            let lines = PixelText.lines(width: page.width, height: page.height, scale: scale) {
                page.isLight($0, $1) == isInkLight
            }
            for line in lines {
                for pair in stride(from: 0, to: line.count - 1, by: 2) {
                    if let number = Int(line[pair]) { found[number] = line[pair + 1] }
                }
            }
        }
        return found
    }

    @Test func lettersAreAllDifferentAndHaveNoGapInside() {
        let letters = Typeface.letters
        for wanted in "abcdefghijklmnopqrstuvwxyz0123456789-.:/?" { #expect(letters[wanted] != nil, "\(wanted)") }
        #expect(Set(letters.values).count == letters.count)
        for (letter, columns) in letters {
            #expect((1...5).contains(columns.count), "\(letter)")
            #expect(columns.allSatisfy { $0 != 0 && $0 < 1 << 9 }, "\(letter)")
        }
        // Those that are taken for each other most: two pixels at least.
        for (one, other) in [("0", "o"), ("1", "l"), ("1", "i"), ("l", "i"), ("5", "s"), ("2", "z"), ("6", "b")] {
            let (a, b) = (letters[Character(one)] ?? [], letters[Character(other)] ?? [])
            let count = (0..<max(a.count, b.count)).reduce(0) { sum, x in
                sum + ((x < a.count ? a[x] : 0) ^ (x < b.count ? b[x] : 0)).nonzeroBitCount
            }
            #expect(count >= 2, "\(one) \(other)")
        }
        for (one, columns) in letters where one.isHexDigit {
            for (other, others) in letters where other.isHexDigit && other != one && others.count == columns.count {
                #expect(zip(columns, others).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount } >= 2, "\(one) \(other)")
            }
        }
        #expect(Typeface.width(of: "") == 0)
        #expect(Typeface.width(of: "il") == 1 + 1 + 2)
        #expect(Typeface.width(of: "A") == Typeface.width(of: "a"))
        #expect(Typeface.columns(of: "é") == Typeface.columns(of: "ß"))
    }

    @Test func elevenWordsAreReadFromASmallDisplay() {
        let pages = drawing(.words).pages(width: 128, height: 64, ground: .dark)
        #expect(pages.count == 1)
        let expected = Dictionary(uniqueKeysWithValues: words(Self.value).enumerated().map { ($0 + 1, $1) })
        #expect(read(pages, isInkLight: true) == expected)
        // Half as high: on two pages.
        let low = drawing(.words).pages(width: 128, height: 32, ground: .dark)
        #expect(low.count == 2)
        #expect(read(low, isInkLight: true) == expected)
        #expect(read([low[0]], isInkLight: true).keys.max() == 6)
    }

    /// Not only those of one value: the widest of the list.
    @Test func anyWordsOfTheListFitTheSmallestDisplay() throws {
        let widest = (ValueWords.first + ValueWords.last).sorted { Typeface.width(of: $0) > Typeface.width(of: $1) }
        let word = try #require(widest.first)
        let index = try #require(ValueWords.first.firstIndex(of: word) ?? ValueWords.first.indices.last)
        // The same word ten times: 12 bits each.
        var bits: [Int] = []
        for _ in 0..<10 { for bit in (0..<12).reversed() { bits.append(index >> bit & 1) } }
        bits += Array(repeating: 1, count: 8)
        let value = (0..<16).map { byte in UInt8(bits[byte * 8..<byte * 8 + 8].reduce(0) { $0 << 1 | $1 }) }
        for height in [32, 64] {
            let pages = drawing(.words, value).pages(width: 128, height: height, ground: .dark)
            #expect(pages.count == (height == 32 ? 2 : 1))
            #expect(read(pages, isInkLight: true).count == 11)
        }
    }

    @Test(arguments: [(320, 240), (800, 480), (480, 800), (1920, 1080)])
    func wordsAreAsLargeAsTheScreenLets(_ width: Int, _ height: Int) throws {
        let pages = drawing(.words).pages(width: width, height: height, margin: 10, ground: .light, maximumPages: 1)
        let page = try #require(pages.first)
        let found = (1...20).lazy.map { ($0, self.read(pages, scale: $0, isInkLight: false)) }.first {
            $0.1.count == 11
        }
        let (scale, words) = try #require(found)
        #expect(words.values.sorted() == self.words(Self.value).sorted())
        #expect(scale >= (width > 400 ? 4 : 2))
        // The margin stays empty.
        for x in 0..<width { for y in [0, 9, height - 10, height - 1] { #expect(page.isLight(x, y)) } }
    }

    @Test(arguments: [(128, 64), (128, 32)]) func digitsAreReadFromASmallDisplay(_ width: Int, _ height: Int) {
        let pages = drawing(.hex).pages(width: width, height: height, ground: .dark)
        #expect(pages.count == 1)
        let lines = PixelText.lines(width: width, height: height) { pages[0].isLight($0, $1) }
        #expect(lines.joined().joined() == Self.value.withUnsafeBytes { ValueHex.text(of: $0) })
        // On a wide one in a line.
        let wide = drawing(.hex).pages(width: 400, height: 20, ground: .light)
        let one = PixelText.lines(width: 400, height: 20, scale: 2) { !wide[0].isLight($0, $1) }
        #expect(one == [[Self.value.withUnsafeBytes { ValueHex.text(of: $0) }]])
    }

    /// Where the cells are, found from the frame, as eyes do.
    private func cells(_ page: Raster, side: Int, isInkLight: Bool) -> [[String]] {
        let ink = (0..<page.width * page.height).filter {
            page.isLight($0 % page.width, $0 / page.width) == isInkLight
        }
        let left = ink.map { $0 % page.width }.min() ?? 0
        let right = (ink.map { $0 % page.width }.max() ?? 0) + 1
        let top = ink.map { $0 / page.width }.min() ?? 0
        let line = max(1, (right - left) / side / 9)
        let cell = (right - left - 4 * line) / side
        let frame = (right - left - side * cell) / 2
        return (0..<side).map { y in
            (0..<side).map { x in
                let (cx, cy) = (left + frame + x * cell, top + frame + y * cell)
                let corner = page.isLight(cx, cy)
                let middle = page.isLight(cx + cell / 2, cy + cell / 2)
                return corner ? (middle ? "white" : "light") : (middle ? "dark" : "black")
            }
        }
    }

    @Test(arguments: [
        (ValueForm.colours, 128, 64), (.eink, 128, 64), (.mono, 128, 64), (.colours, 128, 32), (.eink, 128, 32),
    ])
    func cellsAreToldApartOnADisplayWithoutColours(_ form: ValueForm, _ width: Int, _ height: Int) throws {
        let pages = drawing(form).pages(width: width, height: height, ground: .dark)
        let page = try #require(pages.first)
        let picture = try #require(Self.value.withUnsafeBytes { form.picture(of: $0) })
        let seen = cells(page, side: picture.side, isInkLight: true)
        for y in 0..<picture.side {
            for x in 0..<picture.side {
                let expected =
                    switch picture.colour(x, y) {
                    case .black: "black"
                    case .white: "white"
                    case .orange: "light"
                    default: "dark"
                    }
                #expect(seen[y][x] == expected, "\(form) \(x) \(y)")
            }
        }
    }

    @Test(arguments: [ValueForm.colours, .eink, .mono]) func cellsOnAScreenHaveTheirColours(_ form: ValueForm) throws {
        let pages = drawing(form).pages(width: 320, height: 240, margin: 8, ground: .light)
        let page = try #require(pages.first)
        let picture = try #require(Self.value.withUnsafeBytes { form.picture(of: $0) })
        // The frame's line is the first dark pixel of the middle row, and as thick as the gap inside of it.
        let left = try #require((0..<320).first { page.colour($0, 120) == .black })
        let line = try #require((left..<320).first { page.colour($0, 120) != .black }) - left
        let cell = (320 - 2 * left - 4 * line) / picture.side
        for y in 0..<picture.side {
            for x in 0..<picture.side {
                let place = (left + 2 * line + x * cell + 1, (240 - picture.side * cell) / 2 + y * cell + 1)
                #expect(page.colour(place.0, place.1) == picture.colour(x, y), "\(x) \(y)")
            }
        }
        #expect(page.rgb.count == 320 * 240 * 3)
        #expect(Set(page.palette).count == page.palette.count)
    }

    @Test(arguments: ValueForm.allCases, [64, 32]) func everyBitIsSeenOnASmallDisplay(_ form: ValueForm, _ height: Int)
    {
        let before = drawing(form).pages(width: 128, height: height, ground: .dark)
        // 12 x 12 cells of two pixels nobody tells apart.
        guard form != .mono || height == 64 else {
            #expect(before.isEmpty)
            return
        }
        #expect(!before.isEmpty)
        for bit in 0..<128 {
            var other = Self.value
            other[bit / 8] ^= 1 << (bit % 8)
            let after = drawing(form, other).pages(width: 128, height: height, ground: .dark)
            // Whose colours are told apart without colours, too: see above.
            #expect(after != before, "bit \(bit)")
        }
    }

    @Test func aDisplayThatIsTooSmallGetsNothing() {
        for form in ValueForm.allCases {
            for (width, height) in [(0, 0), (1, 1), (16, 16), (8, 500)] {
                #expect(drawing(form).pages(width: width, height: height, ground: .dark).isEmpty, "\(form)")
            }
            #expect(drawing(form).pages(width: 100, height: 100, margin: 60, ground: .light).isEmpty)
            #expect(drawing(form).picture() != nil)
        }
        #expect(ValueDrawing(lines: []).pages(width: 128, height: 64, ground: .dark).isEmpty)
    }

    @Test func linesOfTextAreShown() {
        let pages = ValueDrawing(lines: ["not registered", "see: status"]).pages(width: 128, height: 64, ground: .dark)
        #expect(pages.count == 1)
        let lines = PixelText.lines(width: 128, height: 64, scale: 2) { pages[0].isLight($0, $1) }
        #expect(lines == [["not", "registered"], ["see:", "status"]])
    }

    @Test func aVectorPictureHasAllWords() throws {
        let svg = drawing(.words).svg(title: "a <title> & more")
        for (index, word) in words(Self.value).enumerated() { #expect(svg.contains(">\(index + 1) \(word)</text>")) }
        #expect(svg.contains("<title>a &lt;title&gt; &amp; more</title>"))
        let hex = drawing(.hex).svg(title: "")
        for group in Self.value.withUnsafeBytes({ ValueHex.text(of: $0) }).split(separator: "-") {
            #expect(hex.contains(group))
        }
        #expect(
            drawing(.mono).svg(title: "t")
                == Self.value.withUnsafeBytes { ValueForm.mono.picture(of: $0) }?.svg(title: "t"))
        for form in ValueForm.allCases { _ = try XMLDocumentCheck(drawing(form).svg(title: "\"")) }
    }

    @Test func aWipedPictureTellsNothing() throws {
        var page = try #require(drawing(.words).picture())
        #expect(page.pixels.contains { $0 != 0 })
        page.wipe()
        #expect(page.pixels.allSatisfy { $0 == 0 })
    }
}

/// Tags that are closed in order.
private struct XMLDocumentCheck {
    struct NotWellFormed: Error {}

    init(_ text: String) throws {
        var open: [Substring] = []
        for part in text.split(separator: "<", omittingEmptySubsequences: true) {
            let tag = part.prefix { $0 != ">" }
            let name = tag.drop { $0 == "/" }.prefix { !$0.isWhitespace && $0 != "/" }
            if tag.hasPrefix("/") {
                guard open.popLast() == name else { throw NotWellFormed() }
            } else if !tag.hasSuffix("/") {
                open.append(name)
            }
        }
        guard open.isEmpty else { throw NotWellFormed() }
    }
}
