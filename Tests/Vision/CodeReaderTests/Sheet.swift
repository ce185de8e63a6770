import Luma
import CodeWriter
import Scene
import SeededRandom
import Testing

@testable import CodeReader

/// A frame with several codes in it, each on a white label, with noise.
struct Sheet {
    enum Kind: String { case qr, datamatrix, code128, code39 }

    /// A code, the size of its modules in pixels, and where its label begins.
    struct Label {
        let kind: Kind
        let text: String
        let module: Int
        let x, y: Int
    }

    var width = 1280
    var height = 720
    var labels: [Label]

    /// "qr:TEXT" and so on.
    var codes: Set<String> { Set(labels.map { "\($0.kind.rawValue):\($0.text)" }) }

    static func named(_ readings: [Reading]) -> Set<String> {
        Set(readings.map { "\($0.symbology.rawValue):\(String(decoding: $0.value, as: UTF8.self))" })
    }

    /// As many QR codes as fit, side by side, each with another value.
    static func grid(columns: Int, rows: Int, module: Int) -> Sheet {
        var random = SplitMix64(seed: UInt64(columns * rows))
        let (width, height) = (1280 / columns, 720 / rows)
        return Sheet(
            labels: (0..<columns * rows).map { index in
                let (x, y) = (index % columns * width + random.below(9), index / columns * height + random.below(9))
                return Label(kind: .qr, text: hex(&random), module: module, x: x, y: y)
            })
    }

    static func hex(_ random: inout SplitMix64) -> String {
        String((0..<32).map { _ in Array("0123456789ABCDEF")[random.below(16)] })
    }

    func picture(seed: UInt64 = 1) throws -> LumaPicture {
        var pixels = [UInt8](repeating: 150, count: width * height)
        for label in labels {
            let drawn = try label.drawn()
            for y in 0..<drawn.height where label.y + y < height {
                for x in 0..<drawn.width where label.x + x < width {
                    pixels[(label.y + y) * width + label.x + x] = drawn.pixels[y * drawn.width + x] == 0 ? 35 : 220
                }
            }
        }
        var random = SplitMix64(seed: seed)
        for index in pixels.indices { pixels[index] = UInt8(Int(pixels[index]) + random.below(13) - 6) }
        return try #require(LumaPicture(width: width, height: height, pixels: pixels))
    }
}

extension Sheet.Label {
    func drawn() throws -> LumaPicture {
        switch kind {
        case .qr:
            let (side, pixels) = try Array(text.utf8).withUnsafeBytes { try QRMatrix($0) }.pixels(scale: module)
            return try #require(LumaPicture(width: side, height: side, pixels: pixels))
        case .datamatrix:
            let symbol = try #require(SceneSymbol(.dataMatrix, text))
            let (side, scale) = (symbol.modules * module, symbol.picture.width / symbol.modules)
            let pixels = (0..<side * side).map { index -> UInt8 in
                let (x, y) = (index % side / module * scale, index / side / module * scale)
                return symbol.picture.pixels[y * symbol.picture.width + x]
            }
            return try #require(LumaPicture(width: side, height: side, pixels: pixels))
        case .code128:
            return try Self.bars(Code128(start: 104, values: text.utf8.map { Int($0) - 0x20 }).row(module: module))
        case .code39:
            return try Self.bars(#require(LinearSymbol(.code39, Array(text.utf8))).row(module: module))
        }
    }

    static func bars(_ row: [UInt8], height: Int = 90) throws -> LumaPicture {
        let white = [UInt8](repeating: 255, count: row.count * 12)
        return try #require(
            LumaPicture(
                width: row.count, height: height + 24, pixels: white + (0..<height).flatMap { _ in row } + white))
    }
}
