/// What to do at a step, as somebody types it or a file says it.
public enum AcceptanceAnswer: Sendable, Hashable {
    /// Check it now: what was asked for has been done.
    case check
    /// It is left out, and why.
    case skip(String)
    /// Somebody has seen it, and says so; "ok" with a word of what was seen.
    case seen(String)
    /// Stop here; go on another time.
    case quit

    /// "" and "check"; "skip REASON"; "seen WORDS"; "quit". `nil` for anything else, and for a reason that is missing.
    public init?(_ text: String) {
        let words: [String] = text.split(separator: " " as Character, maxSplits: 1).map { String($0) }
        switch (words.first?.lowercased() ?? "", words.count == 2 ? words[1] : "") {
        case ("", ""), ("check", ""): self = .check
        case ("skip", let reason) where !reason.isEmpty: self = .skip(reason)
        case ("seen", let what) where !what.isEmpty: self = .seen(what)
        case ("quit", ""): self = .quit
        default: return nil
        }
    }
}

/// Answers from a file, for a check without a person at the keyboard: a step and its answer a line, "#" begins a comment.
///
///     doctor: check
///     lamp: skip no lamps in this place
public struct AcceptanceAnswers: Sendable, Hashable {
    /// What is wrong with a file of answers.
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        /// From 1.
        public let line: Int
        /// What is wrong, for people.
        public var description: String {
            let steps = AcceptanceStep.allCases.map(\.rawValue).joined(separator: ", ")
            return
                "line \(line): \"STEP: check\", \"STEP: skip REASON\", \"STEP: seen WORDS\" or \"STEP: quit\" is wanted, "
                + "STEP being one of \(steps), each once"
        }
    }

    private var answers: [AcceptanceStep: AcceptanceAnswer] = [:]

    /// - Throws: ``Failure``.
    public init(_ text: String) throws(Failure) {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let content = line.prefix { $0 != "#" }.filter { $0 != "\t" }
            let parts = content.split(separator: ":" as Character, maxSplits: 1, omittingEmptySubsequences: false)
            if content.allSatisfy({ $0 == " " }) { continue }
            guard parts.count == 2, let step = AcceptanceStep(rawValue: parts[0].filter { $0 != " " }),
                let answer = AcceptanceAnswer(String(parts[1])), answers[step] == nil
            else { throw Failure(line: index + 1) }
            answers[step] = answer
        }
    }

    /// `nil` for a step of which nothing is said: it stays open.
    public subscript(step: AcceptanceStep) -> AcceptanceAnswer? { answers[step] }
}
