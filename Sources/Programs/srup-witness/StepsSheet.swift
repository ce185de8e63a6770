import CodeWriter
import ObservedValue
import PrintedSheet

/// The page of cards that drive an acceptance check: a word each, and another device's value for the step that wants INVALID.
struct StepsSheet {
    private(set) var sheet: Sheet
    private static let margin = 12.0
    /// A card, and the code's dark part, in millimetres.
    private static let (width, height, edge) = (93.0, 61.0, 42.0)

    private static let cards: [(title: String, text: String, lines: [String])] = [
        ("BEGIN", SheetCommand.begin.text, ["begins the check,", "or goes on with it"]),
        ("CHECK", SheetCommand.check.text, ["done: check this", "step"]),
        ("SKIP", SheetCommand.skip.text, ["leave this step", "out"]),
        ("SEEN", SheetCommand.seen.text, ["I have seen it", "and say so"]),
        ("END", SheetCommand.end.text, ["stop here; BEGIN", "goes on"]),
        ("WRONG CODE", Hex.encode(OtherValue.bytes).uppercased(), ["for step 5 only:", "in a device’s place"]),
    ]

    private static let notes = [
        "In srup-observer.toml: acceptance = true in [appliance]; start the box. Hold one card alone before the camera until the",
        "lamp changes (a second or two), then take it away. Cards count only while acceptance is on; take it out again at the end.",
        "The lamp: a long light and 1 to 8 short ones: which step it waits at. Three quick flashes: it checks. Two long lights: the",
        "step has passed. Twelve quick blinks: it has failed; CHECK tries again, SKIP goes on. On, with a gap every 5 s: accepted.",
        "1 doctor: by itself.   2 by day, 3 by the lamps alone: CHECK, then hold the test sheet there for half a minute.",
        "4 tap: CHECK, then the tag or device to the mark.   5 wrong code: CHECK, let a device ask to join, and while the lamp",
        "blinks fast hold up WRONG CODE (or another device’s code) for 30 s.   6 heat: CHECK, close the box; it takes an hour.",
        "7 power: by itself.   8 power cut: CHECK; when the lamp is on for 2 s and off for 1 s, pull the plug, wait ten seconds,",
        "put it in again: it goes on by itself. The report is srup-observer-acceptance.html on the card’s first partition.",
    ]

    init(_ paper: Sheet.Paper) throws(QRError) {
        sheet = Sheet(paper, title: "srup-observer acceptance cards")
        let left = Self.margin
        sheet.text(left, 17, size: 6, bold: true, "srup-observer acceptance check")
        sheet.text(left, 23, "Cut along the lines. The five words change nothing but the record of the check.")
        let top = 27.0
        for (index, card) in Self.cards.enumerated() {
            try draw(card, left + Double(index % 2) * Self.width, top + Double(index / 2) * Self.height)
        }
        for (index, note) in Self.notes.enumerated() {
            sheet.text(left, top + 3 * Self.height + 6 + Double(index) * 4.6, size: 3.2, note)
        }
    }

    private mutating func draw(
        _ card: (title: String, text: String, lines: [String]), _ x: Double, _ y: Double
    ) throws(QRError) {
        for edge in [0, Self.height] { sheet.box(x, y + edge, Self.width, 0.15) }
        for edge in [0, Self.width] { sheet.box(x + edge, y, 0.15, Self.height) }
        let code = try QRMatrix(text: card.text)
        let quiet = Self.edge / Double(code.size) * Double(QRMatrix.quietZone)
        let (left, above) = (x + quiet, y + (Self.height - Self.edge) / 2)
        sheet.modules(left, above, edge: Self.edge, size: code.size) { code.isDark($0, $1) }
        let beside = left + Self.edge + quiet
        sheet.text(beside, y + 25, size: card.title.count > 6 ? 4.4 : 7, bold: true, card.title)
        for (index, line) in card.lines.enumerated() {
            sheet.text(beside, y + 33 + Double(index) * 4.6, size: 3.4, line)
        }
    }
}
