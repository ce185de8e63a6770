import Glibc
import Geometry
import Luma
import Scene
import SeededRandom
import Testing

@testable import CodeReader

@Suite struct LinearCodeTests {
    func frame(
        _ text: String = "74C2CEF6", width: Int = 640, height: Int = 480, _ change: (inout SceneParameters) -> Void
    ) throws -> LumaPicture {
        let symbol = try #require(SceneSymbol(.code128, text))
        var scene = SceneParameters()
        scene.defocus = 0.6
        scene.setModule(2.2, modules: symbol.modules, height: height)
        change(&scene)
        var renderer = SceneRenderer(width: width, height: height, seed: 4)
        var pixels = [UInt8](repeating: 0, count: width * height)
        renderer.render(symbol.picture, scene, into: &pixels)
        return try #require(LumaPicture(width: width, height: height, pixels: pixels))
    }

    func texts(_ picture: LumaPicture) -> [String] {
        let reader = CodeReader(Symbology.linear)
        return picture.withPlane { reader.read($0) }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    @Test(arguments: Array(stride(from: Float(0), to: 180, by: 18)))
    func aCodeIsReadAtAnyAngle(_ roll: Float) throws {
        #expect(texts(try frame { $0.roll = roll }) == ["74C2CEF6"])
    }

    /// Modules of less than two pixels, and soft: narrow bars beside one another are no more than a shade.
    @Test(arguments: [1.4, 1.7] as [Float]) func aSmallSoftCodeIsRead(_ module: Float) throws {
        let picture = try frame {
            $0.defocus = 0.9
            $0.roll = 3
            $0.displaySize *= module / 2.2
        }
        #expect(texts(picture) == ["74C2CEF6"])
    }

    @Test func checkCharactersOfCode128AndCode93MustAgree() {
        // "AB" in code set B; the check is (104 + 33 + 2 * 34) % 103.
        #expect(BarText(.code128, [104, 33, 34, 102])?.value == Array("AB".utf8))
        #expect(BarText(.code128, [104, 33, 34, 101]) == nil && BarText(.code128, [33, 34, 102]) == nil)
        // "AB": C is (1 * 11 + 2 * 10) % 47, K is (1 * 31 + 2 * 11 + 3 * 10) % 47.
        #expect(BarText(.code93, [10, 11, 31, 36])?.value == Array("AB".utf8))
        #expect(BarText(.code93, [10, 11, 31, 35]) == nil && BarText(.code93, [31, 36]) == nil)
    }

    @Test func aTurnedCodeLightOnDarkIsRead() throws {
        let picture = try frame {
            $0.roll = 40
            $0.isInverted = true
        }
        #expect(texts(picture) == ["74C2CEF6"])
    }

    @Test func aStreamFindsATurnedCodeWithinItsRound() throws {
        let picture = try frame { $0.roll = 50 }
        let reader = StreamReader(Set(Symbology.allCases))
        // Within two seconds: a part of the frame in every fourth frame, and of what is in it as much as there is time for.
        var found: [Reading] = []
        for _ in 0..<60 where found.isEmpty { found = picture.withPlane { reader.read($0) } }
        #expect(found.contains { $0.value == Array("74C2CEF6".utf8) && $0.symbology == .code128 })
    }

    @Test(arguments: Clutter.allCases) func clutterHasNoLinearCodes(_ clutter: Clutter) throws {
        var scene = SceneParameters()
        scene.hasDevice = false
        var renderer = SceneRenderer(width: 640, height: 480, clutter: clutter, seed: 1)
        var pixels = [UInt8](repeating: 0, count: 640 * 480)
        renderer.render(nil, scene, into: &pixels)
        #expect(texts(try #require(LumaPicture(width: 640, height: 480, pixels: pixels))).isEmpty)
    }

    @Test func regionsAreBoundedInAnyPicture() throws {
        var random = SplitMix64(seed: 8)
        for (width, height) in [(1, 1), (16, 16), (17, 400), (400, 17), (48, 48), (640, 480)] {
            for pattern in 0..<3 {
                let pixels = (0..<width * height).map { index -> UInt8 in
                    switch pattern {
                    case 0: UInt8(truncatingIfNeeded: random.next())
                    case 1: index % width / 3 % 2 == 0 ? 0 : 255
                    default: (index / width / 40) % 2 == 0 ? (index % width / 2 % 2 == 0 ? 0 : 255) : 128
                    }
                }
                let picture = try #require(LumaPicture(width: width, height: height, pixels: pixels))
                picture.withPlane { plane in
                    #expect(LinearLocator.regions(plane).count <= LinearLocator.maximumRegions)
                }
                #expect(texts(picture).isEmpty)
            }
        }
    }

    @Test(arguments: [
        ("A+A-1234", "Aa-1234"), ("E+X+T /A%J/J/C", "Ext !?*#"), ("PLAIN 1.2", "PLAIN 1.2"), ("5+", "5+"),
        ("1+1", "1+1"),
        ("%U$A/O/Z%V", "\0\u{1}/:@"), ("+/A", "+/A"), ("", ""),
    ]) func code39SaysAllOfASCII(_ text: String, _ meant: String) {
        #expect(Code39.fullASCII(Array(text.utf8)) == Array(meant.utf8))
    }

    /// zbar prints a warning for each line of a code with start characters in its midst, with what the code says.
    @Test func aCodeFillsNoLog() throws {
        let reader = CodeReader(Symbology.linear)
        let values = [17, 21, 104, 76, 73, 48, 36, 101, 2, 66, 77, 76, 104, 93, 67, 29, 63, 58, 101]
        let row = Code128(start: 105, values: values).row(module: 2)
        let picture = try #require(LumaPicture(width: row.count, height: 40, pixels: (0..<40).flatMap { _ in row }))
        var name = Array("/tmp/said-XXXXXX".utf8CString)
        let (said, before) = (mkstemp(&name), dup(2))
        defer { for descriptor in [said, before] { close(descriptor) } }
        unlink(&name)
        fflush(nil)
        dup2(said, 2)
        _ = picture.withPlane { reader.read($0) }
        errno = 0
        perror("and this is said as ever")
        fflush(nil)
        dup2(before, 2)
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = pread(said, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        #expect(!text.contains("WARNING") && text.contains("as ever"), "\(text)")
    }

    @Test func shortUncheckedCodesAndFragmentsDoNotCount() {
        func reading(_ text: String, _ symbology: Symbology) -> Reading {
            Reading(value: Array(text.utf8), symbology: symbology, corners: [])
        }
        #expect(!reading("T", .code39).isPlausible && reading("T12", .code39).isPlausible)
        #expect(reading("T", .qr).isPlausible && reading("T", .dataMatrix).isPlausible)
        let whole = reading("74C2CEF6", .code128)
        let others = [reading("74C2", .code93), reading("74C2", .qr)]
        #expect(([reading("74C2", .code128), whole] + others).withoutFragments == [whole] + others)
    }
}

@Suite struct DataMatrixReadingTests {
    @Test func aDataMatrixInAStreamIsSeen() throws {
        let scene = try #require(DrawnScene(.dataMatrix, .rotation, grade: 2, width: 640, height: 480, seed: 3))
        let picture = try #require(LumaPicture(width: 640, height: 480, pixels: scene.pixels()))
        let reader = StreamReader(Set(Symbology.allCases))
        // Within two seconds: a part of the frame in every fourth frame, and of what is in it as much as there is time for.
        var found: [Reading] = []
        for _ in 0..<60 where found.isEmpty { found = picture.withPlane { reader.read($0) } }
        let reading = try #require(found.first)
        #expect(reading.symbology == .dataMatrix && reading.candidate != nil)
        #expect(picture.withPlane { CodeReader([.qr]).read($0) }.isEmpty)
    }
}
