import CodeReader
import Luma
import Scene

/// Damaged symbols, one after the other: each gives what it said before it was damaged, or nothing.
struct DamageTrial {
    /// A symbol that was damaged.
    private struct Symbol {
        let damage: String
        let texts: [[UInt8]]
        let picture: LumaPicture
    }

    /// By its seed; `nil` when it cannot be drawn.
    private let draw: (UInt64) -> Symbol?
    private let reader: CodeReader

    /// - Parameter name: of a symbology, as in the observer's configuration; `nil` for any other.
    init?(_ name: String) {
        guard let symbology = Symbology(rawValue: name) else { return nil }
        if let kind = LinearSymbol.Kind(rawValue: name) {
            draw = { seed in
                DamagedBars(kind, seed: seed).map {
                    Symbol(damage: $0.damage.rawValue, texts: $0.texts, picture: $0.picture)
                }
            }
        } else if let kind = SceneSymbol.Kind(rawValue: name) {
            draw = { seed in
                DamagedSymbol(kind, seed: seed).map {
                    Symbol(damage: $0.damage.rawValue, texts: $0.texts, picture: $0.picture)
                }
            }
        } else {
            return nil
        }
        // A stained linear code may look like one of another kind.
        reader = CodeReader(Symbology.linear.contains(symbology) ? Symbology.linear : [symbology])
    }

    /// Prints a line for each kind of damage.
    ///
    /// - Returns: whether nothing wrong was read that a device may show: 32 hexadecimal digits.
    func run(count: UInt64) -> Bool {
        var (drawn, right): ([String: Int], [String: Int]) = ([:], [:])
        var (wrong, fragments) = (0, 0)
        for seed in 1...max(count, 1) {
            guard let symbol = draw(seed) else { continue }
            drawn[symbol.damage, default: 0] += 1
            let readings = symbol.picture.withPlane { reader.read($0) }
            if readings.contains(where: { symbol.texts.contains($0.value) }) { right[symbol.damage, default: 0] += 1 }
            for reading in readings where !symbol.texts.contains(reading.value) {
                let isValue = reading.candidate != nil
                if isValue { wrong += 1 } else { fragments += 1 }
                let text = String(decoding: reading.value, as: UTF8.self)
                say(
                    "seed \(seed), \(symbol.damage)\(isValue ? "" : ", no value"): \(reading.symbology.rawValue) \"\(text)\""
                )
            }
        }
        for (kind, count) in drawn.sorted(by: { $0.key < $1.key }) {
            say("\(kind): \(right[kind] ?? 0) of \(count) read")
        }
        let total = drawn.values.reduce(0, +)
        say("wrong readings of 32 digits: \(wrong) of \(total) damaged symbols; of anything else: \(fragments)")
        return wrong == 0
    }
}
