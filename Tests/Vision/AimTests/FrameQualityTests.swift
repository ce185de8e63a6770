import Addresses
import ArgumentParser
import CodeReader
import Eyes
import Luma
import Testing

/// Numbers of one frame, on literal pictures.
@Suite struct FrameQualityTests {
    private func quality(
        _ width: Int = 120, _ height: Int = 90, in area: (columns: Range<Int>, rows: Range<Int>)? = nil,
        _ level: (Int, Int) -> Int
    ) throws -> FrameQuality {
        let pixels = (0..<width * height).map { UInt8(clamping: level($0 % width, $0 / width)) }
        let picture = try #require(LumaPicture(width: width, height: height, pixels: pixels))
        return picture.withPlane { FrameQuality($0, in: area) }
    }

    @Test func aWallHasALevelAndNoSharpness() throws {
        let wall = try quality { _, _ in 128 }
        #expect(wall.mean == 128 && wall.dark == 128 && wall.light == 128 && wall.contrast == 0)
        #expect(wall.black == 0 && wall.white == 0 && wall.sharpness == nil)
        #expect(wall.lighting == .flat && !wall.isOutOfFocus)
    }

    @Test func aSharpEdgeIsOneStepAndASoftOneMany() throws {
        let sharp = try quality { x, _ in x / 10 % 2 == 0 ? 20 : 220 }
        #expect(sharp.sharpness == 1 && sharp.lighting == .good && !sharp.isOutOfFocus)
        // From black to white in sixty pixels.
        let soft = try quality { x, _ in abs(x % 120 - 60) * 3 + 20 }
        #expect(try #require(soft.sharpness) < FrameQuality.minimumSharpness && soft.isOutOfFocus)
    }

    @Test func darknessAndGlareAreToldApart() throws {
        #expect(try quality { x, _ in x / 10 % 2 == 0 ? 2 : 45 }.lighting == .tooDark)
        // A lamp in a dark room is no light.
        #expect(try quality { x, _ in x < 118 ? 8 : 255 }.lighting == .tooDark)
        #expect(try quality { x, _ in x < 50 ? 40 : 255 }.lighting == .overexposed)
        #expect(try quality { x, _ in x / 10 % 2 == 0 ? 238 : 249 }.lighting == .overexposed)
        #expect(try quality { x, _ in x / 10 % 2 == 0 ? 120 : 130 }.lighting == .flat)
    }

    @Test func blackAndWhiteAreCountedInPercent() throws {
        let parts = try quality(100, 90) { x, _ in x < 25 ? 4 : x < 60 ? 128 : 251 }
        #expect(parts.black == 25 && parts.white == 40)
        let edges = try quality(100, 90) { x, _ in x < 25 ? 5 : 250 }
        #expect(edges.black == 0 && edges.white == 0)
    }

    @Test func onlyTheAreaCountsAndNoMoreThanThereIs() throws {
        func half(_ columns: Range<Int>) throws -> FrameQuality {
            try quality(in: (columns, 0..<90)) { x, _ in x < 60 ? 10 : 200 }
        }
        #expect(try half(0..<60).mean == 10 && half(60..<120).mean == 200)
        #expect(try half(60..<10_000).mean == 200)
        // Beside the picture there is nothing, and nothing is no error.
        let nothing = try half(500..<600)
        #expect(nothing.mean == 0 && nothing.black == 0 && nothing.sharpness == nil)
        #expect(try quality(in: (0..<120, 90..<90)) { _, _ in 255 }.white == 0)
    }

    @Test(arguments: [(1, 1), (2, 1), (1, 300), (3, 3)]) func tinyPicturesAreMeasured(_ width: Int, _ height: Int)
        throws
    {
        let tiny = try quality(width, height) { _, _ in 77 }
        #expect(tiny.mean == 77 && tiny.contrast == 0 && tiny.sharpness == nil)
    }
}

/// What people give on the command line for an eye.
@Suite struct EyeOptionTests {
    struct Command: ParsableCommand {
        @OptionGroup var eye: EyeOptions
        @OptionGroup var codes: SymbologyOptions
    }

    private func why(_ arguments: [String]) -> String {
        do {
            _ = try Command.parse(arguments)
            return ""
        } catch {
            return Command.message(for: error)
        }
    }

    @Test func withoutAnythingAnyCameraIsMeant() throws {
        let command = try Command.parse([])
        #expect(command.eye.address == .automatic && command.eye.wanted == (1280, 720))
        #expect(try command.codes.parsed() == [.qr, .dataMatrix, .code128, .code93, .code39])
    }

    @Test func whatIsGivenIsRead() throws {
        let command = try Command.parse([
            "--device", "folder:/tmp/x", "--size", "640x8192", "--symbologies", "code39,qr",
        ])
        #expect(command.eye.address == .folder("/tmp/x") && command.eye.wanted == (640, 8192))
        #expect(try command.codes.parsed() == [.qr, .code39])
    }

    @Test(arguments: [
        "x", "640", "640x", "x480", "63x480", "640x8193", "640x480x3", "-640x480", "640 x480", "6e2x480",
        "99999999999999999999x480", "640X480", "٦٤٠x480", "640x480x", "+640x480",
    ])
    func otherSizesAreRefused(_ size: String) {
        #expect(why(["--size=\(size)"]).contains("--size must be like 1280x720"))
    }

    @Test(arguments: [",", "qr,", "QR", "qr;code39", "aztec", "qr,,code39", "qr, code39"])
    func otherKindsOfCodeAreRefused(_ list: String) {
        #expect(why(["--symbologies=\(list)"]).contains("--symbologies takes"))
    }

    @Test func whoReadsIsChosen() throws {
        #expect(try Command.parse([]).codes.wantedReaders() == [.own, .zbar])
        #expect(try Command.parse(["--readers", "zbar"]).codes.wantedReaders() == [.zbar])
        #expect(try Command.parse(["--readers", "zbar,own"]).codes.wantedReaders() == [.own, .zbar])
    }

    @Test(arguments: [",", "own,", "Own", "zxing", "own zbar"])
    func otherReadersAreRefused(_ list: String) {
        #expect(why(["--readers=\(list)"]).contains("--readers takes own, zbar"))
    }

    @Test func anAddressThatIsNoneIsNamedWithWhatIsOne() {
        #expect(why(["--device", "usb:12"]).contains("usb:12"))
        #expect(why(["--device", ""]).contains("--device"))
    }
}
