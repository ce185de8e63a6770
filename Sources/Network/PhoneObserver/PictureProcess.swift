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
        guard !picture.isEmpty else { return PictureReport(unusable: "there is nothing in it") }
        guard picture.count <= Self.maximumPicture else { return PictureReport(unusable: "it is too large") }
        // Not a pipe and not a file in memory: the unit allows the server neither.
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Failure(description: "the picture could not be looked at: \(String(cString: strerror(errno)))")
        }
        let (own, its) = (ends[0], ends[1])
        defer { close(own) }
        let process: pid_t
        do throws(ChildProcess.Failure) {
            defer { close(its) }
            // It has nothing to finish when we are gone.
            process = try ChildProcess.start(
                program, arguments, environment: [:], descriptors: [0: its, 1: its], lastSignal: SIGKILL)
        } catch {
            throw Failure(description: error.description)
        }
        let deadline = ContinuousClock.now + patience
        // What it says may be a nonce.
        var text = Self.exchange(picture, own, until: deadline)
        defer { text.withUnsafeMutableBytes { $0.wipe() } }
        // It may not say more than it has to, nor stay when it has said it.
        let isTooMuch = text.count > PictureReport.maximumBytes
        let end = ChildProcess.wait(process, until: isTooMuch ? .now : deadline, killsGroup: true)
        guard end == .exited(0) else {
            let how = isTooMuch ? "it said too much" : end?.description ?? "it hung"
            throw Failure(description: "the process that looked at it did not finish (\(how))")
        }
        guard let report = PictureReport(String(decoding: text, as: UTF8.self)) else {
            throw Failure(description: "the process that looked at it said something else than what it had seen")
        }
        return report
    }

    /// Gives the picture and gets the answer, as far as there is time for it.
    private static func exchange(
        _ picture: [UInt8], _ socket: Int32, until deadline: ContinuousClock.Instant
    ) -> [UInt8] {
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
        var answer: [UInt8] = []
        answer.reserveCapacity(PictureReport.maximumBytes + 4096)
        var sent = 0
        var buffer = [UInt8](repeating: 0, count: 4096)
        defer { buffer.withUnsafeMutableBytes { $0.wipe() } }
        while answer.count <= PictureReport.maximumBytes {
            let left = (deadline - .now) / .milliseconds(1)
            guard left > 0 else { break }
            let isSending = sent < picture.count
            var wait = pollfd(fd: socket, events: Int16(POLLIN) | (isSending ? Int16(POLLOUT) : 0), revents: 0)
            let ready = poll(&wait, 1, Int32(min(left, 60_000)) + 1)
            guard ready > 0 else {
                if ready < 0 && errno != EINTR { break }
                continue
            }
            if isSending, wait.revents & Int16(POLLOUT) != 0 {
                let count = picture.withUnsafeBytes { bytes in
                    send(socket, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, SocketFlags.noSignal)
                }
                // It takes no more of it: its answer says why, or its end.
                sent = count > 0 ? sent + count : errno == EAGAIN || errno == EINTR ? sent : picture.count
                if sent == picture.count { shutdown(socket, SocketFlags.endWriting) }
            }
            guard wait.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 else { continue }
            let count = buffer.withUnsafeMutableBytes { read(socket, $0.baseAddress, $0.count) }
            if count < 0 && (errno == EAGAIN || errno == EINTR) { continue }
            guard count > 0 else { break }
            answer += buffer.prefix(count)
        }
        return answer
    }

    // MARK: The other end

    /// Looks at the picture on standard input and says on standard output what is in it. The limits come first; to be called
    /// before there are other threads.
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
