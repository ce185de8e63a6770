import ArgumentParser
import CodeReader
import DataMatrix
import FuzzTargets
import Luma
import Scene
import SeededRandom

/// Whole symbols, small and large, turned, bent out of square, torn and stained, for the readers of each kind.
struct SymbolFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "symbols",
        abstract: "Feed damaged symbols of every kind to the readers of pictures and of streams.",
        discussion: """
            Bars of Code 128 and bars by lot with the widths that Code 39 and Code 93 have; Data Matrix symbols of all sizes \
            with codewords by lot; QR codes of which a finder pattern is torn. What must hold is checked: bounded lists and \
            texts, four corners, and a QR code says what was written or nothing.

            Exit codes: 0 nothing was found, 1 something did not hold; a crash is a crash.
            """)

    @OptionGroup var options: FuzzOptions

    func run() throws {
        try draw("bars", Symbology.linear) { (Self.bars(&$0), nil) }
        try draw("datamatrix", [.dataMatrix]) { (Self.dataMatrix(&$0), nil) }
        try draw("finders", [.qr], Self.tornCode)
    }

    /// - Parameter make: draws a symbol's modules by lot; and what it says, when that is sure.
    private func draw(
        _ kind: String, _ symbologies: Set<Symbology>,
        _ make: (inout SplitMix64) -> (modules: Modules, text: [UInt8]?)
    ) throws {
        var random = SplitMix64(seed: options.seed)
        let (still, stream) = (CodeReader(symbologies), StreamReader(symbologies))
        try options.run(kind) { number in
            let (modules, text) = make(&random)
            guard let picture = modules.picture(&random) else { return false }
            var readings = picture.withPlane { still.read($0) }
            if number % 4 == 0 {
                // Several frames: what is looked for in turns has its turn.
                for _ in 0..<8 { readings += picture.withPlane { stream.read($0) } }
            }
            guard readings.count <= 9 * CodeReader.maximumReadings else {
                throw Violation(description: "\(readings.count) readings")
            }
            for reading in readings
            where reading.value.isEmpty || reading.value.count > 4 * CodeReader.maximumLength
                || reading.corners.count != 4
            {
                throw Violation(description: "a reading that cannot be: \(reading)")
            }
            // A stream may remember the symbol before for some frames.
            if let text, let wrong = picture.withPlane({ still.read($0) }).first(where: { $0.value != text }) {
                throw Violation(description: "\(wrong) instead of \(text)")
            }
            return !readings.isEmpty
        }
    }

    // MARK: Symbols

    /// Most are Code 128, some of them with a bar more or less; the others have bars of one to three modules.
    private static func bars(_ random: inout SplitMix64) -> Modules {
        var dark: [Bool]
        if random.below(3) > 0 {
            let values = (0..<1 + random.below(24)).map { _ in random.below(103) }
            dark = Code128(start: 103 + random.below(3), values: values).modules
            if random.below(2) == 0 { dark.remove(at: random.below(dark.count)) }
        } else {
            dark = (0..<20 + random.below(120)).flatMap { index in
                [Bool](repeating: index % 2 == 0, count: 1 + random.below(3))
            }
        }
        return Modules(rows: 12 + random.below(40), columns: dark.count) { _, column in dark[column] }
    }

    private static func dataMatrix(_ random: inout SplitMix64) -> Modules {
        let size = SymbolSize.all[random.below(SymbolSize.all.count)]
        let data = DataMatrixWriter.modules(
            size, codewords: DataMatrixWriter.codewords(size, data: random.bytes(size.dataCodewords)))
        let (across, down) = ((size.columns - size.mappingColumns) / 2, (size.rows - size.mappingRows) / 2)
        let (width, height) = (size.columns / across, size.rows / down)
        return Modules(rows: size.rows, columns: size.columns) { row, column in
            let (r, c) = (row % height, column % width)
            if c == 0 || r == height - 1 { return true }
            if r == 0 { return c % 2 == 0 }
            if c == width - 1 { return r % 2 == 1 }
            return data[
                (row / height * (height - 2) + r - 1) * size.mappingColumns + column / width * (width - 2) + c - 1]
        }
    }

    /// A code with one finder pattern of which a part is gone.
    private static func tornCode(_ random: inout SplitMix64) -> (modules: Modules, text: [UInt8]?) {
        let text = random.bytes(1 + random.below(60)).map { 0x20 + $0 % 95 }
        guard let symbol = SceneSymbol(.qr, String(decoding: text, as: UTF8.self)) else {
            return (Modules(rows: 1, columns: 1) { _, _ in true }, nil)
        }
        let (side, pixels, scale) = (symbol.modules, symbol.picture.pixels, symbol.picture.width / symbol.modules)
        let width = symbol.picture.width
        var modules = Modules(rows: side, columns: side) { row, column in
            pixels[row * scale * width + column * scale] == 0
        }
        let (isRight, isLow) = [(false, false), (true, false), (false, true)][random.below(3)]
        let (u, v) = (isRight ? side - 11 : 4, isLow ? side - 11 : 4)
        let (left, top) = (u + random.below(5), v + random.below(5))
        let isDark = random.below(2) == 0
        for row in top..<min(top + 2 + random.below(7), v + 7) {
            for column in left..<min(left + 2 + random.below(7), u + 7) { modules[row, column] = isDark }
        }
        return (modules, text)
    }
}

/// Dark and light modules of a symbol, without a quiet zone.
struct Modules {
    let rows, columns: Int
    private var dark: [Bool]

    init(rows: Int, columns: Int, _ isDark: (_ row: Int, _ column: Int) -> Bool) {
        (self.rows, self.columns) = (rows, columns)
        dark = (0..<rows * columns).map { isDark($0 / columns, $0 % columns) }
    }

    subscript(_ row: Int, _ column: Int) -> Bool {
        get { dark[row * columns + column] }
        set { dark[row * columns + column] = newValue }
    }

    /// The symbol in a picture: of some size, turned, slanted, light on dark now and then, cut off at the sides, with grain and
    /// stains.
    func picture(_ random: inout SplitMix64) -> LumaPicture? {
        func between(_ low: Float, _ high: Float) -> Float { low + (high - low) * Float(random.below(10_001)) / 10_000 }
        let module = between(0.8, 5)
        let (width, height) = (16 + random.below(560), 16 + random.below(420))
        // The way of a module to the right and of one down; at times steep, and at times mirrored.
        let turns: [(Float, Float)] = [(1, 0), (0, 1), (-1, 0), (0.966, 0.259), (0.707, -0.707), (0.94, -0.34)]
        let (c, s) = turns[random.below(turns.count)]
        let (slant, squeeze) = (between(-0.3, 0.3), between(0.7, 1.2) * (random.below(8) == 0 ? -1 : 1))
        let (ax, ay) = (c * module, s * module)
        let (bx, by) = ((-s + slant * c) * module * squeeze, (c + slant * s) * module * squeeze)
        let determinant = ax * by - ay * bx
        let middle = (Float(width) * between(0.3, 0.7), Float(height) * between(0.3, 0.7))
        let isInverted = random.below(4) == 0
        let (ink, paper) = (Float(random.below(90)), Float(110 + random.below(146)))
        let grain = random.below(3) == 0 ? random.below(60) : random.below(6)
        let stains = (0..<random.below(4)).map { _ in
            (random.below(width), random.below(height), 2 + random.below(40), UInt8(random.below(256)))
        }
        var pixels = [UInt8](repeating: 0, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                let (dx, dy) = (Float(x) - middle.0, Float(y) - middle.1)
                let u = Int(((dx * by - dy * bx) / determinant + Float(columns) / 2).rounded(.down))
                let v = Int(((dy * ax - dx * ay) / determinant + Float(rows) / 2).rounded(.down))
                let isDark = u >= 0 && v >= 0 && u < columns && v < rows && self[v, u]
                let level = (isDark != isInverted ? ink : paper) + Float(random.below(2 * grain + 1) - grain)
                pixels[y * width + x] = UInt8(max(0, min(255, level)))
            }
        }
        for (left, top, side, tone) in stains {
            for y in top..<min(top + side, height) {
                for x in left..<min(left + side, width) { pixels[y * width + x] = tone }
            }
        }
        return LumaPicture(width: width, height: height, pixels: pixels)
    }
}
