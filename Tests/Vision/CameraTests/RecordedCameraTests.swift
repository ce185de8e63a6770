import AimPage
import Addresses
import CameraRecording
import CodeReader
import CodeWriter
import Foundation
import Luma
import ObservedValue
import Recording
import TestProcesses
import Testing

@testable import Camera

/// Cameras recorded by the real program, and replayed to it as folders, Y4M, FIFOs and V4L2 devices.
@Suite(.serialized) struct RecordedCameraTests {
    /// All recordings that there are, those of users as well.
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Recordings").standardizedFileURL.path
    static let shipped =
        (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted().filter { name in
            name.hasSuffix(".jsonl") && (try? Recording(contentsOf: "\(folder)/\(name)"))?.camera != nil
        } ?? []

    static let (width, height) = (640, 480)

    /// A room: grey, with fine stripes that blanking must take away.
    static func room() -> [UInt8] {
        (0..<width * height).map { index in
            let (x, y) = (index % width, index / width)
            return UInt8(120 + (x / 40 % 2) * 40 + (x + y) % 3 * 12)
        }
    }

    /// Puts a code into a picture.
    static func put(_ text: String, at x: Int, _ y: Int, module: Int = 5, _ pixels: inout [UInt8]) throws {
        let code = try QRMatrix(text: text)
        for row in -4 * module..<(code.size + 4) * module {
            for column in -4 * module..<(code.size + 4) * module {
                let isCode = (0..<code.size * module).contains(row) && (0..<code.size * module).contains(column)
                let isDark = isCode && code.isDark(column / module, row / module)
                pixels[(y + row) * width + x + column] = isDark ? 40 : 215
            }
        }
    }

    static func pgm(_ pixels: [UInt8]) -> Data { Data(Array("P5\n\(width) \(height)\n255\n".utf8) + pixels) }

    static func test(_ edge: Int) -> String { Hex.encode(TestValue(edge: edge)?.bytes ?? []).uppercased() }

    static func randomValue() -> String { Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) }).uppercased() }

    /// Records a folder with these pictures.
    func record(_ runner: ProgramRunner, _ pictures: [[UInt8]], seconds: Double = 3) throws -> Recording {
        let folder = runner.path("eye")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (number, picture) in pictures.enumerated() {
            try Self.pgm(picture).write(to: URL(fileURLWithPath: "\(folder)/\(number).pgm"))
        }
        try runner.must(
            "srup-observer",
            ["record", "--camera", "folder:\(folder)", "--seconds", "\(seconds)", "-o", runner.path("session.jsonl")],
            as: "record")
        return try Recording(contentsOf: runner.path("session.jsonl"))
    }

    // MARK: Replaying

    static func pictures(_ recording: Recording) throws -> [(picture: LumaPicture, tests: [Int])] {
        try recording.frames.map { (try StillPicture.decode($0.picture, name: "recorded"), $0.tests) }
    }

    /// The test sheet's codes that "capture" sees at an address.
    static func seen(_ runner: ProgramRunner, _ device: String, frames: Int) throws -> Set<Int> {
        let role = "capture-\(UUID().uuidString.prefix(8))"
        try runner.run(
            "srup-witness",
            ["capture", "--json", "--device", device, "--frames", "\(frames)", "--seconds", "20"], as: role)
        return tests(try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8))
    }

    static func tests(_ log: String) -> Set<Int> {
        Set(
            log.split(separator: "\n").compactMap { line in
                let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                guard let object, object["event"] as? String == "sighting" else { return nil }
                // A value that is no test sheet's has no business in a recording.
                return object["test"] as? Int ?? -1
            })
    }

    static func expected(_ recording: Recording) -> Set<Int> { Set(recording.frames.flatMap(\.tests)) }

    /// Replays as a folder, as Y4M and through a FIFO.
    func replay(_ file: String) throws {
        let recording = try Recording(contentsOf: file)
        let expected = Self.expected(recording)
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.must("srup-observer", ["record", "unpack", file, runner.path("unpacked")], as: "unpack")
        #expect(try Self.seen(runner, "folder:\(runner.path("unpacked"))", frames: 12) == expected)
        // A stream has one size: that of the pictures of codes.
        let pictures = try Self.pictures(recording).filter { !$0.tests.isEmpty }
        guard let first = pictures.first?.picture else { return }
        var stream = Array("YUV4MPEG2 W\(first.width) H\(first.height) F20:1 Cmono\n".utf8)
        // A pipe is read once, and frames that nobody is ready for are passed over: it plays them four times.
        for (picture, _) in pictures + pictures + pictures + pictures {
            stream += Array("FRAME\n".utf8) + picture.pixels
        }
        try Data(stream).write(to: URL(fileURLWithPath: runner.path("session.y4m")))
        #expect(try Self.seen(runner, "y4m:\(runner.path("session.y4m"))", frames: 12) == expected)
        let fifo = runner.path("fifo")
        #expect(mkfifo(fifo, 0o600) == 0)
        try runner.start("sh", ["-c", "cat \"$0\" > \"$1\"", runner.path("session.y4m"), fifo], as: "feeder")
        #expect(try Self.seen(runner, "fifo:\(fifo)", frames: pictures.count) == expected)
    }

    /// As a V4L2 device that offers what was recorded: the same mode is chosen, and the same codes are seen.
    func replayAsDevice(_ file: String) throws {
        let recording = try Recording(contentsOf: file)
        guard let camera = recording.camera, !camera.formats.isEmpty else { return }
        let machine = try FakeCamera()
        var lines = ["driver=\(camera.driver)", "card=\(camera.card)"]
        for format in camera.formats.prefix(16) {
            let sizes = format.sizes.prefix(16).compactMap { size in
                size.sides.map { "\($0.width)x\($0.height)@\(size.rates.first ?? 30)" }
            }
            if !sizes.isEmpty { lines.append("format=\(format.name) \(sizes.joined(separator: " "))") }
        }
        for (number, (picture, _)) in try Self.pictures(recording).enumerated() {
            let path = machine.runner.path("frame-\(number)")
            let frame = try #require(Self.frame(picture, camera))
            try Data(frame).write(to: URL(fileURLWithPath: path))
            lines.append("frame=\(path)")
        }
        try machine.plug(7, lines, name: camera.card)
        let output = try machine.witness([
            "capture", "--json", "--device", "/dev/video7", "--size", "\(camera.width)x\(camera.height)", "--frames",
            "20",
            "--seconds", "20",
        ])
        #expect(Self.tests(output.joined(separator: "\n")) == Self.expected(recording), "\(output)")
        #expect(machine.log.first == "format \(camera.format) \(camera.width)x\(camera.height)")
    }

    /// The bytes of a frame as a camera gives it; `nil` of a format that is not made here.
    static func frame(_ picture: LumaPicture, _ camera: RecordedCamera) -> [UInt8]? {
        let (width, height) = (camera.width, camera.height)
        var pixels = [UInt8](repeating: 0, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                pixels[y * width + x] =
                    picture.pixels[y * picture.height / height * picture.width + x * picture.width / width]
            }
        }
        switch camera.format {
        case "GREY": return pixels
        case "NV12", "YU12": return pixels + [UInt8](repeating: 128, count: width * height / 2)
        case "YUYV": return pixels.flatMap { [$0, 128] }
        case "MJPG", "JPEG":
            return LumaPicture(width: width, height: height, pixels: pixels).flatMap { JPEGEncoder()?.encoded($0) }
        default: return nil
        }
    }

    @Test(arguments: shipped) func aShippedRecordingReplaysToTheSameSightings(_ name: String) throws {
        #expect(!Self.expected(try Recording(contentsOf: "\(Self.folder)/\(name)")).isEmpty)
        try replay("\(Self.folder)/\(name)")
    }

    @Test(.enabled(if: FakeCamera.isPossible, "no C compiler: cc"), arguments: shipped)
    func aShippedRecordingReplaysThroughADevice(_ name: String) throws {
        try replayAsDevice("\(Self.folder)/\(name)")
    }

    // MARK: Recording

    @Test func whatIsRecordedNowReplaysToTheSameSightings() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        var picture = Self.room()
        try Self.put(Self.test(40), at: 60, 80, &picture)
        let recording = try record(runner, [Self.room(), picture])
        #expect(Self.expected(recording) == [40])
        #expect(recording.frames.contains { $0.tests.isEmpty })
        #expect((recording.tally?.read ?? 0) > 5)
        try replay(runner.path("session.jsonl"))
    }

    @Test func nothingButTheTestSheetsCodesIsInAPicture() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        var picture = Self.room()
        try Self.put(Self.test(40), at: 60, 80, &picture)
        let frames = try Self.pictures(record(runner, [picture])).filter { !$0.tests.isEmpty }
        #expect(!frames.isEmpty)
        for (frame, _) in frames {
            #expect(frame.width == Self.width && frame.height == Self.height)
            // Around the code a pixel is as large as the safe picture's: the room's stripes are gone.
            for y in 0..<Self.height {
                for x in stride(from: 360, to: Self.width, by: 2) {
                    let place = y * Self.width + x
                    #expect(frame.pixels[place] == frame.pixels[place + 1])
                }
            }
            #expect(frame.pixels[120 * Self.width + 60] == picture[120 * Self.width + 60])
        }
    }

    @Test(arguments: [true, false]) func aPictureWithAnotherCodeIsBlankedAsAWhole(_ isBesideATest: Bool) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let secret = Self.randomValue()
        var picture = Self.room()
        try Self.put(secret, at: 380, 80, &picture)
        if isBesideATest { try Self.put(Self.test(40), at: 60, 80, &picture) }
        let recording = try record(runner, [picture])
        #expect(Self.expected(recording).isEmpty && !recording.frames.isEmpty)
        for (frame, _) in try Self.pictures(recording) {
            #expect(frame.width <= 320)
            #expect(frame.withPlane { CodeReader().read($0) }.isEmpty)
        }
        let file = String(decoding: try recording.bytes(), as: UTF8.self)
        #expect(!file.lowercased().contains(secret.lowercased()))
    }

    @Test(.enabled(if: FakeCamera.isPossible, "no C compiler: cc"))
    func whatACameraOffersIsRecordedAndReplaysToTheSameMode() throws {
        let machine = try FakeCamera()
        var picture = Self.room()
        try Self.put(Self.test(15), at: 60, 80, &picture)
        try Data(picture.flatMap { [$0, 128] }).write(to: URL(fileURLWithPath: machine.runner.path("frame")))
        try machine.runner.write("3 250 64\n", to: "controls")
        try machine.plug(
            7,
            [
                "card=USB Camera SN00112233", "format=YUYV 640x480@30 320x240@30", "format=MJPG 1280x720@7.5",
                "frame=\(machine.runner.path("frame"))",
            ])
        let file = machine.runner.path("session.jsonl")
        let output = try machine.witness([
            "record", "--camera", "/dev/video7", "--size", "640x480", "--seconds", "2", "-o", file,
        ])
        let recording = try Recording(contentsOf: file)
        let camera = try #require(recording.camera, "\(output)")
        #expect(camera.driver == "uvcvideo" && camera.card == "USB Camera SN#")
        #expect(camera.formats.map(\.name) == ["YUYV", "MJPG"])
        #expect(camera.formats[1].sizes == [.init(size: "1280x720", rates: [7.5])])
        #expect(camera.controls.map(\.usual) == [3, 250, 64] && camera.controls.map(\.value) == [3, 250, 64])
        #expect(camera.format == "YUYV" && camera.width == 640)
        #expect(Self.expected(recording) == [15])
        #expect(!String(decoding: try recording.bytes(), as: UTF8.self).contains("00112233"))
        let shown = try machine.witness(["record", "show", file])
        #expect(shown.contains { $0.contains("MJPG 1280x720: 7.5 a second") }, "\(shown)")
        try replay(file)
    }

    @Test func whatCannotBeRecordedIsTold() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.write("rubbish\n", to: "rubbish.jsonl")
        for (arguments, code, words) in [
            (["record", "-o", "x"], 64, "say what to record: --camera, --reader"),
            (["record", "--camera", "/dev/nowhere", "-o", runner.path("x")], 69, "/dev/nowhere is not there"),
            (["record", "--camera", "auto", "--seconds", "0", "-o", "x"], 64, "--seconds must be from 1 to 120"),
            (["record", "--camera", "folder:/tmp", "-o", "/dev/null"], 69, "it is no regular file"),
            (["record", "show", runner.path("rubbish.jsonl")], 69, "it is no recording of \"srup-observer record\""),
            (["record", "show", runner.path("missing")], 69, "it cannot be read: No such file"),
        ] as [([String], Int32, String)] {
            #expect(try runner.run("srup-observer", arguments, as: "record") == code, "\(arguments)")
            #expect(runner.tail(of: "record").contains(words), "\(arguments): \(runner.tail(of: "record"))")
        }
    }
}
