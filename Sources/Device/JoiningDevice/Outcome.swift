import ServiceLifecycle

/// How the join has ended; as a service it ends the program when it is known and `--once` was given.
public actor Outcome: Service {
    /// How a join has ended: let in, not let in, or without an answer in time.
    public enum Result: Sendable { case joined, notLetIn, noAnswer }
    nonisolated let once: Bool
    /// How the latest join has ended; `nil` while none has.
    public private(set) var result: Result?
    private nonisolated let end = AsyncStream<Void>.makeStream()

    /// Nothing is known yet.
    ///
    /// - Parameter once: whether the program ends with the first result (`--once`).
    public init(once: Bool) {
        self.once = once
    }

    func set(_ result: Result) {
        self.result = result
        if once { self.end.continuation.finish() }
    }

    /// Goes on until there is a result and `once` was given, or the service group asks it to stop; then 50 ms more.
    public nonisolated func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                for await _ in self.end.stream {}
            } onGracefulShutdown: {
                self.end.continuation.finish()
            }
        } onCancel: {
            self.end.continuation.finish()
        }
        // The broker should have our last confirmation before we go.
        try? await Task.sleep(for: .milliseconds(50))
    }
}
