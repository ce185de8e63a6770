import Addresses
import ArgumentParser
import Camera
import CameraRecording
import Eyes
import Glibc
import Linux
import NFCReader
import ObservedValue
import Program
import ReaderRecording
import Recording

/// Sessions with real devices, as files that their users can send.
struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Record what a camera offers and what a reader says, in a file to send: it becomes a test.",
        subcommands: [RecordMake.self, RecordShow.self, RecordUnpack.self], defaultSubcommand: RecordMake.self)

    /// What there is to tap with: written on a tag as text, or presented by "nfc write".
    static let tapText = Hex.encode(TestValue(edge: 40)?.bytes ?? [])
}

struct RecordMake: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make", abstract: "Record a camera, a reader, or one after the other.",
        discussion: """
            Hold a test sheet ("srup-observer test-sheet") before the camera; tap the reader with a tag on which the text \
            \(RecordCommand.tapText) is written. Nothing else is recorded: pictures are blanked but for a test sheet's codes, and \
            what any other tap gave is blanked. No name, address, serial number or identifier of a device, tag or machine is in \
            the file. It is text: see what is in it with "srup-observer record show FILE" before you send it.

            The reader must be at a serial line (USB or UART), and no observer may be using it or the camera.

            Exit codes: 0 the file is written, 69 there was nothing to record.
            """)

    @Option(
        help: ArgumentHelp("The camera: \(CameraAddress.forms).", valueName: "camera"), transform: Self.parsedCamera)
    var camera: CameraAddress?
    @Option(
        help: ArgumentHelp("The reader: \(ReaderAddress.forms).", valueName: "reader"), transform: Self.parsedReader)
    var reader: ReaderAddress?
    @Option(help: ArgumentHelp("The picture size to ask the camera for.", valueName: "WxH"))
    var size = "1280x720"
    @Option(help: ArgumentHelp("Record each for so many seconds, 1 to 120.", valueName: "n"))
    var seconds = 10.0
    @Option(
        name: .shortAndLong, help: ArgumentHelp("The file to write; one that is there is replaced.", valueName: "file"))
    var output: String

    private static let parsedCamera: @Sendable (String) throws -> CameraAddress = { text in
        do throws(AddressError) { return try CameraAddress(text) } catch { throw ValidationError(error.description) }
    }
    private static let parsedReader: @Sendable (String) throws -> ReaderAddress = { text in
        do throws(AddressError) { return try ReaderAddress(text) } catch { throw ValidationError(error.description) }
    }

    func validate() throws {
        guard camera != nil || reader != nil else { throw ValidationError("say what to record: --camera, --reader") }
        guard (1...120).contains(seconds) else { throw ValidationError("--seconds must be from 1 to 120") }
        guard let size = EyeOptions.parsed(size), (64...8192).contains(size.width), (64...8192).contains(size.height)
        else {
            throw ValidationError("--size must be like 1280x720")
        }
        if case .i2c = reader { throw ValidationError(Self.noLine) }
    }

    private static let noLine =
        "a reader behind I2C has no line to listen at: only one at a serial line (pn532_uart:…) can be recorded"

    func run() throws {
        if let camera { Libcamera.standIn(for: camera) }
        signal(SIGPIPE, SIG_IGN)
        StopSignals.take()
        keepStandardDescriptors()
        var recording = Recording(program: Release.version)
        // Before anything is waited for.
        do throws(OutputFile.Failure) {
            try OutputFile.checkReplaceable(output)
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
        if let camera { try record(camera, &recording) }
        if let reader { try record(reader, &recording) }
        do {
            let bytes = try recording.bytes()
            try OutputFile.write(bytes, to: output, mode: 0o644)
            print("written: \(output), \((bytes.count + 1023) / 1024) KiB of text")
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
        print("See what is in it before you send it: srup-observer record show \(output)")
        if !recording.frames.isEmpty {
            print("Its pictures, as files: srup-observer record unpack \(output) FOLDER")
        }
    }

    // MARK: Camera

    private func record(_ address: CameraAddress, _ recording: inout Recording) throws {
        let wanted = EyeOptions.parsed(size) ?? (1280, 720)
        print("camera: recording \(address) for \(Int(seconds.rounded())) s; hold a test sheet before it")
        fflush(nil)
        var told = 0
        do throws(CameraError) {
            let result = try CameraRecorder.record(
                address, width: wanted.width, height: wanted.height, for: .seconds(seconds),
                while: { !StopSignals.came },
                progress: { frames, tests in
                    guard tests > told else { return }
                    told = tests
                    print("camera: \(frames) frames; a test sheet's code is seen")
                    fflush(nil)
                })
            recording.camera = result.camera
            recording.frames = result.frames
            recording.tally = result.tally
            if let loss = result.loss { Program.complain("\(loss); what came before is recorded") }
            print(RecordingText.summary(result.frames, result.tally))
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
    }

    // MARK: Reader

    private func record(_ address: ReaderAddress, _ recording: inout Recording) throws {
        do throws(ReaderError) {
            let found = try address.resolved()
            guard case .serial(let path, let speed) = found else { throw .broken(Self.noLine) }
            print(
                """
                reader: recording \(found) for \(Int(seconds.rounded())) s; tap it with a tag that holds the text \
                \(RecordCommand.tapText)
                """)
            fflush(nil)
            let tee = try SerialTee(path, speed: speed)
            let listener = TapListener(tee, speed: speed)
            listener.run(for: .seconds(seconds)) { !StopSignals.came }
            let result = Blanking.of(tee.stop())
            guard !result.line.isEmpty else { throw listener.failure ?? .noChip(found.description) }
            recording.reader = RecordedReader(speed: speed)
            recording.line = result.line
            recording.taps = listener.taps.map { result.tap(ms: $0.ms, role: $0.role, test: $0.test) }
            for problem in listener.problems { Program.complain(problem) }
            print(RecordingText.summary(recording.line, recording.taps, blanked: result.blanked))
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
    }
}

struct RecordShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show all that is in a recording; its pictures by size.")

    @Argument(help: "The recording.")
    var file: String

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        for line in RecordingText.lines(try RecordUnpack.read(file)) { print(line.withoutControls) }
    }
}

struct RecordUnpack: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpack", abstract: "Write a recording's pictures into a folder, as PNG and PGM.",
        discussion: """
            "srup-observer capture --device folder:FOLDER" then sees what the camera saw. PGM is what other programs take; of \
            pictures that are not a test sheet's there is PNG alone.
            """)

    @Argument(help: "The recording.")
    var file: String
    @Argument(help: "The folder; it is made when it is missing.")
    var folder: String

    static func read(_ file: String) throws -> Recording {
        do throws(RecordingError) {
            return try Recording(contentsOf: file)
        } catch {
            Program.complain("\(file): \(error)")
            throw ExitCode(Program.Code.unavailable.rawValue)
        }
    }

    func run() throws {
        let recording = try Self.read(file)
        guard mkdir(folder, 0o755) == 0 || errno == EEXIST else {
            Program.complain("\(folder) cannot be made: \(String(cString: strerror(errno)))")
            throw ExitCode(Program.Code.unavailable.rawValue)
        }
        do {
            for (index, frame) in recording.frames.enumerated() {
                let name = "\(folder)/\(index + 1)-\(frame.tests.isEmpty ? "blanked" : "test")"
                // Decoded before it is written: what it says that it is.
                let picture = try StillPicture.decode(frame.picture, name: "\(file), picture \(index + 1)")
                try OutputFile.write(frame.picture, to: name + ".png", mode: 0o644)
                if !frame.tests.isEmpty {
                    let head = Array("P5\n\(picture.width) \(picture.height)\n255\n".utf8)
                    try OutputFile.write(head + picture.pixels, to: name + ".pgm", mode: 0o644)
                }
            }
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
        print("\(recording.frames.count) pictures in \(folder)")
    }
}
