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

/// Counts what each address does, as token buckets. Safe to use from several threads; of bounded size.
final class RateTable: Sendable {
    private struct Bucket {
        var tokens: Double
        var since: ContinuousClock.Instant
    }

    private let rate: Rate
    private let buckets = Mutex<[AddressGroup: Bucket]>([:])

    /// How many addresses are remembered.
    static let maximumAddresses = 10_000

    init(_ rate: Rate) {
        self.rate = rate
    }

    /// Takes one.
    ///
    /// - Returns: `nil` when it was there, else after how many seconds there will be one.
    func take(_ group: AddressGroup, now: ContinuousClock.Instant = .now) -> Int? {
        buckets.withLock { buckets in
            if buckets[group] == nil, buckets.count >= Self.maximumAddresses { makeRoom(&buckets, now) }
            var bucket = buckets[group] ?? Bucket(tokens: rate.burst, since: now)
            bucket.tokens = tokens(bucket, now)
            bucket.since = now
            defer { buckets[group] = bucket }
            guard bucket.tokens >= 1 else {
                let seconds = (1 - bucket.tokens) / rate.perSecond
                return seconds < 3600 ? max(1, Int(seconds.rounded(.up))) : 3600
            }
            bucket.tokens -= 1
            return nil
        }
    }

    private func tokens(_ bucket: Bucket, _ now: ContinuousClock.Instant) -> Double {
        min(rate.burst, bucket.tokens + (now - bucket.since) / .seconds(1) * rate.perSecond)
    }

    /// Forgets those who may do all again, as they might after a pause anyway; if there are none, the half that may most.
    private func makeRoom(_ buckets: inout [AddressGroup: Bucket], _ now: ContinuousClock.Instant) {
        buckets = buckets.filter { tokens($0.value, now) < rate.burst }
        guard buckets.count >= Self.maximumAddresses else { return }
        let ranked = buckets.sorted { tokens($0.value, now) < tokens($1.value, now) }
        buckets = Dictionary(uniqueKeysWithValues: ranked.prefix(Self.maximumAddresses / 2).map { ($0.key, $0.value) })
    }
}
