import Linux
import Synchronization

/// Where passwords are computed: on threads of their own, at most two at once (each takes 128 MB), with a short queue.
/// Safe to use from several threads.
final class PasswordWork: Sendable {
    private typealias Job = @Sendable () -> Void
    private struct State {
        var running = 0
        var queue: [Job] = []
    }

    private let state = Mutex(State())
    private let atOnce: Int
    private let longestQueue: Int

    init(atOnce: Int = 2, longestQueue: Int = 16) {
        self.atOnce = atOnce
        self.longestQueue = longestQueue
    }

    /// How many are computed now, and how many wait.
    var load: (running: Int, waiting: Int) { state.withLock { ($0.running, $0.queue.count) } }

    /// - Throws: what `body` throws, or ``OperatorError/busy`` when the queue is full.
    func run<Result: Sendable>(
        _ body: @escaping @Sendable () throws(OperatorError) -> Result
    ) async throws(OperatorError) -> Result {
        let outcome: Swift.Result<Result, OperatorError> = await withCheckedContinuation { continuation in
            let job: Job = {
                do throws(OperatorError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            let (starts, isTaken) = state.withLock { state -> (Bool, Bool) in
                if state.running < atOnce {
                    state.running += 1
                    return (true, true)
                }
                guard state.queue.count < longestQueue else { return (false, false) }
                state.queue.append(job)
                return (false, true)
            }
            if !isTaken { continuation.resume(returning: .failure(.busy)) }
            if starts { DetachedThread.start { [self] in work(job) } }
        }
        return try outcome.get()
    }

    private func work(_ first: @escaping Job) {
        var next: Job? = first
        while let job = next {
            job()
            next = state.withLock { state in
                guard state.queue.isEmpty else { return state.queue.removeFirst() }
                state.running -= 1
                return nil
            }
        }
    }
}
