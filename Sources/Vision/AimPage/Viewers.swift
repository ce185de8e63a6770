/// Who looks at the page: a few at a time. A viewer is who has asked for a picture in the last seconds, by a name that the
/// page made up.
struct Viewers {
    static let most = 4
    /// After so long without a question a viewer has gone.
    static let patience = Duration.seconds(3)

    private var last: [String: ContinuousClock.Instant] = [:]

    /// Whether `name` may look on; notes that it does.
    mutating func admit(_ name: String, at now: ContinuousClock.Instant) -> Bool {
        last = last.filter { now - $0.value < Self.patience }
        guard last[name] != nil || last.count < Self.most else { return false }
        last[name] = now
        return true
    }

    func anyone(at now: ContinuousClock.Instant) -> Bool { last.contains { now - $0.value < Self.patience } }

    /// The names that a page may have.
    static func isName(_ text: String) -> Bool {
        (8...16).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) }
    }
}
