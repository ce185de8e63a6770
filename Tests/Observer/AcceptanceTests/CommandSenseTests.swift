import Acceptance
import ObservedValue
import Testing

/// Which card somebody means.
@Suite struct CommandSenseTests {
    /// What counts of cards that are seen four times a second, as a witness says them.
    private func counted(
        _ sense: inout CommandSense, from begin: Double, to end: Double, _ commands: [SheetCommand]
    ) -> [SheetCommand] {
        stride(from: begin, to: end, by: 0.25).flatMap { time in
            commands.compactMap { sense.saw($0, isTapped: false, at: .seconds(time)) }
        }
    }

    @Test func aCardThatIsHeldUpCountsOnceUntilItHasBeenAway() {
        var sense = CommandSense()
        #expect(counted(&sense, from: 0, to: 1, [.check]).isEmpty, "not yet a second")
        #expect(counted(&sense, from: 1, to: 60, [.check]) == [.check])
        #expect(counted(&sense, from: 61, to: 70, [.check]).isEmpty, "away for a second: a hand before it")
        #expect(counted(&sense, from: 72, to: 80, [.check]) == [.check])
    }

    @Test func severalAtOnceSayNothing() {
        var sense = CommandSense()
        #expect(counted(&sense, from: 0, to: 30, [.check, .skip, .end]).isEmpty, "the sheet, not cut up")
        // One is left in view.
        #expect(counted(&sense, from: 30, to: 31, [.skip]).isEmpty)
        #expect(counted(&sense, from: 31, to: 40, [.skip]) == [.skip])
    }

    @Test func aCardThatIsCarriedThroughThePictureSaysNothing() {
        var sense = CommandSense()
        #expect(counted(&sense, from: 0, to: 0.9, [.end]).isEmpty)
        // Seen now and then is not a stay.
        for time in stride(from: 10.0, to: 30, by: 1) {
            #expect(sense.saw(.end, isTapped: false, at: .seconds(time)) == nil)
        }
    }

    @Test func aTapCountsAtOnceAndAgainWhenTheTagWasAway() {
        var sense = CommandSense()
        #expect(sense.saw(.begin, isTapped: true, at: .zero) == .begin)
        for time in stride(from: 1.0, to: 20, by: 4) {
            #expect(sense.saw(.begin, isTapped: true, at: .seconds(time)) == nil, "it rests there")
        }
        #expect(sense.saw(.check, isTapped: true, at: .seconds(21)) == .check)
        #expect(sense.saw(.begin, isTapped: true, at: .seconds(30)) == .begin)
    }

    @Test func aCardThatIsStillThereWhenTheEyesLookAgainDoesNotCountAnew() {
        var sense = CommandSense()
        #expect(counted(&sense, from: 0, to: 5, [.check]) == [.check])
        // A step looks by itself for half a minute.
        sense.pause(at: .seconds(5))
        sense.resume(at: .seconds(35))
        #expect(counted(&sense, from: 36.5, to: 60, [.check]).isEmpty)
        #expect(counted(&sense, from: 62, to: 70, [.check]) == [.check])
        // It was taken away before, or meanwhile; another one counts, of course.
        sense.pause(at: .seconds(80))
        sense.resume(at: .seconds(100))
        #expect(counted(&sense, from: 100.5, to: 110, [.check]) == [.check])
        sense.pause(at: .seconds(110))
        sense.resume(at: .seconds(120))
        #expect(counted(&sense, from: 120.5, to: 122, [.skip]) == [.skip])
        #expect(counted(&sense, from: 124, to: 130, [.check]) == [.check])
    }
}
