import Addresses
import Foundation
import Luma
import Synchronization
import Testing

@testable import Camera

/// A folder that goes with the test.
final class Scratch {
    let path = NSTemporaryDirectory() + "srup-camera-\(UUID().uuidString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
        return path + "/" + name
    }
}

@Suite struct PixelFormatTests {
    func luma(_ name: String, _ width: Int, _ height: Int, _ bytes: [UInt8], stride: Int = 0) throws -> [UInt8]? {
        let format = try #require(PixelFormat.table.first { $0.name == name })
        let converter = LumaConverter(format, width: width, height: height, stride: stride)
        return bytes.withUnsafeBufferPointer { frame in
            converter.withLuma(of: frame) { plane in
                (0..<plane.height).flatMap { row in (0..<plane.width).map { plane.base[row * plane.stride + $0] } }
            }
        }
    }

    @Test func eachLayoutGivesItsLuma() throws {
        #expect(try luma("GREY", 2, 2, [1, 2, 3, 4]) == [1, 2, 3, 4])
        #expect(try luma("GREY", 2, 2, [1, 2, 9, 3, 4, 9], stride: 3) == [1, 2, 3, 4])
        #expect(try luma("NV12", 2, 2, [1, 2, 3, 4, 128, 128]) == [1, 2, 3, 4])
        #expect(try luma("YUYV", 2, 2, [1, 128, 2, 128, 3, 128, 4, 128]) == [1, 2, 3, 4])
        #expect(try luma("UYVY", 2, 1, [128, 1, 128, 2]) == [1, 2])
        #expect(try luma("RGGB", 2, 2, [10, 20, 30, 40]) == [25, 25, 25, 25])
    }

    @Test func aFrameThatIsTooShortIsDamaged() throws {
        for name in ["GREY", "NV12", "YUYV", "UYVY", "RGGB"] {
            #expect(try luma(name, 4, 4, [UInt8](repeating: 0, count: 15)) == nil, "\(name)")
            #expect(try luma(name, 4, 4, []) == nil, "\(name)")
        }
        #expect(try luma("MJPG", 4, 4, [0xFF, 0xD8, 0xFF]) == nil)
    }

    @Test func aFormatIsKnownByItsFourCC() {
        #expect(PixelFormat.understood(0x5659_5559)?.name == "YUYV")
        #expect(PixelFormat.understood(1) == nil)
    }
}

@Suite struct StillPictureTests {
    func decode(_ text: String, _ rest: [UInt8] = []) throws -> LumaPicture {
        try StillPicture.decode(Array(text.utf8) + rest, name: "x")
    }

    @Test func portableGreyMapsAreRead() throws {
        #expect(try decode("P5\n2 2\n255\n", [1, 2, 3, 4]).pixels == [1, 2, 3, 4])
        #expect(try decode("P5 # a\n2 #b\n1\n255\n", [1, 2]).pixels == [1, 2])
        #expect(try decode("P5 2 1 65535\n", [0x80, 0, 0xFF, 0xFF]).pixels == [127, 255])
        #expect(try decode("P2\n2 1\n15\n0 15\n").pixels == [0, 255])
    }

    @Test(arguments: [
        "", "P5", "P5\n", "P5 2 2 255\n", "P5 0 2 255\n", "P5 -1 2 255\n", "P5 99999999999999 1 255\n",
        "P5 8193 1 255\n",
        "P5 2 2 0\n", "P5 2 2 65536\n", "P2 2 2 255 1 2 3", "P6 1 1 255\n...", "GIF89a", "\u{89}PNG",
    ])
    func whatIsNoPictureIsATypedError(_ text: String) {
        #expect(throws: CameraError.self) { try decode(text) }
    }

    @Test func aFileThatIsNoneIsNamed() throws {
        let path = NSTemporaryDirectory() + "absent-\(UUID().uuidString).png"
        let absent = #expect(throws: CameraError.self) { try StillPicture.read(path) }
        #expect(absent == .absent(path))
        #expect(throws: CameraError.self) { try StillPicture.read("/dev/null") }
        #expect(throws: CameraError.self) { try StillPicture.read("/tmp") }
    }

    /// Bits flipped in real PNG and JPEG headers: never a crash, never a picture beyond the limits.
    @Test func damagedPicturesAreErrorsOrPictures() throws {
        let png = Array(
            try #require(
                Data(
                    base64Encoded:
                        "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAAAAACMmsGiAAAADklEQVR4nGNgQAYcDAAAAGQAC2sIlYQAAAAASUVORK5CYII="
                )))
        var random = SystemRandomNumberGenerator()
        for _ in 0..<3000 {
            var bytes = png
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random() { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
            if let picture = try? StillPicture.decode(bytes, name: "x") {
                #expect(picture.pixels.count == picture.width * picture.height)
            }
        }
    }
}

/// Files of at most 1 MB whose headers ask for much: none may cost more than a second or 100 MB.
@Suite struct PictureWorkTests {
    private static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + data
        return number(data.count) + body + number(Int(crc32(0, body, UInt32(body.count))))
    }

    private static func number(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 0xFF) } }

    // Of zlib, which libpng has loaded.
    private typealias Check = @convention(c) (UInt, UnsafePointer<UInt8>, UInt32) -> UInt
    private typealias Compress =
        @convention(c) (UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<UInt>, UnsafePointer<UInt8>, UInt, Int32) ->
        Int32
    nonisolated(unsafe) private static let crc32 = unsafeBitCast(dlsym(nil, "crc32"), to: Check.self)
    nonisolated(unsafe) private static let compress = unsafeBitCast(dlsym(nil, "compress2"), to: Compress.self)

    /// Deflate's best case: the same byte again and again.
    private static func packed(_ count: Int, of byte: UInt8 = 0) -> [UInt8] {
        let data = [UInt8](repeating: byte, count: count)
        var out = [UInt8](repeating: 0, count: count / 500 + 1000)
        var size = UInt(out.count)
        guard compress(&out, &size, data, UInt(count), 9) == 0 else { return [] }
        return Array(out.prefix(Int(size)))
    }

    private static func png(
        _ width: Int, _ height: Int, depth: UInt8 = 8, colour: UInt8 = 0, interlaced: Bool = false,
        before: [UInt8] = [], after: [UInt8] = [], data: [UInt8]
    ) -> [UInt8] {
        let header = number(width) + number(height) + [depth, colour, 0, 0, interlaced ? 1 : 0]
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header) + before + chunk("IDAT", data)
            + after + chunk("IEND", [])
    }

    /// A grey progressive JPEG: coefficient after coefficient, bit after bit, and nothing in any of them.
    private static func jpeg(_ width: Int, _ height: Int, scans: Int) -> [UInt8] {
        func segment(_ marker: UInt8, _ data: [UInt8]) -> [UInt8] {
            [0xFF, marker, UInt8((data.count + 2) >> 8), UInt8((data.count + 2) & 0xFF)] + data
        }
        let size = [UInt8(height >> 8), UInt8(height & 0xFF), UInt8(width >> 8), UInt8(width & 0xFF)]
        var bytes: [UInt8] = [0xFF, 0xD8] + segment(0xDB, [0] + [UInt8](repeating: 1, count: 64))
        bytes += segment(0xC2, [8] + size + [1, 1, 0x11, 0])
        // One code each, of one bit: a run of blocks without anything (EOB14, with 14 bits for its length); no difference.
        bytes += segment(0xC4, [0x10, 1] + [UInt8](repeating: 0, count: 15) + [0xE0])
        bytes += segment(0xC4, [0x00, 1] + [UInt8](repeating: 0, count: 15) + [0x00])
        let blocks = ((width + 7) / 8) * ((height + 7) / 8)
        bytes += segment(0xDA, [1, 1, 0x00, 0, 0, 0x00]) + [UInt8](repeating: 0, count: blocks / 8 + 1)
        let runs = [UInt8](repeating: 0, count: (blocks / 16384 + 1) * 15 / 8 + 1)
        for scan in 1..<scans {
            let coefficient = UInt8(1 + (scan - 1) / 14 % 63)
            let bit = UInt8((scan - 1) % 14)
            let precision = bit == 0 ? 13 : (14 - bit) << 4 | (13 - bit)
            bytes += segment(0xDA, [1, 1, 0x00, coefficient, coefficient, precision]) + runs
        }
        return bytes + [0xFF, 0xD9]
    }

    static let heavy: [(name: String, bytes: [UInt8])] = {
        let small = packed(110)
        let text = [0x6B, 0, 0] + packed(7_900_000, of: 0x61)
        let texts = [[UInt8]](repeating: chunk("zTXt", text), count: 120).flatMap(\.self)
        let international = chunk("iTXt", [0x6B, 0, 1, 0, 0, 0] + packed(7_900_000, of: 0x61))
        let profile = chunk("iCCP", text)
        let unknown = [[UInt8]](repeating: chunk("abCd", []), count: 80000).flatMap(\.self)
        let transparent = [[UInt8]](repeating: chunk("tRNS", [0, 0]), count: 60000).flatMap(\.self)
        return [
            ("compressed texts", png(10, 10, before: texts, data: small)),
            ("compressed texts at the end", png(10, 10, data: small + texts)),
            (
                "international texts",
                png(10, 10, before: [[UInt8]](repeating: international, count: 120).flatMap(\.self), data: small)
            ),
            (
                "colour profiles",
                png(10, 10, before: [[UInt8]](repeating: profile, count: 120).flatMap(\.self), data: small)
            ),
            ("a chunk that says it has 1 GiB", png(10, 10, before: [0x40, 0, 0, 0] + Array("zTXt".utf8), data: small)),
            ("unknown chunks", png(10, 10, before: unknown, data: small)),
            ("chunks that are there once", png(10, 10, before: transparent, data: small)),
            ("64 megapixels in grey", png(8000, 8000, data: packed(8001 * 8000))),
            ("64 megapixels in 16-bit colours", png(8000, 8000, depth: 16, colour: 6, data: packed(64001 * 3000))),
            ("64 megapixels, interlaced", png(8000, 8000, depth: 1, interlaced: true, data: packed(1001 * 16000))),
            ("a JPEG of 2,000 scans", jpeg(1000, 1000, scans: 2000)),
            ("a large JPEG of 800 scans", jpeg(4000, 4000, scans: 800)),
            ("a JPEG of 64 megapixels in scans", jpeg(8000, 8000, scans: 2)),
            ("a P2 of 64 megapixels", Array("P2 8000 8000 255 1 2 3".utf8)),
            ("a P5 of 64 megapixels", Array("P5 8000 8000 255 1 2 3".utf8)),
            (
                "a PGM of comments",
                Array("P2 8000 8000 255".utf8) + [UInt8](repeating: UInt8(ascii: "#"), count: 900_000)
            ),
        ]
    }()

    /// Time of this thread and not of the clock: the machine may stand still.
    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    @Test(arguments: heavy.map(\.name))
    func noPictureCostsMoreThanItsSizeAllows(_ name: String) throws {
        let bytes = try #require(Self.heavy.first { $0.name == name }?.bytes)
        #expect(bytes.count <= 1 << 20)
        let start = processorTime()
        let picture = try? StillPicture.decode(bytes, name: "x")
        // A second where it is measured; what is bounded by nothing takes many times that.
        #expect(processorTime() - start < 5)
        _ = picture
    }

    @Test func usualPicturesAreStillRead() throws {
        for (bytes, width) in [
            (Self.png(10, 10, before: Self.chunk("tEXt", [0x6B, 0, 0x61]), data: Self.packed(110)), 10),
            (Self.png(4000, 3000, colour: 2, data: Self.packed(12001 * 3000)), 4000),
            (Self.png(4096, 4096, data: Self.packed(4097 * 4096)), 4096), (Self.jpeg(4000, 3000, scans: 10), 4000),
        ] {
            #expect(try StillPicture.decode(bytes, name: "x").width == width)
        }
        // What is beside the pixels and counts is kept: transparent black on white is white.
        let transparent = Self.png(2, 1, before: Self.chunk("tRNS", [0, 0]), data: Self.packed(3))
        #expect(try StillPicture.decode(transparent, name: "x").pixels == [255, 255])
    }

    /// libpng takes as much memory as a chunk says it has, before it looks how much is there.
    @Test func aChunkThatSaysMoreThanThereIsEndsTheFile() {
        let broken = Self.png(10, 10, before: [0x40, 0, 0, 0] + Array("zTXt".utf8), data: Self.packed(110))
        #expect(PNGChunks.withoutAncillary(broken) == Array(broken.prefix(33)))
        let whole = Self.png(10, 10, data: Self.packed(110))
        #expect(PNGChunks.withoutAncillary(whole) == whole)
    }

    @Test func scansAreCounted() {
        func work(_ bytes: [UInt8]) -> JPEGWork { bytes.withUnsafeBufferPointer { JPEGWork($0) } }
        let many = work(Self.jpeg(1000, 1000, scans: 2000))
        #expect(many.scans == 2000 && many.pixels == 1_000_000 && many.coefficients == 2_000_000)
        #expect(!many.isAccepted(bytes: 60000))
        #expect(work(Self.jpeg(4000, 3000, scans: 10)).isAccepted(bytes: 1000))
        #expect(work([]).isAccepted(bytes: 0) && work([0xFF, 0xD8, 0xFF]).isAccepted(bytes: 3))
    }
}

@Suite struct Y4MTests {
    func header(_ text: String) throws -> Y4MHeader { try Y4MHeader(Array(text.utf8), name: "x") }

    @Test func headersAreRead() throws {
        let mono = try header("YUV4MPEG2 W4 H2 F30:1 Ip A1:1 Cmono")
        #expect(mono.width == 4 && mono.height == 2 && mono.frameSize == 8)
        #expect(try header("YUV4MPEG2 W4 H2 F25:1").frameSize == 12)
        #expect(try header("YUV4MPEG2 W5 H3 C420jpeg").frameSize == 15 + 2 * 6)
        #expect(try header("YUV4MPEG2 W4 H2 C444").frameSize == 24)
        #expect(try header("YUV4MPEG2 W4 H2 C422").frameSize == 16)
    }

    @Test(arguments: [
        "", "YUV4MPEG", "YUV4MPEG2", "YUV4MPEG2 W0 H1", "YUV4MPEG2 W9999 H1", "YUV4MPEG2 W4 H-2",
        "YUV4MPEG2 W4 H2 C420p10",
        "YUV4MPEG2 W4 H2 F0:0", "YUV4MPEG2 W4 H2 F1", "YUV4MPEG2 W99999999999999999999 H2",
        "YUV4MPEG2 W4 H2 Finf:inf", "YUV4MPEG2 W4 H2 Fnan:1", "YUV4MPEG2 W4 H2 F1:nan", "YUV4MPEG2 W4 H2 F1e308:1",
        "YUV4MPEG2 W4 H2 F30:1:1", "YUV4MPEG2 W4 H2 F99999999999:1", "YUV4MPEG2 W4 H2 F-1:-1",
    ])
    func hostileHeadersAreTypedErrors(_ text: String) {
        #expect(throws: CameraError.self) { try header(text) }
    }

    @Test func aHeadersControlCharactersReachNoTerminal() {
        for text in ["YUV4MPEG2 W4 H2 C\u{1B}[2Jx", "YUV4MPEG2 W4 H2 F\u{1B}[2J:1"] {
            let error = #expect(throws: CameraError.self) { try header(text) }
            #expect(error?.description.unicodeScalars.contains { $0.value < 0x20 } == false)
        }
    }

    /// A header promises a frame of 200 MB; memory comes with the bytes only.
    @Test func aHeaderAloneTakesNoMemory() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let source = try Y4MSource(path, isPipe: true)
        let writer = open(path, O_WRONLY)
        defer { close(writer) }
        let bytes = Array("YUV4MPEG2 W8192 H8192 C444\nFRAME\n".utf8) + [UInt8](repeating: 1, count: 1000)
        #expect(write(writer, bytes, bytes.count) == bytes.count)
        #expect(try !source.next(timeout: 100, interrupt: -1) { _ in })
        #expect(source.format.width == 8192 && source.memory <= 1 << 20)
    }

    @Test func coloursAreReadAndPassedOver() throws {
        let scratch = try Scratch()
        let frame = Array("FRAME\n".utf8)
        let colours = [UInt8](repeating: 9, count: 2 * 300 * 300)
        func luma(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: 300 * 300) }
        let path = try scratch.write(
            Array("YUV4MPEG2 W300 H300 F1000:1 C444\n".utf8) + frame + luma(1) + colours + frame + luma(2) + colours,
            "c.y4m")
        #expect(try frames(Y4MSource(path, isPipe: false), 3) == [luma(1), luma(2), luma(1)])
    }

    /// Frames of a source until `count` have come or two seconds have passed.
    func frames(_ source: any FrameSource, _ count: Int) throws -> [[UInt8]] {
        var frames: [[UInt8]] = []
        let deadline = ContinuousClock.now + .seconds(2)
        while frames.count < count && ContinuousClock.now < deadline {
            _ = try source.next(timeout: 100, interrupt: -1) { plane in
                frames.append(Array(UnsafeBufferPointer(start: plane.base, count: plane.width * plane.height)))
            }
        }
        return frames
    }

    @Test func aRecordingIsPlayedRoundAndRound() throws {
        let scratch = try Scratch()
        let text = Array("YUV4MPEG2 W2 H1 F100:1 Cmono\n".utf8)
        let frame = Array("FRAME\n".utf8)
        let path = try scratch.write(text + frame + [1, 2] + frame + [3, 4], "a.y4m")
        #expect(try frames(Y4MSource(path, isPipe: false), 5) == [[1, 2], [3, 4], [1, 2], [3, 4], [1, 2]])
    }

    @Test func aBrokenRecordingIsATypedError() throws {
        let scratch = try Scratch()
        for (index, text) in [
            "YUV4MPEG2 W2 H1 Cmono\nFRAMX\n12", "YUV4MPEG2 W2 H1 Cmono\n", "", String(repeating: "x", count: 999),
        ].enumerated() {
            let path = try scratch.write(Array(text.utf8), "\(index).y4m")
            #expect(throws: CameraError.self, "\(text.prefix(40))") { try frames(Y4MSource(path, isPipe: false), 1) }
        }
    }

    @Test func aPipesWriterMayGoAndAnotherCome() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let source = try Y4MSource(path, isPipe: true)
        for (width, value) in [(2, 7), (3, 9)] as [(Int, UInt8)] {
            let writer = open(path, O_WRONLY)
            let bytes = Array("YUV4MPEG2 W\(width) H1 Cmono\nFRAME\n".utf8) + [UInt8](repeating: value, count: width)
            #expect(write(writer, bytes, bytes.count) == bytes.count)
            #expect(try frames(source, 1) == [[UInt8](repeating: value, count: width)])
            // Half a frame is forgotten with its writer.
            #expect(write(writer, Array("FRAME\n".utf8) + [1], 7) == 7)
            close(writer)
            #expect(try !source.next(timeout: 50, interrupt: -1) { _ in })
        }
    }
}

@Suite struct CameraSessionTests {
    final class Log: Sendable {
        let events = Mutex<[String]>([])
        let values = Mutex<Set<UInt8>>([])

        func wait(_ condition: @Sendable ([String]) -> Bool) -> Bool {
            let deadline = ContinuousClock.now + .seconds(10)
            while ContinuousClock.now < deadline {
                if events.withLock({ condition($0) }) { return true }
                usleep(5000)
            }
            return false
        }
    }

    func start(_ session: CameraSession) -> Log {
        let log = Log()
        session.start {
            CameraHandlers(
                onEvent: { event in
                    let text =
                        switch event {
                        case .opened(let summary, _, _, _): "opened \(summary)"
                        case .lost(let error): "lost \(error)"
                        }
                    log.events.withLock { $0.append(text) }
                },
                onFrame: { plane in
                    let first = plane.base[0]
                    log.values.withLock { _ = $0.insert(first) }
                }, onIdle: {}
            )
        }
        return log
    }

    @Test func aFolderIsWatchedForPicturesThatComeAndChange() throws {
        let scratch = try Scratch()
        let session = CameraSession(.folder(scratch.path), width: 64, height: 64)
        let log = start(session)
        session.wake()
        #expect(log.wait { !$0.isEmpty })
        for value in [10, 20] as [UInt8] {
            _ = try scratch.write(Array("P5 1 1 255\n".utf8) + [value], "new")
            rename(scratch.path + "/new", scratch.path + "/a.pgm")
            let deadline = ContinuousClock.now + .seconds(5)
            while !log.values.withLock({ $0.contains(value) }) && ContinuousClock.now < deadline { usleep(5000) }
            #expect(log.values.withLock { $0.contains(value) })
        }
        session.stop()
    }

    @Test func anAbsentCameraIsAnnouncedOnceAndFoundWhenItComes() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/late"
        let session = CameraSession(.folder(path), width: 64, height: 64)
        let log = start(session)
        session.wake()
        #expect(log.wait { $0 == ["lost \(path) is not there; is the camera plugged in?"] })
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        #expect(log.wait { $0.count == 2 && $0[1].hasPrefix("opened") })
        try FileManager.default.removeItem(atPath: path)
        #expect(log.wait { $0.count == 3 && $0[2].contains("unplugged") })
        session.stop()
    }

    @Test func whatIsNoCameraIsNamed() {
        for path in ["/dev/null", "/etc/passwd", NSTemporaryDirectory() + "absent-\(UUID().uuidString)"] {
            let error = #expect(throws: CameraError.self) {
                try CameraAddress.device(path).open(width: 640, height: 480)
            }
            #expect(error?.description.contains(path) == true)
        }
    }

    @Test func restClosesAndStopEndsAtOnce() throws {
        let scratch = try Scratch()
        let session = CameraSession(.folder(scratch.path), width: 64, height: 64)
        let log = start(session)
        session.wake()
        #expect(log.wait { $0.count == 1 })
        let begin = ContinuousClock.now
        session.rest()
        session.wake()
        #expect(log.wait { $0.count == 2 })
        session.stop()
        #expect(ContinuousClock.now - begin < .seconds(2))
    }
}
