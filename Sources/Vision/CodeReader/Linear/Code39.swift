/// Code 39's way to say all of ASCII: a shift character and a letter stand for one (ISO/IEC 16388, annex A).
enum Code39 {
    /// The text that is meant when every shift character begins a pair; otherwise, and without one, the text as it is.
    static func fullASCII(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < text.count {
            guard "$%/+".utf8.contains(text[index]) else {
                result.append(text[index])
                index += 1
                continue
            }
            guard index + 1 < text.count, let meant = meant(text[index], text[index + 1]) else { return text }
            result.append(meant)
            index += 2
        }
        return result
    }

    /// What a shift character and a letter stand for; Code 93 has the same pairs (AIM USS-93).
    static func meant(_ shift: UInt8, _ letter: UInt8) -> UInt8? {
        guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(letter) else { return nil }
        let number = letter - UInt8(ascii: "A")
        switch (shift, number) {
        case (UInt8(ascii: "$"), _): return 1 + number
        case (UInt8(ascii: "+"), _): return UInt8(ascii: "a") + number
        // ! to , then / and : only: the others have characters of their own.
        case (UInt8(ascii: "/"), 0...11): return 33 + number
        case (UInt8(ascii: "/"), 14): return UInt8(ascii: "/")
        case (UInt8(ascii: "/"), 25): return UInt8(ascii: ":")
        case (UInt8(ascii: "%"), 0...4): return 27 + number
        case (UInt8(ascii: "%"), 5...9): return 59 + number - 5
        case (UInt8(ascii: "%"), 10...14): return 91 + number - 10
        case (UInt8(ascii: "%"), 15...19): return 123 + number - 15
        case (UInt8(ascii: "%"), 20): return 0
        case (UInt8(ascii: "%"), 21): return UInt8(ascii: "@")
        case (UInt8(ascii: "%"), 22): return UInt8(ascii: "`")
        case (UInt8(ascii: "%"), 23...25): return 127
        default: return nil
        }
    }
}
