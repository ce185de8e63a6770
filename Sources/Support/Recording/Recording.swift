import Glibc
import Linux

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A recorded session: what a camera offers and has shown, and what went over a reader's serial line.
///
/// ```
///  {"recording":1,"program":"1.2.3"}     the first line: the format's version, and the program's
///  {"camera":{…}}                        what the camera offers, at most once
///  {"frame":{…}}                         a picture as PNG, blanked or of a test sheet
///  {"frames":{…}}                        how many frames came while it was recorded
///  {"reader":{…}}                        a reader's serial line begins, at most once
///  {"line":{"ms":1.5,"host":"d402"}}     a frame between host and chip
///  {"tap":{…}}                           what a tap gave
///  {"end":{"lines":7}}                   the last line: how many lines are before it
/// ```
///
/// docs/recordings.md has it in full. Values in it are a test sheet's alone, as numbers of millimetres.
public struct Recording: Sendable, Hashable {
    /// Of the format that is written and read here.
    public static let version = 1
    /// Of a file, in bytes.
    public static let maximumSize = 8 << 20
    /// Of a line, in bytes.
    public static let maximumLine = 2 << 20
    /// In a file.
    public static let maximumLines = 20_000
    /// In a file.
    public static let maximumFrames = 16
    /// Of a camera's formats, of a format's sizes, of a size's rates, of a camera's controls.
    public static let maximumOffers = 64
    /// Of a text in it, in characters.
    static let maximumText = 200

    /// The version of the program that has written it.
    public var program: String
    /// What the camera offers; `nil`: no camera was recorded.
    public var camera: RecordedCamera?
    /// Pictures, in the order in which they came.
    public var frames: [RecordedFrame] = []
    /// How many frames came.
    public var tally: RecordedTally?
    /// The reader's serial line; `nil`: no reader was recorded.
    public var reader: RecordedReader?
    /// What went over it, in order.
    public var line: [RecordedExchange] = []
    /// What taps gave, in order.
    public var taps: [RecordedTap] = []

    /// Nothing is recorded yet.
    public init(program: String) {
        self.program = program
    }

    // MARK: Writing

    /// The file's bytes.
    ///
    /// - Throws: ``RecordingError`` when it would be larger than what is read.
    public func bytes() throws(RecordingError) -> [UInt8] {
        var lines: [RecordingLine] = [RecordingLine(recording: Self.version, program: program.recorded)]
        if let camera { lines.append(RecordingLine(camera: camera)) }
        lines += frames.map { RecordingLine(frame: $0) }
        if let tally { lines.append(RecordingLine(frames: tally)) }
        if let reader { lines.append(RecordingLine(reader: reader)) }
        lines += line.map { RecordingLine(line: $0) }
        lines += taps.map { RecordingLine(tap: $0) }
        lines.append(RecordingLine(end: RecordedEnd(lines: lines.count)))
        guard lines.count <= Self.maximumLines else { throw .tooManyLines }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var bytes: [UInt8] = []
        for (index, line) in lines.enumerated() {
            guard let data = try? encoder.encode(line) else { throw .line(index + 1, "it cannot be written as JSON") }
            bytes += data
            bytes.append(UInt8(ascii: "\n"))
            guard bytes.count <= Self.maximumSize else { throw .tooLarge }
        }
        return bytes
    }

    // MARK: Reading

    /// Reads a file.
    ///
    /// - Throws: ``RecordingError``.
    public init(contentsOf path: String) throws(RecordingError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.maximumSize + 1)
        let count = bytes.withUnsafeMutableBytes { readAll(into: $0, from: descriptor) }
        guard count >= 0 else { throw .unreadable(String(cString: strerror(errno))) }
        bytes.removeLast(bytes.count - count)
        try self.init(parsing: bytes)
    }

    /// Reads a file's bytes; keys that are not known are passed over.
    ///
    /// - Throws: ``RecordingError``.
    public init(parsing bytes: [UInt8]) throws(RecordingError) {
        guard bytes.count <= Self.maximumSize else { throw .tooLarge }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count - 1 <= Self.maximumLines else { throw .tooManyLines }
        let decoder = JSONDecoder()
        func decoded(_ index: Int) throws(RecordingError) -> RecordingLine {
            guard lines[index].count <= Self.maximumLine else { throw .line(index + 1, "it is too long") }
            do {
                return try decoder.decode(RecordingLine.self, from: Data(lines[index]))
            } catch {
                throw .line(index + 1, Self.words(error))
            }
        }
        guard lines[0].count <= Self.maximumLine, let head = try? decoder.decode(Head.self, from: Data(lines[0])) else {
            throw .noRecording
        }
        guard head.recording == Self.version else { throw .version(head.recording) }
        self.init(program: (head.program ?? "").recorded)
        // What follows the last line end is nothing, or a line that was cut.
        guard lines.count >= 3, lines[lines.count - 1].isEmpty else { throw .cut }
        for index in 1..<lines.count - 2 {
            let line = try decoded(index)
            do throws(RecordingProblem) {
                try take(line)
            } catch {
                throw .line(index + 1, error.why)
            }
        }
        guard let end = try decoded(lines.count - 2).end, end.lines == lines.count - 2 else { throw .cut }
    }

    private struct Head: Decodable {
        let recording: Int
        let program: String?
    }

    private mutating func take(_ line: RecordingLine) throws(RecordingProblem) {
        if let camera = line.camera {
            guard self.camera == nil else { throw "it is a second camera" }
            try camera.check()
            self.camera = camera
        } else if let frame = line.frame {
            guard frames.count < Self.maximumFrames else { throw "it is one picture too many" }
            try frame.check()
            frames.append(frame)
        } else if let tally = line.frames {
            guard self.tally == nil else { throw "frames are counted a second time" }
            try tally.check()
            self.tally = tally
        } else if let reader = line.reader {
            guard self.reader == nil else { throw "it is a second reader" }
            try reader.check()
            self.reader = reader
        } else if let exchange = line.line {
            guard reader != nil else { throw "there is no reader for it" }
            try exchange.check()
            self.line.append(exchange)
        } else if let tap = line.tap {
            guard reader != nil else { throw "there is no reader for it" }
            try tap.check()
            taps.append(tap)
        } else if line.recording != nil || line.end != nil {
            throw "it is a first or last line in the middle"
        } else {
            throw "it is none of camera, frame, frames, reader, line, tap"
        }
    }

    private static func words(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "it is no JSON object" }
        return switch error {
        case .keyNotFound(let key, _): "\"\(key.stringValue.recorded)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\"\((context.codingPath.last?.stringValue ?? "").recorded)\" is of another type"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "it is no JSON object" : "\"\((context.codingPath.last?.stringValue ?? "").recorded)\" is malformed"
        @unknown default: "it is no JSON object"
        }
    }
}

/// Why a file is no recording, or cannot become one.
public enum RecordingError: Error, Sendable, Hashable, CustomStringConvertible {
    case unreadable(String)
    case tooLarge
    case tooManyLines
    /// Its first line does not say that it is one.
    case noRecording
    /// It is of another version than is read here.
    case version(Int)
    /// Its last line is missing.
    case cut
    /// What is wrong in which line, counted from 1.
    case line(Int, String)

    /// What is wrong and, where something helps, what to do.
    public var description: String {
        switch self {
        case .unreadable(let why): "it cannot be read: \(why)"
        case .tooLarge: "it is larger than \(Recording.maximumSize >> 20) MiB: record for fewer seconds"
        case .tooManyLines: "it has more than \(Recording.maximumLines) lines: record for fewer seconds"
        case .noRecording: "it is no recording of \"srup-observer record\": the first line does not say so"
        case .version(let version):
            "it is a recording of version \(version); this program reads version \(Recording.version): take the program "
                + "that has made it, or a newer one"
        case .cut: "its end is missing: it was cut; record or copy it again"
        case .line(let number, let why): "line \(number): \(why)"
        }
    }
}

/// What is wrong in a line.
struct RecordingProblem: Error, ExpressibleByStringInterpolation {
    let why: String
    init(stringLiteral why: String) { self.why = why }
}

/// A line of the file: one of these.
struct RecordingLine: Codable {
    var recording: Int?
    var program: String?
    var camera: RecordedCamera?
    var frame: RecordedFrame?
    var frames: RecordedTally?
    var reader: RecordedReader?
    var line: RecordedExchange?
    var tap: RecordedTap?
    var end: RecordedEnd?
}

struct RecordedEnd: Codable {
    var lines: Int
}

extension String {
    /// Printable ASCII, at most so much of it.
    var recorded: String {
        String(
            decoding: utf8.prefix(Recording.maximumText).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") },
            as: UTF8.self)
    }

    /// A device's name without what may tell one from its like: serial numbers and addresses, which are runs of six or more
    /// hexadecimal digits (also with colons or hyphens between), a decimal one among them.
    public var withoutSerialNumbers: String {
        var out: [UInt8] = []
        var run: [UInt8] = []
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        func isPart(_ byte: UInt8) -> Bool {
            isDigit(byte) || (0x61...0x66).contains(byte | 0x20) || byte == UInt8(ascii: ":")
                || byte == UInt8(ascii: "-")
        }
        func end() {
            let digits = run.filter { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "-") }
            out += digits.count >= 6 && digits.contains(where: isDigit) ? [UInt8(ascii: "#")] : run
            run.removeAll()
        }
        for byte in recorded.utf8 {
            if isPart(byte) {
                run.append(byte)
            } else {
                end()
                out.append(byte)
            }
        }
        end()
        return String(decoding: out, as: UTF8.self)
    }
}
