import Glibc
import Linux
import Luma

/// The header of an uncompressed YUV4MPEG2 stream: `YUV4MPEG2 W640 H480 F30:1 Cmono`.
/// https://wiki.multimedia.cx/index.php/YUV4MPEG2
struct Y4MHeader: Equatable {
    let width: Int
    let height: Int
    /// Bytes of a frame, all planes; luma comes first.
    let frameSize: Int
    var lumaSize: Int { width * height }
    /// Of a frame, in seconds.
    let period: Double

    static let maximumLine = 256

    /// - Throws: ``CameraError/badPicture(_:why:)``.
    init(_ line: [UInt8], name: String) throws(CameraError) {
        func bad(_ why: String) -> CameraError { .badPicture(name, why: "no Y4M stream: \(why.withoutControls)") }
        let words = line.split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
        guard words.first == "YUV4MPEG2" else { throw bad("it does not begin with YUV4MPEG2") }
        var width = 0
        var height = 0
        var chroma = "420"
        var period = 1.0 / 30
        for word in words.dropFirst() {
            let value = word.dropFirst()
            switch word.first {
            case "W": width = Int(value) ?? 0
            case "H": height = Int(value) ?? 0
            case "C": chroma = String(value)
            case "F":
                // Whole numbers, as the format has it: "inf" and "nan" are numbers, too, where a fraction is read.
                let parts = value.split(separator: ":", omittingEmptySubsequences: false).map { Int32($0) ?? 0 }
                guard parts.count == 2, parts[0] > 0, parts[1] > 0 else { throw bad("its frame rate is \(value)") }
                period = min(max(Double(parts[1]) / Double(parts[0]), 0.001), 10)
            default: break
            }
        }
        guard (1...LumaPlane.maximumSide).contains(width), (1...LumaPlane.maximumSide).contains(height) else {
            throw bad("its size, \(width)x\(height), is not accepted")
        }
        let luma = width * height
        let half = ((width + 1) / 2, (height + 1) / 2)
        switch chroma {
        case "mono": frameSize = luma
        case "420", "420jpeg", "420mpeg2", "420paldv": frameSize = luma + 2 * half.0 * half.1
        case "422": frameSize = luma + 2 * half.0 * height
        case "444": frameSize = luma * 3
        default: throw bad("its colour layout, C\(chroma.prefix(16)), is not understood (mono, 420, 422, 444 are)")
        }
        self.width = width
        self.height = height
        self.period = period
    }
}

/// A Y4M recording, played at its own rate round and round, or a FIFO on which somebody writes Y4M: its writer may go
/// and another come.
final class Y4MSource: FrameSource {
    private let path: String
    private let isPipe: Bool
    private var descriptor: Int32
    private var header: Y4MHeader?
    private var line: [UInt8] = []
    /// The luma of a frame; it grows as bytes come, since a header may promise what nobody sends.
    private var frame: [UInt8] = []
    /// Where colours are read to.
    private var unused = [UInt8](repeating: 0, count: Y4MSource.step)
    private static let step = 1 << 16
    /// Bytes of memory for a frame.
    var memory: Int { frame.capacity }
    /// Bytes of a frame that are there; -1 while its `FRAME` line is read.
    private var filled = -1
    private var due = ContinuousClock.now
    private var framesInPass = 0
    let dropped = 0
    private(set) var damaged = 0

    /// - Throws: ``CameraError``.
    init(_ path: String, isPipe: Bool) throws(CameraError) {
        self.path = path
        self.isPipe = isPipe
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw errno == ENOENT
                ? .absent(path) : .failed(path, doing: "opening", why: String(cString: strerror(errno)))
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, (status.st_mode & S_IFMT == S_IFIFO) == isPipe else {
            close(descriptor)
            throw .badPicture(path, why: isPipe ? "it is no FIFO (mkfifo makes one)" : "it is no file")
        }
    }

    deinit {
        close(descriptor)
    }

    var summary: String {
        (isPipe ? "frames written to \(path)" : "the recording \(path)")
            + (header.map { " (\($0.width)x\($0.height))" } ?? "")
    }
    var format: (name: String, width: Int, height: Int) { ("Y4M", header?.width ?? 0, header?.height ?? 0) }

    func next(timeout: Int32, interrupt: Int32, _ body: (LumaPlane) -> Void) throws(CameraError) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(Int(timeout))
        while true {
            let until = isPipe ? deadline : min(deadline, due)
            let wait = Int32(max(0, ((until - .now) / .milliseconds(1)).rounded(.up)))
            var pollers = [
                pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0),
                // Without a writer a FIFO reports POLLHUP for ever: then only the interrupt is waited for.
                pollfd(fd: isPipe && !isOrphaned ? descriptor : -1, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&pollers, 2, isOrphaned ? min(wait, 50) : wait)
            if ready < 0 && errno == EINTR { continue }
            if pollers[0].revents != 0 { return false }
            if isPipe || due <= .now {
                if try read() {
                    guard let header else { return false }
                    due = .now + .seconds(header.period)
                    frame.withUnsafeBufferPointer {
                        body(
                            LumaPlane(
                                base: $0.start, width: header.width, height: header.height, stride: header.width)
                        )
                    }
                    return true
                }
            }
            if deadline <= .now { return false }
        }
    }

    /// Whether the FIFO has no writer now.
    private var isOrphaned = false

    /// Reads on until a frame is whole (`true`) or nothing more is there now.
    private func read() throws(CameraError) -> Bool {
        while true {
            if let header, filled >= 0 {
                let count = readFrame(header)
                guard try consume(count) else { return false }
                filled += count
                if filled == header.frameSize {
                    filled = -1
                    framesInPass += 1
                    return true
                }
            } else {
                var byte: UInt8 = 0
                let count = Glibc.read(descriptor, &byte, 1)
                guard try consume(count) else { return false }
                if byte != 10 {
                    line.append(byte)
                    guard line.count <= Y4MHeader.maximumLine else {
                        throw .badPicture(
                            path, why: "no Y4M stream: a header line is longer than \(Y4MHeader.maximumLine) bytes")
                    }
                    continue
                }
                defer { line.removeAll(keepingCapacity: true) }
                if header == nil {
                    let found = try Y4MHeader(line, name: path)
                    header = found
                    frame = []
                } else {
                    guard line.starts(with: Array("FRAME".utf8)) else {
                        throw .badPicture(path, why: "no Y4M stream: a frame does not begin with FRAME")
                    }
                    filled = 0
                }
            }
        }
    }

    /// Reads some bytes of a frame, as `read` does.
    private func readFrame(_ header: Y4MHeader) -> Int {
        guard filled < header.lumaSize else {
            return unused.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress, min($0.count, header.frameSize - filled))
            }
        }
        if filled == frame.count {
            let more = min(max(filled, Self.step), header.lumaSize - filled)
            frame.append(contentsOf: repeatElement(0, count: more))
        }
        return frame.withUnsafeMutableBytes {
            let rest = UnsafeMutableRawBufferPointer(rebasing: $0[filled...])
            return Glibc.read(descriptor, rest.baseAddress, rest.count)
        }
    }

    /// Judges what `read` has returned: `true` when bytes came.
    private func consume(_ count: Int) throws(CameraError) -> Bool {
        if count > 0 {
            isOrphaned = false
            return true
        }
        if count < 0 {
            if errno == EAGAIN || errno == EINTR {
                isOrphaned = false
                return false
            }
            throw .failed(path, doing: "reading", why: String(cString: strerror(errno)))
        }
        if filled > 0 || !line.isEmpty { damaged += 1 }
        line.removeAll()
        filled = -1
        header = nil
        if isPipe {
            isOrphaned = true
        } else {
            guard framesInPass > 0 else { throw .badPicture(path, why: "it holds no whole frame") }
            framesInPass = 0
            lseek(descriptor, 0, SEEK_SET)
        }
        return false
    }
}
