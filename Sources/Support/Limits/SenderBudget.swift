/// How much each sender may cost: so many messages at once and so many a second, before a signature is checked or the disk
/// is touched. Whoever sends more pays for it alone.
///
/// Pure: the time is passed in. Bounded: a sender whose budget is full again is forgotten.
public struct SenderBudget<Sender: Hashable & Sendable>: Sendable {
    private struct Account {
        var left: Double
        var since: Duration
    }

    private let burst: Double
    private let perSecond: Double
    private var accounts: [Sender: Account] = [:]
    private var nextSweep = Duration.zero

    /// - Parameters:
    ///   - burst: how many messages are taken at once from a sender that was silent.
    ///   - perSecond: how many more for each second.
    public init(burst: Double, perSecond: Double) {
        self.burst = burst
        self.perSecond = perSecond
    }

    /// How many senders are remembered.
    public var count: Int { accounts.count }

    /// Takes one message from the sender's budget; `false` when there is none left.
    public mutating func take(_ sender: Sender, at now: Duration) -> Bool {
        sweep(now)
        var account = accounts[sender] ?? Account(left: burst, since: now)
        account.left = available(account, now)
        account.since = now
        let isGranted = account.left >= 1
        if isGranted { account.left -= 1 }
        accounts[sender] = account
        return isGranted
    }

    private func available(_ account: Account, _ now: Duration) -> Double {
        min(burst, account.left + (now - account.since) / .seconds(1) * perSecond)
    }

    /// Forgets who has a full budget again, now and then.
    private mutating func sweep(_ now: Duration) {
        guard now >= nextSweep else { return }
        nextSweep = now + .seconds(10)
        accounts = accounts.filter { available($0.value, now) < burst }
    }
}
