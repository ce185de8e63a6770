import Logging
import Synchronization
import Testing

@testable import Limits

@Suite struct LimitsTests {
    func granted(_ count: Int, _ budget: inout SenderBudget<Int>, at now: Duration) -> Int {
        var granted = 0
        for _ in 0..<count where budget.take(1, at: now) { granted += 1 }
        return granted
    }

    @Test func aBudgetIsSpentAndComesBack() {
        var budget = SenderBudget<Int>(burst: 5, perSecond: 2)
        #expect(granted(8, &budget, at: .zero) == 5)
        // Another's is its own.
        let (other, early, late) = (
            budget.take(2, at: .zero), budget.take(1, at: .milliseconds(400)), budget.take(1, at: .milliseconds(500))
        )
        #expect(other && !early && late)
        #expect(granted(10, &budget, at: .seconds(100)) == 5)
    }

    @Test func sendersWithAFullBudgetAreForgotten() {
        var budget = SenderBudget<Int>(burst: 5, perSecond: 2)
        for sender in 0..<10_000 { _ = budget.take(sender, at: .milliseconds(sender)) }
        _ = budget.take(1, at: .seconds(60))
        #expect(budget.count == 1)
    }

    @Test func madeUpSendersAreForgottenInTheOrderOfWhatTheyHaveLeft() {
        var budget = SenderBudget<Int>(burst: 5, perSecond: 0.01, maximum: 100)
        for _ in 0..<5 { _ = budget.take(-1, at: .zero) }
        for sender in 0..<10_000 { _ = budget.take(sender, at: .zero) }
        #expect(budget.count <= 100)
        let isGranted = budget.take(-1, at: .zero)
        #expect(!isGranted, "who has spent all is not forgotten")
        #expect(budget.wait(-1, at: .zero) == .seconds(100) && budget.wait(-2, at: .zero) == .zero)
    }

    @Test func whatWasWelcomeIsGivenBack() {
        var budget = SenderBudget<Int>(burst: 1, perSecond: 0.01)
        for _ in 0..<10 {
            let isGranted = budget.take(1, at: .zero)
            #expect(isGranted)
            budget.giveBack(1)
        }
        budget.giveBack(1)
        #expect(granted(5, &budget, at: .zero) == 1)
    }

    /// A logger that keeps its lines.
    final class Lines: LogHandler {
        let lines = Mutex<[String]>([])
        var metadata: Logger.Metadata {
            get { [:] }
            set {}
        }
        var logLevel: Logger.Level {
            get { .info }
            set {}
        }
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { nil }
            set {}
        }
        func log(event: LogEvent) { lines.withLock { $0.append("\(event.message)") } }
    }

    @Test func nobodyFillsALog() {
        let clock = Mutex(Duration.zero)
        let lines = Lines()
        let log = BoundedLog(
            Logger(label: "test") { _ in lines }, perSubject: 3, inAll: 20,
            time: .manual { clock.withLock { $0 } })
        for number in 0..<1000 { log.log(.info, about: "chatterbox", "line \(number)") }
        log.log(.info, about: "other", "something else")
        #expect(lines.lines.withLock { $0 } == ["line 0", "line 1", "line 2", "something else"])
        // Many subjects are bounded together.
        for number in 0..<1000 { log.log(.info, about: number, "from \(number)") }
        #expect(lines.lines.withLock { $0.count } == 20)
        clock.withLock { $0 = .seconds(61) }
        log.log(.info, about: "chatterbox", "again")
        #expect(
            lines.lines.withLock { $0.suffix(2) } == [
                "984 more lines about others were left out in the last minute",
                "again (997 more such lines were left out)",
            ])
    }

    @Test func pausesGrowAndAreBounded() {
        var backoff = Backoff(first: .seconds(1), longest: .seconds(60))
        let pauses = (0..<200).map { _ in backoff.next() }
        #expect(pauses.allSatisfy { $0 >= .milliseconds(500) && $0 <= .seconds(60) })
        #expect(pauses[0] <= .seconds(1))
        #expect(pauses.suffix(100).allSatisfy { $0 >= .seconds(30) })
        backoff.reset()
        #expect(backoff.next() <= .seconds(1))
    }
}
