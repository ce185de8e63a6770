import CodeReader
import Foundation
import Glibc
import Testing

@testable import Camera

/// A stand-in for `rpicam-vid`, which runs on a Pi with a camera module only: it takes the real one's options and writes what
/// that is documented to write, raw YUV 4:2:0 frames on standard output. It shows our side of the pipe and nothing of the Pi's.
enum StandIn {
    /// Frames as they come from a camera, from the file `frame` beside it.
    static let frames = "while cat \"${0%/*}/frame\"; do sleep 0.03; done"

    /// The real one's options, as far as they are used, and what it says of another one; its values are checked where it checks them.
    static let options = #"""
        wrong() { echo "ERROR: *** $1 ***" >&2; exit 255; }
        while [ $# -gt 0 ]; do
            case "$1" in
                --codec) [ "$2" = yuv420 ] || wrong "unrecognised codec $2"; shift 2 ;;
                --width | --height | --framerate | --timeout | --verbose)
                    case "$2" in "" | *[!0-9]*) wrong "the argument ('$2') for option '$1' is invalid" ;; esac
                    shift 2 ;;
                --output) [ "$2" = - ] || wrong "failed to open output file $2"; shift 2 ;;
                --nopreview | --flush) shift ;;
                --*) wrong "unrecognised option '$1'" ;;
                *) wrong "too many positional options have been specified on the command line" ;;
            esac
        done
        """#

    static func install(_ script: String, in folder: String) throws {
        let text = "#!/bin/sh\necho \"$@\" >>\"$0.arguments\"\n\(options)\n\(script)\n"
        try text.write(toFile: folder + "/rpicam-vid", atomically: true, encoding: .utf8)
        chmod(folder + "/rpicam-vid", 0o755)
    }

    /// The picture of the code, its columns cut or filled up to `width`.
    static func writeFrame(in folder: String, width: Int, height: Int) throws {
        let picture = try StillPicture.read(CameraFile.path("jpeg-control.jpg"))
        var luma: [UInt8] = []
        for row in 0..<height {
            let line = picture.pixels[row * picture.width..<(row + 1) * picture.width].prefix(width)
            luma += line + [UInt8](repeating: 200, count: width - line.count)
        }
        let frame = luma + [UInt8](repeating: 128, count: width * height / 2)
        try Data(frame).write(to: URL(fileURLWithPath: folder + "/frame"))
    }
}

@Suite struct RPiCameraTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try StandIn.writeFrame(in: scratch.path, width: 640, height: 360)
    }

    func camera(_ script: String, width: Int = 640, height: Int = 360) throws -> RPiCamera {
        try StandIn.install(script, in: scratch.path)
        return try RPiCamera(width: width, height: height, path: scratch.path)
    }

    /// The values in the next frames until `count` have come.
    func values(_ camera: RPiCamera, frames count: Int) throws -> [String] {
        var values: [String] = []
        var frames = 0
        let reader = StreamReader([.qr])
        let deadline = ContinuousClock.now + .seconds(30)
        while frames < count, ContinuousClock.now < deadline {
            let came = try camera.next(timeout: 200, interrupt: -1) { plane in
                #expect(plane.width == camera.format.width && plane.height == camera.format.height)
                values += reader.read(plane).map { String(decoding: $0.value, as: UTF8.self) }
            }
            if came { frames += 1 }
        }
        #expect(frames == count)
        return values
    }

    /// The error that ends it.
    func problem(_ camera: RPiCamera) -> CameraError? {
        let deadline = ContinuousClock.now + .seconds(40)
        do {
            while ContinuousClock.now < deadline { _ = try camera.next(timeout: 200, interrupt: -1) { _ in } }
            return nil
        } catch {
            return error
        }
    }

    @Test func framesAreReadOneAfterTheOther() throws {
        let camera = try camera(StandIn.frames)
        #expect(!camera.isReady)
        #expect(try values(camera, frames: 20) == [String](repeating: CameraFile.value, count: 20))
        #expect(camera.isReady && camera.summary.hasPrefix("YU12 640x360 from rpicam"))
        let arguments = try String(contentsOfFile: scratch.path + "/rpicam-vid.arguments", encoding: .utf8)
        #expect(
            arguments
                == "--codec yuv420 --width 640 --height 360 --framerate 15 --timeout 0 --nopreview --flush --verbose 0 --output -\n"
        )
    }

    /// An option that it does not know would end the real one at once.
    @Test func theStandInTakesTheRealOnesOptionsOnly() throws {
        try StandIn.install("exit 0", in: scratch.path)
        for (arguments, code) in [
            (["--codec", "yuv420", "--flush", "--output", "-"], 0), (["--codec", "h265"], 255),
            (["--widht", "640"], 255),
            (["--width", "x"], 255), (["640"], 255),
        ] {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: scratch.path + "/rpicam-vid")
            process.arguments = arguments
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == Int32(code), "\(arguments)")
        }
    }

    /// Lines of other widths would be filled up by the image processor.
    @Test func onlyWidthsThatNeedNoFillingAreAskedFor() {
        for (wanted, width) in [(1280, 1280), (1296, 1280), (1920, 1920), (800, 832), (1, 64), (9000, 8192)] {
            let size = RPiCamera.size(width: wanted, height: 721)
            #expect(size.width == width && size.height == 720)
        }
    }

    @Test func framesThatComeInSmallPiecesArePutTogether() throws {
        let pieces =
            "while true; do for part in 0 1 2 3 4; do dd if=\"${0%/*}/frame\" bs=69120 skip=$part count=1 2>/dev/null; sleep 0.1; done; done"
        #expect(try values(camera(pieces), frames: 4).count == 4)
    }

    @Test func aSlowReaderGetsNewFrames() throws {
        let camera = try camera(StandIn.frames)
        for _ in 0..<4 {
            usleep(300_000)
            #expect(try values(camera, frames: 1) == [CameraFile.value])
        }
        #expect(camera.dropped > 0)
    }

    @Test func itsEndIsToldWithItsLastWords() throws {
        let error = problem(
            try camera(
                "cat \"${0%/*}/frame\"; printf 'INFO x\\nERROR: *** \\033[31mno cameras available ***\\n' >&2; exit 255"
            ))
        #expect(error?.description.contains("exited with code 255") == true)
        #expect(error?.description.contains("no cameras available") == true)
        #expect(error?.description.contains("\u{1B}") == false)
        let killed = problem(try camera("cat \"${0%/*}/frame\"; kill -9 $$"))
        #expect(killed?.description.contains("signal 9") == true)
    }

    @Test func aFrameThatIsCutShortIsNotWaitedForForEver() throws {
        let error = problem(try camera("head -c 100000 \"${0%/*}/frame\"; exec sleep 600"))
        #expect(error?.description.contains("it ends after 100000 of 345600 bytes") == true)
    }

    @Test func framesOfAnotherSizeAreNoticed() throws {
        let error = problem(try camera("while head -c 300000 \"${0%/*}/frame\"; do sleep 0.04; done"))
        #expect(error?.description.contains("frames of another size than 640x360") == true)
    }

    @Test func garbageIsAPictureOfNothing() throws {
        #expect(try values(camera("exec cat /dev/urandom"), frames: 10).isEmpty)
    }

    @Test func whoSaysMuchDoesNotHoldItUp() throws {
        let script =
            "(while echo 'WARN something that is said again and again and again and again'; do :; done) >&2 & \(StandIn.frames)"
        #expect(try values(camera(script), frames: 10).count == 10)
    }

    @Test func whoClosesItsOutputAndGoesOnIsEnded() throws {
        let error = problem(try camera("echo $$ >\"$0.pid\"; exec >&-; exec sleep 600"))
        #expect(error?.description.contains("closed its output") == true)
        let text = try String(contentsOfFile: scratch.path + "/rpicam-vid.pid", encoding: .utf8)
        let process = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(becomesTrue { kill(process, 0) != 0 })
    }

    @Test func withoutTheProgramThatIsSaid() {
        let error = #expect(throws: CameraError.self) {
            try RPiCamera(width: 640, height: 360, path: NSTemporaryDirectory() + "absent-\(UUID().uuidString)")
        }
        #expect(error?.description.contains("rpicam-vid") == true)
    }
}
