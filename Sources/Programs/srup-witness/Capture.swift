import ArgumentParser
import Camera
import CodeReader
import Eyes
import Glibc
import Linux
import Program
import Synchronization

struct Capture: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look through a camera and print what it shows: to check a camera, its place, its light.",
        discussion: """
            Prints a line when the camera opens, when a code comes into view, for each of several, and when the camera is \
            lost (it is then tried again). Contacts no server and needs no identity. Ends at Ctrl-C.

            Exit codes: 0 a code was seen, 1 none was, 69 the camera never opened.
            """)

    @OptionGroup var eye: EyeOptions
    @OptionGroup var symbologies: SymbologyOptions
    @Option(help: ArgumentHelp("End after so many frames.", valueName: "n"))
    var frames: Int?
    @Option(help: ArgumentHelp("End after so many seconds.", valueName: "n"))
    var seconds: Double?
    @Flag(help: "One JSON object per line.")
    var json = false

    private struct Line: Codable {
        var event: String
        var device: String?
        var format: String?
        var width: Int?
        var height: Int?
        var value: String?
        var symbology: String?
        var frame: Int?
        var frames: Int?
        var reason: String?
        var seen: Int?
    }

    private struct Tally {
        var frames = 0
        var seen = 0
        var wasOpen = false
        var isDone = false
        /// When each value was seen last: of many codes in view a frame shows some.
        var lastFrames: [[UInt8]: Int] = [:]
    }

    /// A code that was not seen for so many frames and is seen again is told again.
    private static let absence = 30

    func run() throws {
        Libcamera.standIn(for: eye.address)
        // What was set on the camera is put back, however it ends: cameras keep it.
        StopSignals.take()
        signal(SIGPIPE, SIG_IGN)
        let session = try eye.session()
        let wanted = try symbologies.parsed()
        let readers = try symbologies.wantedReaders()
        let tally = Mutex(Tally())
        let box = Box(tally)
        let command = self
        session.start {
            let reader = StreamReader(wanted, readers: readers)
            let tuner = CameraTuner()
            return CameraHandlers(
                onEvent: { command.note($0, box) },
                onFrame: { plane in
                    let readings = reader.read(plane)
                    tuner.saw(reader.look)
                    command.note(readings, box)
                },
                tuner: tuner)
        }
        session.wake()
        let deadline = seconds.map { ContinuousClock.now + .seconds($0) }
        while !box.tally.withLock({ $0.isDone }), !StopSignals.came, deadline.map({ $0 > .now }) ?? true {
            usleep(10_000)
        }
        session.stop()
        let end = box.tally.withLock { ($0.frames, $0.seen, $0.wasOpen) }
        tell(
            Line(event: "end", frames: end.0, seen: end.1), "end: \(end.0) frames, \(end.1) with a code", asJSON: json)
        if !end.2 { throw ExitCode(Program.Code.unavailable.rawValue) }
        if end.1 == 0 { throw ExitCode(1) }
    }

    private final class Box: Sendable {
        let tally: Mutex<Tally>
        init(_ tally: consuming Mutex<Tally>) { self.tally = tally }
    }

    private func note(_ event: CameraEvent, _ box: Box) {
        switch event {
        case .opened(let summary, let format, let width, let height):
            box.tally.withLock {
                $0.wasOpen = true
                $0.lastFrames = [:]
            }
            let line = Line(
                event: "opened", device: eye.address.description, format: format, width: width, height: height)
            show(line, "opened: \(summary)", box)
        case .lost(let error):
            show(Line(event: "lost", reason: error.description), "lost: \(error)", box)
        }
    }

    private func note(_ readings: [Reading], _ box: Box) {
        let (frame, new) = box.tally.withLock { tally -> (Int, [Reading]) in
            if tally.isDone { return (tally.frames, []) }
            tally.frames += 1
            if !readings.isEmpty { tally.seen += 1 }
            if let frames, tally.frames >= frames { tally.isDone = true }
            let frame = tally.frames
            tally.lastFrames = tally.lastFrames.filter { frame - $0.value <= Self.absence }
            let new = readings.filter { tally.lastFrames[$0.value] == nil }
            for reading in readings { tally.lastFrames[reading.value] = frame }
            return (frame, new)
        }
        // For people a code that stays in view is one line; for programs every frame is.
        for reading in json ? readings : new {
            let value = String(decoding: reading.value, as: UTF8.self)
            show(
                Line(event: "sighting", value: value, symbology: reading.symbology.rawValue, frame: frame),
                "sighting: \(reading.symbology.rawValue): \(value.debugDescription.withoutControls) in frame \(frame)",
                box)
        }
    }

    /// Ends when nobody reads it any more.
    private func show(_ line: Line, _ text: String, _ box: Box) {
        if !tell(line, text, asJSON: json) { box.tally.withLock { $0.isDone = true } }
    }
}
