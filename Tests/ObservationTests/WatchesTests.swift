import Observation
import Testing

/// Virtual time throughout: every call says when it is.
@Suite struct WatchesTests {
    static let nonce = [UInt8](repeating: 0xA5, count: 16)
    static let other = [UInt8](repeating: 0x5A, count: 16)

    func watches(_ change: (inout WatchRules) -> Void = { _ in }) -> Watches<String> {
        var rules = WatchRules()
        change(&rules)
        var watches = Watches<String>(rules: rules, now: .zero)
        watches.witness("camera", problem: nil, at: .zero)
        return watches
    }

    @discardableResult
    func open(_ id: String, _ nonce: [UInt8] = nonce, in watches: inout Watches<String>, at now: Duration) -> Bool {
        watches.open(id, fingerprint: Watches<String>.fingerprint(of: nonce), at: now) { $0 == nonce }
    }

    func glimpse(_ value: [UInt8]) -> Sighting { Sighting(value: value, manner: .glimpsed, witness: "camera") }
    func tap(_ value: [UInt8]) -> Sighting { Sighting(value: value, manner: .presented, witness: "nfc") }

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
        var watches = watches { $0.mostWatches = 2 }
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
}
