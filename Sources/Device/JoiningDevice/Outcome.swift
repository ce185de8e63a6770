import ServiceLifecycle

/// How the join has ended; as a service it ends the program when it is known and `--once` was given.
public actor Outcome: Service {
    public enum Result: Sendable { case joined, notLetIn, noAnswer }
    nonisolated let once: Bool
    public private(set) var result: Result?
    private nonisolated let end = AsyncStream<Void>.makeStream()

    public init(once: Bool) {
        self.once = once
    }

    func set(_ result: Result) {
        self.result = result
        if once { self.end.continuation.finish() }
    }

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
