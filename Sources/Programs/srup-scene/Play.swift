import ArgumentParser
import Camera
import Glibc
import Linux
import Luma
import Scene

struct Play: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play a camera that looks at a device's display.",
        discussion: """
            Writes Y4M frames in real time to a FIFO or a file, or one picture to FILE.pgm. The picture on the display is read \
            again whenever its file changes; without a file the display is dark.

              mkfifo /tmp/eye; srup-scene --picture nonce.png --output /tmp/eye
              srup-observer capture --device fifo:/tmp/eye
            """)

    @Option(
        help: ArgumentHelp("The picture on the device's display (PNG, JPEG, PGM); may come and go.", valueName: "file"))
    var picture: String?
    @Option(help: ArgumentHelp("A FIFO or file for Y4M, or a file ending in .pgm for one frame.", valueName: "path"))
    var output: String
    @Option(help: ArgumentHelp("Of each frame, in pixels.", valueName: "WxH"))
    var size = "1280x720"
    @Option(help: "Frames per second.")
    var fps = 30
    @Option(help: ArgumentHelp("End after so many seconds; otherwise it goes on until it is stopped.", valueName: "n"))
    var seconds: Double?
    @Option(help: "The same seed draws the same scene.")
    var seed: UInt64 = 1
    @Option(
        help: ArgumentHelp("demo (comes in, tilts, grows noisy), still, or a severity from 0 to 5.", valueName: "name"))
    var script = "still"
    @Option(help: ArgumentHelp("For one frame: when in the script it is, in seconds.", valueName: "n"))
    var at = 3.0
    @Option(
        help: ArgumentHelp(
            "Append \"<CLOCK_MONOTONIC> <frame> <1 if a picture is shown>\" per frame.", valueName: "file"))
    var stamp: String?

    func validate() throws {
        guard frameSize != nil else { throw ValidationError("--size must be like 1280x720, up to 8192") }
        guard (1...120).contains(fps) else { throw ValidationError("--fps must be from 1 to 120") }
        guard ["demo", "still", "0", "1", "2", "3", "4", "5"].contains(script) else {
            throw ValidationError("--script must be demo, still or a number from 0 to 5")
        }
    }

    private var frameSize: (width: Int, height: Int)? { FrameSize.parsed(size) }

    private func parameters(_ time: Double) -> SceneParameters {
        switch script {
        case "demo": .demo(at: time)
        case "still": SceneParameters()
        default: .severity(Int(script) ?? 0, seed: seed)
        }
    }

    func run() throws {
        guard let (width, height) = frameSize else { return }
        signal(SIGPIPE, SIG_IGN)
        var renderer = SceneRenderer(width: width, height: height, seed: seed)
        var frame = [UInt8](repeating: 0, count: width * height)
        var shown = WatchedPicture(path: picture)
        if output.hasSuffix(".pgm") {
            renderer.render(shown.current(), parameters(at), into: &frame)
            try write([Array("P5\n\(width) \(height)\n255\n".utf8), frame], toFile: output)
            return
        }
        let stamps = try stamp.map { try OutputFile.open($0, O_APPEND).descriptor }
        let out = FrameOutput(path: output, header: "YUV4MPEG2 W\(width) H\(height) F\(fps):1 Ip A1:1 Cmono\n")
        let start = ContinuousClock.now
        var number = 0
        while seconds.map({ ContinuousClock.now - start < .seconds($0) }) ?? true {
            let due = start + .seconds(Double(number) / Double(fps))
            let early = (due - .now) / .microseconds(1)
            if early > 0 { usleep(UInt32(early)) }
            let picture = shown.current()
            renderer.render(picture, parameters((ContinuousClock.now - start) / .seconds(1)), into: &frame)
            try out.write(frame)
            if let stamps {
                var time = timespec()
                clock_gettime(CLOCK_MONOTONIC, &time)
                let line = Array(
                    "\(time.tv_sec).\(String(1_000_000 + time.tv_nsec / 1000).dropFirst()) \(number) \(picture == nil ? 0 : 1)\n"
                        .utf8)
                _ = Glibc.write(stamps, line, line.count)
            }
            // A slow reader gets fewer frames, not later ones.
            number = max(number + 1, Int((ContinuousClock.now - start) / .seconds(1) * Double(fps)))
        }
    }

    private func write(_ parts: [[UInt8]], toFile path: String) throws {
        let (descriptor, _) = try OutputFile.open(path, O_TRUNC)
        defer { close(descriptor) }
        for part in parts where !writeAll(part, to: descriptor) {
            throw WriteFailure(path, code: errno)
        }
    }
}

enum FrameSize {
    /// Like 1280x720, up to 8192.
    static func parsed(_ text: String) -> (width: Int, height: Int)? {
        let parts = text.split(separator: "x").map { Int($0) ?? 0 }
        guard parts.count == 2, parts.allSatisfy({ (64...LumaPlane.maximumSide).contains($0) }) else { return nil }
        return (parts[0], parts[1])
    }
}

/// A picture file that is read again when it changes.
struct WatchedPicture {
    let path: String?
    private var picture: LumaPicture?
    private var stamp = (seconds: 0, nanoseconds: 0, inode: UInt(0))

    init(path: String?) {
        self.path = path
    }

    mutating func current() -> LumaPicture? {
        guard let path else { return nil }
        var status = stat()
        guard stat(path, &status) == 0 else {
            picture = nil
            stamp = (0, 0, 0)
            return nil
        }
        let now = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec, UInt(status.st_ino))
        if now != stamp {
            // Half written: the old one stays until the next frame.
            guard let read = try? StillPicture.read(path) else { return picture }
            picture = read
            stamp = (now.0, now.1, now.2)
        }
        return picture
    }
}

/// The FIFO or file that frames are written to; a FIFO's reader may go, and another come.
final class FrameOutput {
    private let path: String
    private let header: [UInt8]
    private var descriptor: Int32 = -1

    init(path: String, header: String) {
        self.path = path
        self.header = Array(header.utf8)
    }

    func write(_ frame: [UInt8]) throws {
        while true {
            if descriptor < 0 { try connect() }
            if writeAll(Array("FRAME\n".utf8), to: descriptor) && writeAll(frame, to: descriptor) { return }
            try readerHasGone()
        }
    }

    /// Lets go of a FIFO that nobody reads any more.
    ///
    /// - Throws: ``WriteFailure`` when it was something else that ended the writing.
    private func readerHasGone() throws {
        let why = errno
        close(descriptor)
        descriptor = -1
        guard why == EPIPE else { throw WriteFailure(path, code: why) }
    }

    private func connect() throws {
        while true {
            var status = stat()
            let isFIFO = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
            descriptor =
                isFIFO
                ? open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK) : try OutputFile.open(path, O_TRUNC).descriptor
            if descriptor >= 0 {
                // From here on writing may wait for the reader.
                if isFIFO { _ = fcntl(descriptor, F_SETFL, 0) }
                if writeAll(header, to: descriptor) { return }
                try readerHasGone()
                continue
            }
            // No reader yet.
            guard errno == ENXIO else {
                throw WriteFailure(path, code: errno)
            }
            usleep(5000)
        }
    }
}
