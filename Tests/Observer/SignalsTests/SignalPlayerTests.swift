import Testing

@testable import Signals

@Suite struct SignalPlayerTests {
    /// When the light goes on and off up to a time, looking only when the player says that something may change.
    func changes(_ player: SignalPlayer, until end: Duration) -> [(Duration, Bool)] {
        var player = player
        var now = Duration.zero
        var changes: [(Duration, Bool)] = [(now, player.output(at: now).light)]
        while let next = player.nextChange(after: now), next <= end {
            now = next
            let light = player.output(at: now).light
            if light != changes[changes.count - 1].1 { changes.append((now, light)) }
        }
        return changes
    }

    @Test func waitingIsAShortFlashEveryThreeSeconds() {
        let changes = changes(SignalPlayer(.waiting, at: .zero), until: .seconds(7))
        #expect(changes.map(\.0) == [0, 60, 3000, 3060, 6000, 6060].map { .milliseconds($0) })
        #expect(changes.map(\.1) == [true, false, true, false, true, false])
    }

    @Test func aVerdictIsPlayedToItsEndAndThenTheStateIsShown() {
        var player = SignalPlayer(.looking, at: .zero)
        player.heard(.valid, at: .seconds(1))
        // The keeper waits again at once: VALID is still shown.
        player.heard(.waiting, at: .milliseconds(1001))
        #expect(player.output(at: .seconds(2)) == (true, false))
        #expect(player.word == .valid)
        #expect(player.output(at: .milliseconds(4100)) == (false, false))
        _ = player.output(at: .milliseconds(4500))
        #expect(player.word == .waiting)
        #expect(player.output(at: .milliseconds(4510)).light)
    }

    @Test func beepsAreCounted() {
        for (word, beeps) in [(SignalWord.valid, 1), (.invalid, 3), (.failed, 2), (.waiting, 0), (.fault, 0)] {
            var player = SignalPlayer(.waiting, at: .zero)
            player.heard(word, at: .zero)
            var count = 0
            var was = false
            for millisecond in stride(from: 0, to: 10_000, by: 10) {
                let sound = player.output(at: .milliseconds(millisecond)).sound
                if sound && !was { count += 1 }
                was = sound
            }
            #expect(count == beeps, "\(word)")
        }
    }

    @Test func twoVerdictsAreShownOneAfterTheOther() {
        var player = SignalPlayer(.waiting, at: .zero)
        player.heard(.valid, at: .zero)
        player.heard(.failed, at: .seconds(1))
        _ = player.output(at: .milliseconds(3400))
        #expect(player.word == .valid)
        _ = player.output(at: .milliseconds(3600))
        #expect(player.word == .failed)
        _ = player.output(at: .milliseconds(8600))
        #expect(player.word == .waiting)
    }

    @Test func aFloodOfVerdictsIsForgotten() {
        var player = SignalPlayer(.waiting, at: .zero)
        for _ in 0..<100_000 { player.heard(.valid, at: .zero) }
        _ = player.output(at: .seconds(60))
        #expect(player.word == .waiting)
    }

    @Test func theSameStateSaidAgainDoesNotBreakItsRhythm() {
        var player = SignalPlayer(.waiting, at: .zero)
        player.heard(.waiting, at: .milliseconds(1500))
        #expect(!player.output(at: .milliseconds(1510)).light)
    }

    @Test func everyPatternDiffersAndIsExplained() {
        let patterns = SignalWord.allCases.map { SignalPattern($0) }
        #expect(Set(patterns.map(\.light)).count == SignalWord.allCases.count)
        for word in SignalWord.allCases { #expect(SignalPattern.table.contains(word.rawValue)) }
    }
}

@Suite struct SignalAddressTests {
    @Test(arguments: [
        ("auto", SignalAddress.auto), ("none", .none), ("ACT", .led("ACT")), ("gpio:17", .gpio(chip: nil, line: 17)),
        ("gpio:gpiochip1/5", .gpio(chip: "gpiochip1", line: 5)),
    ])
    func addressesAreRead(_ text: String, _ address: SignalAddress) throws {
        #expect(try SignalAddress(text) == address)
    }

    @Test(arguments: ["", "a/b", "..", "gpio:", "gpio:-1", "gpio:1/2/3", "gpio:/5", "gpio:../5", "gpio:99999999999"])
    func otherTextIsRefused(_ text: String) {
        #expect(throws: SignalError.self) { try SignalAddress(text) }
    }
}
