import Glibc

/// Lengths and angles as people write and read them.
public enum Measure {
    /// A length in millimetres: "30mm", "3 cm", "0.6 m", or a number alone, in millimetres. From 1 mm to 100 m.
    public static func millimetres(_ text: String) -> Double? {
        let text = text.filter { $0 != " " }
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let factor: Double
        switch text.dropFirst(number.count) {
        case "", "mm": factor = 1
        case "cm": factor = 10
        case "m": factor = 1000
        default: return nil
        }
        guard number.count <= 10, let value = Double(number), (1...100_000).contains(value * factor) else { return nil }
        return value * factor
    }

    /// A distance in centimetres, to about a hundredth: "59", "6.5".
    ///
    /// - Parameter millimetres: the distance.
    public static func centimetres(_ millimetres: Double) -> String {
        millimetres >= 100 ? whole(millimetres / 10) : tenths(millimetres / 10)
    }

    /// "10 – 59", in centimetres; "–" for none.
    public static func centimetres(_ range: ClosedRange<Double>?) -> String {
        range.map { "\(centimetres($0.lowerBound)) – \(centimetres($0.upperBound))" } ?? "–"
    }

    /// Rounded to tenths, and without a tenth that is 0.
    public static func short(_ number: Double) -> String {
        let text = tenths(number)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    static func whole(_ number: Double) -> String { number.isFinite ? String(Int(number.rounded())) : "∞" }

    static func tenths(_ number: Double) -> String {
        guard number.isFinite, abs(number) < 1e12 else { return "∞" }
        let tenths = Int((number * 10).rounded())
        return "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
    }
}
