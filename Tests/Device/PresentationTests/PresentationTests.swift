import Camera
import CodeWriter
import CodeReader
import Foundation
import Luma
import Testing

@testable import Presentation

@Suite struct PresentationTests {
    static let hex = "00112233445566778899aabbccddeeff"
    static let value: [UInt8] = [
        0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
    ]
    let folder = NSTemporaryDirectory() + "srup-show-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    func with<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try Array(Self.hex.utf8).withUnsafeBytes(body)
    }

    func read(_ picture: LumaPicture) -> [UInt8]? { picture.withPlane { CodeReader().read($0) }.first?.candidate }

    @Test func aNonceNeedsTheSmallCode() throws {
        #expect(try with { try QRMatrix(hex: $0) }.size == 25)
    }

    @Test func thePNGIsReadByTheObserversReader() throws {
        let path = folder + "/a.png"
        let presenter = PNGPresenter(path: path)
        try with { try presenter.show($0) }
        #expect(read(try StillPicture.read(path)) == Self.value)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.png"])
        try presenter.clear()
        try presenter.clear()
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    /// A terminal's lines as a picture: cells of 8 by 16 pixels, spacing below them in the cells' background or, for
    /// characters alone, above and below.
    func terminal(_ text: String, spacing: Int, above: Int = 0) throws -> LumaPicture {
        var rows: [[UInt8]] = []
        for line in text.split(separator: "\n") {
            var cells: [(ink: UInt8, paper: UInt8, isHalf: Bool)] = []
            var (ink, paper): (UInt8, UInt8) = (0, 255)
            for run in line.split(separator: "\u{1B}[") {
                let parts = run.split(separator: "m", maxSplits: 1, omittingEmptySubsequences: false)
                for colour in parts[0].split(separator: ";") {
                    switch colour {
                    case "30": ink = 0
                    case "97": ink = 255
                    case "40": paper = 0
                    case "107": paper = 255
                    default: break
                    }
                }
                for character in parts[1] { cells.append((ink, paper, character == "▀")) }
            }
            for y in -above..<16 + spacing - above {
                rows.append(
                    cells.flatMap { cell in
                        [UInt8](repeating: cell.isHalf && (0..<8).contains(y) ? cell.ink : cell.paper, count: 8)
                    })
            }
        }
        let margin = [[UInt8]](repeating: [UInt8](repeating: 60, count: rows[0].count), count: 20)
        rows = margin + rows + margin
        return try #require(LumaPicture(width: rows[0].count, height: rows.count, pixels: rows.flatMap { $0 }))
    }

    @Test(arguments: [24, 34])
    func whatATerminalShowsIsTheCode(_ rows: Int) throws {
        let matrix = try with { try QRMatrix(hex: $0) }
        let text = matrix.terminal(rows: rows)
        let picture = try terminal(text, spacing: 0)
        let module = rows == 24 ? 8 : 16
        let quiet = QRMatrix.quietZone
        for y in -quiet..<matrix.size + quiet {
            for x in -quiet..<matrix.size + quiet {
                let row = 20 + (y + quiet) * module + module / 2
                let pixel = picture.pixels[row * picture.width + (x + quiet) * module + module / 2]
                #expect((pixel == 0) == matrix.isDark(x, y))
            }
        }
        #expect(text.split(separator: "\n").count < rows)
    }

    /// As it was drawn before, a space between lines of an eighth was enough to hide it.
    @Test(arguments: [0, 2, 4, 6, 8], [0, 0.5, 1])
    func spacingBetweenTheLinesOfATerminalDoesNoHarm(_ spacing: Int, _ share: Double) throws {
        let matrix = try with { try QRMatrix(hex: $0) }
        let above = Int(Double(spacing) * share)
        let whole = try terminal(matrix.terminal(rows: 34), spacing: spacing, above: above)
        #expect(read(whole) == Self.value)
        // Half blocks take it below only, where terminals without block characters of their own put it.
        guard above == 0, spacing <= 4 else { return }
        #expect(read(try terminal(matrix.terminal(), spacing: spacing, above: above)) == Self.value)
    }

    @Test(arguments: [16, 24, 32])
    func theFramebufferShowsTheCode(_ bits: Int) throws {
        let path = folder + "/fb"
        let (width, height, stride) = (320, 240, 320 * bits / 8 + 16)
        try Data(count: stride * height).write(to: URL(fileURLWithPath: path))
        let presenter = try FramebufferPresenter(
            path: path, geometry: .init(width: width, height: height, bitsPerPixel: bits, stride: stride))
        try with { try presenter.show($0) }
        func luma() throws -> LumaPicture {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            let pixels = (0..<height).flatMap { y in (0..<width).map { data[y * stride + $0 * bits / 8] } }
            return try #require(LumaPicture(width: width, height: height, pixels: pixels))
        }
        #expect(read(try luma()) == Self.value)
        try presenter.clear()
        #expect(try luma().pixels.allSatisfy { $0 == 255 })
    }

    @Test func aFramebufferThatCannotServeIsNamed() {
        #expect(throws: PresentationError.self) { try FramebufferPresenter(path: "/dev/null") }
        #expect(throws: PresentationError.self) {
            try FramebufferPresenter(path: NSTemporaryDirectory() + "absent-\(UUID().uuidString)")
        }
        #expect(throws: PresentationError.self) {
            try FramebufferPresenter(path: "x", geometry: .init(width: 10, height: 10, bitsPerPixel: 8, stride: 10))
        }
    }

    @Test func aCommandGetsThePicture() throws {
        let path = folder + "/piped.png"
        let presenter = CommandPresenter("cat > '\(path)'; echo $SRUP_DISPLAY > '\(path).mode'")
        try with { try presenter.show($0) }
        #expect(read(try StillPicture.read(path)) == Self.value)
        try presenter.clear()
        #expect(try String(contentsOfFile: path + ".mode", encoding: .utf8) == "clear\n")
    }

    @Test func aCommandThatFailsOrHangsIsATypedError() throws {
        #expect(throws: PresentationError.commandFailed("exit 3", how: "ended with code 3")) {
            try with { try CommandPresenter("exit 3").show($0) }
        }
        let begin = ContinuousClock.now
        #expect(throws: PresentationError.self) {
            try with { try CommandPresenter("sleep 60", limit: .milliseconds(200)).show($0) }
        }
        #expect(ContinuousClock.now - begin < .seconds(5))
        // Nothing was left behind to be reaped.
        #expect(waitpid(-1, nil, WNOHANG) <= 0)
    }

    @Test func addressesAreReadWithAdvice() throws {
        #expect(try PresenterAddress("png:/a") == .png("/a"))
        #expect(try PresenterAddress("command:a b:c") == .command("a b:c"))
        #expect(try PresenterAddress("nfc") == .nfc(reader: "auto", asCard: false))
        #expect(
            try PresenterAddress("nfc:pn532_uart:/dev/ttyUSB0")
                == .nfc(reader: "pn532_uart:/dev/ttyUSB0", asCard: false))
        #expect(try PresenterAddress("nfc-card:auto") == .nfc(reader: "auto", asCard: true))
        for wrong in ["", "png:", "fb:x", "lcd", "terminal:1"] {
            #expect(throws: PresentationError.badAddress(wrong)) { try PresenterAddress(wrong) }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can make device nodes"))
    func aDeviceNodeIsNeitherReplacedNorRemoved() throws {
        let folder = NSTemporaryDirectory() + "/node-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let node = folder + "/null"
        // As /dev/null is.
        #expect(mknod(node, S_IFCHR | 0o666, 1 << 8 | 3) == 0)
        try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: node)
        for path in [node, folder + "/link", folder] {
            #expect(throws: PresentationError.self) { try PresenterAddress("png:\(path)").presenter() }
            let presenter = PNGPresenter(path: path)
            #expect(throws: PresentationError.self) { try with { try presenter.show($0) } }
            #expect(throws: PresentationError.self) { try presenter.clear() }
        }
        var status = stat()
        #expect(lstat(node, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["link", "null"])
    }
}
