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

@Suite struct CameraAddressTests {
    @Test(arguments: [
        ("auto", CameraAddress.automatic), ("rpicam", .module), ("/dev/video0", .device("/dev/video0")),
        ("by-id:usb-cam", .stable("usb-cam")),
        ("usb:046d:0825", .usb(vendor: 0x046D, product: 0x0825)), ("folder:/a b", .folder("/a b")),
        ("y4m:x.y4m", .recording("x.y4m")), ("fifo:/tmp/f", .fifo("/tmp/f")),
    ])
    func addressesAreReadAndWritten(_ text: String, _ address: CameraAddress) throws {
        #expect(try CameraAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", "video0", "auto:1", "rpicam:1", "usb:1:2", "usb:046d", "usb:zzzz:0000", "folder:", "by-id:../x", "http://x",
    ])
    func otherTextIsRefusedWithAdvice(_ text: String) {
        let error = #expect(throws: CameraError.self) { try CameraAddress(text) }
        #expect(error?.description.contains("/dev/video0") == true)
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
        let absent = #expect(throws: CameraError.self) { try StillPicture.read("/nonexistent.png") }
        #expect(absent == .absent("/nonexistent.png"))
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
    ])
    func hostileHeadersAreTypedErrors(_ text: String) {
        #expect(throws: CameraError.self) { try header(text) }
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
        for path in ["/dev/null", "/etc/passwd", "/nonexistent"] {
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
