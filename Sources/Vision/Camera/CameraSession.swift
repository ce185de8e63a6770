import Addresses
import CLinux
import Glibc
import Linux
import Luma
import Synchronization

/// What a session tells, on its thread.
public enum CameraEvent: Sendable {
    /// It works, for the first time or again: a camera has given a frame that could be read.
    case opened(summary: String, format: String, width: Int, height: Int)
    /// Lost; opening is tried again, without a further word until the reason changes or it succeeds.
    case lost(CameraError)
}

/// What a session calls, all on its thread.
public struct CameraHandlers {
    /// Called when the camera works, for the first time or again, and when it is lost; see ``CameraEvent``.
    public var onEvent: (CameraEvent) -> Void
    /// Borrows each frame.
    public var onFrame: (LumaPlane) -> Void
    /// Called at least once a second while awake, so that a watchdog can tell a quiet camera from one whose driver hangs.
    public var onIdle: () -> Void
    /// Called when it begins to rest: whatever is kept of the frames shall go.
    public var onRest: () -> Void
    /// Sets the camera; `nil` when it shall be left as it is.
    public var tuner: CameraTuner?

    /// What is left out does nothing, and without a tuner the camera is left as it is.
    public init(
        onEvent: @escaping (CameraEvent) -> Void, onFrame: @escaping (LumaPlane) -> Void,
        onIdle: @escaping () -> Void = {}, onRest: @escaping () -> Void = {}, tuner: CameraTuner? = nil
    ) {
        self.onEvent = onEvent
        self.onFrame = onFrame
        self.onIdle = onIdle
        self.onRest = onRest
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
        var automatic = AutomaticCamera()
        while !state.withLock({ $0.isStopping }) {
            _ = srup_eventfd_drain(interrupt)
            guard shouldLook else {
                lastProblem = nil
                handlers.onRest()
                // What decoders had on this thread's stack.
                srup_wipe_stack()
                pause(-1)
                continue
            }
            do throws(CameraError) {
                let source =
                    address == .automatic
                    ? try automatic.open(width: width, height: height) : try address.open(width: width, height: height)
                state.withLock { $0.isOpen = true }
                defer { state.withLock { $0.isOpen = false } }
                handlers.tuner?.opened(source.controls)
                // The controls are the source's: it must not go before them.
                defer { withExtendedLifetime(source) { handlers.tuner?.closing() } }
                do throws(CameraError) {
                    try look(through: source, handlers) { hasFrame in
                        lastProblem = nil
                        automatic.works()
                        if hasFrame { delay = 100 }
                    }
                } catch {
                    // Unplugged it is not there to be passed over.
                    if case .unplugged = error {} else { automatic.fails() }
                    throw error
                }
            } catch {
                if error.isNews(after: lastProblem) { handlers.onEvent(.lost(error)) }
                lastProblem = error
                handlers.onIdle()
                pause(delay)
                delay = min(delay * 2, 2000)
            }
        }
    }

    /// Looks until it shall rest.
    ///
    /// - Parameter onWorking: called when the source has shown that it works, and after each frame (`true`).
    private func look(
        through source: any FrameSource, _ handlers: CameraHandlers, onWorking: (_ hasFrame: Bool) -> Void
    ) throws(CameraError) {
        var isAnnounced = false
        func announce(hasFrame: Bool) {
            guard !isAnnounced, source.isReady, hasFrame || !isRecording else { return }
            isAnnounced = true
            onWorking(hasFrame)
            let format = source.format
            handlers.onEvent(
                .opened(summary: source.summary, format: format.name, width: format.width, height: format.height))
        }
        while true {
            // Drained before the question, so that a change after it still wakes the wait.
            _ = srup_eventfd_drain(interrupt)
            guard shouldLook else { return }
            announce(hasFrame: false)
            let came = try source.next(timeout: 1000, interrupt: interrupt) { plane in
                announce(hasFrame: true)
                handlers.onFrame(plane)
            }
            if came { onWorking(true) }
            handlers.onIdle()
        }
    }

    /// A recording is there or not; that it can be read its first frame shows.
    private var isRecording: Bool {
        if case .recording = address { true } else { false }
    }

    private func pause(_ milliseconds: Int32) {
        var poller = pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)
        poll(&poller, 1, milliseconds)
    }
}

extension CameraError {
    /// Whether it has to be said after another one: the same reason is not repeated while the camera stays away, and that
    /// an unplugged camera is then not there is no news either.
    fileprivate func isNews(after last: CameraError?) -> Bool {
        switch (last, self) {
        case (.unplugged, .absent): false
        // What is wrong with them may differ from frame to frame.
        case (.damaged(let before, _), .damaged(let now, _)): before != now
        default: last != self
        }
    }
}
