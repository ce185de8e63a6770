import Glibc
import ServiceLifecycle
import UnixSignals

/// SIGHUP, as a service: from a terminal that has gone it ends the program, as it always did, but in good order; sent to a
/// program without a terminal, or by hand, it asks to read the configuration again, where there is something to read.
///
/// Under nohup(1), which has it ignored, it stays ignored.
struct HangUps: Service {
    let reload: (@Sendable () async -> Void)?

    func run() async throws {
        guard !StopSignals.isIgnored(SIGHUP) else { return await untilStopped() }
        let hadTerminal = Self.hasTerminal
        let signals = await UnixSignalsSequence(trapping: .sighup)
        for await _ in signals.cancelOnGracefulShutdown() {
            guard let reload, !hadTerminal || Self.hasTerminal else { return }
            await reload()
        }
    }

    private func untilStopped() async {
        try? await gracefulShutdown()
    }

    /// Whether there is a controlling terminal; a process loses it before it is told. tty(4)
    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }
}
