import Geometry
import Luma
import Scene
import SeededRandom
import Testing

@testable import CodeReader

/// Of differing readings of one linear code the majority counts.
@Suite struct LinearBallotTests {
    func tally(_ text: String, _ lines: Int, x: Float = 0, _ symbology: Symbology = .code39) -> LinearBallot.Tally {
        let corners = [Place].box(from: Place(x, 0), to: Place(x + 300, 80))
        return .init(reading: Reading(value: Array(text.utf8), symbology: symbology, corners: corners), lines: lines)
    }

    func elected(_ tallies: [LinearBallot.Tally]...) -> [String] {
        var ballot = LinearBallot()
        for (frame, tallies) in tallies.enumerated() { ballot.add(tallies, frame: frame) }
        return ballot.elected(in: tallies.count - 1).map { String(decoding: $0.value, as: UTF8.self) }
    }

    @Test func theMajorityAtAPlaceCounts() {
        #expect(elected([tally("1C2F", 8), tally("132F", 4)]) == ["1C2F"])
        #expect(elected([tally("1C2F", 4), tally("132F", 1)], [tally("1C2F", 4), tally("132F", 2)]) == ["1C2F"])
    }

    @Test func aTieOrAThinMajorityGivesNothing() {
        #expect(elected([tally("1C2F", 4), tally("132F", 4)]).isEmpty)
        #expect(elected([tally("1C2F", 7), tally("132F", 4)]).isEmpty)
        #expect(elected([tally("1C2F", 6), tally("132F", 2), tally("1M2F", 2)]).isEmpty)
        #expect(elected([tally("1C2F", 9), tally("132F", 4), tally("132F", 3, .code93)]).isEmpty)
    }

    @Test func whatIsReadOnceCountsForNothing() {
        #expect(elected([tally("132F", 2)]).isEmpty)
        #expect(elected([tally("132F", 1, .code128)]).isEmpty)
    }

    @Test func codesBesideOneAnotherDoNotDisputeEachOther() {
        #expect(Set(elected([tally("1C2F", 4), tally("132F", 4, x: 400)])) == ["1C2F", "132F"])
    }

    @Test func aFrameThatIsWrongIsOutvotedByThoseBefore() {
        let right = [tally("1C2F", 5)]
        #expect(elected(right, right, [tally("132F", 3)]).isEmpty)
        #expect(elected(right, [tally("132F", 2)], right) == ["1C2F"])
    }

    @Test func votesLapseAndWhatIsShownNowCounts() {
        var ballot = LinearBallot()
        ballot.add([tally("1C2F", 9)], frame: 0)
        ballot.add([tally("132F", 9)], frame: LinearBallot.memory + 1)
        #expect(ballot.elected(in: LinearBallot.memory + 1).map(\.value) == [Array("132F".utf8)])
    }

    @Test func theBeginningOfACodeDisputesNothing() {
        #expect(elected([tally("1C2FAA", 4), tally("1C2F", 3)]) == ["1C2FAA"])
    }

    @Test func manyWrongReadingsFillNoMemory() {
        var ballot = LinearBallot()
        for frame in 0..<200 { ballot.add((0..<60).map { tally("\(frame)-\($0)", 3) }, frame: frame) }
        #expect(ballot.elected(in: 199).count <= 128)
    }

    /// Codes with a stain over some of their bars' length, in the widths that make one character of another.
    @Test(arguments: [Sheet.Kind.code39, .code128]) func aStainOverABarGivesNoWrongValue(_ kind: Sheet.Kind) throws {
        var random = SplitMix64(seed: 77)
        var (stills, streams) = (0, 0)
        let count = 24
        for _ in 0..<count {
            let text = String(Sheet.hex(&random).prefix(12))
            let label = Sheet.Label(kind: kind, text: text, module: 2, x: 30, y: 40)
            var sheet = Sheet(labels: [label])
            (sheet.width, sheet.height) = (640, 200)
            var picture = try sheet.picture()
            let width = try label.drawn().width
            let (left, top) = (60 + random.below(width - 80), 52 + random.below(55))
            let grey: UInt8 = random.below(2) == 0 ? 40 : 215
            for y in top..<top + 30 {
                for x in left..<left + 2 + 2 * random.below(3) { picture.pixels[y * 640 + x] = grey }
            }
            let still = Sheet.named(picture.withPlane { CodeReader(Symbology.linear).read($0) })
            let stream = Sheet.named(Array(ManyCodesTests.stream(picture, frames: 40).joined()))
            #expect(still.subtracting(sheet.codes).isEmpty && stream.subtracting(sheet.codes).isEmpty)
            stills += still.count
            streams += stream.count
        }
        #expect(stills >= count * 9 / 10 && streams >= count * 8 / 10, "\(stills) and \(streams) of \(count)")
    }
}

/// Symbols that hold an application's data, not a value for an observer.
@Suite struct GS1Tests {
    static let digits = "00112233445566778899001122334455"

    @Test func aGS1SymbolHoldsNoValue() {
        for symbology in Symbology.allCases {
            let plain = Reading(value: Array(Self.digits.utf8), symbology: symbology, corners: [])
            let parcel = Reading(value: Array(Self.digits.utf8), symbology: symbology, corners: [], isGS1: true)
            #expect(plain.candidate != nil && parcel.candidate == nil)
        }
    }

    @Test(arguments: [true, false]) func aCode128OfAParcelSaysSo(_ isGS1: Bool) throws {
        // Code set C, where 102 is FNC1.
        let pairs = (0..<16).map { $0 < 10 ? $0 * 11 : ($0 - 10) * 11 }
        let row = Code128(start: 105, values: (isGS1 ? [102] : []) + pairs).row(module: 2)
        let picture = try Sheet.Label.bars(row)
        let readings = picture.withPlane { CodeReader().read($0) }
        #expect(readings.map(\.value) == [Array(Self.digits.utf8)])
        #expect(readings.map(\.isGS1) == [isGS1])
        #expect(readings.allSatisfy { ($0.candidate == nil) == isGS1 })
        let stream = ManyCodesTests.stream(picture).joined()
        #expect(!stream.isEmpty && stream.allSatisfy { $0.isGS1 == isGS1 })
    }
}
