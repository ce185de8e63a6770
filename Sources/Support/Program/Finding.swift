/// What one check of the doctor has found, with what to do about it. Holds no secret.
public struct Finding: Codable, Sendable, Hashable {
    /// What a finding means: all is well, something may go wrong, something is wrong, or it is not known.
    public enum State: String, Codable, Sendable, CaseIterable {
        case ok, warning, problem
        /// It could not be looked at, or there is nothing to look at.
        case skipped
    }

    /// What was looked at: "clock", "camera: frame rate".
    public let name: String
    /// What the answer means.
    public let state: State
    /// The answer, in plain words.
    public let says: String
    /// What to do about it; `nil` when there is nothing to do.
    public let remedy: String?

    /// What a check has found.
    ///
    /// - Parameters:
    ///   - name: what was looked at.
    ///   - state: what the answer means.
    ///   - says: the answer, in plain words.
    ///   - remedy: what to do about it; `nil`: nothing.
    public init(_ name: String, _ state: State, _ says: String, remedy: String? = nil) {
        self.name = name
        self.state = state
        self.says = says
        self.remedy = remedy
    }

    /// The same with a word before its name, such as the logical observer's.
    public func under(_ prefix: String) -> Finding {
        prefix.isEmpty ? self : Finding("\(prefix): \(name)", state, says, remedy: remedy)
    }
}
