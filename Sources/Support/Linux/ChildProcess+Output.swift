import Glibc

extension ChildProcess {
    /// What a program has printed, and how it has ended.
    public struct Output: Sendable {
        /// Of its standard output, at most what was asked for.
        public let bytes: [UInt8]
        /// `nil` when its time was over and it was killed.
        public let end: End?
    }

    /// Runs a program to its end; its standard input and its errors go nowhere. Blocks.
    ///
    /// - Parameters:
    ///   - deadline: when it is killed, with its group.
    ///   - limit: how much of its output is kept, in bytes; one that prints more is waited for no longer than the deadline.
    /// - Throws: ``Failure`` when it cannot be started.
    public static func output(
        of executable: String, _ arguments: [String], until deadline: ContinuousClock.Instant, atMost limit: Int
    ) throws(Failure) -> Output {
        var ends: [Int32] = [-1, -1]
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        guard pipe(&ends) == 0 else { return Output(bytes: [], end: nil) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let process: pid_t
        do throws(Failure) {
            process = try start(executable, arguments, descriptors: [0: null, 1: ends[1], 2: null])
        } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        let bytes = read(ends[0], until: deadline, atMost: limit)
        return Output(bytes: bytes, end: wait(process, until: deadline, killsGroup: true))
    }

    private static func read(_ descriptor: Int32, until deadline: ContinuousClock.Instant, atMost limit: Int) -> [UInt8]
    {
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while output.count < limit {
            let left = Int32(clamping: Int((deadline - .now) / .milliseconds(1)))
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&poller, 1, max(left, 0))
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0 else { break }
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            output.append(contentsOf: chunk.prefix(count))
        }
        return output
    }
}
