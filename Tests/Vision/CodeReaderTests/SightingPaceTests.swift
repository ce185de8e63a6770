import Geometry
import ObservedValue
import Testing

@testable import CodeReader

@Suite struct SightingPaceTests {
    let start = ContinuousClock.now

    func reading(_ number: Int) -> Reading {
        let digits = String(number, radix: 16)
        return Reading(
            value: Array((String(repeating: "0", count: 32 - digits.count) + digits).utf8), symbology: .qr,
            corners: [Place(10, 20), Place(110, 22), Place(108, 120), Place(-9, 118)])
    }

    /// What is said in so many seconds at 30 frames a second, with when it is.
    func said(
        _ seconds: Int, _ pace: inout SightingPace, _ readings: (Int) -> [Reading]
    ) -> [(value: [UInt8], at: Duration)] {
        (0..<30 * seconds).flatMap { frame in
            let at = Duration.seconds(1) * frame / 30
            return pace.sightings(readings(frame), size: (1280, 720), at: start + at).map { ($0.value, at) }
        }
    }

    @Test func aValueIsSaidAtOnceAndThenFourTimesASecond() {
        var pace = SightingPace()
        let lines = said(10, &pace) { _ in [reading(1)] }
        #expect(lines.first?.at == .zero)
        #expect((36...40).contains(lines.count))
    }

    @Test func aWordSaysKindAndPlaceInTheFrame() {
        var pace = SightingPace()
        let words = pace.sightings([reading(1)], size: (1280, 720), at: start)
        #expect(words.map(\.how) == ["qr at 0,20 to 110,120 of 1280x720"])
    }

    @Test func sixtyFourValuesAreEachSaidTwiceASecondAndMore() {
        var pace = SightingPace()
        let lines = said(10, &pace) { _ in (0..<64).map(reading) }
        #expect(lines.count <= 10 * SightingPace.linesPerSecond + SightingPace.maximumAtOnce)
        for number in 0..<64 {
            let times = lines.filter { $0.value == reading(number).candidate }.map(\.at)
            #expect(times.first ?? .seconds(9) < .milliseconds(400))
            for (one, next) in zip(times, times.dropFirst()) { #expect(next - one <= .milliseconds(400)) }
        }
    }

    @Test func aFloodOfNewValuesDoesNotSilenceOneThatStays() {
        var pace = SightingPace()
        let lines = said(10, &pace) { frame in (0..<63).map { reading(1_000 + 63 * frame + $0) } + [reading(1)] }
        #expect(lines.count <= 10 * SightingPace.linesPerSecond + SightingPace.maximumAtOnce)
        for second in 0..<9 {
            let range = Duration.seconds(second)..<Duration.seconds(second + 1)
            #expect(lines.count { range.contains($0.at) } < 300)
        }
        let times = lines.filter { $0.value == reading(1).candidate }.map(\.at)
        for (one, next) in zip(times, times.dropFirst()) { #expect(next - one <= .milliseconds(1400)) }
        #expect(times.count > 8)
    }

    @Test func whatHoldsNoValueIsNotSaid() {
        var pace = SightingPace()
        let text = Reading(value: Array("https://example.org".utf8), symbology: .qr, corners: [])
        let parcel = Reading(value: reading(1).value, symbology: .code128, corners: [], isGS1: true)
        #expect(pace.sightings([text, parcel], size: (640, 480), at: start).isEmpty)
    }

    @Test func aWordOfTheAcceptanceCheckIsSaidAtOnceAndThenAFewTimesASecond() {
        var pace = SightingPace()
        let text = Array(SheetCommand.check.text.utf8)
        let card = Reading(value: text, symbology: .qr, corners: [])
        // Printed on a parcel, or as an application's data, it is nobody's word.
        let others = [
            Reading(value: text, symbology: .code128, corners: []),
            Reading(value: text, symbology: .dataMatrix, corners: []),
            Reading(value: text, symbology: .qr, corners: [], isGS1: true), reading(1),
        ]
        #expect(pace.commands(others, at: start).isEmpty)
        let said = (0..<300).filter {
            !pace.commands(others + [card, card], at: start + .seconds(1) * $0 / 30).isEmpty
        }
        #expect(said.first == 0 && (35...40).contains(said.count))
        // And it is no value, whoever asks.
        #expect(pace.sightings([card], size: (640, 480), at: start + .seconds(20)).isEmpty)
        let all = SheetCommand.allCases.map { Reading(value: Array($0.text.utf8), symbology: .qr, corners: []) }
        #expect(pace.commands(all, at: start + .seconds(30)) == SheetCommand.allCases)
    }

    @Test func whatIsUnreadIsSaidTwiceASecondOneAfterTheOther() {
        var pace = SightingPace()
        let aims = ([5, 300] as [Float]).map { x in
            Aim(
                corners: [Place(x, 5), Place(x + 50, 5), Place(x + 50, 900), Place(x, 55)],
                module: 3, isSymbol: true, sharpness: 0.5, dark: 20, light: 200)
        }
        var lines: [String] = []
        for frame in 0..<300 {
            let at = start + .seconds(1) * frame / 30
            if let line = pace.unread(aims, size: (640, 480), at: at) { lines.append(line) }
        }
        #expect((19...20).contains(lines.count))
        #expect(Set(lines) == ["5,5 to 55,480 of 640x480", "300,5 to 350,480 of 640x480"])
        #expect(pace.unread([], size: (640, 480), at: start + .seconds(60)) == nil)
    }
}
