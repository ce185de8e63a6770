/// Turns words into light and sound; the time is passed in, from any beginning.
///
/// A verdict is played to its end, and those that come meanwhile after it; then the present state is shown again.
public struct SignalPlayer: Sendable {
    /// Verdicts that wait to be played; a hostile or confused keeper must not pile them up.
    static let maximumWaiting = 4

    private var state: SignalWord
    private var stateSince: Duration
    private var playing: (word: SignalWord, since: Duration)?
    private var waiting: [SignalWord] = []

    /// Shows a state, its rhythm beginning now.
    public init(_ state: SignalWord, at now: Duration) {
        self.state = state
        stateSince = now
    }

    /// What is shown now.
    public var word: SignalWord { playing?.word ?? state }

    /// A word has come.
    public mutating func heard(_ word: SignalWord, at now: Duration) {
        advance(to: now)
        guard word.isEvent else {
            // The rhythm of a state goes on when it is said again.
            if state != word {
                state = word
                stateSince = now
            }
            return
        }
        if playing == nil {
            playing = (word, now)
        } else if waiting.count < Self.maximumWaiting {
            waiting.append(word)
        }
    }

    /// Light and sound at a time; times must not go back.
    public mutating func output(at now: Duration) -> (light: Bool, sound: Bool) {
        advance(to: now)
        guard let playing else {
            return (SignalPattern(state).light.isOn(at: now - stateSince, repeating: true), false)
        }
        let pattern = SignalPattern(playing.word)
        let elapsed = now - playing.since
        return (pattern.light.isOn(at: elapsed, repeating: false), pattern.sound.isOn(at: elapsed, repeating: false))
    }

    /// When the output may change next.
    public func nextChange(after now: Duration) -> Duration? {
        guard let playing else {
            return SignalPattern(state).light.nextChange(after: now - stateSince, repeating: true).map {
                $0 + stateSince
            }
        }
        let pattern = SignalPattern(playing.word)
        let elapsed = now - playing.since
        let changes = [
            pattern.light.nextChange(after: elapsed, repeating: false),
            pattern.sound.nextChange(after: elapsed, repeating: false), pattern.length > elapsed ? pattern.length : nil,
        ]
        return changes.compactMap { $0 }.min().map { $0 + playing.since }
    }

    private mutating func advance(to now: Duration) {
        while let current = playing, now - current.since >= SignalPattern(current.word).length {
            let end = current.since + SignalPattern(current.word).length
            if waiting.isEmpty {
                playing = nil
                stateSince = max(end, stateSince)
            } else {
                playing = (waiting.removeFirst(), end)
            }
        }
    }
}
