import Addresses
import DisplaySimulator
import Foundation
import Testing
import ValueForms

@testable import OLED

/// The bytes for an SSD1306, as a simulated one understands them (DisplaySimulator), and where a display may be.
@Suite struct OLEDTests {
    private static let value: [UInt8] = (0..<16).map { UInt8(truncatingIfNeeded: $0 * 73 + 41) }

    private func pages(_ form: ValueForm, _ size: OLEDAddress.Size) -> [Raster] {
        Self.value.withUnsafeBytes {
            ValueDrawing($0, as: form).pages(width: size.width, height: size.height, ground: .dark)
        }
    }

    /// What the program sends for a page, transaction by transaction.
    private func show(_ page: [UInt8], _ size: OLEDAddress.Size, on panel: inout SimulatedPanel) {
        panel.receive([SSD1306.commands] + SSD1306.settings(size))
        panel.receive([SSD1306.commands] + SSD1306.window(size))
        for start in stride(from: 0, to: page.count, by: SSD1306.chunk) {
            panel.receive([SSD1306.memory] + page[start..<min(start + SSD1306.chunk, page.count)])
        }
        panel.receive([SSD1306.commands, SSD1306.on])
    }

    @Test(arguments: OLEDAddress.Size.allCases, ValueForm.allCases)
    func aPanelShowsWhatIsDrawn(_ size: OLEDAddress.Size, _ form: ValueForm) throws {
        var panel = SimulatedPanel(height: size.height)
        #expect(panel.isDark)
        for page in pages(form, size) {
            show(SSD1306.memory(size) { page.isLight($0, $1) }, size, on: &panel)
            for y in 0..<size.height {
                for x in 0..<size.width where panel.isLit(x, y) != page.isLight(x, y) {
                    Issue.record("\(x) \(y)")
                    return
                }
            }
        }
        #expect(panel.mistakes == 0)
    }

    @Test func wordsAreReadOffThePanel() throws {
        var panel = SimulatedPanel(height: 64)
        let page = try #require(pages(.words, .large).first)
        show(SSD1306.memory(.large) { page.isLight($0, $1) }, .large, on: &panel)
        let words = Self.value.withUnsafeBytes { ValueWords.words(of: $0) }
        let lines = panel.lines()
        #expect(lines.count == 6)
        #expect(lines[0] == ["1", words[0], "7", words[6]])
        #expect(lines[5] == ["6", words[5]])
    }

    /// The simulated panel can tell a wrong setting: with each of these nobody reads anything, or sees it mirrored.
    @Test(
        arguments: [[0xDA, 0x02], [0xA0], [0xC0], [0xA8, 31], [0xD3, 5], [0x8D, 0x10], [0xA7], [0x48], [0xAE]]
            as [[UInt8]])
    func aWrongSettingIsSeen(_ setting: [UInt8]) throws {
        var panel = SimulatedPanel(height: 64)
        let page = try #require(pages(.words, .large).first)
        show(SSD1306.memory(.large) { page.isLight($0, $1) }, .large, on: &panel)
        #expect((0..<64).allSatisfy { y in (0..<128).allSatisfy { panel.isLit($0, y) == page.isLight($0, y) } })
        panel.receive([0x00] + setting)
        #expect(!(0..<64).allSatisfy { y in (0..<128).allSatisfy { panel.isLit($0, y) == page.isLight($0, y) } })
        // What is shown next mends it, all of it.
        show(SSD1306.memory(.large) { page.isLight($0, $1) }, .large, on: &panel)
        #expect((0..<64).allSatisfy { y in (0..<128).allSatisfy { panel.isLit($0, y) == page.isLight($0, y) } })
        #expect(panel.mistakes == 0)
    }

    @Test func thePanelCountsWhatIsNoCommand() {
        var panel = SimulatedPanel()
        for wrong: [UInt8] in [
            [], [0x3F, 0xAF], [0x00, 0x21, 5, 4], [0x00, 0x22, 0, 8], [0x00, 0xA8, 3], [0x00, 0xDA, 0xFF],
            [0x00, 0xFE],
        ] {
            panel.receive(wrong)
        }
        #expect(panel.mistakes == 7)
        // A command behind each control byte, then a stream.
        panel.receive([0x80, 0x8D, 0x80, 0x14, 0x00, 0xAF, 0xA5])
        #expect(panel.mistakes >= 7)
    }

    @Test func transactionsAreShortEnoughForEveryAdapter() {
        #expect(SSD1306.settings(.large).count <= 32 && SSD1306.window(.small).count <= 32 && SSD1306.chunk <= 32)
        #expect(SSD1306.memory(.large) { _, _ in true } == [UInt8](repeating: 255, count: 1024))
        #expect(SSD1306.memory(.small) { x, y in x == 3 && y == 9 }.firstIndex(of: 2) == 131)
    }

    @Test func addressesAreReadAndWritten() throws {
        var expected = OLEDAddress()
        #expect(try OLEDAddress("oled") == expected)
        #expect(expected.description == "oled:/dev/i2c-1:0x3C:128x64")
        expected.size = .small
        #expect(try OLEDAddress("oled:128x32") == expected)
        expected.address = 0x3D
        #expect(try OLEDAddress("oled:0x3D:128x32") == expected)
        #expect(try OLEDAddress("oled:0x3d:128x32") == expected)
        expected.path = "/dev/i2c-20"
        for text in ["oled:/dev/i2c-20:0x3D:128x32", expected.description] {
            #expect(try OLEDAddress(text) == expected)
        }
        for wrong in [
            "", "oled:", "oledx", "oled:i2c-1", "oled:/dev/", "oled:0x3", "oled:0x03", "oled:0x78", "oled:60",
            "oled:128x128", "oled:128x32:0x3C", "oled:0x3C:0x3D", "oled:/dev/a:/dev/b", "oled:/dev/a\u{7}", "OLED",
        ] {
            #expect(throws: AddressError.self, "\(wrong)") { try OLEDAddress(wrong) }
        }
    }

    @Test func whatIsNoDisplayIsNamed() throws {
        for (path, words) in [("/dev/null", "no I2C bus"), ("/dev/i2c-none", "no such bus")] {
            let screen = OLEDScreen(try OLEDAddress("oled:\(path)"))
            let page = screen.page { _, _ in true }
            #expect(throws: OLEDError.self) { try screen.show([page]) }
            do {
                try screen.clear()
                Issue.record("\(path) is a display")
            } catch {
                #expect(error.description.contains(words) && error.description.contains(path), "\(error)")
            }
            try screen.show([])
        }
    }
}
