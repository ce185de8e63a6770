import CodeReader
import Foundation
import Luma
import ObservedValue
import Optics
import TestProcesses
import Testing

/// The printed page, made by the real program: its codes are read from what is drawn, at their true sizes.
@Suite struct TestSheetTests {
    private static let edges = [15, 20, 25, 30, 40, 50, 80]

    private func make(_ arguments: [String], _ body: (ProgramRunner, String) throws -> Void) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.must("srup-observer", ["test-sheet", "-o", runner.path("sheet.svg")] + arguments, as: "sheet")
        try body(runner, try String(contentsOfFile: runner.path("sheet.svg"), encoding: .utf8))
    }

    /// The rectangles of the drawing, in millimetres.
    private func boxes(_ svg: String) throws -> [CGRect] {
        let form = try Regex("M([0-9.]+) ([0-9.]+)h([0-9.]+)v([0-9.]+)h-[0-9.]+z")
        return svg.matches(of: form).compactMap { match in
            let numbers = (1...4).compactMap { match.output[$0].substring.flatMap { Double($0) } }
            return numbers.count == 4
                ? CGRect(x: numbers[0], y: numbers[1], width: numbers[2], height: numbers[3]) : nil
        }
    }

    @Test(arguments: ["a4", "letter"]) func everyCodeIsReadAndHasItsSize(_ paper: String) throws {
        try make(["--camera", "v3", "--paper", paper]) { _, svg in
            let (scale, width, height) = (6.0, paper == "a4" ? 210.0 : 215.9, paper == "a4" ? 297.0 : 279.4)
            let (columns, rows) = (Int(width * scale), Int(height * scale))
            var pixels = [UInt8](repeating: 255, count: columns * rows)
            let all = try boxes(svg)
            for box in all {
                #expect(box.minX >= 5 && box.maxX <= width - 5 && box.minY >= 5 && box.maxY <= height - 5)
                for y in Int((box.minY * scale).rounded())..<Int((box.maxY * scale).rounded()) {
                    for x in Int((box.minX * scale).rounded())..<Int((box.maxX * scale).rounded()) {
                        pixels[y * columns + x] = 0
                    }
                }
            }
            let picture = try #require(LumaPicture(width: columns, height: rows, pixels: pixels))
            var read: [Int: Double] = [:]
            let readings = picture.withPlane { CodeReader([.qr]).read($0) }
            for reading in readings {
                let value = try #require(reading.candidate.flatMap { TestValue($0) })
                let corners = reading.corners
                read[value.edge] = Double(hypot(corners[1].x - corners[0].x, corners[1].y - corners[0].y)) / scale
            }
            #expect(read.keys.sorted() == Self.edges)
            for (edge, length) in read {
                #expect(abs(length - Double(edge)) < 0.03 * Double(edge) + 0.4, "\(edge): \(length)")
            }
            // The ruler.
            #expect(all.contains { abs($0.width - 100) < 0.0005 && $0.height < 1 })
        }
    }

    /// The cards of the acceptance check: each is read, is its word and nothing else, and lies in its own frame.
    @Test(arguments: ["a4", "letter"]) func theCardsAreReadAndAreTheirWords(_ paper: String) throws {
        try make(["--steps", "--paper", paper]) { _, svg in
            let (scale, width, height) = (6.0, paper == "a4" ? 210.0 : 215.9, paper == "a4" ? 297.0 : 279.4)
            let (columns, rows) = (Int(width * scale), Int(height * scale))
            var pixels = [UInt8](repeating: 255, count: columns * rows)
            for box in try boxes(svg) {
                #expect(box.minX >= 5 && box.maxX <= width - 5 && box.minY >= 5 && box.maxY <= height - 5)
                for y in Int((box.minY * scale).rounded())..<Int((box.maxY * scale).rounded()) {
                    for x in Int((box.minX * scale).rounded())..<Int((box.maxX * scale).rounded()) {
                        pixels[y * columns + x] = 0
                    }
                }
            }
            let picture = try #require(LumaPicture(width: columns, height: rows, pixels: pixels))
            let readings = picture.withPlane { CodeReader([.qr]).read($0) }
            #expect(Set(readings.compactMap(\.command)) == Set(SheetCommand.allCases) && readings.count == 6)
            #expect(readings.compactMap(\.candidate) == [OtherValue.bytes])
            for reading in readings {
                let edge = Double(
                    hypot(reading.corners[1].x - reading.corners[0].x, reading.corners[1].y - reading.corners[0].y))
                #expect(abs(edge / scale - 42) < 1.5)
            }
            // The last line of text is on the paper.
            let lines = svg.matches(of: try Regex("<text[^>]* y=\"([0-9.]+)\"")).compactMap {
                $0.output[1].substring.flatMap { Double($0) }
            }
            #expect(lines.count > 12 && lines.max() ?? .infinity < height - 8)
        }
    }

    /// The PDF, drawn by another program: the paper's size, the ruler's and the codes' millimetres.
    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/pdftoppm"), "no pdftoppm (poppler-utils)"),
        arguments: [("a4", 210.0, 297.0), ("letter", 215.9, 279.4)])
    func thePDFIsTrueToScale(_ paper: String, _ width: Double, _ height: Double) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.must(
            "srup-observer", ["test-sheet", "--camera", "v3", "--paper", paper, "-o", runner.path("sheet.pdf")],
            as: "sheet")
        let resolution = 300.0
        try runner.must(
            "/usr/bin/pdftoppm",
            ["-r", "300", "-gray", "-singlefile", runner.path("sheet.pdf"), runner.path("sheet")], as: "draw")
        let file = Array(try Data(contentsOf: URL(fileURLWithPath: runner.path("sheet.pgm"))))
        let head = String(decoding: file.prefix(32), as: UTF8.self).split(separator: "\n", maxSplits: 3)
        let sides = try #require(head.count > 2 ? head[1] : nil).split(separator: " ").compactMap { Int($0) }
        let (columns, rows) = (try #require(sides.first), try #require(sides.last))
        func millimetres(_ pixels: Double) -> Double { pixels * 25.4 / resolution }
        #expect(abs(millimetres(Double(columns)) - width) < 0.2 && abs(millimetres(Double(rows)) - height) < 0.2)
        let picture = try #require(
            LumaPicture(width: columns, height: rows, pixels: Array(file.suffix(columns * rows))))

        // The ruler is the longest line from left to right.
        var longest = 0
        for row in 0..<rows {
            var length = 0
            for pixel in picture.pixels[row * columns..<(row + 1) * columns] {
                length = pixel < 128 ? length + 1 : 0
                longest = max(longest, length)
            }
        }
        #expect(abs(millimetres(Double(longest)) - 100) < 0.2, "\(millimetres(Double(longest)))")

        var read: [Int: Double] = [:]
        let readings = picture.withPlane { CodeReader([.qr]).read($0) }
        for reading in readings {
            let value = try #require(reading.candidate.flatMap { TestValue($0) })
            let corners = reading.corners
            read[value.edge] = millimetres(
                Double(hypot(corners[1].x - corners[0].x, corners[1].y - corners[0].y)))
        }
        #expect(read.keys.sorted() == Self.edges)
        for (edge, length) in read { #expect(abs(length - Double(edge)) < 0.5, "\(edge): \(length)") }
    }

    /// The distances are those of `optics`, camera by camera.
    @Test(arguments: CameraModel.all.map(\.id)) func theDistancesAreThoseOfOptics(_ camera: String) throws {
        let size = camera == "v2" ? "1920x1080" : "1280x720"
        try make(["--camera", camera, "--size", size]) { runner, svg in
            let model = try #require(CameraModel.named(camera))
            let view = View(model, width: size == "1280x720" ? 1280 : 1920, height: size == "1280x720" ? 720 : 1080)
            for edge in Self.edges {
                let range = view.readable(edge: Double(edge))
                let words = Measure.centimetres(range) + (range == nil ? "" : " cm")
                #expect(svg.contains(">\(edge) mm</text>") && svg.contains(">\(words)</text>"))
                try runner.run(
                    "srup-observer", ["optics", "--camera", camera, "--size", size, "--code", "\(edge)mm"],
                    as: "optics\(edge)")
                let said = try String(contentsOfFile: runner.path("log/optics\(edge).log"), encoding: .utf8)
                let told = words.replacingOccurrences(of: "–", with: "to")
                #expect(said.contains(range == nil ? "nowhere" : "readable from \(told)"), "\(said)")
            }
        }
    }

    @Test(arguments: [
        ["--camera", "v9", "-o", "/tmp/x.pdf"], ["--camera", "v3", "-o", "/tmp/x.png"],
        ["--camera", "v3", "--size", "1x1", "-o", "/tmp/x.pdf"],
        ["--camera", "v3", "--paper", "a3", "-o", "/tmp/x.pdf"], ["-o", "/tmp/x.pdf"], ["--steps", "-o", "/tmp/x.png"],
        ["--steps", "--paper", "a3", "-o", "/tmp/x.pdf"],
    ])
    func whatIsWrongIsToldAndNothingIsWritten(_ arguments: [String]) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        #expect(try runner.run("srup-observer", ["test-sheet"] + arguments, as: "sheet") == 64)
    }
}
