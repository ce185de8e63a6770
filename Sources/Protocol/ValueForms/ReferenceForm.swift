/// The ways in which devices of the reference implementation (releases 3.0 to 4.0) show a value to people: for comparing with
/// such a device, not for showing (docs/people.md, "The forms").
///
/// ``mono`` does not show all bits: the reference leaves out leading zero bits, so that values that differ in nothing but how
/// far they are shifted look the same.
public enum ReferenceForm: String, Sendable, CaseIterable {
    /// 8 x 8 cells: white, red, yellow, blue.
    case colours = "reference-colours"
    /// 12 x 12 cells with black corners.
    case mono = "reference-mono"
    /// Ten words of the reference's own list, which is not part of this project.
    case words = "reference-words"

    /// How many words the reference's list has.
    public static let listLength = 8192

    /// The picture of a value; `nil` for words.
    ///
    /// - Parameter value: 16 bytes, borrowed.
    public func picture(of value: UnsafeRawBufferPointer) -> CellPicture? {
        switch self {
        case .colours:
            CellPicture(
                side: 8, palette: [.white, Self.red, Self.yellow, Self.blue],
                cells: (0..<64).map { UInt8(ValueWords.bits(value, from: 2 * $0, count: 2)) })
        case .mono: Self.mono(value)
        case .words: nil
        }
    }

    private static let red = CellColour(255, 0, 0, "R")
    private static let yellow = CellColour(255, 255, 0, "Y")
    private static let blue = CellColour(0, 0, 255, "B")

    /// The first bit is the first that is set.
    private static func mono(_ value: UnsafeRawBufferPointer) -> CellPicture {
        let first = (0..<128).first { ValueWords.bits(value, from: $0, count: 1) == 1 } ?? 127
        var next = first
        var cells: [UInt8] = []
        for y in 0..<12 {
            for x in 0..<12 {
                if (x < 2 || x > 9) && (y < 2 || y > 9) {
                    cells.append(1)
                } else {
                    cells.append(next < 128 ? UInt8(ValueWords.bits(value, from: next, count: 1)) : 0)
                    next += 1
                }
            }
        }
        return CellPicture(side: 12, palette: [.white, .black], cells: cells)
    }

    /// Which words of the reference's list a value has, in the order of its display: the lowest 13 bits first; of the tenth
    /// only the upper eleven bits are the value's.
    ///
    /// - Parameter value: 16 bytes, borrowed.
    public static func wordNumbers(of value: UnsafeRawBufferPointer) -> [Int] {
        (0..<9).map { ValueWords.bits(value, from: 128 - 13 * ($0 + 1), count: 13) }
            + [ValueWords.bits(value, from: 0, count: 11) << 2]
    }

    /// What a terminal shows; of several lines.
    ///
    /// - Parameters:
    ///   - value: 16 bytes, borrowed.
    ///   - hasColour: whether the terminal has 24-bit colours.
    ///   - list: the reference's words, ``listLength`` of them; `nil`: their numbers in it, from 0.
    public func text(of value: UnsafeRawBufferPointer, hasColour: Bool, list: [String]?) -> String {
        if let picture = picture(of: value) { return picture.terminal(hasColour: hasColour) }
        return Self.wordNumbers(of: value).enumerated().map { index, number in
            let word = list.flatMap { $0.indices.contains(number) ? $0[number].uppercased() : nil }
            return (index < 9 ? " " : "") + "\(index + 1)  \(word ?? "word \(number) of the list")\n"
        }.joined()
    }
}
