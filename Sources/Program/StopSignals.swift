import Glibc

/// SIGTERM and SIGINT as a flag, for commands that end in good order: what they have changed is put back.
public enum StopSignals {
    /// Whether one has come.
    public static var came: Bool { flag != 0 }
    /// Written by the signal handler, where nothing but this is allowed.
    nonisolated(unsafe) private static var flag: sig_atomic_t = 0

    /// From now on they set the flag instead of ending the program.
    public static func take() {
        for number in [SIGTERM, SIGINT] { signal(number) { _ in StopSignals.flag = 1 } }
        // The pool's threads block signals, and commands run on one.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
    }
}
