/// What is told of a frame: in the terminal, as JSON, on the page. Holds nothing of what a code says.
public struct AimReport: Codable, Sendable, Hashable {
    public var event = "frame"
    public var found: Bool
    public var read: Bool
    /// Size of a module in pixels.
    public var module: Double?
    /// 0 to 1; of the code when it is known, else of the frame.
    public var sharpness: Double?
    /// Mean grey level, 0 to 255.
    public var brightness: Int
    public var contrast: Int
    /// Pairs of x and y in pixels of the frame.
    public var corners: [[Int]]
    public var width: Int
    public var height: Int
    public var advice: Advice
    public var text: String

    public init(_ sight: Sight) {
        func rounded(_ value: Float, to parts: Double) -> Double? {
            value.isFinite ? (Double(value) * parts).rounded() / parts : nil
        }
        let code = sight.code
        found = code != nil
        read = code?.wasRead ?? false
        module = code?.module.flatMap { rounded($0, to: 10) }
        sharpness = (code?.sharpness ?? sight.codeQuality?.sharpness ?? sight.quality.sharpness)
            .flatMap { rounded($0, to: 100) }
        brightness = sight.quality.mean
        contrast = code.flatMap { Int(exactly: ($0.light - $0.dark).rounded()) } ?? sight.quality.contrast
        corners = (code?.corners ?? []).map { corner in
            [corner.x, corner.y].map { $0.isFinite ? Int(max(min($0, 30_000), -30_000)) : 0 }
        }
        width = sight.width
        height = sight.height
        advice = Advice(sight)
        text = advice.text
    }

    /// One line for a terminal.
    public var line: String {
        let seen = read ? "code read" : found ? "code seen, not read" : "no code"
        let module = module.map { ", module \($0) px" } ?? ""
        let sharpness = sharpness.map { ", sharpness \($0)" } ?? ""
        return "\(seen)\(module)\(sharpness), brightness \(brightness), contrast \(contrast): \(text)"
    }
}
