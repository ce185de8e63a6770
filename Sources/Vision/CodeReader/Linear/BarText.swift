/// What the characters of a linear code say, when its check characters agree.
struct BarText: Equatable {
    let value: [UInt8]
    let isGS1: Bool

    /// - Parameter values: of Code 128 from the start character to the check character; of the others without start and stop.
    init?(_ symbology: Symbology, _ values: [Int]) {
        switch symbology {
        case .code128:
            guard let text = Self.code128(values) else { return nil }
            self = text
        case .code93:
            guard let value = Self.code93(values) else { return nil }
            self = BarText(value: value, isGS1: false)
        case .code39:
            self = BarText(
                value: Code39.fullASCII(values.map { BarPatterns.letters[$0] }), isGS1: false)
        case .qr, .dataMatrix: return nil
        }
        if value.isEmpty { return nil }
    }

    private init(value: [UInt8], isGS1: Bool) {
        (self.value, self.isGS1) = (value, isGS1)
    }

    // MARK: Code 128 (ISO/IEC 15417, 4.3)

    private enum CodeSet { case a, b, c }

    /// Function character 1 between two parts of an application's data.
    private static let groupSeparator: UInt8 = 0x1D

    private static func code128(_ values: [Int]) -> BarText? {
        guard values.count >= 3, let start = values.first, BarPatterns.code128Starts.contains(start),
            let check = values.last
        else { return nil }
        let data = values.dropFirst().dropLast()
        let sum = data.enumerated().reduce(start) { $0 + ($1.offset + 1) * $1.element }
        guard sum % 103 == check else { return nil }
        var set: CodeSet = start == 103 ? .a : start == 104 ? .b : .c
        var text: [UInt8] = []
        var (isShift, isGS1) = (false, false)
        // By function character 4 the upper half of Latin-1 is meant: once, or until two more.
        var (isHigh, isHighNext) = (false, false)
        for (index, value) in data.enumerated() {
            let current = isShift ? (set == .a ? CodeSet.b : .a) : set
            isShift = false
            switch (current, value) {
            case (_, 102):
                if index < 2 { isGS1 = true } else { text.append(groupSeparator) }
            case (.c, 0..<100): text += [UInt8(48 + value / 10), UInt8(48 + value % 10)]
            case (.c, 100): set = .b
            case (.c, 101): set = .a
            case (.a, 0..<96), (.b, 0..<96):
                let letter = current == .a && value >= 64 ? UInt8(value - 64) : UInt8(value + 32)
                text.append(isHigh != isHighNext ? letter | 0x80 : letter)
                isHighNext = false
            case (_, 96), (_, 97): break
            case (_, 98): isShift = true
            case (_, 99): set = .c
            case (.a, 101), (.b, 100):
                if isHighNext { (isHigh, isHighNext) = (!isHigh, false) } else { isHighNext = true }
            case (_, 100): set = .b
            case (_, 101): set = .a
            default: return nil
            }
        }
        return BarText(value: text, isGS1: isGS1)
    }

    // MARK: Code 93 (AIM USS-93)

    /// The shift characters, in the order of their values from 43 on.
    private static let shifts = Array("$%/+".utf8)
    /// The weights of the check characters go from 1 to these, and begin again.
    private static let weights = [20, 15]

    private static func code93(_ values: [Int]) -> [UInt8]? {
        guard values.count > weights.count else { return nil }
        for (index, most) in weights.enumerated() {
            let checked = values.dropLast(weights.count - index)
            let sum = checked.reversed().enumerated().reduce(0) { $0 + ($1.offset % most + 1) * $1.element }
            guard sum % 47 == values[checked.count] else { return nil }
        }
        var text: [UInt8] = []
        var shift: UInt8?
        for value in values.dropLast(weights.count) {
            if let sign = shift {
                guard value < BarPatterns.letters.count,
                    let meant = Code39.meant(sign, BarPatterns.letters[value])
                else { return nil }
                text.append(meant)
                shift = nil
            } else if value < BarPatterns.letters.count {
                text.append(BarPatterns.letters[value])
            } else {
                shift = shifts[value - BarPatterns.letters.count]
            }
        }
        return shift == nil ? text : nil
    }
}
