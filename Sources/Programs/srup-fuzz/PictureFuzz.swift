import ArgumentParser
import CodeReader
import FuzzTargets
import Luma
import SeededRandom

/// Hostile pictures for the QR search: what is drawn looks like codes and is none, in any size and with any stride.
struct PictureFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pictures",
        abstract: "Feed hostile pictures to the reader of QR codes.",
        discussion: """
            Fields of finder patterns, torn and bent ones, stripes, noise, in pictures from one pixel to 8192 on a side, with \
            padded rows. Each goes through a reader of stills and one of streams; what must hold is checked: bounded lists, \
            bounded texts, four corners.

            Exit codes: 0 nothing was found, 1 something did not hold; a crash is a crash.
            """)

    @OptionGroup var options: FuzzOptions

    func run() throws {
        var painter = Painter(seed: options.seed)
        let (still, stream) = (CodeReader([.qr]), StreamReader([.qr]))
        try options.run("pictures") { number in
            let (pixels, width, height, stride) = painter.next()
            let readings = pixels.withUnsafeBufferPointer { pixels -> [Reading] in
                guard let base = pixels.baseAddress else { return [] }
                let plane = LumaPlane(base: base, width: width, height: height, stride: stride)
                return stream.read(plane) + (number % 4 == 0 ? still.read(plane) : [])
            }
            for reading in readings
            where reading.value.count > 4 * CodeReader.maximumLength || reading.corners.count != 4
                || reading.value.isEmpty
            {
                throw Violation(description: "a reading that cannot be: \(reading)")
            }
            guard readings.count <= 2 * CodeReader.maximumReadings else {
                throw Violation(description: "\(readings.count) readings")
            }
            return !readings.isEmpty
        }
    }
}

/// Draws hostile pictures; the same seed draws the same.
struct Painter {
    private var random: SplitMix64

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    mutating func next() -> (pixels: [UInt8], width: Int, height: Int, stride: Int) {
        let (width, height) = size()
        let stride = width + (random.below(2) == 0 ? 0 : random.below(40))
        var pixels = [UInt8](repeating: UInt8(random.below(256)), count: stride * height)
        for _ in 0...random.below(3) { layer(&pixels, width, height, stride) }
        return (pixels, width, height, stride)
    }

    private mutating func size() -> (Int, Int) {
        switch random.below(40) {
        case 0: (1 + random.below(30), 1 + random.below(30))
        case 1: (1 + random.below(8192), 1 + random.below(40))
        case 2: (1 + random.below(40), 1 + random.below(8192))
        case 3: (2000 + random.below(6193), 500 + random.below(1000))
        default: (20 + random.below(400), 20 + random.below(300))
        }
    }

    private mutating func layer(_ pixels: inout [UInt8], _ width: Int, _ height: Int, _ stride: Int) {
        let (left, top) = (random.below(width), random.below(height))
        let (right, bottom) = (
            min(width, left + 20 + random.below(width)), min(height, top + 20 + random.below(height))
        )
        let module = 1 + random.below(8)
        let cell = (7 + random.below(14)) * module
        let (ink, paper) = (UInt8(random.below(256)), UInt8(random.below(256)))
        let slant = random.below(5) - 2
        let kind = random.below(6)
        for y in top..<bottom {
            for x in left..<right {
                let (u, v) = (x + slant * y / 8, y - slant * x / 16)
                let isInk: Bool
                switch kind {
                case 0, 1: isInk = Self.isFinder(u, v, cell, module)
                case 2: isInk = Self.isFinder(u, v, cell, module) && random.next() & 15 != 0
                case 3: isInk = (u / module) & 1 == 0
                case 4: isInk = ((u / module) ^ (v / module)) & 1 == 0
                default: isInk = random.next() & 1 == 0
                }
                pixels[y * stride + x] = isInk ? ink : paper
            }
        }
    }

    /// Fields of finder patterns, timing patterns between them.
    private static func isFinder(_ u: Int, _ v: Int, _ cell: Int, _ module: Int) -> Bool {
        let column = ((u % cell) + cell) % cell / module
        let row = ((v % cell) + cell) % cell / module
        let ring = max(abs(column - 3), abs(row - 3))
        return ring == 3 || ring <= 1 || (ring > 4 && (column == 6 || row == 6) && (column + row) & 1 == 0)
    }
}
