import Glibc
import Linux
import Synchronization

/// Removes a folder when this process has ended without saying that it needs no sweeping: private keys are in it.
///
/// A shell that waits at a pipe, in a process group of its own and deaf to the signals that a terminal sends.
final class Sweeper: Sendable {
    private let pipe: Mutex<Int32>

    /// Those who worked in the folder are ending, too, and write until they have.
    private static let script = """
        trap '' HUP INT TERM QUIT PIPE
        if read -r word; then exit 0; fi
        for second in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$0"; sleep 1; done
        rm -rf -- "$0"
        """

    /// - Throws: ``ChildProcess/Failure``.
    init(folder: String) throws {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { throw ProgramRunner.Failure(description: "no pipe can be made") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipe = Mutex(ends[1])
        defer { Glibc.close(ends[0]) }
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { Glibc.close(null) }
        let process = try ChildProcess.start(
            "/bin/sh", ["-c", Self.script, folder], descriptors: [0: ends[0], 1: null, 2: null], lastSignal: nil)
        // Nobody waits for it while we live.
        DetachedThread.start(stack: 64) {
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        }
    }

    deinit {
        pipe.withLock { _ = Glibc.close($0) }
    }

    /// Nothing is left to be swept.
    func dismiss() {
        pipe.withLock { _ = Glibc.write($0, "done\n", 5) }
    }
}
