import Limits
import Synchronization

/// How often something is allowed: so many at once, and so many a second in the long run.
public struct Rate: Sendable, Hashable {
    /// How many are allowed at once, after a pause.
    public var burst: Double
    /// How many a second are allowed in the long run.
    public var perSecond: Double

    /// A rate of `burst` at once and `perSecond` a second.
    public init(burst: Double, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }
}

/// Counts what each address does. Safe to use from several threads; of bounded size.
final class RateTable: Sendable {
    private let start = ContinuousClock.now
    private let budget: Mutex<SenderBudget<AddressGroup>>

    /// How many addresses are remembered.
    static let maximumAddresses = 10_000

    init(_ rate: Rate) {
        budget = Mutex(
            SenderBudget(burst: rate.burst, perSecond: rate.perSecond, maximum: Self.maximumAddresses))
    }

    /// Takes one.
    ///
    /// - Returns: `nil` when it was there, else after how many seconds there will be one, an hour at most.
    func take(_ group: AddressGroup, now: ContinuousClock.Instant = .now) -> Int? {
        budget.withLock { budget in
            if budget.take(group, at: now - start) { return nil }
            let seconds = budget.wait(group, at: now - start) / .seconds(1)
            return min(max(1, Int(seconds.rounded(.up))), 3600)
        }
    }
}
