import CodeReader
import Luma
import Presentation
import Scene
import Testing

@testable import Aiming

/// A picture with a code drawn into it, on light grey.
struct Drawing {
    let width = 1280
    let height = 720
    var pixels: [UInt8]
    /// Of the symbol without its quiet zone.
    private(set) var corners: [Sight.Point] = []

    init(background: UInt8 = 160) {
        pixels = [UInt8](repeating: background, count: 1280 * 720)
    }

    mutating func draw(_ hex: String, scale: Int, atX left: Int, y top: Int, dark: UInt8 = 20, light: UInt8 = 230)
        throws
    {
        let matrix = try Array(hex.utf8).withUnsafeBytes { try QRMatrix(hex: $0) }
        let (side, code) = matrix.pixels(scale: scale)
        for y in 0..<side where top + y < height {
            for x in 0..<side where left + x < width {
                pixels[(top + y) * width + left + x] = code[y * side + x] == 0 ? dark : light
            }
        }
        let (from, size) = (QRMatrix.quietZone * scale, matrix.size * scale)
        corners = [(0, 0), (0, size), (size, size), (size, 0)].map {
            Sight.Point(x: Float(left + from + $0.0), y: Float(top + from + $0.1))
        }
    }

    /// Means over `radius` pixels to each side, in both directions: a lens out of focus.
    mutating func blur(_ radius: Int) {
        for isAcross in [true, false] {
            let (lines, length) = isAcross ? (height, width) : (width, height)
            let (step, next) = isAcross ? (1, width) : (width, 1)
            for line in 0..<lines {
                let row = (0..<length).map { Int(pixels[line * next + $0 * step]) }
                var sums = [0]
                for value in row { sums.append(sums[sums.count - 1] + value) }
                for index in 0..<length {
                    let (low, high) = (max(index - radius, 0), min(index + radius + 1, length))
                    pixels[line * next + index * step] = UInt8((sums[high] - sums[low]) / (high - low))
                }
            }
        }
    }

    func withPlane<Result>(_ body: (LumaPlane) throws -> Result) rethrows -> Result {
        try pixels.withUnsafeBufferPointer {
            try body(LumaPlane(base: $0.baseAddress!, width: width, height: height, stride: width))
        }
    }
}

private let nonce = "0123456789abcdef0123456789abcdef"

@Suite struct AdviceTests {
    func sight(
        side: Float = 300, squeeze: Float = 1, module: Float? = 5, wasRead: Bool = true, sharpness: Float? = 0.9,
        dark: Float = 30, light: Float = 200, atX x: Float = 400, quality: FrameQuality? = nil
    ) -> Sight {
        let (right, bottom) = (x + side * squeeze, Float(200) + side)
        let corners = [(x, 200), (x, bottom), (right, bottom), (right, 200)].map { Sight.Point(x: $0.0, y: $0.1) }
        return Sight(
            width: 1280, height: 720, quality: quality ?? Drawing().withPlane { FrameQuality($0) },
            code: .init(
                corners: corners, module: module, wasRead: wasRead, sharpness: sharpness, dark: dark, light: light))
    }

    @Test func eachFaultHasItsAdvice() {
        #expect(Advice(sight()) == .good)
        #expect(Advice(sight(module: 1.8)) == .moveCloser)
        #expect(Advice(sight(module: 1.8, wasRead: false, sharpness: 0.1)) == .moveCloser)
        #expect(Advice(sight(wasRead: false, sharpness: 0.1)) == .outOfFocus)
        #expect(Advice(sight(squeeze: 0.4)) == .tiltLess)
        #expect(Advice(sight(squeeze: 0.6, wasRead: false)) == .tiltLess)
        #expect(Advice(sight(dark: 5, light: 40)) == .tooDark)
        #expect(Advice(sight(dark: 200, light: 255)) == .overexposed)
        #expect(Advice(sight(wasRead: false, dark: 150, light: 175)) == .glare)
        #expect(Advice(sight(atX: -100)) == .moveIn)
        #expect(Advice(sight(side: 690, atX: -100)) == .moveAway)
        #expect(Advice(sight(wasRead: false)) == .holdStill)
    }

    @Test func aLinearCodeHasNoModuleAndIsGood() {
        #expect(Advice(sight(module: nil)) == .good)
    }

    @Test func whatIsNoNumberDoesNoHarm() {
        let odd = Sight.Point(x: .nan, y: .infinity)
        let code = Sight.Code(
            corners: [odd, odd, odd, odd], module: .nan, wasRead: false, sharpness: .nan, dark: .nan, light: .nan)
        var sight = sight()
        sight.code = code
        _ = Advice(sight)
        _ = AimReport(sight)
        _ = Drawing().withPlane { CoarsePicture($0, hiding: [[odd, odd]]) }
    }

    @Test func framesAreJudgedInWords() throws {
        func advice(_ drawing: Drawing) -> Advice {
            Advice(Sight(width: 1280, height: 720, quality: drawing.withPlane { FrameQuality($0) }))
        }
        #expect(advice(Drawing(background: 8)) == .tooDark)
        #expect(advice(Drawing(background: 254)) == .overexposed)
        #expect(advice(Drawing(background: 120)) == .flat)
        var scene = Drawing()
        try scene.draw(nonce, scale: 10, atX: 300, y: 100)
        #expect(advice(scene) == .holdCodeUp)
        scene.blur(20)
        #expect(advice(scene) == .outOfFocus)
    }

    @Test func sharpnessFallsWithBlur() throws {
        var last: Float = 2
        for radius in [0, 2, 4, 8, 16] {
            var scene = Drawing()
            try scene.draw(nonce, scale: 10, atX: 300, y: 100)
            if radius > 0 { scene.blur(radius) }
            let sharpness = try #require(scene.withPlane { FrameQuality($0) }.sharpness)
            #expect(sharpness < last || (sharpness == 1 && last == 1))
            last = sharpness
        }
        #expect(last < 0.2)
    }
}

@Suite struct OnlookerTests {
    @Test(arguments: [3, 4, 8])
    func aCodeInViewIsFoundWithTheSizeOfItsModules(_ scale: Int) throws {
        var scene = Drawing()
        try scene.draw(nonce, scale: scale, atX: 300, y: 100)
        let sight = scene.withPlane { Onlooker([.qr]).look(at: $0) }
        let code = try #require(sight.code)
        #expect(code.wasRead)
        #expect(abs(try #require(code.module) - Float(scale)) < 0.35 * Float(scale))
        #expect(Advice(sight) == .good)
    }

    @Test func whatACodeSaysIsInNoReport() throws {
        var scene = Drawing()
        try scene.draw(nonce, scale: 6, atX: 300, y: 100)
        let report = AimReport(scene.withPlane { Onlooker([.qr]).look(at: $0) })
        #expect(report.read)
        #expect(!"\(report)".lowercased().contains("abcdef"))
        #expect(!report.line.lowercased().contains("abcdef"))
    }
}

@Suite struct CoarsePictureTests {
    /// What a reader makes of the picture that leaves, as it is and enlarged in two ways.
    func codes(_ picture: CoarsePicture) -> [Reading] {
        let reader = CodeReader([.qr])
        var found: [Reading] = []
        for factor in [1, 4, 10] {
            for isSmooth in [false, true] {
                let (width, height) = (picture.width * factor, picture.height * factor)
                var pixels = [UInt8](repeating: 0, count: width * height)
                for y in 0..<height {
                    for x in 0..<width {
                        pixels[y * width + x] =
                            isSmooth
                            ? smooth(picture, x, y, factor) : picture.pixels[y / factor * picture.width + x / factor]
                    }
                }
                found += pixels.withUnsafeBufferPointer {
                    reader.read(LumaPlane(base: $0.baseAddress!, width: width, height: height, stride: width))
                }
            }
        }
        return found
    }

    private func smooth(_ picture: CoarsePicture, _ x: Int, _ y: Int, _ factor: Int) -> UInt8 {
        let (fx, fy) = (Float(x) / Float(factor), Float(y) / Float(factor))
        let (left, top) = (Int(fx), Int(fy))
        func level(_ x: Int, _ y: Int) -> Float {
            Float(picture.pixels[min(y, picture.height - 1) * picture.width + min(x, picture.width - 1)])
        }
        let (u, v) = (fx - Float(left), fy - Float(top))
        let upper = level(left, top) * (1 - u) + level(left + 1, top) * u
        let lower = level(left, top + 1) * (1 - u) + level(left + 1, top + 1) * u
        return UInt8(upper * (1 - v) + lower * v)
    }

    @Test(arguments: [3, 6, 10, 15, 20, 21])
    func aCodeThatIsKnownIsPaintedOver(_ scale: Int) throws {
        var scene = Drawing()
        try scene.draw(nonce, scale: scale, atX: 100, y: 10)
        scene.withPlane { plane in
            // The trial is fair: the frame itself can be read.
            #expect(!CodeReader([.qr]).read(plane).isEmpty)
            let picture = CoarsePicture(plane, hiding: [scene.corners])
            #expect(picture.height == CoarsePicture.rowsWithKnownCodes)
            #expect(codes(picture).isEmpty)
            // Nothing of the code is left: its middle is one grey.
            let middle = scene.corners.reduce((x: Float(0), y: Float(0))) { ($0.x + $1.x / 4, $0.y + $1.y / 4) }
            #expect(picture.pixels[Int(middle.y) / 10 * picture.width + Int(middle.x) / 10] == CoarsePicture.cover)
        }
    }

    @Test(arguments: [3, 6, 10, 15, 20, 21])
    func aCodeThatIsNotKnownIsTooCoarseToBeRead(_ scale: Int) throws {
        var scene = Drawing()
        try scene.draw(nonce, scale: scale, atX: 37, y: 3)
        scene.withPlane { plane in
            for codes in [nil, []] as [[[Sight.Point]]?] {
                let picture = CoarsePicture(plane, hiding: codes)
                #expect(picture.height == CoarsePicture.rowsOtherwise)
                #expect(self.codes(picture).isEmpty)
            }
        }
    }

    @Test func smallAndOddFramesHavePicturesToo() {
        for (width, height) in [(1, 1), (17, 3), (64, 64), (641, 479)] {
            let pixels = [UInt8](repeating: 77, count: width * height)
            let picture = pixels.withUnsafeBufferPointer {
                CoarsePicture(
                    LumaPlane(base: $0.baseAddress!, width: width, height: height, stride: width), hiding: nil)
            }
            #expect(picture.pixels.allSatisfy { $0 == 77 })
            #expect(GreyJPEG()?.encode(picture)?.starts(with: [0xFF, 0xD8]) == true)
        }
    }
}
