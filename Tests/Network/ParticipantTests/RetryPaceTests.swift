import Testing

@testable import Participant

/// When a lost connection is tried again.
@Suite struct RetryPaceTests {
    private func waits(_ count: Int, isAwaited: Bool) -> [Double] {
        var pace = RetryPace(isAwaited: isAwaited)
        return (0..<count).map { _ in pace.next() }
    }

    @Test func aParticipantWaitsLongerEachTime() {
        #expect(waits(9, isAwaited: false) == [0.5, 1, 2, 4, 8, 16, 32, 60, 60])
    }

    @Test func aServerIsThereBeforeTheOthers() {
        let waits = waits(110, isAwaited: true)
        #expect(waits.prefix(100).allSatisfy { $0 == 0.1 })
        #expect(waits.dropFirst(100) == [0.5, 1, 2, 4, 5, 5, 5, 5, 5, 5])
    }

    @Test func whatHasHeldBeginsAnew() {
        for isAwaited in [false, true] {
            var pace = RetryPace(isAwaited: isAwaited)
            let first = pace.next()
            for _ in 0..<200 { _ = pace.next() }
            pace.reset()
            #expect(pace.next() == first)
        }
    }
}
