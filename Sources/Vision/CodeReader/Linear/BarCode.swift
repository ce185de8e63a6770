/// How a symbology puts its characters in a row: what the reader of lines knows of it before it sees one.
struct BarCode: Hashable {
    let symbology: Symbology
    /// Widths are in modules; Code 39's are its narrow elements.
    let pitch: Float
    /// Elements from one character's first bar to the next one's.
    let elements: Int
    /// Of the stop character with all that follows it.
    let tail: Float
    let tailElements: Int
    /// How many characters there are before the stop character, at least and at most.
    let counts: ClosedRange<Int>
    /// Width of a wide element of Code 39 in narrow ones; 0: there are none.
    let ratio: Float

    /// More characters are in no code that a camera can see as a whole.
    private static let maximumCharacters = 100

    static let code128 = BarCode(
        symbology: .code128, pitch: 11, elements: 6, tail: 13, tailElements: 7, counts: 4...maximumCharacters, ratio: 0)
    static let code93 = BarCode(
        symbology: .code93, pitch: 9, elements: 6, tail: 10, tailElements: 7,
        counts: Reading.minimumUnchecked + 3...maximumCharacters, ratio: 0)
    static let code39: [BarCode] = [2.5, 3, 2].map { ratio in
        BarCode(
            symbology: .code39, pitch: 7 + 3 * ratio, elements: 10, tail: 6 + 3 * ratio, tailElements: 9,
            counts: Reading.minimumUnchecked + 1...maximumCharacters, ratio: ratio)
    }

    /// Those of some symbologies.
    static func all(_ symbologies: Set<Symbology>) -> [BarCode] {
        ([code128, code93] + code39).filter { symbologies.contains($0.symbology) }
    }

    /// The width of a symbol with so many characters before the stop character.
    func modules(_ count: Int) -> Float { pitch * Float(count) + tail }

    /// With as many characters the symbol has so many bars and spaces.
    func elements(_ count: Int) -> Int { elements * count + tailElements }

    /// Widths of the elements of all characters.
    var characters: [[Float]] {
        switch symbology {
        case .code128: BarPatterns.code128
        case .code93: BarPatterns.code93
        default: BarPatterns.code39(ratio: ratio)
        }
    }

    /// Of the characters that may begin a symbol.
    var starts: [[Float]] {
        switch symbology {
        case .code128: Array(BarPatterns.code128[BarPatterns.code128Starts])
        case .code93: [BarPatterns.code93Start]
        default: [BarPatterns.code39Stop(ratio: ratio)]
        }
    }

    var stop: [Float] {
        switch symbology {
        case .code128: BarPatterns.code128Stop
        case .code93: BarPatterns.code93Stop
        default: BarPatterns.code39Stop(ratio: ratio)
        }
    }
}
