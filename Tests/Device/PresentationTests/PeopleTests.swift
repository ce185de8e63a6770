import Addresses
import Camera
import DisplaySimulator
import Foundation
import Luma
import TestProcesses
import Testing
import ValueForms

@testable import Presentation

/// A value for people on every display there is: what was shown is read back from it.
@Suite(.serialized) struct PeopleTests {
    static let hex = "29727bc41d5ef7408921d2a3b4c5d6e7"
    static let value: [UInt8] = [
        0x29, 0x72, 0x7B, 0xC4, 0x1D, 0x5E, 0xF7, 0x40, 0x89, 0x21, 0xD2, 0xA3, 0xB4, 0xC5, 0xD6, 0xE7,
    ]
    let folder = NSTemporaryDirectory() + "srup-people-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private var words: [String] { Self.value.withUnsafeBytes { ValueWords.words(of: $0) } }
    private var digits: String { Self.value.withUnsafeBytes { ValueHex.text(of: $0) } }

    private func presenter(_ address: String) throws -> any NoncePresenter { try PresenterAddress(address).presenter() }

    private func show(_ presenter: any NoncePresenter) throws {
        try Array(Self.hex.utf8).withUnsafeBytes { try presenter.show($0) }
    }

    /// The numbered words of lines that were read.
    private func numbered(_ lines: [[String]]) -> [Int: String] {
        var found: [Int: String] = [:]
        for line in lines {
            for pair in stride(from: 0, to: line.count - 1, by: 2) {
                if let number = Int(line[pair]) { found[number] = line[pair + 1] }
            }
        }
        return found
    }

    private var expected: [Int: String] { Dictionary(uniqueKeysWithValues: words.enumerated().map { ($0 + 1, $1) }) }

    /// The lines in a grey picture, whatever the size of its letters.
    private func lines(_ picture: LumaPicture) -> [[String]] {
        (1...16).lazy.map { scale in
            PixelText.lines(width: picture.width, height: picture.height, scale: scale) {
                picture.pixels[$1 * picture.width + $0] < 128
            }
        }.first { $0.joined().joined().count > 30 } ?? []
    }

    @Test func aPNGFileShowsTheWordsAndIsGoneAfterwards() throws {
        let path = folder + "/words.png"
        let presenter = try presenter("words:png:\(path)")
        try show(presenter)
        #expect(numbered(lines(try StillPicture.read(path))) == expected)
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        try presenter.clear()
        #expect(!FileManager.default.fileExists(atPath: path))
        let hex = try self.presenter("hex:png:\(path)")
        try show(hex)
        #expect(lines(try StillPicture.read(path)).joined().joined() == digits)
    }

    @Test(arguments: [ValueForm.colours, .mono, .eink]) func aPNGFileHasTheCells(_ form: ValueForm) throws {
        let path = folder + "/cells.png"
        try show(try presenter("\(form):png:\(path)"))
        let grey = try StillPicture.read(path)
        let cells = try #require(Self.value.withUnsafeBytes { form.picture(of: $0) })
        let dark = (0..<grey.width * grey.height).filter { grey.pixels[$0] < 64 }
        let left = dark.map { $0 % grey.width }.min() ?? 0
        let right = (dark.map { $0 % grey.width }.max() ?? 0) + 1
        let middle = grey.height / 2 * grey.width
        let line = ((left..<right).first { grey.pixels[middle + $0] > 200 } ?? left) - left
        let cell = (right - left - 4 * line) / cells.side
        for y in 0..<cells.side {
            for x in 0..<cells.side {
                let colour = cells.colour(x, y)
                let first = left + 2 * line + 1
                let level = Int(grey.pixels[(first + y * cell) * grey.width + first + x * cell])
                let parts = [299 * Int(colour.red), 587 * Int(colour.green), 114 * Int(colour.blue)]
                let wanted = parts.reduce(0, +) / 1000
                // libpng weighs the colours in another way.
                #expect(abs(level - wanted) < 50, "\(x) \(y): \(level), not \(wanted)")
            }
        }
    }

    @Test func aVectorFileShowsTheWords() throws {
        let path = folder + "/words.svg"
        let presenter = try presenter("words:svg:\(path)")
        try show(presenter)
        let svg = try String(contentsOfFile: path, encoding: .utf8)
        for (index, word) in words.enumerated() { #expect(svg.contains(">\(index + 1) \(word)<")) }
        try presenter.clear()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func aCommandGetsTheTextOrThePicture() throws {
        let path = folder + "/piped"
        try show(try presenter("words:command:cat > '\(path)'"))
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("11  \(words[10])\n"))
        let pictured = try presenter("words:command-png:cat > '\(path)'; echo $SRUP_DISPLAY > '\(path).mode'")
        try show(pictured)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".png")
        #expect(numbered(lines(try StillPicture.read(path + ".png"))) == expected)
        try pictured.clear()
        #expect(try String(contentsOfFile: path + ".mode", encoding: .utf8) == "clear\n")
        #expect(throws: PresentationError.self) { try show(try presenter("hex:command-png:exit 3")) }
    }

    @Test(arguments: [16, 24, 32]) func aFramebufferHasTheColours(_ bits: Int) throws {
        let path = folder + "/fb"
        let (width, height, stride) = (320, 240, 320 * bits / 8 + 16)
        try Data(count: stride * height).write(to: URL(fileURLWithPath: path))
        let presenter = try FramebufferPresenter(
            path: path, geometry: .init(width: width, height: height, bitsPerPixel: bits, stride: stride))
        let drawing = Self.value.withUnsafeBytes { ValueDrawing($0, as: .colours) }
        try presenter.show(drawing)
        let page = try #require(presenter.page(of: drawing))
        let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        var seen: [[UInt8]: CellColour] = [:]
        for y in 0..<height {
            for x in 0..<width {
                let start = y * stride + x * bits / 8
                let pixel = Array(data[start..<start + bits / 8])
                // The same bytes are the same colour everywhere, and the other way round.
                if seen[pixel] == nil { seen[pixel] = page.colour(x, y) }
                guard seen[pixel] == page.colour(x, y) else {
                    Issue.record("\(x) \(y)")
                    return
                }
            }
        }
        #expect(seen.count == 4)
        // Orange is E6 9F 00, in 5-6-5 bits 28 39 0; the lowest byte first.
        let orange = seen.first { $0.value.hex == "#e69f00" }?.key
        #expect(orange == (bits == 16 ? [0xE0, 0xE4] : bits == 24 ? [0x00, 0x9F, 0xE6] : [0x00, 0x9F, 0xE6, 0x00]))
        try presenter.clear()
        let empty = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        #expect(
            (0..<height).allSatisfy { y in empty[y * stride..<y * stride + width * bits / 8].allSatisfy { $0 == 255 } })
    }

    @Test func aFramebufferOfAnotherOrderGetsItsOwnBytes() throws {
        let geometry = FramebufferPresenter.Geometry(
            width: 8, height: 8, bitsPerPixel: 32, stride: 32,
            colours: [.init(offset: 0, length: 8), .init(offset: 8, length: 8), .init(offset: 16, length: 8)])
        let cells = try #require(Self.value.withUnsafeBytes { ValueForm.eink.picture(of: $0) })
        let red = try #require(cells.palette.first { $0.hex == "#c80000" })
        #expect(geometry.bytes(red) == [0xC8, 0, 0, 0])
        // What makes no sense is not believed.
        for wrong in [
            [], [FramebufferPresenter.Geometry.Colour(offset: 40, length: 8)],
            [.init(offset: -1, length: 99), .init(offset: 0, length: 0), .init(offset: 0, length: 1)],
        ] {
            let odd = FramebufferPresenter.Geometry(width: 8, height: 8, bitsPerPixel: 32, stride: 32, colours: wrong)
            #expect(odd.bytes(red) == [0, 0, 0xC8, 0])
        }
        try Data(count: 16 * 16 * 4).write(to: URL(fileURLWithPath: folder + "/tiny"))
        let tiny = try FramebufferPresenter(
            path: folder + "/tiny", geometry: .init(width: 16, height: 16, bitsPerPixel: 32, stride: 64))
        #expect(throws: PresentationError.tooSmall(folder + "/tiny")) {
            try tiny.show(Self.value.withUnsafeBytes { ValueDrawing($0, as: .words) })
        }
    }

    // MARK: The small display, with the real program and the chip's own bytes

    private func bus(_ height: Int = 64) throws -> SimulatedBus {
        // A socket's path is short.
        try SimulatedBus(path: "/tmp/srup-oled-\(UUID().uuidString.prefix(8))", height: height)
    }

    private func environment(_ bus: SimulatedBus) -> [String] {
        [
            "LD_PRELOAD=\(ProgramRunner.ownFolder)/libI2CShim.so", "SRUP_I2C_SOCKET=\(bus.path)", "SRUP_I2C_CHIP=0x3C",
            "\(ProgramRunner.ownFolder)/srup-device",
        ]
    }

    @Test func aSmallDisplayShowsTheWords() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let bus = try bus()
        #expect(bus.panel.isDark)
        let code = try runner.run(
            "/usr/bin/env", environment(bus) + ["show", Self.hex, "--present", "words:oled"], as: "show")
        #expect(code == 0, "\(runner.tail(of: "show"))")
        #expect(numbered(bus.panel.lines()) == expected)
        #expect(bus.panel.mistakes == 0)
    }

    @Test(arguments: [ValueForm.hex, .colours, .mono, .eink]) func aSmallDisplayShowsEveryForm(_ form: ValueForm) throws
    {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let bus = try bus()
        let code = try runner.run(
            "/usr/bin/env", environment(bus) + ["show", Self.hex, "--present", "\(form):oled:/dev/i2c-1:0x3C"],
            as: "show")
        #expect(code == 0, "\(runner.tail(of: "show"))")
        let page = try #require(
            Self.value.withUnsafeBytes { ValueDrawing($0, as: form).pages(width: 128, height: 64, ground: .dark) }.first
        )
        let panel = bus.panel
        #expect((0..<64).allSatisfy { y in (0..<128).allSatisfy { panel.isLit($0, y) == page.isLight($0, y) } })
        if form == .hex { #expect(panel.lines().joined().joined() == digits) }
    }

    @Test func aLowDisplayShowsTwoPagesInTurnAndIsTakenDown() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let bus = try bus(32)
        try runner.start(
            "/usr/bin/env",
            environment(bus) + ["show", Self.hex, "--present", "words:oled:128x32", "--seconds", "600"], as: "show")
        var words: [Int: String] = [:]
        let deadline = Date(timeIntervalSinceNow: 60)
        while words.count < 11, Date() < deadline {
            words.merge(numbered(bus.panel.lines())) { $1 }
            usleep(100_000)
        }
        #expect(words == expected)
        #expect(runner.end("show", SIGTERM) == 0)
        #expect(bus.panel.isDark && bus.panel.isEmpty && bus.panel.mistakes == 0)
    }

    @Test func aDisplayThatIsNotThereIsNamed() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let bus = try bus()
        func show(_ place: String) throws -> String {
            let code = try runner.run(
                "/usr/bin/env", environment(bus) + ["show", Self.hex, "--present", place], as: "show")
            #expect(code != 0, "\(place)")
            return (try? String(contentsOfFile: runner.path("log/show.log"), encoding: .utf8)) ?? ""
        }
        #expect(try show("words:oled:0x3D").contains("nothing answers there"))
        bus.unplug()
        #expect(try show("words:oled").contains("nothing answers there"))
        #expect(try show("words:oled:/dev/i2c-99").contains("no such bus"))
        #expect(try show("mono:oled:128x32").contains("too small"))
        #expect(try show("words:oled:64x64").contains("no way to show"))
        #expect(bus.panel.isDark)
    }

    @Test func addressesForPeopleAreReadWithAdvice() throws {
        #expect(try PresenterAddress("words") == .people(.words, .terminal))
        #expect(try PresenterAddress("mono:svg:/a:b") == .people(.mono, .svg("/a:b")))
        #expect(try PresenterAddress("hex:oled") == .people(.hex, .oled(OLEDAddress())))
        #expect(try PresenterAddress("eink:fb:/dev/fb1") == .people(.eink, .framebuffer("/dev/fb1")))
        #expect(try PresenterAddress("eink:command-png:a b") == .people(.eink, .command("a b", isPicture: true)))
        for wrong in [
            "words:", "words:png:", "words:svg:", "words:fb:x", "words:oled:", "words:oled:x", "words:command:",
            "words:command-png:", "words:terminal:x", "words:nfc", "Words", "word",
        ] {
            #expect(throws: PresentationError.badAddress(wrong)) { try PresenterAddress(wrong) }
        }
        #expect("\(PresentationError.badAddress("x"))".contains("oled"))
        #expect(throws: PresentationError.tooSmall("oled:/dev/i2c-1:0x3C:128x32")) { try presenter("mono:oled:128x32") }
        #expect(throws: PresentationError.self) { try presenter("words:fb:/dev/null") }
        for kind in ["file", "png", "svg"] {
            #expect(throws: PresentationError.self) { try presenter("words:\(kind):/dev/null") }
        }
    }
}
