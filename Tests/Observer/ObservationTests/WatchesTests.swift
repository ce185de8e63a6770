import ObservedValue
import Observation
import Testing

/// Virtual time throughout: every call says when it is.
@Suite struct WatchesTests {
    static let nonce = [UInt8](repeating: 0xA5, count: 16)
    static let other = [UInt8](repeating: 0x5A, count: 16)

    /// With rules under which the old tests' seconds are enough; a camera that looks since long before.
    func watches(_ change: (inout WatchRules) -> Void = { _ in }) -> Watches<String> {
        var rules = WatchRules()
        rules.displayTime = .zero
        rules.settle = .zero
        change(&rules)
        var watches = Watches<String>(rules: rules, now: .zero)
        watches.witness("camera", problem: nil, at: .zero)
        return watches
    }

    @discardableResult
    func open(_ id: String, _ nonce: [UInt8] = nonce, in watches: inout Watches<String>, at now: Duration) -> Bool {
        watches.open(id, fingerprint: Watches<String>.fingerprint(of: nonce), at: now) { $0 == nonce }
    }

    func glimpse(_ value: [UInt8], _ place: String = "qr at 1,2 to 3,4") -> Sighting {
        Sighting(value: value, manner: .glimpsed, witness: "camera", place: place)
    }

    /// Shows a value ten times a second; the verdict when there is one, and when it came.
    @discardableResult
    func show(
        _ sighting: Sighting, in watches: inout Watches<String>, from start: Duration, to end: Duration,
        _ also: (inout Watches<String>, Duration) -> Void = { _, _ in }
    ) -> (verdict: Verdict, at: Duration)? {
        var now = start
        while now <= end {
            also(&watches, now)
            if let ended = watches.saw(sighting, at: now).first { return (ended.verdict, now) }
            now += .milliseconds(100)
        }
        return nil
    }

    /// As the appliance has them.
    func ordinary() -> Watches<String> {
        watches {
            $0.displayTime = .seconds(20)
            $0.settle = .seconds(2)
        }
    }
    func tap(_ value: [UInt8]) -> Sighting { Sighting(value: value, manner: .presented, witness: "nfc") }

    /// However it is shown and however long, and were it the nonce itself.
    @Test(arguments: [15, 30, 80]) func aTestSheetsValueCountsForNothing(_ edge: Int) throws {
        let value = try #require(TestValue(edge: edge)).bytes
        for nonce in [Self.nonce, value] {
            var watches = watches()
            open("a", nonce, in: &watches, at: .seconds(1))
            #expect(show(glimpse(value), in: &watches, from: .seconds(2), to: .seconds(50)) == nil)
            #expect(watches.saw(tap(value), at: .seconds(51)).isEmpty)
            #expect(watches.remembered == 0 && watches.count == 1)
        }
        // Beside it the nonce is as valid as ever.
        var watches = watches()
        open("a", in: &watches, at: .seconds(1))
        _ = watches.saw(glimpse(value), at: .seconds(2))
        #expect(watches.saw(glimpse(Self.nonce), at: .seconds(2)).first?.verdict == .valid(witness: "camera"))
        // Who knows no test values takes it for a parcel's number.
        #expect(ObservedValue(bytes: value)?.isDecimal == true)
    }

    @Test func onlyATestValueIsOne() throws {
        let value = try #require(TestValue(edge: 123))
        #expect(TestValue(value.bytes) == value)
        #expect(TestValue(edge: -1) == nil && TestValue(edge: 1000) == nil)
        for place in value.bytes.indices {
            var other = value.bytes
            other[place] ^= 0x80
            #expect(TestValue(other) == nil)
        }
        #expect(TestValue(value.bytes.dropLast()) == nil && TestValue(value.bytes + [0x30]) == nil)
    }

    @Test func theNonceIsValidAtFirstSight() {
        var watches = watches()
        open("a", in: &watches, at: .seconds(1))
        let ended = watches.saw(glimpse(Self.nonce), at: .seconds(2))
        #expect(ended.map(\.id) == ["a"])
        #expect(ended.first?.verdict == .valid(witness: "camera"))
        #expect(ended.first?.elapsed == .seconds(1))
        #expect(watches.isEmpty)
    }

    @Test func anotherValueIsInvalidOnlyAfterAStayInView() {
        var watches = watches { $0.invalidAfter = .seconds(3) }
        open("a", in: &watches, at: .zero)
        for tenth in 0..<30 {
            #expect(watches.saw(glimpse(Self.other), at: .milliseconds(tenth * 100)).isEmpty)
        }
        let ended = watches.saw(glimpse(Self.other), at: .seconds(3))
        #expect(ended.first?.verdict == .invalid(witness: "camera"))
    }

    @Test func aGapBeginsTheStayAnew() {
        var watches = watches { $0.invalidAfter = .seconds(3) }
        open("a", in: &watches, at: .zero)
        for tenth in 0..<29 { _ = watches.saw(glimpse(Self.other), at: .milliseconds(tenth * 100)) }
        #expect(watches.saw(glimpse(Self.other), at: .seconds(5)).isEmpty)
        #expect(watches.saw(glimpse(Self.other), at: .milliseconds(5500)).isEmpty)
    }

    @Test func theRightValueAfterAWrongOneIsValid() {
        var watches = watches { $0.invalidAfter = .seconds(3) }
        open("a", in: &watches, at: .zero)
        _ = watches.saw(glimpse(Self.other), at: .seconds(1))
        _ = watches.saw(glimpse(Self.other), at: .seconds(2))
        #expect(watches.saw(glimpse(Self.nonce), at: .milliseconds(2500)).first?.verdict == .valid(witness: "camera"))
    }

    @Test func aTapOfAnotherValueIsInvalidAtOnce() {
        var watches = watches()
        open("a", in: &watches, at: .zero)
        #expect(watches.saw(tap(Self.other), at: .seconds(1)).first?.verdict == .invalid(witness: "nfc"))
    }

    @Test func nothingInTimeIsFailed() {
        var watches = watches { $0.timeout = .seconds(60) }
        open("a", in: &watches, at: .seconds(10))
        #expect(watches.nextDeadline == .seconds(70))
        #expect(watches.tick(at: .milliseconds(69_999)).isEmpty)
        guard case .failed(let why)? = watches.tick(at: .seconds(70)).first?.verdict else {
            Issue.record("not FAILED")
            return
        }
        #expect(why.contains("nothing was seen"))
    }

    @Test func withoutALiveWitnessItFailsAfterTheGraceAndSaysWhy() {
        var watches = watches { $0.witnessGrace = .seconds(15) }
        open("a", in: &watches, at: .seconds(10))
        watches.witness("camera", problem: "/dev/video0 is gone", at: .seconds(20))
        #expect(watches.nextDeadline == .seconds(35))
        guard case .failed(let why)? = watches.tick(at: .seconds(35)).first?.verdict else {
            Issue.record("not FAILED")
            return
        }
        #expect(why.contains("camera: /dev/video0 is gone"))
    }

    @Test func aWitnessThatComesBackInTimeGoesOn() {
        var watches = watches { $0.witnessGrace = .seconds(15) }
        open("a", in: &watches, at: .seconds(10))
        watches.witness("camera", problem: "unplugged", at: .seconds(20))
        watches.witness("camera", problem: nil, at: .seconds(30))
        #expect(watches.tick(at: .seconds(40)).isEmpty)
        #expect(watches.saw(glimpse(Self.nonce), at: .seconds(41)).first?.verdict == .valid(witness: "camera"))
    }

    @Test func twoWatchesAreToldApartByTheirNonces() {
        var watches = watches { $0.invalidAfter = .seconds(1) }
        open("a", Self.nonce, in: &watches, at: .zero)
        open("b", Self.other, in: &watches, at: .zero)
        for tenth in 0..<20 where tenth > 0 {
            // What an open watch expects is never a wrong value for another.
            if tenth == 1 {
                #expect(watches.saw(glimpse(Self.other), at: .milliseconds(100)).map(\.id) == ["b"])
            } else {
                #expect(watches.saw(glimpse(Self.other), at: .milliseconds(tenth * 100)).isEmpty)
            }
        }
        #expect(watches.saw(glimpse(Self.nonce), at: .seconds(3)).map(\.id) == ["a"])
    }

    @Test func theNonceOfAnEndedTryIsIgnoredForAWhile() {
        var watches = watches {
            $0.invalidAfter = .seconds(1)
            $0.timeout = .seconds(5)
            $0.staleFor = .seconds(60)
        }
        open("a", Self.nonce, in: &watches, at: .zero)
        #expect(watches.tick(at: .seconds(5)).count == 1)
        open("b", Self.other, in: &watches, at: .seconds(5))
        for tenth in 0..<40 {
            #expect(watches.saw(glimpse(Self.nonce), at: .seconds(5) + .milliseconds(tenth * 100)).isEmpty)
        }
        #expect(watches.saw(glimpse(Self.other), at: .milliseconds(9500)).map(\.id) == ["b"])
    }

    @Test func tooManyWatchesAreRefused() {
        var watches = watches { $0.maximumWatches = 2 }
        #expect(open("a", [1], in: &watches, at: .zero))
        #expect(!open("a", [1], in: &watches, at: .zero))
        #expect(open("b", [2], in: &watches, at: .zero))
        #expect(!open("c", [3], in: &watches, at: .zero))
    }

    @Test func aFloodOfDifferentValuesNeverMakesAVerdict() {
        var watches = watches()
        open("a", in: &watches, at: .zero)
        for index in 0..<10_000 {
            let value = (0..<16).map { UInt8(truncatingIfNeeded: index >> ($0 % 4 * 8)) ^ UInt8($0) }
            #expect(watches.saw(glimpse(value), at: .milliseconds(index)).isEmpty)
        }
        #expect(watches.saw(glimpse(Self.nonce), at: .seconds(11)).count == 1)
    }

    // MARK: What is beside the device

    @Test func aLabelThatWasThereBeforeDeniesNothing() {
        var watches = ordinary()
        open("a", in: &watches, at: .zero)
        watches.witness("camera", problem: nil, at: .seconds(1))
        // In view from the camera's first second to the end.
        #expect(show(glimpse(Self.other), in: &watches, from: .milliseconds(1500), to: .seconds(59)) == nil)
        guard case .failed(let why)? = watches.tick(at: .seconds(60)).first?.verdict else {
            Issue.record("not FAILED")
            return
        }
        #expect(why.contains("qr at 1,2 to 3,4 (there before)"), "\(why)")
        // Nor does it in the next watch, when it is read late.
        open("b", in: &watches, at: .seconds(100))
        watches.witness("camera", problem: nil, at: .seconds(101))
        #expect(show(glimpse(Self.other), in: &watches, from: .seconds(110), to: .seconds(150)) == nil)
        #expect(watches.saw(glimpse(Self.nonce), at: .seconds(151)).first?.verdict == .valid(witness: "camera"))
    }

    @Test func anotherValueThatComesIntoViewAndStaysIsInvalidOnceTheDeviceHasHadItsTime() {
        var watches = ordinary()
        open("a", in: &watches, at: .zero)
        let end = show(glimpse(Self.other), in: &watches, from: .seconds(5), to: .seconds(59))
        #expect(end?.verdict == .invalid(witness: "camera"))
        #expect(end?.at == .seconds(20))
        // One that comes later needs its three seconds.
        open("b", in: &watches, at: .seconds(100))
        let third = [UInt8](repeating: 0xC3, count: 16)
        #expect(show(glimpse(third), in: &watches, from: .seconds(130), to: .seconds(159))?.at == .seconds(133))
    }

    @Test func aSlowDisplayIsGivenItsTime() {
        var watches = ordinary()
        open("a", in: &watches, at: .zero)
        // Carried into view with its label after the watch has opened; the nonce is there after 15 s.
        #expect(show(glimpse(Self.other), in: &watches, from: .seconds(3), to: .seconds(15)) == nil)
        #expect(watches.saw(glimpse(Self.nonce), at: .seconds(16)).first?.verdict == .valid(witness: "camera"))
    }

    @Test func besideASymbolThatCannotBeReadNothingIsInvalid() {
        var watches = ordinary()
        open("a", in: &watches, at: .zero)
        let end = show(glimpse(Self.other), in: &watches, from: .seconds(5), to: .seconds(59)) { watches, now in
            if now < .seconds(40) { watches.sawUnread("9,9 to 20,20", at: now) }
        }
        #expect(end?.verdict == .invalid(witness: "camera"))
        #expect(end.map { $0.at > .seconds(41) } == true)
    }

    @Test(arguments: ["code128 at 1,2 to 3,4", "code39 at 1,2 to 3,4", "code93 at 1,2 to 3,4"])
    func aLinearCodeAloneNeverMakesInvalid(_ place: String) {
        var watches = ordinary()
        open("a", in: &watches, at: .zero)
        #expect(show(glimpse(Self.other, place), in: &watches, from: .seconds(5), to: .seconds(59)) == nil)
        // But it may hold the nonce.
        #expect(watches.saw(glimpse(Self.nonce, place), at: .seconds(59)).count == 1)
    }

    @Test func aParcelsNumberNeverMakesInvalid() {
        var watches = ordinary()
        open("a", in: &watches, at: .zero)
        let digits: [UInt8] = (0..<16).map { UInt8($0 % 10) << 4 | 7 }
        #expect(show(glimpse(digits), in: &watches, from: .seconds(5), to: .seconds(59)) == nil)
        open("b", digits, in: &watches, at: .seconds(60))
        #expect(watches.saw(glimpse(digits), at: .seconds(61)).first?.id == "b")
    }

    @Test func aTagWithAnOldValueIsGivenTime() {
        var watches = ordinary()
        open("a", in: &watches, at: .zero)
        watches.witness("nfc", problem: nil, at: .milliseconds(10))
        func rests(_ value: [UInt8]) -> Sighting {
            Sighting(value: value, manner: .resting, witness: "nfc", place: "type2")
        }
        // 82 ms after the watch has opened, and as long as the device needs to write.
        for second in 0..<30 {
            #expect(watches.saw(rests(Self.other), at: .milliseconds(82 + second * 1000)).isEmpty)
        }
        #expect(watches.saw(rests(Self.nonce), at: .seconds(31)).first?.verdict == .valid(witness: "nfc"))
        // Another tag that is laid there, and stays.
        open("b", in: &watches, at: .seconds(100))
        let third = [UInt8](repeating: 0xC3, count: 16)
        var verdict: Verdict?
        for second in 130..<140 where verdict == nil {
            verdict = watches.saw(rests(third), at: .seconds(second)).first?.verdict
        }
        #expect(verdict == .invalid(witness: "nfc"))
    }

    @Test func aRequestThatIsReplacedGivesNoVerdict() {
        var watches = ordinary()
        open("a", Self.nonce, in: &watches, at: .zero)
        watches.close("a", at: .seconds(10))
        open("b", Self.other, in: &watches, at: .seconds(10))
        #expect(watches.tick(at: .seconds(69)).isEmpty)
        // The first one's nonce is shown for a while yet.
        #expect(show(glimpse(Self.nonce), in: &watches, from: .seconds(15), to: .seconds(60)) == nil)
        #expect(watches.saw(glimpse(Self.other), at: .seconds(61)).map(\.id) == ["b"])
    }

    @Test func whatIsRememberedIsBounded() {
        var watches = watches { $0.maximumRemembered = 100 }
        open("a", in: &watches, at: .zero)
        for index in 0..<5000 {
            let value = (0..<16).map { UInt8(truncatingIfNeeded: index >> ($0 % 4 * 8)) ^ UInt8($0) }
            _ = watches.saw(glimpse(value), at: .milliseconds(index))
        }
        #expect(watches.remembered <= 101)
    }
}
