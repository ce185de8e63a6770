import CLinux
import Glibc
import Linux

/// Looks at a picture in a process of its own, which ends with it: whatever a hostile picture makes of the libraries that
/// decode it, it gets hold of nothing but the picture and of no more memory and time than this. It can open no file, reach no
/// network and start nothing: all that is left to it is to say something that was not in the picture.
///
/// The picture is in memory only, also on its way: it is never a file on a disk.
package struct PictureProcess: Sendable {
    /// The program that looks: this one, as ``arguments``.
    package var program = ChildProcess.executable
    package var arguments = ["read-picture"]
    /// Slow machines take seconds for a picture of 50 megapixels.
    package var patience: Duration = .seconds(20)

    package init() {}

    /// Why there is no report.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// What the looking process may use: many times what the largest picture takes.
    private static let processorSeconds: rlim_t = 15
    private static let memory: rlim_t = 1 << 30
    /// A larger picture is not looked at, in bytes.
    package static let maximumPicture = 12 << 20

    /// Blocks for as long as it takes: to be called from a thread of its own.
    ///
    /// - Throws: ``Failure``.
    package func report(on picture: [UInt8]) throws(Failure) -> PictureReport {
        guard picture.count <= Self.maximumPicture else { return PictureReport(unusable: "it is too large") }
        let file = srup_memory_file("picture")
        guard file >= 0 else { throw Self.failure("no memory for it") }
        defer { close(file) }
        guard writeAll(picture, to: file), lseek(file, 0, SEEK_SET) == 0 else {
            throw Self.failure("no memory for it")
        }
        // What is told fits into the pipe.
        var answer: [Int32] = [-1, -1]
        guard pipe(&answer) == 0 else { throw Self.failure("no pipe") }
        defer { for descriptor in answer { close(descriptor) } }
        for descriptor in answer {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        }
        let process: pid_t
        do throws(ChildProcess.Failure) {
            process = try ChildProcess.start(
                program, arguments, environment: [:], descriptors: [0: file, 1: answer[1]],
                // Not before its limits are its own, should we be stopped: it has nothing to finish.
                lastSignal: SIGKILL)
        } catch {
            throw Failure(description: error.description)
        }
        let end = ChildProcess.wait(process, until: .now + patience, killsGroup: true)
        // It may have been told to look at a picture that shows a nonce.
        var text = [UInt8](repeating: 0, count: PictureReport.maximumBytes + 1)
        defer { text.withUnsafeMutableBytes { $0.wipe() } }
        let count = text.withUnsafeMutableBytes { read(answer[0], $0.baseAddress, $0.count) }
        guard end == .exited(0) else {
            throw Failure(
                description: "the process that looked at it did not finish (\(end?.description ?? "it hung"))")
        }
        guard count > 0, let report = PictureReport(String(decoding: text.prefix(count), as: UTF8.self)) else {
            throw Failure(description: "the process that looked at it said something else than what it had seen")
        }
        return report
    }

    private static func failure(_ what: String) -> Failure {
        Failure(description: "the picture could not be looked at: \(what): \(String(cString: strerror(errno)))")
    }

    // MARK: The other end

    /// Looks at the picture on standard input and says on standard output what is in it. The limits come first.
    ///
    /// - Returns: the exit code.
    package static func answer() -> Int32 {
        for (resource, limit) in [
            (RLIMIT_CPU, processorSeconds), (RLIMIT_AS, memory), (RLIMIT_CORE, 0), (RLIMIT_FSIZE, 0),
        ] {
            var limits = rlimit(rlim_cur: limit, rlim_max: limit)
            setrlimit(__rlimit_resource_t(resource.rawValue), &limits)
        }
        // The network goes first.
        _ = nice(5)
        // It runs as the server's user: whoever takes it over must not reach the server's files.
        guard srup_compute_only() == 0 else {
            let report = PictureReport(unusable: "this machine's kernel cannot confine what looks at it (seccomp)")
            return writeAll(Array(report.text.utf8), to: STDOUT_FILENO) ? 0 : 1
        }
        var picture = [UInt8](repeating: 0, count: maximumPicture + 1)
        let count = picture.withUnsafeMutableBytes { readAll(into: $0, from: STDIN_FILENO) }
        guard count >= 0 else { return 1 }
        picture.removeLast(picture.count - count)
        let report =
            count > maximumPicture ? PictureReport(unusable: "it is too large") : PictureReport(examining: picture)
        picture.withUnsafeMutableBytes { $0.wipe() }
        return writeAll(Array(report.text.utf8), to: STDOUT_FILENO) ? 0 : 1
    }
}
