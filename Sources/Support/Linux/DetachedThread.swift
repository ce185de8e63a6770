import Glibc

/// A thread for calls that block: they must not hold up the cooperative pool, which has as many threads as the machine
/// has cores.
public enum DetachedThread {
    /// What `body` gives, which may block, from a thread of its own; the calling task waits without holding up others.
    ///
    /// - Parameter stack: the thread's stack in KiB.
    public static func value<Value: Sendable>(
        stack: Int = 512, of body: @escaping @Sendable () -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            start(stack: stack) { continuation.resume(returning: body()) }
        }
    }

    /// Runs `body` on a thread of its own; what it captures lives until it returns.
    ///
    /// - Parameter stack: its stack in KiB.
    public static func start(stack: Int = 512, _ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, stack << 10)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { context in
                if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, Unmanaged.passRetained(Box(body)).toOpaque())
        // Without a thread neither broker nor witness can be served: there is nothing to go on with.
        precondition(code == 0, "no thread could be started: \(String(cString: strerror(code)))")
    }
}
