import ValueForms

/// Reads text back out of pixels, letter by letter, as somebody who looks at a display does.
public enum PixelText {
    /// The words of each line, from the top; what is no letter ends a line's reading with "?".
    ///
    /// - Parameters:
    ///   - scale: pixels to a pixel of the letters.
    ///   - isInk: whether a pixel belongs to a letter.
    public static func lines(
        width: Int, height: Int, scale: Int = 1, isInk: (_ x: Int, _ y: Int) -> Bool
    ) -> [[String]] {
        // Asked once for each: a test's own code is slow.
        let ink = (0..<height).flatMap { y in (0..<width).map { isInk($0, y) } }
        var lines: [[String]] = []
        var top = 0
        while top + Typeface.height * scale <= height {
            var band = [UInt16](repeating: 0, count: width)
            for row in 0..<Typeface.height {
                let start = (top + row * scale) * width
                let bit: UInt16 = 1 << UInt16(row)
                for x in 0..<width where ink[start + x] { band[x] |= bit }
            }
            if let words = words(band, scale), !words.isEmpty {
                lines.append(words)
                top += Typeface.height * scale
            } else {
                top += 1
            }
        }
        return lines
    }

    /// `nil` when something in the band is no letter.
    private static func words(_ band: [UInt16], _ scale: Int) -> [String]? {
        var words: [String] = []
        var word = ""
        var blank = 0
        var x = 0
        while x < band.count {
            guard band[x] != 0 else {
                (x, blank) = (x + 1, blank + 1)
                continue
            }
            var end = x
            while end < band.count, band[end] != 0 { end += 1 }
            let columns = stride(from: x, to: end, by: scale).map { band[$0] }
            guard let letter = Typeface.letters.first(where: { $0.value == columns })?.key else { return nil }
            if blank >= 3 * scale, !word.isEmpty {
                words.append(word)
                word = ""
            }
            word.append(letter)
            (x, blank) = (end, 0)
        }
        return word.isEmpty ? words : words + [word]
    }
}
