import CodeReader
import CodeWriter
import Foundation
import Luma
import TestProcesses
import Testing

@testable import Presentation

/// What displays would show, read by the real `srup-witness`.
@Suite struct ReadBackTests {
    static let hex = "00112233445566778899aabbccddeeff"
    let runner: ProgramRunner
    let readBack = ReadBack(witness: ProgramRunner.ownFolder + "/srup-witness")

    init() throws { runner = try ProgramRunner() }

    private func check(_ presenter: any NoncePresenter, _ hex: String = hex) throws -> [String] {
        try Array(hex.utf8).withUnsafeBytes { try readBack.check(presenter, $0) }
    }

    private func framebuffer(
        _ width: Int, _ height: Int, _ bits: Int, _ colours: [FramebufferPresenter.Geometry.Colour]? = nil
    ) throws -> FramebufferPresenter {
        let geometry = FramebufferPresenter.Geometry(
            width: width, height: height, bitsPerPixel: bits, stride: width * bits / 8 + 16, colours: colours)
        return try FramebufferPresenter(path: runner.path("fb"), geometry: geometry)
    }

    @Test func allThatACameraSeesIsRead() throws {
        defer { runner.close() }
        let command = "cat >\(runner.path("none"))"
        let all: [any NoncePresenter] = [
            TerminalPresenter(), PNGPresenter(path: runner.path("a.png")), CommandPresenter(command),
            try framebuffer(800, 480, 16), try framebuffer(320, 240, 24),
            try framebuffer(
                100, 100, 32, [.init(offset: 0, length: 8), .init(offset: 8, length: 8), .init(offset: 16, length: 8)]),
        ]
        let displays = try check(CompositePresenter(all))
        #expect(displays.count == 6 && displays[0] == "the terminal" && displays[2].contains(command))
        // Nothing was shown.
        #expect(!FileManager.default.fileExists(atPath: runner.path("a.png")))
        #expect(!FileManager.default.fileExists(atPath: runner.path("none")))
        #expect(!FileManager.default.fileExists(atPath: runner.path("fb")))
        // What is for people, or a tap, has no picture.
        #expect(try check(PeoplePresenter(.words, on: .terminal)) == [])
    }

    /// Dark on light or light on dark, and in both ways of drawing.
    @Test(arguments: [0, 60], [false, true]) func aTerminalMayBeReversed(_ rows: Int, _ isReversed: Bool) throws {
        defer { runner.close() }
        struct Fixed: NoncePresenter {
            let picture: ShownPicture
            func show(_ hex: UnsafeRawBufferPointer) {}
            func clear() {}
            func pictures(_ hex: UnsafeRawBufferPointer) -> [ShownPicture] { [picture] }
        }
        let text = try Array(Self.hex.utf8).withUnsafeBytes { try QRMatrix(hex: $0) }.terminal(rows: rows)
        #expect(
            try check(Fixed(picture: TerminalPicture.picture(of: text, isReversed: isReversed))) == ["the terminal"])
        // Another value than is meant, and no value.
        #expect {
            try check(Fixed(picture: TerminalPicture.picture(of: text)), String(repeating: "ab", count: 16))
        } throws: { "\($0)" == "the terminal cannot be checked: the reader finds another value in it" }
        let blank = ShownPicture("a display", width: 90, height: 90, pixels: .init(repeating: 9, count: 8100))
        #expect { try check(Fixed(picture: blank)) } throws: {
            "\($0)" == "a display cannot be checked: the reader finds no value in it"
        }
        // No picture at all.
        let broken = ShownPicture("a display", png: [1, 2, 3])
        #expect { try check(Fixed(picture: broken)) } throws: { "\($0)".contains("the reader did not do its work") }
    }

    @Test func withoutTheReaderItIsSaid() throws {
        defer { runner.close() }
        let absent = ReadBack(witness: runner.path("absent"))
        #expect { try Array(Self.hex.utf8).withUnsafeBytes { try absent.check(TerminalPresenter(), $0) } } throws: {
            "\($0)".contains("is not installed")
        }
    }

    @Test func theCommandChecksBeforeItShows() throws {
        defer { runner.close() }
        let arguments = ["show", Self.hex, "--check", "--present", "png:\(runner.path("b.png"))"]
        #expect(try runner.run("srup-device", arguments, as: "show") == 0)
        #expect(runner.tail(of: "show").contains("the observer's reader reads what is shown: \(runner.path("b.png"))"))
        #expect(FileManager.default.fileExists(atPath: runner.path("b.png")))
        #expect(try runner.run("srup-device", ["show", Self.hex, "--check", "--present", "words"], as: "people") == 64)
    }

    /// An e-ink panel that is blank needs no full refresh; one that shows a code does.
    @Test func aPanelIsToldWhatItNeeds() throws {
        defer { runner.close() }
        let presenter = CommandPresenter(
            "cat >/dev/null; echo $SRUP_DISPLAY $SRUP_DISPLAY_REFRESH >>\(runner.path("said"))")
        try Array(Self.hex.utf8).withUnsafeBytes { hex in
            // Nobody knows what it shows at first.
            try presenter.show(hex)
            try presenter.show(hex)
            try presenter.clear()
            try presenter.show(hex)
            try presenter.clear()
            try presenter.clear()
        }
        #expect(
            try String(contentsOfFile: runner.path("said"), encoding: .utf8)
                == "show full\nshow full\nclear full\nshow partial\nclear full\nclear full\n")
    }
}
