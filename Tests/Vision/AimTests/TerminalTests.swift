import Camera
import Eyes
import Foundation
import Testing

/// `srup-observer aim` without a page.
@Suite(.serialized) struct TerminalTests {
    @Test func aCodeThatIsReadWellIsGoodAndTheExitCodeSaysSo() throws {
        let run = try AimRun()
        try run.show(Drawing().frames(2))
        #expect(try run.run(["--seconds", "2.5", "--json"]) == 0)
        let last = try #require(run.lines("aim").last)
        #expect(last["advice"] as? String == "good" && last["text"] as? String == "good: read 10 of the last 10 frames")
        #expect(last["kind"] as? String == "qr" && last["read"] as? Bool == true)
        let module = try #require(last["module"] as? Double)
        #expect(abs(module - 4) < 0.4)
        #expect(last["off"] as? [String] == [] && last["left"] as? Int == 0)
        // At most five a second.
        #expect((5...14).contains(run.lines("aim").count))
    }

    @Test func anEmptyDeskIsExitCodeOneAndNoCameraIsSixtyNine() throws {
        let run = try AimRun()
        try run.show(Drawing { $0.scene.hasDevice = false }.frames(1))
        #expect(try run.run(["--seconds", "1"]) == 1)
        #expect(run.output.contains("NO CODE IN VIEW") && run.output.contains("end: "))
        #expect(run.output.contains("wanted: module 3 px or more, sharpness 50 % or more, brightness 60 to 245"))
        // It fits a terminal; what is left of the second is less than one.
        let lines = run.output.split(separator: "\n").filter { $0.contains(" - ") }
        #expect(!lines.isEmpty && lines.allSatisfy { $0.count < 80 && $0.hasSuffix(", 0:00") }, "\(lines)")
        let other = try AimRun()
        let absent = NSTemporaryDirectory() + "absent-\(UUID().uuidString)"
        #expect(try other.run(["--seconds", "0.5"], device: "folder:\(absent)") == 69)
        #expect(other.output.contains("lost: \(absent) is not there"))
    }

    @Test func aRecordingPlaysTheCamera() throws {
        let run = try AimRun()
        var bytes = Data("YUV4MPEG2 W1280 H720 F10:1 Cmono\n".utf8)
        for frame in try Drawing().frames(10) {
            bytes.append(Data("FRAME\n".utf8))
            bytes.append(contentsOf: frame.pixels)
        }
        let path = run.runner.path("eye.y4m")
        try bytes.write(to: URL(fileURLWithPath: path))
        #expect(try run.run(["--seconds", "3", "--json"], device: "y4m:\(path)") == 0)
        #expect(run.lines("aim").contains { $0["read"] as? Bool == true })
    }

    @Test func aBusyCameraComesWithWhatToDo() {
        let error = CameraError.busy("/dev/video0", holder: "srup-witness (123)")
        #expect(error.description.contains("held by srup-witness (123)"))
        #expect(error.remedy == "systemctl stop srup-observer, or wait until the watch ends")
        #expect(CameraError.absent("/dev/video0").remedy == nil)
    }
}
