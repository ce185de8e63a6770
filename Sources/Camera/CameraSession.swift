import CLinux
import Glibc
import Linux
import Luma
import Synchronization

/// What a session tells, on its thread.
public enum CameraEvent: Sendable {
    /// Opened, for the first time or again.
    case opened(summary: String, format: String, width: Int, height: Int)
    /// Lost; opening is tried again, without a further word until the reason changes or it succeeds.
    case lost(CameraError)
}

/// What a session calls, all on its thread.
public struct CameraHandlers {
    public var onEvent: (CameraEvent) -> Void
    /// Borrows each frame.
    public var onFrame: (LumaPlane) -> Void
    /// Called at least once a second while awake, so that a watchdog can tell a quiet camera from one whose driver hangs.
    public var onIdle: () -> Void
    /// Sets the camera; `nil` when it shall be left as it is.
    public var tuner: CameraTuner?

    public init(
        onEvent: @escaping (CameraEvent) -> Void, onFrame: @escaping (LumaPlane) -> Void,
        onIdle: @escaping () -> Void = {}, tuner: CameraTuner? = nil
    ) {
        self.onEvent = onEvent
        self.onFrame = onFrame
        self.onIdle = onIdle
        self.tuner = tuner
    }
}

/// A camera that is opened, read, and opened again when it fails, on a thread of its own; while it rests, the device
/// is closed and nothing costs anything.
public final class CameraSession: Sendable {
    private struct State {
        var isAwake = false
        var isStopping = false
        var hasEnded = false
        /// The device is open.
        var isOpen = false
    }

    private let address: CameraAddress
    private let width: Int
    private let height: Int
    private let state = Mutex(State())
    private let interrupt = srup_eventfd()

    /// - Parameters:
    ///   - width: wanted, in pixels.
    ///   - height: wanted, in pixels.
    public init(_ address: CameraAddress, width: Int, height: Int) {
        self.address = address
        self.width = width
        self.height = height
    }

    deinit {
        close(interrupt)
    }

    /// Starts the thread and makes the handlers on it.
    public func start(makeHandlers: @escaping @Sendable () -> CameraHandlers) {
        DetachedThread.start(stack: 2048) {
            self.loop(makeHandlers())
            self.state.withLock { $0.hasEnded = true }
        }
    }

    /// Opens the camera and looks.
    public func wake() { change { $0.isAwake = true } }

    /// Closes the camera; returns when it is closed, after a second at most.
    public func rest() {
        change { $0.isAwake = false }
        waitUntil { !$0.isOpen || $0.hasEnded }
    }

    /// Ends the thread; returns when it has ended, after a second at most.
    public func stop() {
        change { $0.isStopping = true }
        waitUntil { $0.hasEnded }
    }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
        srup_eventfd_write(interrupt)
    }

    private func waitUntil(_ condition: (State) -> Bool) {
        for _ in 0..<200 where !state.withLock({ condition($0) }) { usleep(5000) }
    }

    private var shouldLook: Bool { state.withLock { $0.isAwake && !$0.isStopping } }

    private func loop(_ handlers: CameraHandlers) {
        var lastProblem: CameraError?
        var delay: Int32 = 100
        while !state.withLock({ $0.isStopping }) {
            _ = srup_eventfd_drain(interrupt)
            guard shouldLook else {
                lastProblem = nil
                pause(-1)
                continue
            }
            do throws(CameraError) {
                let source = try address.open(width: width, height: height)
                state.withLock { $0.isOpen = true }
                defer { state.withLock { $0.isOpen = false } }
                handlers.tuner?.opened(source.controls)
                // The controls are the source's: it must not go before them.
                defer { withExtendedLifetime(source) { handlers.tuner?.closing() } }
                let format = source.format
                handlers.onEvent(
                    .opened(
                        summary: source.summary, format: format.name, width: format.width, height: format.height))
                lastProblem = nil
                while true {
                    // Drained before the question, so that a change after it still wakes the wait.
                    _ = srup_eventfd_drain(interrupt)
                    guard shouldLook else { break }
                    if try source.next(timeout: 1000, interrupt: interrupt, handlers.onFrame) { delay = 100 }
                    handlers.onIdle()
                }
            } catch {
                // Announced once; the same reason is not repeated while the camera stays away.
                // That an unplugged camera is then not there is no news either.
                let isNews =
                    switch (lastProblem, error) {
                    case (.unplugged, .absent): false
                    default: lastProblem != error
                    }
                if isNews { handlers.onEvent(.lost(error)) }
                lastProblem = error
                handlers.onIdle()
                pause(delay)
                delay = min(delay * 2, 2000)
            }
        }
    }

    private func pause(_ milliseconds: Int32) {
        var poller = pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)
        poll(&poller, 1, milliseconds)
    }
}
