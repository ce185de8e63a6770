import Synchronization
import Testing

@testable import Limits

/// Whose requests are counted together.
@Suite struct AddressGroupTests {
    @Test func everyIPv4AddressIsOnesOwn() {
        #expect(AddressGroup("192.0.2.1") == AddressGroup("192.0.2.1"))
        #expect(AddressGroup("192.0.2.1") != AddressGroup("192.0.2.2"))
        #expect(Set((0..<256).map { AddressGroup("198.51.100.\($0)") }).count == 256)
    }

    @Test func aNetworkOfIPv6IsOne() {
        let one = AddressGroup("2001:db8:1:2::1")
        for text in ["2001:db8:1:2::ffff", "2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:0db8:0001:0002::"] {
            #expect(AddressGroup(text) == one, "\(text)")
        }
        #expect(AddressGroup("2001:db8:1:3::1") != one && AddressGroup("2001:db9:1:2::1") != one)
    }

    @Test func anIPv4AddressInIPv6sClothesIsTheSame() {
        #expect(AddressGroup("::ffff:192.0.2.1") == AddressGroup("192.0.2.1"))
        #expect(AddressGroup("::ffff:c000:201") == AddressGroup("192.0.2.1"))
        #expect(AddressGroup("::ffff:192.0.2.2") != AddressGroup("192.0.2.1"))
        // Not mapped: another prefix that ends alike.
        #expect(AddressGroup("::fffe:192.0.2.1") != AddressGroup("192.0.2.1"))
        #expect(AddressGroup("64:ff9b::192.0.2.1") != AddressGroup("192.0.2.1"))
    }

    @Test func aScopeIsNoPartOfTheAddress() {
        #expect(AddressGroup("fe80::1%eth0") == AddressGroup("fe80::2%wlan0"))
    }

    @Test(arguments: [
        nil, "", "localhost", "192.0.2.1:80", "[::1]", "1.2.3", "01.2.3.4.5", "%eth0", "\0", " 192.0.2.1",
    ])
    func whatIsNoAddressIsOneGroup(_ text: String?) {
        #expect(AddressGroup(text) == .unknown)
    }

    @Test func anIPv4AddressIsNoIPv6NetworkWithTheSameNumber() {
        // 0.0.0.0 and ::, whose numbers are both 0.
        #expect(AddressGroup("0.0.0.0") != AddressGroup("::"))
        #expect(AddressGroup("0.0.0.0") != .unknown)
    }
}

/// The clock that timeouts go by.
@Suite struct TimekeeperTests {
    @Test func itsTimeNeverGoesBack() {
        let clock = Timekeeper.monotonic
        var last = clock.now()
        for _ in 0..<10_000 {
            let now = clock.now()
            #expect(now >= last)
            last = now
        }
    }

    @Test func whatIsDueIsCalledAndAlsoWhatWasDueLongAgo() async {
        let called = Mutex<[Int]>([])
        let clock = Timekeeper.monotonic
        let late = clock.wake(at: clock.now() + .milliseconds(30)) { called.withLock { $0.append(2) } }
        await clock.wake(at: .seconds(-100)) { called.withLock { $0.append(1) } }.value
        await late.value
        #expect(called.withLock { $0 } == [1, 2])
    }

    @Test func whatIsCancelledIsNotCalled() async {
        let called = Mutex(false)
        for clock in [Timekeeper.monotonic, .manual { .zero }] {
            let task = clock.wake(at: .seconds(1_000_000)) { called.withLock { $0 = true } }
            task.cancel()
            await task.value
        }
        #expect(!called.withLock { $0 })
    }

    @Test func aClockThatItsOwnerMovesWakesNobodyByItself() async throws {
        let called = Mutex(false)
        let moved = Mutex(Duration.zero)
        let clock = Timekeeper.manual { moved.withLock { $0 } }
        let task = clock.wake(at: .seconds(1)) { called.withLock { $0 = true } }
        moved.withLock { $0 = .seconds(10) }
        for _ in 0..<100 { await Task.yield() }
        #expect(clock.now() == .seconds(10) && !called.withLock { $0 })
        task.cancel()
        await task.value
    }
}

/// Pauses and budgets at their ends.
@Suite struct LimitEdgeTests {
    @Test func aBudgetsWaitIsTheTimeUntilTheNextMessage() {
        var budget = SenderBudget<String>(burst: 2, perSecond: 4)
        let (first, second) = (budget.take("a", at: .seconds(5)), budget.take("a", at: .seconds(5)))
        #expect(first && second)
        #expect(budget.wait("a", at: .seconds(5)) == .milliseconds(250))
        #expect(budget.wait("a", at: .seconds(5) + .milliseconds(100)) == .milliseconds(150))
        // A try that is refused costs nothing.
        let early = budget.take("a", at: .seconds(5) + .milliseconds(249))
        let late = budget.take("a", at: .seconds(5) + .milliseconds(250))
        #expect(!early && late)
    }

    @Test func aWaitIsADayAtMost() {
        var budget = SenderBudget<Int>(burst: 1, perSecond: 1e-9)
        _ = budget.take(1, at: .zero)
        #expect(budget.wait(1, at: .zero) == .seconds(86400))
    }

    @Test func nothingIsGivenBackToWhoIsNotKnownOrHasAll() {
        var budget = SenderBudget<Int>(burst: 3, perSecond: 0.001)
        budget.giveBack(7)
        #expect(budget.count == 0)
        _ = budget.take(7, at: .zero)
        for _ in 0..<10 { budget.giveBack(7) }
        let granted = (0..<10).count { _ in budget.take(7, at: .zero) }
        #expect(granted == 3)
    }

    @Test func aPauseIsNeverMoreThanTheLongestEvenAtTheFirst() {
        var backoff = Backoff(first: .seconds(100), longest: .seconds(10))
        let pauses = (0..<50).map { _ in backoff.next() }
        #expect(pauses.allSatisfy { $0 <= .seconds(10) } && backoff.tries == 50)
        var none = Backoff(first: .zero, longest: .zero)
        let nothing = (0..<5).map { _ in none.next() }
        #expect(nothing.allSatisfy { $0 == .zero })
    }

    @Test func aThousandDoNotComeBackAtOnce() {
        let pauses = (0..<1000).map { _ in
            var backoff = Backoff(first: .seconds(8), longest: .seconds(8))
            return backoff.next()
        }
        // Spread over four seconds: no tenth of them is empty or full.
        for part in 0..<10 {
            let range = (4 + 0.4 * Double(part))..<(4.4 + 0.4 * Double(part))
            let count = pauses.count { range.contains($0 / .seconds(1)) }
            #expect((30...250).contains(count), "\(range): \(count)")
        }
    }
}
