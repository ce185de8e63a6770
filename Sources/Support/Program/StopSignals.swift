import Glibc
import Linux

/// SIGTERM, SIGINT and SIGHUP as a flag, for commands that end in good order: what they have changed is put back.
public enum StopSignals {
    /// Whether one has come.
    public static var came: Bool { flag != 0 }
    /// Written by the signal handler, where nothing but this is allowed.
    nonisolated(unsafe) private static var flag: sig_atomic_t = 0

    /// From now on they set the flag instead of ending the program.
    public static func take() {
        for number in [SIGTERM, SIGINT, SIGHUP] where !(number == SIGHUP && isIgnored(number)) {
            signal(number) { _ in StopSignals.flag = 1 }
        }
        // The pool's threads block signals, and commands run on one.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
    }

    /// Calls `body` with its number on a thread of its own when one has come: for programs that block in something that signals do not end.
    /// To be called before other threads are started: they inherit that the signals are left to this one.
    public static func whenOneComes(_ body: @escaping @Sendable (Int32) -> Void) {
        var awaited = sigset_t()
        sigemptyset(&awaited)
        for number in [SIGTERM, SIGINT, SIGHUP] where !(number == SIGHUP && isIgnored(number)) {
            sigaddset(&awaited, number)
        }
        pthread_sigmask(SIG_BLOCK, &awaited, nil)
        let signals = awaited
        DetachedThread.start {
            var (awaited, number) = (signals, Int32(0))
            while sigwait(&awaited, &number) != 0 {}
            body(number)
        }
    }

    /// As nohup(1) leaves it for a program that shall outlive its terminal.
    static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
