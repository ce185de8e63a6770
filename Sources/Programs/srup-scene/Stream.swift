import ArgumentParser
import Glibc
import Luma
import Scene

/// Writes the frames of a drawn stream, with what each shows.
struct Stream: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the frames of a camera before which a device comes in, sways, or is focused.",
        discussion: """
            30 frames a second, as PNGs with a manifest.json: like those of \"pictures\", and under scene each frame's number, \
            the true size of a module in pixels, and whether a person could read it.
            """)

    @Argument(help: ArgumentHelp("The folder; it is made when it is missing.", valueName: "dir"))
    var folder: String
    @Option(help: "What happens: \(DrawnStream.Story.allCases.map(\.rawValue).joined(separator: ", ")).")
    var story = "arrives"
    @Option(help: "How many frames.")
    var frames = 60
    @Option(help: "Size of a module where it faces the camera, in pixels.")
    var module: Float = 3
    @Option(help: ArgumentHelp("Of each picture, in pixels.", valueName: "WxH"))
    var size = "640x480"
    @Option(help: ArgumentHelp("qr, datamatrix or code128.", valueName: "name"))
    var symbology = "qr"
    @Option(help: "The same seed draws the same frames.")
    var seed: UInt64 = 1

    func validate() throws {
        guard FrameSize.parsed(size) != nil else { throw ValidationError("--size must be like 1280x720, up to 8192") }
        guard (1...100_000).contains(frames) else { throw ValidationError("--frames must be from 1 to 100000") }
        guard module > 0.1, module < 200 else { throw ValidationError("--module must be from 0.1 to 200") }
        guard DrawnStream.Story(rawValue: story) != nil else { throw ValidationError("--story: see --help") }
        guard SceneSymbol.Kind(rawValue: symbology) != nil else {
            throw ValidationError("--symbology must be qr, datamatrix or code128")
        }
    }

    func run() throws {
        guard let (width, height) = FrameSize.parsed(size), let kind = SceneSymbol.Kind(rawValue: symbology),
            let story = DrawnStream.Story(rawValue: story),
            let stream = DrawnStream(story, kind, module: module, width: width, height: height, seed: seed)
        else { return }
        guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw PictureFile.failure(folder) }
        var renderer = stream.renderer()
        var pixels = [UInt8](repeating: 0, count: width * height)
        var lines: [String] = []
        for frame in 0..<frames {
            renderer.render(stream.symbol.picture, stream.parameters(frame), into: &pixels)
            let name = "\(String(100_000 + frame).dropFirst()).png"
            try PictureFile.write(try PictureFile.png(pixels, width: width, height: height), to: "\(folder)/\(name)")
            lines.append(
                "{\"file\": \"\(name)\", \"symbology\": \"\(ManifestLine.symbology(kind))\", "
                    + "\"text\": \"\(stream.symbol.text)\", \"width\": \(width), \"height\": \(height), "
                    + "\"scene\": {\"story\": \"\(story.rawValue)\", \"frame\": \(frame), \"seed\": \(seed), "
                    + "\"module\": \(stream.moduleSize(frame) ?? 0), \"readable\": \(stream.isReadable(frame))}}")
        }
        try PictureFile.write(
            Array(("[\n" + lines.joined(separator: ",\n") + "\n]\n").utf8), to: "\(folder)/manifest.json")
    }
}
