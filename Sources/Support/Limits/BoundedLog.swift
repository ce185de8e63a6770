import Logging
import Synchronization

/// A logger for lines that others cause: a few a minute about each of them, and not too many in all, so that no peer and no
/// flapping device fills a log. What is left out is counted and told.
public final class BoundedLog: Sendable {
    private struct Account {
        var lines = 0
        var omitted = 0
    }

    private struct State {
        var began: Duration
        var total = 0
        var omitted = 0
        var accounts: [String: Account] = [:]
        /// Left out in the minute before, by what the lines were about.
        var before: [String: Int] = [:]
    }

    private let logger: Logger
    private let perSubject: Int
    private let inAll: Int
    private let time: Timekeeper
    private let state: Mutex<State>

    private static let window = Duration.seconds(60)

    /// - Parameters:
    ///   - perSubject: lines a minute about one subject.
    ///   - inAll: lines a minute about all of them.
    public init(_ logger: Logger, perSubject: Int = 6, inAll: Int = 120, time: Timekeeper = .monotonic) {
        self.logger = logger
        self.perSubject = perSubject
        self.inAll = inAll
        self.time = time
        state = Mutex(State(began: time.now()))
    }

    /// Logs a line about `subject`, unless there were too many about it in this minute.
    public func log(
        _ level: Logger.Level, about subject: some CustomStringConvertible, _ text: @autoclosure () -> String
    ) {
        guard level >= logger.logLevel else { return }
        let subject = subject.description
        let (isGranted, omitted, ofAll) = state.withLock { grant(&$0, subject) }
        if ofAll > 0 { logger.warning("\(ofAll) more lines about others were left out in the last minute") }
        guard isGranted else { return }
        logger.log(level: level, "\(text())\(omitted > 0 ? " (\(omitted) more such lines were left out)" : "")")
    }

    private func grant(_ state: inout State, _ subject: String) -> (isGranted: Bool, omitted: Int, ofAll: Int) {
        let now = time.now()
        var ofAll = 0
        if now - state.began >= Self.window {
            ofAll = state.omitted
            let before = state.accounts.filter { $0.value.omitted > 0 }.mapValues(\.omitted)
            state = State(began: now, before: before)
        }
        // Also bounds the table: who is not in it by then is only counted.
        guard state.total < inAll else {
            state.omitted += 1
            return (false, 0, ofAll)
        }
        guard state.accounts[subject, default: Account()].lines < perSubject else {
            state.accounts[subject]?.omitted += 1
            return (false, 0, ofAll)
        }
        state.total += 1
        state.accounts[subject, default: Account()].lines += 1
        return (true, state.before.removeValue(forKey: subject) ?? 0, ofAll)
    }
}
