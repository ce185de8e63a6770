import ArgumentParser
import CodeReader
import DataMatrix
import FuzzTargets
import Luma
import Scene
import SeededRandom

/// Symbols that are in order, error correction and all, and say what no honest writer writes.
struct CodeFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codes",
        abstract: "Feed hostile codewords of QR codes, Data Matrix symbols and Code 128 to what makes a text of them.",
        discussion: """
            Anybody can print such symbols. Data codewords are drawn by lot, with switches to each encodation among them; \
            those of a Data Matrix get their error correction, some damage, and go through its modules, those of Code 128 are \
            drawn. A text must be bounded, and right data must not be taken for damaged.

            Exit codes: 0 nothing was found, 1 something did not hold; a crash is a crash.
            """)

    @OptionGroup var options: FuzzOptions

    func run() throws {
        let reader = CodeReader([.code128])
        try draw("qr", Self.qr)
        try draw("datamatrix", Self.dataMatrix)
        try draw("code128") { try Self.code128(&$0, reader) }
    }

    /// - Parameter feed: draws one symbol; whether a text came of it.
    private func draw(_ kind: String, _ feed: (inout SplitMix64) throws -> Bool) throws {
        var random = SplitMix64(seed: options.seed)
        try options.run(kind) { _ in try feed(&random) }
    }

    // MARK: QR codes

    private static func qr(_ random: inout SplitMix64) throws -> Bool {
        let version = 1 + random.below(40)
        var data = random.bytes(1 + random.below(random.below(20) == 0 ? 2956 : 60))
        segments(&random, version, &data)
        guard let text = QRText(data, version: version, isStrict: random.below(4) == 0) else { return false }
        guard !text.value.isEmpty, text.value.count <= 4 * CodeReader.maximumLength else {
            throw Violation(description: "a text of \(text.value.count) bytes")
        }
        return true
    }

    /// Writes segments with few characters over the data, until one does not fit; what they hold stays by lot, low numbers
    /// mostly, so that digits and letters may be some.
    private static func segments(_ random: inout SplitMix64, _ version: Int, _ data: inout [UInt8]) {
        var position = 0
        func write(_ value: Int, _ width: Int) {
            for bit in (0..<width).reversed() where position < data.count * 8 {
                let mask: UInt8 = 0x80 >> UInt8(position % 8)
                if value >> bit & 1 == 1 { data[position / 8] |= mask } else { data[position / 8] &= ~mask }
                position += 1
            }
        }
        func width(_ small: Int, _ middle: Int, _ large: Int) -> Int {
            version < 10 ? small : version < 27 ? middle : large
        }
        while random.below(8) != 0, position < data.count * 8 {
            let mode = [1, 2, 3, 4, 5, 7, 8, 9][random.below(8)]
            let count = random.below(20)
            write(mode, 4)
            switch mode {
            case 1:
                write(count, width(10, 12, 14))
                for _ in 0..<count / 3 { write(random.below(1001), 10) }
                write(random.below(100), [0, 4, 7][count % 3])
            case 2:
                write(count, width(9, 11, 13))
                for _ in 0..<count / 2 { write(random.below(2026), 11) }
                write(random.below(46), 6 * (count % 2))
            case 3: position += 16
            case 4:
                write(count, width(8, 16, 16))
                position += 8 * count
            case 7: write(random.below(40), 8)
            case 8:
                write(count, width(8, 10, 12))
                position += 13 * count
            case 9: position += 8
            default: break
            }
        }
        write(0, 4)
    }

    // MARK: Data Matrix

    private static func dataMatrix(_ random: inout SplitMix64) throws -> Bool {
        // Half are small ones, which take no time.
        let size = SymbolSize.all[random.below(random.below(2) == 0 ? SymbolSize.all.count : 12)]
        let data = hostile(&random, size.dataCodewords)
        var codewords = DataMatrixWriter.codewords(size, data: data)
        let damage = random.below(4) == 0 ? random.below(size.codewords) : 0
        for _ in 0..<damage { codewords[random.below(codewords.count)] = UInt8(random.below(256)) }
        let modules = DataMatrixWriter.modules(size, codewords: codewords)
        let text = ModuleDecoder.decode(size) { modules[$0 * size.mappingColumns + $1] }
        if damage == 0, text != CodewordText(data)?.bytes {
            throw Violation(description: "what was written is not what is read: \(data)")
        }
        guard let text else { return false }
        guard !text.isEmpty, text.count <= 2 * size.dataCodewords + 9 else {
            throw Violation(description: "\(text.count) bytes of \(size.dataCodewords) codewords")
        }
        return true
    }

    /// Codewords of all kinds, or many low ones, which C40, Text and X12 take, with switches among them.
    private static func hostile(_ random: inout SplitMix64, _ count: Int) -> [UInt8] {
        let isLow = random.below(2) == 0
        var data = random.bytes(count)
        for place in data.indices {
            if isLow, place % 2 == 1 { data[place] %= 64 }
            if place == 0 ? random.below(8) != 0 : random.below(20) == 0 {
                data[place] = [129, 230, 231, 232, 233, 235, 236, 238, 239, 240, 241, 254][random.below(12)]
            }
        }
        return data
    }

    // MARK: Code 128

    private static func code128(_ random: inout SplitMix64, _ reader: CodeReader) throws -> Bool {
        // Characters that switch or shift the code set or have a function are 96 to 102.
        let values = (0..<1 + random.below(60)).map { (_: Int) -> Int in
            random.below(3) == 0 ? 95 + random.below(11) : random.below(106)
        }
        let row = Code128(start: 103 + random.below(3), values: values).row(module: 1 + random.below(3))
        let height = 10 + random.below(20)
        let pixels = (0..<height).flatMap { _ in row }
        guard let picture = LumaPicture(width: row.count, height: height, pixels: pixels) else { return false }
        let readings = picture.withPlane { reader.read($0) }
        guard readings.allSatisfy({ $0.value.count <= CodeReader.maximumLength }) else {
            throw Violation(description: "texts of \(readings.map(\.value.count)) bytes")
        }
        return !readings.isEmpty
    }
}
