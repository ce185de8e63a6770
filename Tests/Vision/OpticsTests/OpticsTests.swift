import Foundation
import Optics
import TestProcesses
import Testing

/// Angles and distances against figures that were worked out by hand from data sheets, and the documents against both.
@Suite struct OpticsTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private func view(_ camera: String, _ width: Int, _ height: Int) throws -> View {
        View(try #require(CameraModel.named(camera)), width: width, height: height)
    }

    /// Camera, size, degrees across, centimetres to which a code of 30 mm has three pixels a module.
    @Test(arguments: [
        ("v2", 1280, 720, 38.9, 72.4), ("v2", 1920, 1080, 38.9, 108.8), ("v2", 1296, 972, 62.2, 43.0),
        ("v3", 1280, 720, 46.8, 59.1), ("v3", 1920, 1080, 66.0, 59.1), ("v3-wide", 1280, 720, 78.9, 31.1),
        ("hq-6mm", 1280, 720, 52.8, 51.6), ("hq-16mm", 1280, 720, 21.1, 137.5), ("c920", 1280, 720, 70.4, 36.3),
        ("gs-6mm", 1280, 720, 45.4, 61.2), ("ai", 1280, 720, 66.0, 39.4), ("v1", 1280, 720, 40.9, 68.6),
    ])
    func theSensorsModeDecidesTheAngle(_ camera: String, _ width: Int, _ height: Int, _ angle: Double, _ far: Double)
        throws
    {
        let view = try view(camera, width, height)
        #expect(abs(view.horizontalAngle - angle) < 0.15, "\(view.horizontalAngle)")
        #expect(abs(view.farthest(edge: 30) / 10 - far) < 0.6, "\(view.farthest(edge: 30))")
    }

    @Test func aPictureOfAnotherShapeIsCutOutOfTheMode() throws {
        // 4:3 out of 16:9 loses the sides, 16:9 out of 4:3 loses top and bottom.
        let narrow = try view("c920", 640, 480)
        #expect(abs(narrow.part - 0.75) < 0.001)
        let wide = try view("gs-6mm", 1280, 720)
        #expect(abs(wide.part - 1) < 0.001 && abs(wide.verticalAngle - 26.5) < 0.2, "\(wide.verticalAngle)")
    }

    @Test func theLensLimitsBothEnds() throws {
        #expect(try view("v3", 1280, 720).readable(edge: 30)?.lowerBound == 100)
        #expect(try view("v3-layer", 1280, 720).readable(edge: 30) == nil)
        #expect(try view("v3-layer", 1280, 720).readable(edge: 500)?.upperBound == 1668)
        // Nearer, a large code would not be in the picture as a whole.
        let near = try view("v3", 1280, 720).nearest(edge: 80)
        #expect(abs(near - 241) < 3, "\(near)")
    }

    /// What a sensor does not deliver cannot be made by asking.
    @Test func aWebcamGivesNoMoreThanItHas() throws {
        let (asked, real) = (try view("c270", 1920, 1080), try view("c270", 1280, 720))
        #expect(asked.farthest(edge: 30) == real.farthest(edge: 30))
    }

    @Test func theSmallestSizeThatReadsIsAdvised() throws {
        let v3 = try #require(CameraModel.named("v3"))
        #expect(View.smallest(v3, edge: 30, distance: 250)?.width == 640)
        #expect(View.smallest(v3, edge: 30, distance: 500)?.width == 1280)
        #expect(View.smallest(v3, edge: 30, distance: 5000) == nil)
    }

    @Test(
        arguments: [
            ("30mm", 30), ("3 cm", 30), ("0.6 m", 600), ("12.5", 12.5), ("100m", 100_000), ("0", nil), ("-3cm", nil),
            ("101m", nil), ("3 inch", nil), ("", nil), ("1e3", nil), ("nan", nil), ("99999999999999999999mm", nil),
        ] as [(String, Double?)])
    func aLengthIsReadAsPeopleWriteIt(_ text: String, _ millimetres: Double?) {
        #expect(Measure.millimetres(text) == millimetres)
    }

    @Test func theDocumentHasTheTables() throws {
        let document = try String(contentsOf: Self.root.appendingPathComponent("hardware/mounting.md"), encoding: .utf8)
        #expect(
            document.contains("<!-- computed by hardware/optics -->\n\n\(DistanceTables.markdown)\n\n<!-- end -->"),
            "hardware/optics --write")
    }

    @Test func aCameraIsOnlyThereOnce() {
        #expect(Set(CameraModel.all.map(\.id)).count == CameraModel.all.count)
        #expect(CameraModel.all.allSatisfy { $0.fullAngle > 0 && $0.fullAngle < 180 && !$0.modes.isEmpty })
    }

    // MARK: the program

    private func log(_ runner: ProgramRunner, _ role: String) throws -> String {
        try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)
    }

    @Test func theProgramSaysWhatTheTableSays() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        #expect(try runner.run("srup-observer", ["optics", "--camera", "v2", "--code", "30mm"], as: "v2") == 0)
        let said = try log(runner, "v2")
        #expect(said.contains("38.9° across") && said.contains("readable from 50 to 72 cm"), "\(said)")
        #expect(try runner.run("srup-observer", ["optics", "--camera", "v2", "--distance", "9m"], as: "far") == 1)
        #expect(try log(runner, "far").contains("no size reads it"))
        #expect(try runner.run("srup-observer", ["optics", "--camera", "v9"], as: "wrong") == 64)
        #expect(try runner.run("srup-observer", ["optics", "--angle", "70", "--json"], as: "own") == 0)
        #expect(try log(runner, "own").contains("\"camera\":\"own\""))
    }
}
