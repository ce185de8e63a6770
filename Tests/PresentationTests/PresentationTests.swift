import Camera
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

    @Test func theTerminalsHalfBlocksAreTheCode() throws {
        let matrix = try with { try QRMatrix(hex: $0) }
        let text = TerminalPresenter.text(matrix)
        var rows: [[Bool]] = []
        for line in text.split(separator: "\n") {
            let blocks = line.replacing("\u{1B}[30;107m", with: "").replacing("\u{1B}[0m", with: "")
            rows.append(blocks.map { $0 == "▀" || $0 == "█" })
            rows.append(blocks.map { $0 == "▄" || $0 == "█" })
        }
        let quiet = QRMatrix.quietZone
        for y in -quiet..<matrix.size + quiet {
            for x in -quiet..<matrix.size + quiet { #expect(rows[y + quiet][x + quiet] == matrix.isDark(x, y)) }
        }
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
        #expect(throws: PresentationError.self) { try FramebufferPresenter(path: "/nonexistent") }
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
}
