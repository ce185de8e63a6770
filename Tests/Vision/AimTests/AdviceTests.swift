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
            drawing = Drawing {
                $0.size = (640, 480)
                change(&$0)
            }
        }
    }

    /// Faults that one frame shows, or the whole frame.
    static let cases: [Case] = [
        Case("a comfortable scene", .good) { _ in },
        Case("a bar code", .good) {
            $0.kind = .code128
            $0.module = 3
        },
        Case("an empty desk", .noCode) { $0.scene.hasDevice = false },
        Case("a desk full of writing", .noCode) {
            $0.scene.hasDevice = false
            $0.clutter = .text
        },
        Case("a room without light", .tooDark) {
            $0.exposure = 0.12
            $0.scene.noise = 120
        },
        Case("an overexposed display", .tooBright) {
            $0.exposure = 8
            $0.scene.contrast = 0.75
            $0.scene.noise = 30
        },
        Case("a lens out of focus", .outOfFocus) { $0.scene.defocus = 4 },
        Case("a lens far out of focus", .outOfFocus) { $0.scene.defocus = 7 },
        Case("a reflection", .glare) {
            $0.scene.glare = 1
            $0.scene.glareX = 0.5
            $0.scene.glareY = 0.5
            $0.scene.glareRadius = 0.5
        },
        Case("a device in a hurry", .holdStill) { $0.speed = 25 },
    ]

    @Test(arguments: cases)
    func aDrawnFaultIsNamed(_ wanted: Case) throws {
        // What is no QR code is looked for a piece at a time.
        let report = try wanted.drawing.report(frames: wanted.drawing.kind == .qr ? 12 : 36)
        #expect(report.advice == wanted.advice, "\(report.glance.code as Any), \(report.read) of \(report.frames)")
    }

    /// What gets worse until the code cannot even be located: the reason is what was bad before.
    static let declines: [(name: String, advice: Advice, change: @Sendable (inout Drawing, Float) -> Void)] = [
        ("it goes away", .moveCloser, { $0.module = 2 - $1 * 1.2 }),
        (
            "it turns away", .tiltLess,
            {
                $0.module = 5
                $0.scene.yaw = 50 + 32 * $1
            }
        ),
        ("it fades", .lowContrast, { $0.scene.contrast = 0.2 - 0.19 * $1 }),
    ]

    @Test(arguments: declines.indices)
    func whyACodeWasLostIsRemembered(_ index: Int) throws {
        let decline = Self.declines[index]
        let drawings = (0..<20).map { step in
            Drawing {
                $0.size = (640, 480)
                decline.change(&$0, min(1, Float(step) / 8))
            }
        }
        let report = try Drawing.report(drawings)
        #expect(report.read < 7 && report.advice == decline.advice, "\(decline.name): \(report.advice), \(report.read)")
    }
}
