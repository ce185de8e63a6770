/// How much each sender may cost: so many messages at once and so many a second, before a signature is checked or the disk
/// is touched. Whoever sends more pays for it alone.
///
/// Pure: the time is passed in. Bounded: a sender whose budget is full again is forgotten, and above ``maximum`` those that
/// have spent least.
public struct SenderBudget<Sender: Hashable & Sendable>: Sendable {
    private struct Account {
        var left: Double
        var since: Duration
    }

    private let burst: Double
    private let perSecond: Double
    /// How many senders are remembered at most.
    public let maximum: Int
    private var accounts: [Sender: Account] = [:]
    private var nextSweep = Duration.zero

    /// - Parameters:
    ///   - burst: how many messages are taken at once from a sender that was silent.
    ///   - perSecond: how many more for each second.
    ///   - maximum: how many senders are remembered at most, where anybody can make up new ones.
    public init(burst: Double, perSecond: Double, maximum: Int = .max) {
        self.burst = burst
        self.perSecond = perSecond
        self.maximum = maximum
    }

    /// How many senders are remembered.
    public var count: Int { accounts.count }

    /// Takes one message from the sender's budget; `false` when there is none left.
    public mutating func take(_ sender: Sender, at now: Duration) -> Bool {
        sweep(now)
        if accounts.count >= maximum, accounts[sender] == nil { makeRoom(now) }
        var account = accounts[sender] ?? Account(left: burst, since: now)
        account.left = available(account, now)
        account.since = now
        let isGranted = account.left >= 1
        if isGranted { account.left -= 1 }
        accounts[sender] = account
        return isGranted
    }

    /// Gives back what a message has cost that turned out to be welcome.
    public mutating func giveBack(_ sender: Sender) {
        guard let left = accounts[sender]?.left else { return }
        accounts[sender]?.left = min(burst, left + 1)
    }

    /// After how long there is a message in the sender's budget; zero when there is one now.
    public func wait(_ sender: Sender, at now: Duration) -> Duration {
        guard let account = accounts[sender] else { return .zero }
        let missing = 1 - available(account, now)
        return missing <= 0 ? .zero : .seconds(min(missing / perSecond, 86400))
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

    /// Forgets who has a full budget; if that is not enough, the half that has spent least.
    private mutating func makeRoom(_ now: Duration) {
        nextSweep = now
        sweep(now)
        guard accounts.count >= maximum else { return }
        let ranked = accounts.sorted { available($0.value, now) < available($1.value, now) }
        accounts = Dictionary(uniqueKeysWithValues: ranked.prefix(maximum / 2).map { ($0.key, $0.value) })
    }
}
