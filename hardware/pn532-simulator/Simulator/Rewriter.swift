import NFCProtocols

/// Numbers that the same seed gives everywhere (SplitMix64).
struct SeededNumbers {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    static func mixed(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(state)
    }

    /// A number below `limit`, which is above 0.
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    mutating func shuffled<Element>(_ list: [Element]) -> [Element] {
        var list = list
        for index in stride(from: list.count - 1, to: 0, by: -1) { list.swapAt(index, below(index + 1)) }
        return list
    }
}

/// 16 bytes whose second half follows from the first: a mixture of two is found out without knowing either.
enum CheckedValue {
    static func make(_ numbers: inout SeededNumbers) -> [UInt8] {
        let half = numbers.next()
        return bytes(half) + bytes(SeededNumbers.mixed(half ^ 0x5DEE_CE66))
    }

    static func isWhole(_ value: [UInt8]) -> Bool {
        guard value.count == 16 else { return false }
        let half = value[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Array(value[8...]) == bytes(SeededNumbers.mixed(half ^ 0x5DEE_CE66))
    }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> UInt64($0)) }
    }
}

/// Rewrites a tag's memory with ever other values while it is read, as the device behind a dynamic tag may do.
///
/// It goes by the reader's exchanges, not by time, so that every run is the same.
struct Rewriter {
    enum Manner {
        /// Pages of four bytes, in any order: what a Type 2 tag's host does when it does not care.
        case pages
        /// NLEN 0, the data in pieces of 15 bytes, NLEN: Type 4 Tag 2.0, section 5.4.4.
        case standard
    }

    /// What is written next, and where.
    private var plan: [(offset: Int, bytes: [UInt8])] = []
    /// Exchanges for which nothing is written.
    private var wait: Int
    private var numbers: SeededNumbers
    private let manner: Manner
    private let start: Int
    /// At most so many exchanges lie between two steps of a rewriting, and between two rewritings.
    private let maximumPause, maximumRest: Int
    /// The values among which it alternates; empty: each is new.
    private let values: [[UInt8]]
    /// Whether a value has been written and the next one not begun.
    private(set) var isResting = false
    /// How many values have been written.
    private(set) var written = 0

    /// - Parameters:
    ///   - start: where the length of the message is in the memory, and after it the message.
    ///   - values: how many values it alternates among; 0: each is new.
    init(_ manner: Manner, start: Int, seed: UInt64, maximumPause: Int, maximumRest: Int, values: Int = 0) {
        self.manner = manner
        self.start = start
        self.maximumPause = maximumPause
        self.maximumRest = maximumRest
        numbers = SeededNumbers(seed: seed)
        var list: [[UInt8]] = []
        for _ in 0..<values { list.append(CheckedValue.make(&numbers)) }
        self.values = list
        wait = 0
    }

    /// What the device does before the next exchange.
    mutating func step(_ memory: inout [UInt8]) {
        while wait == 0 {
            if plan.isEmpty { plan = writing(of: nextValue(), into: memory) }
            let (offset, bytes) = plan.removeFirst()
            memory.replaceSubrange(offset..<offset + bytes.count, with: bytes)
            isResting = plan.isEmpty
            wait = numbers.below((isResting ? maximumRest : maximumPause) + 1)
            if isResting {
                written += 1
                // Without any rest it would write for ever.
                wait += 1
            }
        }
        wait -= 1
    }

    /// Between two readings much time has gone by: the next value is about to be written.
    mutating func endRest() {
        if isResting { wait = min(wait, numbers.below(maximumPause + 8)) }
    }

    private mutating func nextValue() -> [UInt8] {
        values.isEmpty ? CheckedValue.make(&numbers) : values[numbers.below(values.count)]
    }

    private mutating func writing(of value: [UInt8], into memory: [UInt8]) -> [(offset: Int, bytes: [UInt8])] {
        let message = NDEFMessage([PresentedValue.record(value)]).bytes
        switch manner {
        case .pages:
            let whole = [0x03, UInt8(message.count)] + message + [0xFE]
            let pages = stride(from: 0, to: whole.count, by: 4).map { index in
                (start + index, Array(whole[index..<min(index + 4, whole.count)]))
            }
            // From the front, from the back, or in any order.
            switch numbers.below(3) {
            case 0: return pages
            case 1: return pages.reversed()
            default: return numbers.shuffled(pages)
            }
        case .standard:
            let pieces = stride(from: 0, to: message.count, by: 15).map { index in
                (start + 2 + index, Array(message[index..<min(index + 15, message.count)]))
            }
            return [(start, [0, 0])] + pieces
                + [(start, [UInt8(message.count >> 8), UInt8(truncatingIfNeeded: message.count)])]
        }
    }
}
