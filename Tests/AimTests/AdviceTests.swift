import Aiming
import CodeReader
import Luma
import Scene
import Testing

/// Drawn scenes with one fault each, through the real reader.
@Suite struct AdviceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let drawing: Drawing
        let advice: Advice

        init(_ name: String, _ advice: Advice, _ change: (inout Drawing) -> Void) {
            testDescription = name
            self.advice = advice
            drawing = Drawing(change)
        }
    }

    static let cases: [Case] = [
        Case("a comfortable scene", .good) { _ in },
        Case("a bar code", .good) { $0.kind = .code128 },
        Case("an empty desk", .noCode) { $0.scene.hasDevice = false },
        Case("a desk with things like finder patterns", .noCode) {
            $0.scene.hasDevice = false
            $0.clutter = .text
        },
        Case("modules of a pixel", .moveCloser) { $0.module = 1 },
        Case("turned away", .tiltLess) {
            $0.scene.yaw = 68
            $0.module = 5
        },
        Case("a room without light", .tooDark) {
            $0.exposure = 0.1
            $0.scene.noise = 60
        },
        Case("an overexposed display", .tooBright) {
            $0.exposure = 9
            $0.scene.contrast = 0.75
            $0.scene.noise = 30
        },
        Case("out of focus", .outOfFocus) { $0.scene.defocus = 5 },
        Case("a reflection", .glare) {
            $0.scene.glare = 1
            $0.scene.glareX = 0.55
            $0.scene.glareY = 0.55
            $0.scene.glareRadius = 0.55
        },
        Case("in a hurry", .holdStill) { $0.speed = 18 },
    ]

    @Test(arguments: cases)
    func aDrawnFaultIsNamed(_ wanted: Case) throws {
        let report = try wanted.drawing.report()
        #expect(report.advice == wanted.advice, "\(report.glance), \(report.read) of \(report.frames)")
    }
}
