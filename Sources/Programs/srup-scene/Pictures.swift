import ArgumentParser
import CPNG
import Glibc
import Linux
import Luma
import Scene

/// Writes a set of drawn pictures, with what they say and how they were drawn.
struct Pictures: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a folder of pictures of codes, in graded difficulty, with a manifest.",
        discussion: """
            Each picture suffers from one thing in one of five grades (blur, noise, tilt, glare ...), or is a mix; \
            --empty adds cluttered pictures without a code. manifest.json is an array with one object per picture: file, \
            symbology (QRCODE, DATAMATRIX, CODE128 or NONE), text (null: no code), width, height, and under scene all that \
            it was drawn with; module is the size of a module in pixels.

              srup-scene pictures --count 500 --empty 60 --size 640x480 /tmp/scenes

            The same options draw the same pictures, byte for byte.
            """)

    @Argument(help: ArgumentHelp("The folder; it is made when it is missing.", valueName: "dir"))
    var folder: String
    @Option(help: "How many pictures with a code.")
    var count = 500
    @Option(help: "How many without one.")
    var empty = 0
    @Option(help: ArgumentHelp("Of each picture, in pixels.", valueName: "WxH"))
    var size = "640x480"
    @Option(help: ArgumentHelp("qr, datamatrix or code128.", valueName: "name"))
    var symbology = "qr"
    @Option(
        help: ArgumentHelp(
            "Only these, with commas between: \(Degradation.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "list"))
    var degradations: String?
    @Option(help: "The same seed draws the same pictures.")
    var seed: UInt64 = 1

    private var chosen: [Degradation]? {
        guard let degradations else { return Degradation.allCases }
        let names = degradations.split(separator: ",").map(String.init)
        let found = names.compactMap { Degradation(rawValue: $0) }
        return found.isEmpty || found.count != names.count ? nil : found
    }

    func validate() throws {
        guard FrameSize.parsed(size) != nil else { throw ValidationError("--size must be like 1280x720, up to 8192") }
        guard (0...100_000).contains(count), (0...100_000).contains(empty) else {
            throw ValidationError("--count and --empty must be from 0 to 100000")
        }
        guard SceneSymbol.Kind(rawValue: symbology) != nil else {
            throw ValidationError("--symbology must be qr, datamatrix or code128")
        }
        guard chosen != nil else { throw ValidationError("--degradations has a name that does not exist (see --help)") }
    }

    func run() throws {
        guard let (width, height) = FrameSize.parsed(size), let kind = SceneSymbol.Kind(rawValue: symbology),
            let chosen
        else { return }
        guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw PictureFile.failure(folder) }
        var scenes = DrawnScene.standard(kind, count: count, width: width, height: height, seed: seed, only: chosen)
        for index in 0..<empty {
            scenes.append(
                DrawnScene(
                    emptyWithWidth: width, height: height, seed: seed &* 1_000_003 &+ 500_000_000 &+ UInt64(index)))
        }
        var lines: [String] = []
        for (index, scene) in scenes.enumerated() {
            let number = String(100_000 + index).dropFirst()
            let name =
                scene.symbol == nil
                ? "\(number)-none.png" : "\(number)-\(scene.degradation.rawValue)-\(scene.grade).png"
            try PictureFile.write(
                try PictureFile.png(scene.pixels(), width: width, height: height), to: "\(folder)/\(name)")
            lines.append(ManifestLine(scene).json(file: name))
        }
        let manifest = "[\n" + lines.joined(separator: ",\n") + "\n]\n"
        try PictureFile.write(Array(manifest.utf8), to: "\(folder)/manifest.json")
    }
}

/// What the manifest says of one picture. Names and texts need no escapes: we make them ourselves.
struct ManifestLine {
    private let scene: DrawnScene

    init(_ scene: DrawnScene) {
        self.scene = scene
    }

    func json(file: String) -> String {
        let symbology = Self.symbology(scene.symbol?.kind)
        let text = scene.symbol.map { "\"\($0.text)\"" } ?? "null"
        let drawn = drawnWith.map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ")
        return "{\"file\": \"\(file)\", \"symbology\": \"\(symbology)\", \"text\": \(text), "
            + "\"width\": \(scene.width), \"height\": \(scene.height), \"scene\": {\(drawn)}}"
    }

    static func symbology(_ kind: SceneSymbol.Kind?) -> String {
        switch kind {
        case .qr: "QRCODE"
        case .dataMatrix: "DATAMATRIX"
        case .code128: "CODE128"
        case nil: "NONE"
        }
    }

    private var drawnWith: [(String, String)] {
        let p = scene.parameters
        var drawn: [(String, String)] = [
            ("degradation", "\"\(scene.degradation.rawValue)\""), ("grade", "\(scene.grade)"),
            ("seed", "\(scene.seed)"),
            ("clutter", "\"\(scene.clutter.rawValue)\""), ("inverted", "\(p.isInverted)"),
        ]
        if let module = scene.moduleSize { drawn.append(("module", "\(module)")) }
        if let corners = scene.corners {
            drawn.append(("corners", "[" + corners.map { "[\($0.x), \($0.y)]" }.joined(separator: ", ") + "]"))
        }
        let numbers: [(String, Float)] = [
            ("roll", p.roll), ("yaw", p.yaw), ("pitch", p.pitch), ("tilt", max(abs(p.yaw), abs(p.pitch))),
            ("contrast", p.contrast), ("noise", p.noise), ("defocus", p.defocus), ("motion", p.motion),
            ("shade", p.shade), ("shadow", p.shadow), ("glare", p.glare), ("glareRadius", p.glareRadius),
            ("occlusion", p.occlusion), ("gridPitch", p.gridPitch), ("gridDepth", p.gridDepth),
            ("bandDepth", p.bandDepth), ("bandPeriod", p.bandPeriod), ("ghost", p.ghost),
        ]
        for (name, value) in numbers { drawn.append((name, "\(value)")) }
        return drawn
    }
}

enum PictureFile {
    /// 8-bit grey, packed for speed.
    static func png(_ pixels: [UInt8], width: Int, height: Int) throws -> [UInt8] {
        // Noise does not shrink; a row has a byte of its own, and zlib some.
        var png = [UInt8](repeating: 0, count: pixels.count + pixels.count / 100 + height + 65536)
        var size = png.count
        guard srup_png_write_grey_fast(pixels, UInt32(width), UInt32(height), &png, &size) != 0 else {
            throw WriteFailure(description: "libpng could not write a picture of \(width)x\(height)")
        }
        png.removeLast(png.count - size)
        return png
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let (descriptor, _) = try OutputFile.open(path, O_TRUNC, mode: 0o644)
        defer { close(descriptor) }
        guard writeAll(bytes, to: descriptor) else { throw failure(path) }
    }

    static func failure(_ path: String) -> WriteFailure { WriteFailure(path, code: errno) }
}

/// What cannot be written, and why: no mistake on the command line, so that the exit code is 1.
struct WriteFailure: Error, CustomStringConvertible {
    let description: String

    init(description: String) { self.description = description }

    init(_ path: String, code: Int32) { description = "\(path) cannot be written: \(String(cString: strerror(code)))" }
}
