import Glibc
import Linux

/// Starts and ends the program that reads a camera module.
enum RPiProcess {
    /// How long it has to end by itself.
    private static let patience = Duration.milliseconds(500)
    /// As much as the kernel gives without privileges: a frame of 1280x720 in two pieces.
    private static let pipeSize: Int32 = 1 << 20
    /// F_SETPIPE_SZ, which glibc's headers give to GNU programs only. fcntl(2).
    private static let setPipeSize: Int32 = 1031

    /// - Returns: the process, where its pictures come, and what it says.
    /// - Throws: ``CameraError/failed(_:doing:why:)``.
    static func start(_ program: String, _ arguments: [String]) throws(CameraError) -> (pid_t, Int32, RPiWords) {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        guard let pictures = pipe() else { throw failure(program) }
        defer { close(pictures.write) }
        guard let words = pipe() else {
            let failure = failure(program)
            close(pictures.read)
            throw failure
        }
        defer { close(words.write) }
        _ = fcntl(pictures.write, setPipeSize, pipeSize)
        do throws(ChildProcess.Failure) {
            let process = try ChildProcess.start(
                program, arguments, environment: environment,
                descriptors: [0: null, 1: pictures.write, 2: words.write], lastSignal: SIGKILL)
            return (process, pictures.read, RPiWords(words.read))
        } catch {
            close(pictures.read)
            close(words.read)
            throw .failed(RPiCamera.name, doing: "starting", why: error.description)
        }
    }

    private static func failure(_ program: String) -> CameraError {
        .failed(RPiCamera.name, doing: "starting \(program)", why: String(cString: strerror(errno)))
    }

    /// A pipe whose reading end does not block.
    private static func pipe() -> (read: Int32, write: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        return (ends[0], ends[1])
    }

    /// Of ours what the program needs; not libcamera's V4L2 layer, which may be preloaded into us.
    private static var environment: [String: String] {
        var kept: [String: String] = ["LIBCAMERA_LOG_LEVELS": "*:ERROR"]
        for name in [
            "PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "LIBCAMERA_LOG_LEVELS", "LIBCAMERA_IPA_MODULE_PATH",
            "LIBCAMERA_RPI_CONFIG_FILE", "LIBCAMERA_RPI_TUNING_FILE",
        ] {
            if let value = getenv(name) { kept[name] = String(cString: value) }
        }
        return kept
    }

    /// Ends it, if need be by force.
    static func stop(_ process: pid_t) {
        kill(-process, SIGTERM)
        _ = ChildProcess.wait(process, until: .now + patience, killsGroup: true)
    }

    /// How it has ended, or that it has not though it gives no pictures any more. It is not reaped for good: that is
    /// ``stop(_:)``'s.
    static func end(of process: pid_t) -> String {
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            if let end = ChildProcess.ended(process) { return end.description }
            usleep(2000)
        }
        return "it has closed its output"
    }
}

/// What the program says, as far as it is of use: the last line.
struct RPiWords {
    private(set) var descriptor: Int32
    private var line: [UInt8] = []
    private(set) var last: String?

    private static let longestLine = 200
    /// Bytes that are taken at a time, so that a program that says much does not keep us.
    private static let maximumTaken = 64 << 10

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Takes what is there.
    mutating func take() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        var taken = 0
        while descriptor >= 0, taken < Self.maximumTaken {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            if count == 0 { close() }
            guard count > 0 else { return }
            taken += count
            for byte in chunk.prefix(count) { add(byte) }
        }
    }

    private mutating func add(_ byte: UInt8) {
        if byte == 10 {
            if !line.isEmpty { last = String(printable: line, atMost: Self.longestLine) }
            line.removeAll(keepingCapacity: true)
        } else if line.count < Self.longestLine {
            line.append(byte)
        }
    }

    mutating func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
