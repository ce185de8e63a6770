import CodeReader
import Geometry
import Luma
import Testing

@testable import Aiming

/// The advice by itself: what is said of glances that are made up, one number at a time.
@Suite struct AdvisorTests {
    /// A frame that is lit well and sharp both ways: a chess board, its edges between the pixels that are compared.
    static let light = board(30, 220)

    static func board(_ dark: Int, _ light: Int) -> FrameLight {
        frame { x, y in isDark(x, y) ? dark : light }
    }

    private static func isDark(_ x: Int, _ y: Int) -> Bool { ((x + 7) / 8 + (y + 7) / 8) % 2 == 0 }

    static func frame(_ level: (Int, Int) -> Int) -> FrameLight {
        let (width, height) = (160, 120)
        let pixels = (0..<width * height).map { UInt8(clamping: level($0 % width, $0 / width)) }
        guard let picture = LumaPicture(width: width, height: height, pixels: pixels) else {
            Issue.record("no picture")
            return light
        }
        return picture.withPlane { FrameLight($0) }
    }

    static func code(
        at place: (Float, Float) = (40, 40), size: Float = 60, read: Bool = false, whole: Bool = true,
        _ change: (inout Glance.Code) -> Void = { _ in }
    ) throws -> Glance.Code {
        let low = Place(place.0, place.1)
        let outline = try #require(
            Outline([
                low, Place(low.x + size, low.y), Place(low.x + size, low.y + size),
                Place(low.x, low.y + size),
            ]))
        var code = Glance.Code(
            kind: .qr, outline: outline, wasRead: read, isWhole: whole, module: 4, sharpness: 0.9, dark: 30, light: 220,
            tilt: 5)
        change(&code)
        return code
    }

    private func advice(_ codes: [Glance.Code?], light: FrameLight = AdvisorTests.light) -> AimReport {
        var advisor = AimAdvisor()
        var report = advisor.add(Glance(code: codes[0], light: light))
        for code in codes.dropFirst() { report = advisor.add(Glance(code: code, light: light)) }
        return report
    }

    @Test func whatIsReadMostlyIsGood() throws {
        let (read, seen) = (try Self.code(read: true), try Self.code())
        let report = advice(Array(repeating: seen, count: 3) + Array(repeating: read, count: 7))
        #expect(report.advice == .good && report.read == 7 && report.frames == 10)
        #expect(report.text == "good: read 7 of the last 10 frames")
        #expect(advice(Array(repeating: seen, count: 4) + Array(repeating: read, count: 6)).advice != .good)
        // A code that has just gone is not good, however well it was read.
        #expect(advice(Array(repeating: read, count: 9) + [nil]).advice != .good)
        // Nor is what the first frames show.
        for count in 1..<AimAdvisor.fewest { #expect(advice(Array(repeating: read, count: count)).advice != .good) }
        #expect(advice(Array(repeating: read, count: AimAdvisor.fewest)).advice == .good)
        // Old frames do not count.
        let recovered = advice(Array(repeating: seen, count: 90) + Array(repeating: read, count: 10))
        #expect(recovered.advice == .good && recovered.read == 10 && recovered.frames == 10)
    }

    @Test func nothingIsSaidAboutWhatIsTooSmall() throws {
        let small = try Self.code { $0.module = 1 }
        let report = advice(Array(repeating: small, count: 30))
        #expect(report.advice == .noCode && report.code == nil && report.glance.code != nil)
        #expect(report.brightness == Self.light.light && report.contrast == Self.light.light - Self.light.dark)
        // What is hidden in the picture is hidden all the same.
        #expect(!report.glance.hidden([]).isEmpty)
        #expect(advice(Array(repeating: try Self.code { $0.module = 1.3 }, count: 9)).advice == .moveCloser)
        // What is read is no chance.
        let read = try Self.code(read: true) { $0.module = 1 }
        #expect(advice(Array(repeating: read, count: 9)).advice == .good)
    }

    @Test func whatIsNotAsItShouldBeIsNamed() throws {
        func off(_ change: (inout Glance.Code) -> Void) throws -> [String] { advice([try Self.code(change)]).off }
        #expect(try off { _ in } == [])
        #expect(try off { $0.module = 2.9 } == ["module"])
        #expect(try off { $0.sharpness = 0.4 } == ["sharpness"])
        #expect(try off { ($0.dark, $0.light) = (2, 50) } == ["brightness"])
        #expect(try off { ($0.dark, $0.light) = (200, 250) } == ["brightness"])
        #expect(try off { ($0.dark, $0.light) = (100, 130) } == ["contrast"])
        #expect(try off { ($0.module, $0.sharpness) = (nil, nil) } == [])
        #expect(try off { ($0.dark, $0.light) = (.infinity, -.infinity) } == ["brightness", "contrast"])
        #expect(Set(AimTargets.texts.keys) == ["module", "sharpness", "brightness", "contrast"])
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let advice: Advice
        let change: @Sendable (inout Glance.Code) -> Void
        var testDescription: String { advice.rawValue }
    }

    static let faults: [Fault] = [
        Fault(advice: .tooDark) { ($0.dark, $0.light) = (5, 54) },
        Fault(advice: .tooBright) { ($0.dark, $0.light) = (130, 250) },
        Fault(advice: .glare) { $0.washedOut = 0.06 },
        Fault(advice: .tiltLess) { $0.tilt = 56 },
        Fault(advice: .moveCloser) { $0.module = 1.3 },
        Fault(advice: .lowContrast) { ($0.dark, $0.light) = (100, 115) },
        Fault(advice: .outOfFocus) { $0.sharpness = 0.34 },
        Fault(advice: .wholeCode) { $0.touchesEdge = true },
    ]

    @Test(arguments: faults) func whatHindersACodeIsNamed(_ fault: Fault) throws {
        let report = advice(Array(repeating: try Self.code(fault.change), count: 10))
        #expect(report.advice == fault.advice && report.text == fault.advice.text)
    }

    /// The surest comes first: each fault with all that come after it.
    @Test func ofSeveralTheSurestIsNamed() throws {
        for first in Self.faults.indices {
            let all = try Self.code { code in
                for fault in Self.faults[first...].reversed() { fault.change(&code) }
            }
            #expect(advice([all]).advice == Self.faults[first].advice)
        }
    }

    @Test func justInsideItsLimitsNothingHindersACode() throws {
        let code = try Self.code {
            ($0.dark, $0.light, $0.washedOut, $0.tilt, $0.module, $0.sharpness) = (39, 55, 0.05, 55, 1.4, 0.35)
        }
        // Only reading it has not worked yet.
        #expect(advice([code]).advice == .holdStill)
    }

    @Test func whatWasNotMeasuredIsNoFault() throws {
        let code = try Self.code {
            ($0.dark, $0.light, $0.tilt, $0.module, $0.sharpness) = (nil, nil, nil, nil, nil)
        }
        #expect(advice(Array(repeating: code, count: 10)).advice == .holdStill)
    }

    @Test func whoMovesIsToldToHoldStill() throws {
        let moving = try (0..<8).map { try Self.code(at: (Float(40 + 5 * $0), 40)) }
        #expect(advice(moving).advice == .holdStill)
        // Slower than a module a frame is slow enough; then its focus is the reason.
        let slow = try (0..<8).map { step in
            try Self.code(at: (Float(40 + 3 * step), 40)) { $0.sharpness = 0.2 }
        }
        #expect(advice(slow).advice == .outOfFocus)
    }

    @Test func aLostCodeIsRememberedForAWhile() throws {
        let small = try Self.code { $0.module = 1.5 }
        // Read, at that size; and then it was gone.
        #expect(advice([small] + Array(repeating: nil, count: 12)).advice == .moveCloser)
        #expect(advice([small] + Array(repeating: nil, count: 40)).advice == .moveCloser)
        #expect(advice([small] + Array(repeating: nil, count: 41)).advice == .noCode)
        // Of one that was well there is nothing to say.
        #expect(advice([try Self.code()] + Array(repeating: nil, count: 12)).advice == .noCode)
    }

    @Test func somePatternsByChanceAreNoCode() throws {
        let part = try Self.code(whole: false)
        #expect(advice(Array(repeating: part, count: 3) + Array(repeating: nil, count: 7)).advice == .noCode)
        #expect(advice(Array(repeating: part, count: 4) + Array(repeating: nil, count: 6)).advice == .wholeCode)
        // Of parts only much that is blown out around them is a reflection.
        let shiny = try Self.code(whole: false) { $0.washedOut = 0.14 }
        #expect(advice(Array(repeating: shiny, count: 5)).advice == .wholeCode)
        let blown = try Self.code(whole: false) { $0.washedOut = 0.16 }
        #expect(advice(Array(repeating: blown, count: 5)).advice == .glare)
    }

    @Test func aCodeOfAnotherKindCountsForTheFramesBetween() throws {
        let label = try Self.code(read: true) { ($0.kind, $0.module) = (.code128, nil) }
        let report = advice([label] + Array(repeating: nil, count: 15))
        #expect(report.advice == .good && report.read == 10)
        // But not for ever: it has gone.
        #expect(advice([label] + Array(repeating: nil, count: 30)).advice != .good)
        // Nor does a QR code.
        #expect(advice([try Self.code(read: true)] + Array(repeating: nil, count: 10)).read == 0)
    }

    // MARK: The whole frame

    @Test func aDarkAndABrightRoomAreNamedWithoutACode() {
        #expect(advice([nil], light: Self.board(5, 50)).advice == .tooDark)
        #expect(advice([nil], light: Self.board(230, 255)).advice == .tooBright)
        #expect(advice([nil]).advice == .noCode)
    }

    @Test func edgesThatAreSoftBothWaysAreOutOfFocusAndOneWayMotion() {
        func ramp(_ at: Int) -> Int { abs(at % 128 - 64) * 3 + 30 }
        let soft = Self.frame { x, y in (ramp(x) + ramp(y)) / 2 }
        #expect(advice([nil], light: soft).advice == .outOfFocus)
        let smeared = Self.frame { _, y in (y + 7) / 8 % 2 == 0 ? 30 : 220 }
        #expect(smeared.edges.down > smeared.edges.across)
        #expect(advice([nil], light: smeared).advice == .holdStill)
    }

    @Test func aSceneThatChangesAllTheTimeIsInMotion() {
        var advisor = AimAdvisor()
        var report: AimReport?
        for step in 0..<10 {
            // A bright thing that goes from the left to the right.
            let light = Self.frame { x, y in (x / 16 == step && y < 60) ? 250 : Self.isDark(x, y) ? 30 : 120 }
            report = advisor.add(Glance(code: nil, light: light))
        }
        #expect(report?.advice == .holdStill)
    }

    @Test func frameLightIsMeasuredOnLiteralPictures() {
        let grey = Self.frame { _, _ in 100 }
        #expect(grey.dark == 100 && grey.light == 100 && grey.edges == (0, 0))
        // Three in twenty are white: more than the twentieth that does not count.
        let spots = Self.frame { x, _ in x >= 136 ? 255 : 10 }
        #expect(spots.dark == 10 && spots.light == 255)
        #expect(grey.changed(since: grey) == 0 && spots.changed(since: grey) == 1)
        let half = Self.frame { x, _ in x < 80 ? 100 : 161 }
        #expect(half.changed(since: grey) == 0.5)
        // Sixty levels are noise.
        #expect(Self.frame { _, _ in 160 }.changed(since: grey) == 0)
    }

    @Test func framesOfAnotherSizeAreNotCompared() throws {
        let small = try #require(LumaPicture(width: 8, height: 8, pixels: [UInt8](repeating: 0, count: 64)))
        #expect(small.withPlane { FrameLight($0) }.changed(since: Self.light) == 0)
    }

    @Test func everyAdviceHasWordsOfItsOwn() {
        #expect(Set(Advice.allCases.map(\.text)).count == Advice.allCases.count)
        #expect(Set(Advice.allCases.map(\.rawValue)).count == Advice.allCases.count)
    }
}
