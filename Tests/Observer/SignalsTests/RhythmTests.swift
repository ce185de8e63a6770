import Testing

@testable import Signals

/// On and off over time, to the millisecond.
@Suite struct RhythmTests {
    private func isOn(_ rhythm: Rhythm, _ milliseconds: Int, repeating: Bool = false) -> Bool {
        rhythm.isOn(at: .milliseconds(milliseconds), repeating: repeating)
    }

    @Test func stepsBeginOnAndTakeTurns() {
        let rhythm = Rhythm([100, 50, 10])
        #expect(rhythm.length == .milliseconds(160))
        #expect(isOn(rhythm, 0) && isOn(rhythm, 99) && !isOn(rhythm, 100) && !isOn(rhythm, 149))
        #expect(isOn(rhythm, 150) && isOn(rhythm, 159))
        // After its end it is off, unless it begins anew.
        #expect(!isOn(rhythm, 160) && !isOn(rhythm, 1_000_000))
        #expect(isOn(rhythm, 160, repeating: true) && !isOn(rhythm, 260, repeating: true))
        // The last step of a round and the first of the next are on without a gap.
        #expect((310..<420).allSatisfy { isOn(rhythm, $0, repeating: true) })
    }

    @Test func theNextChangeIsTheEndOfTheStep() {
        let rhythm = Rhythm([100, 50])
        func next(_ milliseconds: Int, _ repeating: Bool) -> Duration? {
            rhythm.nextChange(after: .milliseconds(milliseconds), repeating: repeating)
        }
        #expect(next(0, false) == .milliseconds(100) && next(99, false) == .milliseconds(100))
        #expect(next(100, false) == .milliseconds(150) && next(150, false) == nil)
        #expect(next(150, true) == .milliseconds(250) && next(299, true) == .milliseconds(300))
    }

    @Test func stepsOfNoLengthArePassedOver() {
        let rhythm = Rhythm([0, 100, 50, 0])
        #expect(!isOn(rhythm, 0) && isOn(rhythm, 100) && !isOn(rhythm, 150))
        #expect(rhythm.nextChange(after: .zero, repeating: true) == .milliseconds(100))
    }

    @Test func whatIsSilentNeverChanges() {
        for rhythm in [Rhythm.silent, Rhythm([0, 0])] {
            #expect(!isOn(rhythm, 0) && !isOn(rhythm, 5, repeating: true))
            #expect(rhythm.nextChange(after: .zero, repeating: true) == nil && rhythm.length == .zero)
        }
    }

    @Test func beforeItsBeginningThereIsNothing() {
        #expect(!isOn(Rhythm([10]), -1, repeating: true))
        #expect(Rhythm([10]).nextChange(after: .milliseconds(-1), repeating: true) == nil)
    }

    /// A year of blinking adds up to no drift and no overflow.
    @Test func afterAYearItStillFallsIntoStep() {
        let rhythm = SignalPattern(.waiting).light
        let year = Duration.seconds(3 * 10_512_000)
        #expect(rhythm.isOn(at: year, repeating: true))
        #expect(!rhythm.isOn(at: year + .milliseconds(60), repeating: true))
        #expect(rhythm.nextChange(after: year, repeating: true) == year + .milliseconds(60))
    }

    @Test(arguments: SignalWord.allCases) func aPlayerIsNeverAskedLessOftenThanItChanges(_ word: SignalWord) {
        // What a program sees that looks only when the player says so is what one sees that looks every millisecond.
        var (often, seldom) = (SignalPlayer(.waiting, at: .zero), SignalPlayer(.waiting, at: .zero))
        often.heard(word, at: .milliseconds(10))
        seldom.heard(word, at: .milliseconds(10))
        var due = Duration.milliseconds(10)
        var shown = seldom.output(at: due)
        for millisecond in 10..<12_000 {
            let now = Duration.milliseconds(millisecond)
            if now >= due {
                shown = seldom.output(at: now)
                due = seldom.nextChange(after: now) ?? .seconds(3600)
                #expect(due > now)
            }
            let seen = often.output(at: now)
            guard seen == shown else {
                Issue.record("\(word) at \(millisecond) ms: \(seen) and not \(shown)")
                return
            }
        }
    }

    @Test func onlyVerdictsAreEvents() {
        #expect(SignalWord.allCases.filter(\.isVerdict) == [.valid, .invalid, .failed])
        for word in SignalWord.allCases {
            #expect(!word.meaning.isEmpty && SignalWord(rawValue: word.rawValue) == word)
        }
        #expect(SignalWord(rawValue: "valid") == nil && SignalWord(rawValue: "") == nil)
    }

    @Test func verdictsThatComeTogetherAreBoundedAndKeepTheirOrder() {
        var player = SignalPlayer(.looking, at: .zero)
        for word in [SignalWord.valid, .failed, .invalid, .failed, .valid, .invalid, .invalid] {
            player.heard(word, at: .zero)
        }
        var seen: [SignalWord] = []
        for millisecond in stride(from: 0, to: 60_000, by: 20) {
            _ = player.output(at: .milliseconds(millisecond))
            if seen.last != player.word { seen.append(player.word) }
        }
        // One that is played and four that wait; then what goes on.
        #expect(seen == [.valid, .failed, .invalid, .failed, .valid, .looking])
    }

    @Test(arguments: [
        "Auto", "NONE", "gpio17", "GPIO:17", "gpio:+17", "gpio:1024", "gpio:1 7", "gpio:gpiochip1/", "gpio:a b/5",
        "gpio:\"x\"/5", "ACT ", "a\nb", "input3\\x", ".", "ü", String(repeating: "x", count: 65),
    ])
    func addressesThatAreMeantAsSomethingElseAreRefused(_ text: String) {
        let error = #expect(throws: SignalError.self) { try SignalAddress(text) }
        #expect(error?.description.contains("is none of: auto, none") == true)
    }

    @Test(arguments: [("input3::numlock", "input3::numlock"), ("led0", "led0"), ("mmc0:tx", "mmc0:tx")])
    func namesOfTheKernelsLEDsAreTaken(_ text: String, _ name: String) throws {
        #expect(try SignalAddress(text) == .led(name))
        #expect(try SignalAddress("gpio:pinctrl-bcm2711/1023") == .gpio(chip: "pinctrl-bcm2711", line: 1023))
    }
}
