/// How much may still be done for a picture, in units of about one interpolated sample (some nanoseconds): counted, not
/// timed, so that the same picture always gives the same result.
struct WorkBudget {
    private(set) var left: Int

    init(_ units: Int) {
        left = units
    }

    var isSpent: Bool { left <= 0 }

    /// Takes `units` and tells whether they were there; the last step may overdraw.
    mutating func spend(_ units: Int) -> Bool {
        guard left > 0 else { return false }
        left -= units
        return true
    }

    /// Lets a part of the work use up to `units`, whether they are there or not, and takes what it has used.
    mutating func lend(_ units: Int, _ work: (inout WorkBudget) -> Void) {
        var part = WorkBudget(units)
        work(&part)
        left -= units - part.left
    }
}
