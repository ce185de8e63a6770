/// The ways in which people compare a value: device and operator show it in the same one.
///
/// Each shows all 128 bits: two values that differ in one bit differ in what is shown. Which one to choose is in docs/people.md.
public enum ValueForm: String, Sendable, CaseIterable {
    /// Eleven words; the fewest mistakes.
    case words
    /// 8 x 8 cells in four colours.
    case colours
    /// 12 x 12 cells, black or white, with marked corners.
    case mono
    /// 9 x 9 cells in three colours, for e-ink.
    case eink
    /// Hexadecimal digits in groups of 8, 4, 4, 4 and 12; the most mistakes.
    case hex

    /// The picture of a value; `nil` for forms that are read as text.
    ///
    /// - Parameter value: 16 bytes, borrowed.
    public func picture(of value: UnsafeRawBufferPointer) -> CellPicture? {
        switch self {
        case .words, .hex: nil
        case .colours: .colours(value)
        case .mono: .mono(value)
        case .eink: .eink(value)
        }
    }
}

/// The words of a value: ten of 4,096 and one of 256, the most significant bits first (after the 2017 paper, 8.2).
public enum ValueWords {
    /// How many words a value has.
    public static let count = 11
    /// The lists, in the order of the numbers that the words stand for.
    static let first = WordList.first.split(separator: " ").map(String.init)
    static let last = WordList.last.split(separator: " ").map(String.init)

    /// The eleven words.
    ///
    /// - Parameter value: 16 bytes, borrowed.
    public static func words(of value: UnsafeRawBufferPointer) -> [String] {
        precondition(value.count == 16, "a value has 16 bytes")
        return (0..<10).map { first[bits(value, from: 12 * $0, count: 12)] } + [last[Int(value[15])]]
    }

    /// The value of eleven words in any case; `nil` when one of them is no word of the lists.
    public static func value(of words: [String]) -> [UInt8]? {
        guard words.count == count else { return nil }
        var value: [UInt8] = []
        var (waiting, width) = (0, 0)
        for word in words.dropLast() {
            guard let number = index(of: word, in: first) else { return nil }
            (waiting, width) = (waiting << 12 | number, width + 12)
            while width >= 8 {
                width -= 8
                value.append(UInt8(waiting >> width & 0xFF))
            }
        }
        guard let number = index(of: words[10], in: last) else { return nil }
        return value + [UInt8(number)]
    }

    /// How many letters of each word are asked for: the first five are different for any two words.
    public static let letters = 3

    /// Whether what was typed are the first letters of the words at some places, at least ``letters`` of each or the whole
    /// word, in any case.
    ///
    /// - Parameters:
    ///   - typed: one for each place.
    ///   - places: from 0 to 10.
    ///   - value: 16 bytes, borrowed.
    public static func isBeginning(_ typed: [String], at places: [Int], of value: UnsafeRawBufferPointer) -> Bool {
        let words = words(of: value)
        guard typed.count == places.count, !places.isEmpty, places.allSatisfy(words.indices.contains) else {
            return false
        }
        return zip(typed, places).allSatisfy { typed, place in
            let letters = typed.lowercased().filter { !$0.isWhitespace }
            return letters.count >= min(Self.letters, words[place].count) && words[place].hasPrefix(letters)
        }
    }

    private static func index(of word: String, in list: [String]) -> Int? {
        let word = word.lowercased()
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if list[middle] < word { low = middle + 1 } else { high = middle }
        }
        return low < list.count && list[low] == word ? low : nil
    }

    static func bits(_ value: UnsafeRawBufferPointer, from start: Int, count: Int) -> Int {
        var number = 0
        for place in start..<start + count {
            let bit = value[place / 8] >> (7 - place % 8) & 1
            number = number << 1 | Int(bit)
        }
        return number
    }
}

/// Hexadecimal digits as people read them.
public enum ValueHex {
    /// The digits in groups: `8-4-4-4-12`.
    ///
    /// - Parameter value: 16 bytes, borrowed.
    public static func text(of value: UnsafeRawBufferPointer) -> String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for (index, byte) in value.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append("-") }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }
}
