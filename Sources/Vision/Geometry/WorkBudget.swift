/// How much may still be done for a picture, in units of about one interpolated sample (some nanoseconds): counted, not
/// timed, so that the same picture always gives the same result.
public struct WorkBudget: Sendable {
    @usableFromInline var units: Int

    /// - Parameter units: how much may be done.
    @inlinable
    public init(_ units: Int) { self.units = units }

    /// Units; less than 0 when the last step has overdrawn.
    @inlinable
    public var left: Int { units }

    /// Whether nothing more may be done.
    @inlinable
    public var isSpent: Bool { units <= 0 }

    /// Takes `units` and tells whether there were any left; the last step may overdraw.
    @inlinable @discardableResult
    public mutating func spend(_ units: Int) -> Bool {
        guard self.units > 0 else { return false }
        self.units -= units
        return true
    }

    /// Lets a part of the work use up to `units`, whether they are there or not, and takes what it has used.
    public mutating func lend(_ units: Int, _ work: (inout WorkBudget) -> Void) {
        var part = WorkBudget(units)
        work(&part)
        self.units -= units - part.units
    }
}
