import Geometry
import Luma
import Testing

@testable import CodeReader

/// Pictures made to cost time, memory or a crash. What they may cost is counted in units of ``WorkBudget``, not timed.
@Suite struct HostilePictureTests {
    /// Finder patterns side by side, as many as fit.
    private func lattice(width: Int, height: Int, module: Int) -> LumaPicture? {
        var pixels = [UInt8](repeating: 255, count: width * height)
        let cell = 9 * module
        for y in 0..<height {
            for x in 0..<width {
                let ring = max(abs(x % cell / module - 4), abs(y % cell / module - 4))
                if ring == 3 || ring <= 1 { pixels[y * width + x] = 0 }
            }
        }
        return LumaPicture(width: width, height: height, pixels: pixels)
    }

    @Test(arguments: [(1, 1), (1, 8192), (8192, 1), (23, 500), (24, 24), (25, 8192), (8192, 31), (4097, 2049)])
    func anySizeIsLookedAt(_ width: Int, _ height: Int) throws {
        let picture = try #require(lattice(width: width, height: height, module: 2))
        let stream = StreamReader([.qr])
        for _ in 0..<3 { #expect(picture.withPlane { stream.read($0) }.isEmpty) }
        #expect(picture.withPlane { CodeReader([.qr]).read($0) }.isEmpty)
    }

    @Test(arguments: 1...6)
    func fieldsOfFinderPatternsCostNoMoreThanTheirBudget(_ module: Int) throws {
        let picture = try #require(lattice(width: 1280, height: 720, module: module))
        let search = QRSearch(.frame)
        for isSharpened in [false, true] {
            for level in 0...2 {
                var budget = WorkBudget(1_000_000)
                picture.withPlane { plane in
                    search.begin(plane)
                    #expect(search.look(.init(level: level, isSharpened: isSharpened), &budget).readings.isEmpty)
                    search.end()
                }
                // The last step may overdraw, by a symbol of 177 modules at most.
                #expect(budget.left > -3_000_000)
            }
        }
    }

    @Test func aCodeAmongFinderPatternsIsRead() throws {
        var symbol = try DrawnSymbol(DrawnSymbol.hex, module: 4)
        (symbol.width, symbol.height) = (640, 480)
        let code = try symbol.picture()
        var field = try #require(lattice(width: 640, height: 480, module: 3))
        for y in 10..<155 { for x in 20..<165 { field.pixels[y * 640 + x] = code.pixels[y * 640 + x] } }
        let reader = StreamReader([.qr])
        let values = (0..<8).flatMap { _ in field.withPlane { reader.read($0) }.map(\.value) }
        #expect(Set(values) == [symbol.value])
    }

    @Test func oddStridesAreKeptTo() throws {
        let symbol = try DrawnSymbol(DrawnSymbol.hex)
        let picture = try symbol.picture()
        for padding in [1, 3, 17] {
            var padded: [UInt8] = []
            for row in 0..<picture.height {
                padded += picture.pixels[row * picture.width..<(row + 1) * picture.width]
                padded += (0..<padding).map { _ in UInt8(row & 0xFF) }
            }
            let readings = padded.withUnsafeBufferPointer {
                CodeReader([.qr]).read(
                    LumaPlane(
                        base: $0.baseAddress!, width: picture.width, height: picture.height,
                        stride: picture.width + padding))
            }
            #expect(readings.map(\.value) == [symbol.value])
        }
    }
}
