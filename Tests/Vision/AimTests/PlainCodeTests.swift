import Aiming
import Foundation
import Luma
import SeededRandom
import Testing

@testable import CodeReader
@testable import Scene

/// Codes as easy to read as they get: straight, sharp, of few grey levels, with large modules, before nothing at all.
/// What hides them must not need noise, or contrast, or small modules.
@Suite struct PlainCodeTests {
    struct Plain {
        let kind: SceneSymbol.Kind
        /// Pixels of the frame to a module.
        let module: Int
        /// Grey levels from dark to light.
        let contrast: Int
        let light: Int
        let size: (width: Int, height: Int)
        var noise = 0

        var name: String { "\(kind.rawValue)-\(size.width)-m\(module)-c\(contrast)-l\(light)-n\(noise)" }

        func frame(seed: UInt64) throws -> LumaPicture? {
            let text = kind == .code128 ? "00112233" : Drawing.text
            let symbol = try #require(SceneSymbol(kind, text))
            let side = symbol.modules * module
            // Linear codes may be higher than the frame.
            guard side <= size.width, kind == .code128 || side <= size.height else { return nil }
            var random = SplitMix64(seed: seed)
            let (left, top) = ((size.width - side) / 2 + Int(seed % 5), (size.height - side) / 2)
            let scale = symbol.picture.width / symbol.modules
            var pixels = [UInt8](repeating: UInt8(light), count: size.width * size.height)
            for y in max(0, top)..<min(size.height, top + side) {
                for x in max(0, left)..<min(size.width, left + side) {
                    let (u, v) = ((x - left) / module * scale, (y - top) / module * scale)
                    if symbol.picture.pixels[v * symbol.picture.width + u] == 0 {
                        pixels[y * size.width + x] = UInt8(light - contrast)
                    }
                }
            }
            if noise > 0 {
                for at in pixels.indices {
                    let change = Int(random.next() % UInt64(2 * noise + 1)) - noise
                    pixels[at] = UInt8(clamping: Int(pixels[at]) + change)
                }
            }
            return LumaPicture(width: size.width, height: size.height, pixels: pixels)
        }
    }

    /// When pictures are kept there are more of them.
    static let isThorough = ProcessInfo.processInfo.environment["SRUP_SOFT_PICTURES"] != nil

    static let cases: [Plain] = {
        var cases: [Plain] = []
        for size in [(width: 1280, height: 720), (width: 640, height: 480)] {
            for kind in SceneSymbol.Kind.allCases {
                for module in isThorough ? [2, 3, 4, 6, 8, 11, 14, 17, 20, 24, 28] : [4, 11, 24] {
                    for (contrast, light) in [(4, 130), (12, 60), (16, 255), (24, 140), (200, 240)] {
                        cases.append(Plain(kind: kind, module: module, contrast: contrast, light: light, size: size))
                    }
                    cases.append(
                        Plain(kind: kind, module: module, contrast: 20, light: 140, size: size, noise: 12))
                }
            }
        }
        return cases
    }()

    /// What somebody does who wants to read a picture: all of the contrast there is, twice and four times the size, sharper.
    static func attacks(on picture: LumaPicture) throws -> [LumaPicture] {
        let stretched = try stretched(picture)
        let large = try enlarged(stretched)
        return [picture, stretched, try sharpened(stretched), large, try sharpened(large)]
    }

    private static func stretched(_ picture: LumaPicture) throws -> LumaPicture {
        let (low, high) = (Int(picture.pixels.min() ?? 0), Int(picture.pixels.max() ?? 255))
        let pixels = picture.pixels.map { UInt8((Int($0) - low) * 255 / max(1, high - low)) }
        return try #require(LumaPicture(width: picture.width, height: picture.height, pixels: pixels))
    }

    private static func enlarged(_ picture: LumaPicture) throws -> LumaPicture {
        let (width, height) = (picture.width, picture.height)
        var pixels: [UInt8] = []
        pixels.reserveCapacity(4 * width * height)
        for y in 0..<2 * height {
            let (row, next) = (y / 2 * width, min(y / 2 + (y & 1), height - 1) * width)
            for x in 0..<2 * width {
                let (at, beside) = (x / 2, min(x / 2 + (x & 1), width - 1))
                let sum =
                    Int(picture.pixels[row + at]) + Int(picture.pixels[row + beside])
                    + Int(picture.pixels[next + at]) + Int(picture.pixels[next + beside])
                pixels.append(UInt8(sum / 4))
            }
        }
        return try #require(LumaPicture(width: 2 * width, height: 2 * height, pixels: pixels))
    }

    /// Three times the difference from what is around.
    private static func sharpened(_ picture: LumaPicture) throws -> LumaPicture {
        let (width, height) = (picture.width, picture.height)
        var pixels = picture.pixels
        for y in 4..<max(4, height - 4) {
            for x in 4..<max(4, width - 4) {
                let at = y * width + x
                let around =
                    Int(picture.pixels[at - 4]) + Int(picture.pixels[at + 4]) + Int(picture.pixels[at - 4 * width])
                    + Int(picture.pixels[at + 4 * width])
                let here = Int(picture.pixels[at])
                pixels[at] = UInt8(clamping: here + 3 * (here - around / 4))
            }
        }
        return try #require(LumaPicture(width: width, height: height, pixels: pixels))
    }

    /// For readers that are no part of this project: Tests/Lanes/SoftPictures/attack.py reads what is left there.
    private func keep(_ picture: LumaPicture, _ name: String) throws {
        guard let folder = ProcessInfo.processInfo.environment["SRUP_SOFT_PICTURES"] else { return }
        var bytes = Data("P5\n\(picture.width) \(picture.height)\n255\n".utf8)
        bytes.append(contentsOf: picture.pixels)
        try bytes.write(to: URL(fileURLWithPath: "\(folder)/\(name).pgm"))
    }

    @Test(arguments: [true, false])
    func nobodyReadsPlainCodesOfAnySizeAndContrast(isLocating: Bool) throws {
        let (reader, zbar) = (CodeReader(), ZbarScanner(Set(Symbology.allCases)))
        var (sent, open) = (0, 0)
        for (number, plain) in Self.cases.enumerated() {
            guard let frame = try plain.frame(seed: UInt64(number)) else { continue }
            if isLocating, frame.withPlane({ !(zbar.scan($0) + reader.read($0)).isEmpty }) { open += 1 }
            guard let (picture, _) = try SafePictureTests.Eye().picture(frame, isLocating: isLocating) else { continue }
            sent += 1
            try keep(picture, "\(isLocating)-\(plain.name)")
            for (attack, picture) in try Self.attacks(on: picture).enumerated() {
                // Ours looks for finder patterns of any size in any picture; to try that in all sizes would take hours.
                let read = picture.withPlane { zbar.scan($0) + (attack < 3 ? reader.read($0) : []) }
                #expect(read.isEmpty, "\(plain.name), attack \(attack), located: \(isLocating)")
            }
        }
        #expect(!isLocating || open > sent / 3, "\(open) of \(Self.cases.count) frames could be read")
        #expect(sent > Self.cases.count / 3, "\(sent)")
    }

    /// A room in which edges are where they are: what a person goes by.
    @Test(arguments: [Clutter.desk, .posters])
    func aPersonSeesWhereTheCameraPoints(clutter: Clutter) throws {
        let drawing = Drawing { $0.clutter = clutter }
        let frame = try #require(try drawing.frames(1).first)
        let (picture, scale) = try #require(try SafePictureTests.Eye().picture(frame))
        try keep(picture, "room-\(clutter)")
        try keep(frame, "room-\(clutter)-frame")
        // The same room through glasses that show a 40th of its width, and how much of that is there.
        let (there, here) = (means(of: frame, side: 8 * scale), means(of: picture, side: 8))
        #expect(there.count == here.count)
        let same = zip(there, here).count { abs($0 - $1) < 24 }
        #expect(same > there.count * 3 / 4, "\(100 * same / there.count) %")
    }

    private func means(of picture: LumaPicture, side: Int) -> [Int] {
        var means: [Int] = []
        for top in stride(from: 0, to: picture.height - side + 1, by: side) {
            for left in stride(from: 0, to: picture.width - side + 1, by: side) {
                var sum = 0
                for y in top..<top + side {
                    for x in left..<left + side { sum += Int(picture.pixels[y * picture.width + x]) }
                }
                means.append(sum / (side * side))
            }
        }
        return means
    }
}
