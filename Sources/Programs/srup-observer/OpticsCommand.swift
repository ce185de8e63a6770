import ArgumentParser
import Optics
import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Which camera, and what is asked of it.
struct OpticsOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The camera; \"list\" prints those that are known.", valueName: "name"))
    var camera: String?
    @Option(
        help: ArgumentHelp("Another camera's horizontal angle of view at this size, in degrees.", valueName: "degrees"))
    var angle: Double?
    @Option(
        help: ArgumentHelp("From where on that other camera is sharp, such as 10cm.", valueName: "length"),
        transform: Self.length)
    var nearest: Double?
    @Option(help: ArgumentHelp("The picture size that is asked for.", valueName: "WxH"))
    var size = "1280x720"

    static let length: @Sendable (String) throws -> Double = { text in
        guard let length = Measure.millimetres(text) else {
            throw ValidationError(
                "\"\(text.prefix(40))\" must be a length from 1 mm to 100 m, such as 30mm, 6.5cm or 1.2m")
        }
        return length
    }

    func validate() throws {
        if let angle, !(angle >= 1 && angle <= 170) { throw ValidationError("--angle must be from 1 to 170 degrees") }
        if camera != nil && (angle != nil || nearest != nil) {
            throw ValidationError("--angle and --nearest are of a camera that has no name: leave --camera out")
        }
        _ = try pixels()
    }

    func pixels() throws -> (width: Int, height: Int) {
        // Digits only: Swift's own reading takes a sign, too.
        let parts = size.split(separator: "x", omittingEmptySubsequences: false).map { part in
            part.utf8.count <= 4 && part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil
        }
        guard parts.count == 2, let width = parts[0], let height = parts[1], (64...8192).contains(width),
            (64...8192).contains(height)
        else { throw ValidationError("--size must be like 1280x720") }
        return (width, height)
    }

    /// The camera that was named or described; `nil` when none was.
    func model() throws -> CameraModel? {
        let size = try pixels()
        if let angle { return .own(angle: angle, nearest: nearest ?? 1, width: size.width, height: size.height) }
        guard let camera else { return nil }
        guard let model = CameraModel.named(camera) else {
            let names = CameraModel.all.map(\.id).joined(separator: ", ")
            throw ValidationError("no camera is called \"\(camera.prefix(40))\"; there are \(names)")
        }
        return model
    }
}

struct OpticsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "optics",
        abstract: "Compute from where to where a camera reads a code, and which picture size to ask for.",
        discussion: """
            From the maker's numbers, for a camera that looks straight at the code of a value (25 x 25 modules) in even light:
              srup-observer optics --camera list
              srup-observer optics --camera v3 --code 30mm
              srup-observer optics --camera v2 --code 30mm --distance 80cm
              srup-observer optics --angle 70 --nearest 10cm --code 30mm

            A code's size is that of its dark part, without the margin. Which part of its sensor a camera reads, and so its \
            angle, depends on the size that is asked for ([camera] width and height). "srup-observer aim" shows what is so.

            Exit codes: 0 done; 1 the code cannot be read at that distance at any size; 64 wrong options.
            """)

    @OptionGroup var optics: OpticsOptions
    @Option(
        help: ArgumentHelp("The edge of the code's dark part.", valueName: "length"), transform: OpticsOptions.length)
    var code: Double = 30
    @Option(
        help: ArgumentHelp("A distance: which size to ask for there.", valueName: "length"),
        transform: OpticsOptions.length)
    var distance: Double?
    @Flag(help: "One JSON object.")
    var json = false
    @Flag(help: ArgumentHelp("Print the documents' tables of distances, in Markdown.", visibility: .hidden))
    var tables = false

    func run() throws {
        if tables { return print(DistanceTables.markdown) }
        if optics.camera == "list" {
            for camera in CameraModel.all { print(camera.id.padded(to: 12) + camera.name) }
            return
        }
        guard let camera = try optics.model() else {
            throw ValidationError(
                "which camera? --camera NAME (--camera list), or --angle DEGREES of one that has no name")
        }
        let size = try optics.pixels()
        let view = View(camera, width: size.width, height: size.height)
        let answer = distance.map { View.smallest(camera, edge: code, distance: $0) }
        print(json ? try OpticsReport(view, edge: code, smallest: answer ?? nil).encoded : text(view))
        if let answer, let distance {
            if !json { print(advice(answer, distance)) }
            if answer == nil { throw ExitCode(1) }
        }
    }

    private func text(_ view: View) -> String {
        let (camera, edge) = (view.camera, Measure.short(code))
        let part = Measure.short((view.part * 100).rounded())
        var lines = [
            camera.name,
            "asked for   \(view.width) x \(view.height); the sensor delivers \(view.mode.width) x \(view.mode.height), "
                + "\(part) % of its width is seen",
            "angle       \(Measure.short(view.horizontalAngle))° across, \(Measure.short(view.verticalAngle))° down",
            "focus       from \(Measure.centimetres(camera.nearest)) cm to "
                + (camera.farthest.isFinite ? "\(Measure.centimetres(camera.farthest)) cm" : "infinity"),
            "a code of \(edge) mm: " + Self.words(view, code),
        ]
        guard camera.id != "own" else { return lines.joined(separator: "\n") }
        lines += ["", "size to ask for   angle   readable, in cm"]
        for size in View.sizes {
            let other = View(camera, width: size.0, height: size.1)
            lines.append(
                "\(size.0) x \(size.1)".padded(to: 18)
                    + "\(Measure.short(other.horizontalAngle))°".padded(to: 8)
                    + Measure.centimetres(other.readable(edge: code)))
        }
        return lines.joined(separator: "\n")
    }

    /// In one line: from where to where, and to where comfortably.
    static func words(_ view: View, _ edge: Double) -> String {
        guard let range = view.readable(edge: edge) else {
            return "nowhere: from \(Measure.centimetres(view.nearest(edge: edge))) cm on it is whole and sharp, "
                + "to \(Measure.centimetres(view.farthest(edge: edge))) cm its modules have 3 pixels"
        }
        let comfortable = view.readable(edge: edge, pixels: 4).map {
            ", at ease to \(Measure.centimetres($0.upperBound)) cm"
        }
        return "readable from \(Measure.centimetres(range.lowerBound)) to \(Measure.centimetres(range.upperBound)) cm"
            + (comfortable ?? "")
    }

    private func advice(_ view: View?, _ distance: Double) -> String {
        let place = "\nat \(Measure.centimetres(distance)) cm: "
        guard let view else { return place + "no size reads it; a larger code, or another camera" }
        return place
            + "ask for \(view.width) x \(view.height) ([camera] width = \(view.width), height = \(view.height))"
    }
}

/// What is printed with --json. Lengths are in millimetres, angles in degrees.
private struct OpticsReport: Encodable {
    struct Size: Encodable {
        let width, height: Int
        let horizontalAngle, verticalAngle: Double
        let nearest, farthest: Double?

        init(_ view: View, _ edge: Double) {
            (width, height) = (view.width, view.height)
            (horizontalAngle, verticalAngle) = (rounded(view.horizontalAngle), rounded(view.verticalAngle))
            let range = view.readable(edge: edge)
            nearest = range.map { rounded($0.lowerBound) }
            farthest = range.map { rounded($0.upperBound) }
        }
    }

    let camera, name: String
    let code: Double
    let asked: Size
    let sizes: [Size]
    /// The smallest size that reads the code at the distance that was given.
    let askFor: Size?

    init(_ view: View, edge: Double, smallest: View?) {
        (camera, name, code) = (view.camera.id, view.camera.name, edge)
        asked = Size(view, edge)
        sizes =
            view.camera.id == "own" ? [] : View.sizes.map { Size(View(view.camera, width: $0.0, height: $0.1), edge) }
        askFor = smallest.map { Size($0, edge) }
    }

    var encoded: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}

private func rounded(_ number: Double) -> Double { (number * 10).rounded() / 10 }

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
