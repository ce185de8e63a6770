import Foundation
import Glibc
import Linux
import TestProcesses
import Testing

@testable import Camera

/// The real program and cameras that no machine here has (see `cameras/fakecam.c`).
@Suite(.enabled(if: FakeCamera.isPossible, "no C compiler: cc"), .serialized)
struct FakeCameraTests {
    let machine: FakeCamera

    init() throws {
        machine = try FakeCamera()
    }

    /// What `capture` prints in a few seconds, or until so many frames have come.
    func capture(_ device: String = "auto", frames: Int = 10, seconds: Int = 20) throws -> [String] {
        try machine.witness(["capture", "--device", device, "--frames", "\(frames)", "--seconds", "\(seconds)"])
    }

    func sighting(_ lines: [String]) -> Bool {
        lines.contains { $0.hasPrefix("sighting") && $0.contains(CameraFile.value) }
    }

    // MARK: Pictures

    @Test(arguments: [
        "jpeg-control", "jpeg-avi1-without-dht", "jpeg-one-stray-byte-before-rst", "jpeg-without-eoi",
        "jpeg-progressive", "jpeg-grey", "jpeg-odd-sampling",
    ])
    func picturesThatAreNotToTheLetterAreRead(_ name: String) throws {
        try machine.plugCode(7, as: "\(name).jpg")
        #expect(try sighting(capture("/dev/video7")))
    }

    @Test func anEyeWhoseFramesAreAllDamagedIsLostWithThatReasonAndIsNeverReady() throws {
        try CameraFile.bytes("jpeg-control.jpg").prefix(500).withUnsafeBytes {
            try Data($0).write(to: URL(fileURLWithPath: machine.runner.path("cut.jpg")))
        }
        try machine.plug(7, ["format=MJPG 640x360@30", "frame=\(machine.runner.path("cut.jpg"))"])
        let lines = try capture("/dev/video7", seconds: 14)
        #expect(lines.filter { $0.hasPrefix("lost: all frames from /dev/video7 are damaged: ") }.count == 1, "\(lines)")
        #expect(!lines.contains { $0.hasPrefix("opened") })
        let findings = try machine.witness(["check", "camera", "--device", "/dev/video7"])
        #expect(
            findings.contains { $0.contains("problem: camera: all frames from /dev/video7 are damaged") },
            "\(findings)")
    }

    // MARK: Formats

    @Test func theSizeThatIsAskedForIsTakenThoughASmallerOneIsCheaper() throws {
        try machine.plug(7, ["format=MJPG 1280x720@30", "format=YUYV 640x480@30"])
        _ = try capture("/dev/video7", seconds: 1)
        #expect(machine.log.first == "format MJPG 1280x720")
    }

    @Test func whereTheBusHasNoRoomForAFormatTheNextIsTaken() throws {
        try machine.plug(
            7,
            [
                "format=YUYV 1280x720@15 640x480@30", "format=MJPG 1280x720@10", "limit=1000000",
                "frame=\(CameraFile.path("jpeg-control.jpg"))",
            ])
        #expect(try sighting(capture("/dev/video7")))
        #expect(machine.log == ["format YUYV 1280x720", "format MJPG 1280x720", "streaming"])
    }

    @Test func whereTheBusHasNoRoomForASizeASmallerOneIsTaken() throws {
        try machine.plug(
            7, ["format=YUYV 1280x720@30 1920x1080@30 640x480@30 320x240@30", "limit=20000000"])
        _ = try capture("/dev/video7", seconds: 1)
        // The larger one needs more still: it is not tried.
        #expect(machine.log == ["format YUYV 1280x720", "format YUYV 640x480", "streaming"])
    }

    @Test func whereTheBusHasNoRoomForAnythingThatIsSaid() throws {
        try machine.plug(7, ["format=YUYV 1280x720@30 640x480@30", "limit=1000"])
        let lines = try capture("/dev/video7", seconds: 2)
        #expect(
            lines.filter { $0.hasPrefix("lost") && $0.contains("USB bus has no bandwidth left") }.count == 1, "\(lines)"
        )
        let findings = try machine.witness(["check", "camera", "--device", "/dev/video7"])
        #expect(findings.contains { $0.contains("bandwidth") && $0.contains("another USB controller") }, "\(findings)")
    }

    // MARK: Any camera

    /// A Pi 4's own nodes, as they are without a camera.
    func plugPi4() throws {
        try machine.plug(10, ["driver=bcm2835-codec", "caps=0x04004000", "format=H264 1280x720"])
        try machine.plug(13, ["driver=bcm2835-isp", "caps=0x04000002", "format=pRAA 1280x720"])
        for number in [14, 15] {
            try machine.plug(
                number,
                [
                    "driver=bcm2835-isp", "caps=0x04000001", "format=YU12 640x480 1280x720", "format=YUYV 1280x720",
                    "quiet=1",
                ])
        }
        try machine.plug(16, ["driver=bcm2835-isp", "caps=0x04800000", "format=BSTA 64x64"])
    }

    @Test func aPisOwnNodesAreNoCameras() throws {
        try plugPi4()
        let lines = try capture(seconds: 2)
        #expect(lines.contains { $0.hasPrefix("lost: any camera") }, "\(lines)")
        #expect(machine.log.isEmpty)
    }

    @Test func anyCameraPassesOverWhatIsNone() throws {
        try plugPi4()
        try machine.plug(0, ["format=H264 1280x720"])
        try machine.plug(1, ["format=Z16 640x480"])
        try machine.plug(2, ["format=GREY 340x340@30"])
        try machine.plugCode(20)
        let lines = try capture()
        #expect(sighting(lines) && lines.contains { $0.contains("from /dev/video20") }, "\(lines)")
        #expect(machine.log.first == "format MJPG 640x360")
    }

    @Test func aGreyCameraIsBetterThanNone() throws {
        try machine.plug(0, ["format=H264 1280x720"])
        try machine.plug(2, ["format=GREY 340x340@30"])
        _ = try capture(seconds: 1)
        #expect(machine.log.first == "format GREY 340x340")
    }

    @Test func aNodeThatGivesNothingIsPassedOverForTheNext() throws {
        try machine.plug(0, ["format=MJPG 1280x720@30", "quiet=1"])
        try machine.plugCode(1)
        let lines = try capture()
        #expect(
            sighting(lines) && lines.contains { $0.hasPrefix("lost: /dev/video0 has delivered no frame") }, "\(lines)")
    }

    @Test func anH264CameraAloneIsNamed() throws {
        try machine.plug(0, ["format=H264 1280x720"])
        let lines = try capture(seconds: 2)
        #expect(lines.contains { $0.hasPrefix("lost: /dev/video0 offers no picture format") && $0.contains("H264") })
    }

    // MARK: A camera module's program

    /// A module's receiver, and a program of that name which does as `script` says.
    func plugModule(_ script: String) throws {
        try machine.plug(3, ["driver=unicam", "caps=0x04a00001", "format=pBAA 1280x720"], name: "unicam-image")
        try StandIn.install(script, in: machine.runner.path("bin"))
    }

    @Test func anyCameraIsTheModuleWhereItsProgramIs() throws {
        try plugModule(StandIn.frames)
        try StandIn.writeFrame(in: machine.runner.path("bin"), width: 640, height: 360)
        try machine.plugCode(4)
        for device in ["auto", "rpicam", "/dev/video3"] {
            let lines = try machine.witness(
                ["capture", "--device", device, "--size", "640x360", "--frames", "5", "--seconds", "20"])
            #expect(lines.contains { $0.hasPrefix("opened: YU12 640x360 from rpicam") }, "\(lines)")
            #expect(lines.contains { $0.contains(CameraFile.value) })
            try FileManager.default.removeItem(atPath: machine.runner.path("log/run.log"))
        }
    }

    @Test func anyCameraIsAnotherOneWhereTheModulesProgramFails() throws {
        try plugModule("echo 'ERROR: *** no cameras available ***' >&2; exit 255")
        try machine.plugCode(4)
        let lines = try capture()
        #expect(lines.contains { $0.hasPrefix("lost: rpicam") && $0.contains("no cameras available") }, "\(lines)")
        #expect(sighting(lines))
    }

    @Test func aModuleWithoutItsProgramAndWithoutTheLayerIsNoCamera() throws {
        try machine.plug(3, ["driver=unicam", "caps=0x04a00001", "format=BA81 1280x720"], name: "unicam-image")
        let lines = try capture(seconds: 1)
        #expect(lines.contains { $0.hasPrefix("lost: any camera") } && machine.log.isEmpty, "\(lines)")
        #expect(
            try machine.witness(["capture", "--device", "rpicam", "--seconds", "1"]).contains {
                $0.contains("rpicam-vid")
            })
    }

    /// Also when it was killed, and while its program says nothing.
    @Test func theProgramEndsWithItsReader() throws {
        try plugModule("echo $$ >\"$0.pid\"; exec sleep 600")
        try machine.start(["capture", "--device", "rpicam", "--seconds", "60"])
        #expect(
            becomesTrue {
                Int32(machine.text("bin/rpicam-vid.pid").trimmingCharacters(in: .whitespacesAndNewlines)) != nil
            })
        let process = try #require(
            Int32(machine.text("bin/rpicam-vid.pid").trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(kill(process, 0) == 0)
        machine.runner.kill9("run")
        #expect(becomesTrue { kill(process, 0) != 0 })
    }

    // MARK: What is set on the camera

    /// Exposure mode, exposure, gain.
    static let usual = "3 250 64"
    var controls: String { machine.text("controls").trimmingCharacters(in: .whitespacesAndNewlines) }

    /// A dark code with a stain that takes too much of it.
    func plugDarkCode() throws {
        let picture = try StillPicture.read(CameraFile.path("jpeg-control.jpg"))
        var pixels = picture.pixels.map { $0 / 4 }
        let code = pixels.indices.filter { picture.pixels[$0] < 60 }
        let rows = code.map { $0 / picture.width }
        let columns = code.map { $0 % picture.width }
        let (top, bottom) = (rows.min() ?? 0, rows.max() ?? 0)
        let (left, right) = (columns.min() ?? 0, columns.max() ?? 0)
        let side = (bottom - top) / 3
        for row in bottom - side..<bottom {
            for column in right - side..<right { pixels[row * picture.width + column] = 30 }
        }
        for row in top + side..<bottom - side {
            for column in left..<right { pixels[row * picture.width + column] = 30 }
        }
        try Data(pixels).write(to: URL(fileURLWithPath: machine.runner.path("dark.grey")))
        try machine.plug(7, ["format=GREY 640x360@30", "frame=\(machine.runner.path("dark.grey"))"])
        try machine.runner.write(Self.usual, to: "controls")
    }

    @Test func whatADeadRunLeftIsForgotten() throws {
        try machine.plugCode(7)
        try machine.runner.write("1 3 255", to: "controls")
        #expect(try sighting(capture("/dev/video7")))
        #expect(controls == Self.usual)
    }

    @Test(arguments: [SIGHUP, SIGTERM, SIGINT])
    func whatIsSetIsPutBackWhenASignalEndsIt(_ signal: Int32) throws {
        try plugDarkCode()
        for command in [["capture"], ["aim", "--json"]] {
            try machine.start(command + ["--device", "/dev/video7", "--seconds", "60"])
            #expect(becomesTrue { controls.hasPrefix("1 ") }, "\(machine.lines())")
            let process = try #require(machine.runner.processIdentifier("run"))
            kill(process, signal)
            #expect(becomesTrue { !machine.runner.isRunning("run") })
            #expect(controls == Self.usual, "\(command)")
        }
    }

    @Test func whatIsSetIsPutBackWhenNobodyReadsTheOutputAnyMore() throws {
        try plugDarkCode()
        try machine.start(
            ["capture", "--json", "--device", "/dev/video7", "--seconds", "60"], shell: "\"$0\" \"$@\" | read -r first")
        #expect(becomesTrue { controls.hasPrefix("1 ") }, "\(machine.lines())")
        // Now the code can be read: that are words for nobody.
        let picture = try StillPicture.read(CameraFile.path("jpeg-control.jpg"))
        try Data(picture.pixels).write(to: URL(fileURLWithPath: machine.runner.path("dark.grey")))
        #expect(becomesTrue { controls == Self.usual })
        #expect(becomesTrue { !machine.runner.isRunning("run") })
    }

    @Test(arguments: [SIGHUP, SIGTERM, 0])
    func theWitnessPutsBackWhatItHasSet(_ signal: Int32) throws {
        try plugDarkCode()
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let process = try ChildProcess.start(
            "/usr/bin/env",
            machine.environment + [ProgramRunner.ownFolder + "/srup-witness", "camera", "--device", "/dev/video7"],
            descriptors: [3: ends[1]])
        close(ends[1])
        #expect(write(ends[0], "wake\n", 5) == 5)
        #expect(becomesTrue { controls.hasPrefix("1 ") })
        if signal != 0 { kill(process, signal) } else { close(ends[0]) }
        #expect(ChildProcess.wait(process, until: .now + .seconds(20)) == .exited(0))
        if signal != 0 { close(ends[0]) }
        #expect(controls == Self.usual)
    }
}
