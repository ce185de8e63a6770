import CodeReader
import Luma
import Scene

/// Damaged symbols, one after the other: each gives what it said before it was damaged, or nothing.
enum DamageTrial {
    /// Prints a line for each kind of damage.
    ///
    /// - Returns: whether nothing wrong was read.
    static func run(_ symbol: SceneSymbol.Kind, count: UInt64) -> Bool {
        let reader = CodeReader(Set([Symbology(rawValue: symbol.rawValue)].compactMap { $0 }))
        var (drawn, right): ([String: Int], [String: Int]) = ([:], [:])
        var wrong = 0
        for seed in 1...max(count, 1) {
            guard let symbol = DamagedSymbol(symbol, seed: seed) else { continue }
            let kind = symbol.damage.rawValue
            drawn[kind, default: 0] += 1
            let readings = symbol.picture.withPlane { reader.read($0) }
            if readings.contains(where: { symbol.texts.contains($0.value) }) { right[kind, default: 0] += 1 }
            for reading in readings where !symbol.texts.contains(reading.value) {
                wrong += 1
                say("seed \(seed), \(kind): \(String(decoding: reading.value, as: UTF8.self))")
            }
        }
        for (kind, count) in drawn.sorted(by: { $0.key < $1.key }) {
            say("\(kind): \(right[kind] ?? 0) of \(count) read")
        }
        say("wrong readings: \(wrong) of \(drawn.values.reduce(0, +)) damaged symbols")
        return wrong == 0
    }
}
