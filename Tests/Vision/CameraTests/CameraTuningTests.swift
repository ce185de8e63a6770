import Testing

@testable import Camera

@Suite struct CameraTuningTests {
    typealias Look = CameraTuning.Look
    typealias Change = CameraTuning.Change

    /// A webcam with everything, all automatic.
    static let ranges: [CameraControl: ClosedRange<Int32>] = [
        .exposureMode: 0...3, .exposure: 3...2047, .gain: 0...255, .automaticFocus: 0...1, .focus: 0...250,
    ]
    static let values: [CameraControl: Int32] = [
        .exposureMode: 3, .exposure: 250, .gain: 64, .automaticFocus: 1, .focus: 30,
    ]
    static let good = Look(dark: 40, light: 200, sharpness: 0.8, wasRead: false)
    static let tooBright = Look(dark: 120, light: 254, sharpness: 0.8, wasRead: false)
    static let tooDark = Look(dark: 10, light: 60, sharpness: 0.8, wasRead: false)
    static let blurred = Look(dark: 40, light: 200, sharpness: 0.1, wasRead: false)

    private func tuning() -> CameraTuning { CameraTuning(ranges: Self.ranges, values: Self.values) }

    /// What is set while the same is seen for so many frames.
    private func changes(_ tuning: inout CameraTuning, _ look: Look?, frames: Int) -> [Change] {
        var changes: [Change] = []
        for _ in 0..<frames { changes += tuning.changes(after: look) }
        return changes
    }

    @Test func nothingIsTouchedWhileCodesAreReadOrNothingIsSeen() {
        var tuning = tuning()
        var read = Self.tooBright
        read.wasRead = true
        #expect(changes(&tuning, read, frames: 300).isEmpty)
        #expect(changes(&tuning, nil, frames: 300).isEmpty)
        #expect(changes(&tuning, Self.good, frames: 300).isEmpty)
    }

    @Test func theCameraHasAMomentToSettleByItself() {
        var tuning = tuning()
        #expect(changes(&tuning, Self.tooBright, frames: CameraTuning.patience - 1).isEmpty)
        #expect(!tuning.changes(after: Self.tooBright).isEmpty)
    }

    @Test func tooBrightLowersTheGainAndThenTheExposure() {
        var tuning = tuning()
        let changes = changes(&tuning, Self.tooBright, frames: 400)
        #expect(changes.first == Change(.gain, 45))
        #expect(changes.contains(Change(.exposureMode, CameraControl.manual)))
        #expect(changes.last(where: { $0.control == .gain })?.value == 0)
        #expect(changes.last(where: { $0.control == .exposure }).map { $0.value < 100 } == true)
    }

    @Test func tooDarkLengthensTheExposureAsFarAsAHandIsStill() {
        var tuning = tuning()
        let changes = changes(&tuning, Self.tooDark, frames: 400)
        #expect(changes.prefix(2) == [Change(.exposureMode, CameraControl.manual), Change(.exposure, 330)])
        #expect(changes.filter { $0.control == .exposure }.allSatisfy { $0.value <= CameraTuning.longestExposure })
        #expect(changes.last?.control == .gain && changes.last?.value == 255)
    }

    @Test func theFocusIsWalkedThroughAndStaysWhereItWasSharpest() {
        var tuning = tuning()
        var focus: Int32 = 30
        var set: [Change] = []
        for _ in 0..<200 {
            // Sharp at 120 only.
            let sharpness: Float = max(0.05, 0.34 - Float(abs(focus - 120)) / 200)
            let look = Look(dark: 40, light: 200, sharpness: sharpness, wasRead: false)
            for change in tuning.changes(after: look) {
                set.append(change)
                if change.control == .focus { focus = change.value }
            }
        }
        #expect(set.first == Change(.automaticFocus, 0))
        #expect(abs(focus - 120) <= 10)
    }

    @Test func aCameraThatOnlyFocusesByItselfIsMadeToDoSoAnew() {
        var tuning = CameraTuning(ranges: [.automaticFocus: 0...1], values: [.automaticFocus: 1])
        let changes = changes(&tuning, Self.blurred, frames: 30)
        #expect(changes == [Change(.automaticFocus, 0), Change(.automaticFocus, 1)])
    }

    @Test func everythingIsPutBackWhenTheCodeHasGoneModesLast() {
        var tuning = tuning()
        let set = changes(&tuning, Self.tooDark, frames: 200)
        let restored = changes(&tuning, nil, frames: 200)
        #expect(Set(restored.map(\.control)) == Set(set.map(\.control)))
        for change in restored { #expect(change.value == Self.values[change.control]) }
        #expect(restored.last == Change(.exposureMode, 3))
        #expect(changes(&tuning, nil, frames: 200).isEmpty && tuning.restoring().isEmpty)
    }

    @Test func onlyWhatTheCameraHasIsSet() {
        var none = CameraTuning(ranges: [:], values: [:])
        for look in [Self.tooBright, Self.tooDark, Self.blurred] {
            #expect(changes(&none, look, frames: 300).isEmpty)
        }
        var gain = CameraTuning(ranges: [.gain: 0...10], values: [.gain: 10])
        #expect(changes(&gain, Self.tooBright, frames: 300).allSatisfy { $0.control == .gain })
    }

    /// A camera that notes what is set.
    private final class Controls: CameraControls {
        var values = CameraTuningTests.values
        func range(of control: CameraControl) -> ClosedRange<Int32>? { CameraTuningTests.ranges[control] }
        func usual(of control: CameraControl) -> Int32? { CameraTuningTests.values[control] }
        func value(of control: CameraControl) -> Int32? { values[control] }
        func set(_ control: CameraControl, to value: Int32) -> Bool {
            values[control] = value
            return true
        }
    }

    @Test func theTunerLeavesTheCameraAsItFoundIt() {
        let (tuner, controls) = (CameraTuner(), Controls())
        tuner.opened(controls)
        for _ in 0..<100 { tuner.saw(Self.tooDark) }
        #expect(controls.values != Self.values)
        tuner.closing()
        #expect(controls.values == Self.values)
    }

    @Test func whatADeadRunLeftGoesBackToTheDriversDefaultOnOpening() {
        for left in [
            [.exposureMode: CameraControl.manual, .exposure: 20, .gain: 0], [.gain: 255],
            [.automaticFocus: 0, .focus: 200], [.exposureMode: CameraControl.manual],
        ] as [[CameraControl: Int32]] {
            let (tuner, controls) = (CameraTuner(), Controls())
            controls.values.merge(left) { $1 }
            tuner.opened(controls)
            #expect(controls.values == Self.values, "\(left)")
            for _ in 0..<100 { tuner.saw(Self.tooDark) }
            tuner.closing()
            #expect(controls.values == Self.values, "\(left)")
        }
    }

    @Test func whatIsNotByHandIsLeftAlone() {
        let (tuner, controls) = (CameraTuner(), Controls())
        // The camera itself moves these.
        controls.values.merge([.exposure: 70, .focus: 90, .exposureMode: 0]) { $1 }
        let before = controls.values
        tuner.opened(controls)
        #expect(controls.values == before)
    }
}
