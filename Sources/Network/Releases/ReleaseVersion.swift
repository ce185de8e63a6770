/// The version of a payload: which of two is the newer one is decided by it, and nothing else.
///
/// One to four whole numbers with points between them, without leading zeros, each up to 999 999 999; after a hyphen it may
/// name a trial (`2.0.0-rc.1`): letters, digits and hyphens, in parts with points between them. Numbers are compared from the
/// left, a missing one counts as 0 (`1.2` is `1.2.0`); a trial is older than the same version without one, and trials are
/// compared as Semantic Versioning 2.0.0 does it (clause 11.4).
public struct ReleaseVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    private let numbers: [UInt32]
    private let trial: [Part]
    /// As it was written.
    public let description: String

    /// A longer text is no version, in bytes.
    public static let maximumLength = 64
    /// What a version looks like, for errors and help texts.
    public static let form =
        "one to four numbers with points, for example 1.4.2, and after a hyphen a trial's name: 2.0.0-rc.1"

    private enum Part: Hashable, Comparable {
        /// Numbers are lower than words.
        case number(UInt32)
        case word([UInt8])

        static func < (left: Part, right: Part) -> Bool {
            switch (left, right) {
            case (.number(let left), .number(let right)): left < right
            case (.word(let left), .word(let right)): left.lexicographicallyPrecedes(right)
            case (.number, .word): true
            case (.word, .number): false
            }
        }
    }

    /// Reads a version; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.maximumLength else { return nil }
        let halves = bytes.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        var numbers: [UInt32] = []
        for part in halves[0].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard let number = Self.number(part) else { return nil }
            numbers.append(number)
        }
        guard numbers.count <= 4 else { return nil }
        // Equal versions are the same value, however they are written.
        while numbers.count > 1, numbers.last == 0 { numbers.removeLast() }
        var trial: [Part] = []
        if halves.count == 2 {
            for part in halves[1].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
                guard let part = Self.part(part) else { return nil }
                trial.append(part)
            }
        }
        self.numbers = numbers
        self.trial = trial
        description = String(decoding: bytes, as: UTF8.self)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt32? {
        guard (1...9).contains(digits.count), digits.allSatisfy(isDigit) else { return nil }
        guard digits.count == 1 || digits.first != UInt8(ascii: "0") else { return nil }
        return digits.reduce(0) { $0 * 10 + UInt32($1 - UInt8(ascii: "0")) }
    }

    private static func part(_ bytes: ArraySlice<UInt8>) -> Part? {
        guard !bytes.isEmpty else { return nil }
        if bytes.allSatisfy(isDigit) { return number(bytes).map { .number($0) } }
        let isWord = bytes.allSatisfy { isDigit($0) || isLetter($0) || $0 == UInt8(ascii: "-") }
        return isWord ? .word(Array(bytes)) : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && byte & 0x40 != 0
    }

    /// Whether `left` is the older one.
    public static func < (left: ReleaseVersion, right: ReleaseVersion) -> Bool {
        for index in 0..<max(left.numbers.count, right.numbers.count) {
            let (mine, theirs) = (left.number(index), right.number(index))
            if mine != theirs { return mine < theirs }
        }
        switch (left.trial.isEmpty, right.trial.isEmpty) {
        case (true, _): return false
        case (false, true): return true
        case (false, false): return left.trial.lexicographicallyPrecedes(right.trial)
        }
    }

    private func number(_ index: Int) -> UInt32 { index < numbers.count ? numbers[index] : 0 }

    /// Whether both are the same version, however they are written.
    public static func == (left: ReleaseVersion, right: ReleaseVersion) -> Bool {
        left.numbers == right.numbers && left.trial == right.trial
    }

    /// Hashes what is compared.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(numbers)
        hasher.combine(trial)
    }
}
