/// A panel with an SSD1306 as its I2C bus sees it: it interprets the chip's own bytes and gives back the pixels that light up.
///
/// After the data sheet (Solomon Systech, SSD1306, rev 1.1, sections 8.1.5, 8.7, 9 and 10), with all commands of its table, and
/// wired as the usual modules are: 128 x 64 with rows that alternate, 128 x 32 with rows in sequence. It does not believe the
/// program that writes to it: a wrong setting shows as a wrong picture.
public struct SimulatedPanel: Sendable {
    /// Rows of the panel: 64 or 32; always 128 columns.
    public let height: Int
    /// Bytes that are no command, or a transaction that makes no sense.
    public private(set) var mistakes = 0
    /// Transactions so far.
    public private(set) var transactions = 0
    /// Of 8 pages with 128 columns each; random at power on, in which it resembles the chip.
    private var memory: [UInt8]

    private var isOn = false
    private var hasChargePump = false
    private var isInverted = false
    private var isAllLit = false
    private var rows = 64
    private var offset = 0
    private var firstRow = 0
    private var mirrorsColumns = false
    private var mirrorsRows = false
    private var wiring: UInt8 = 0x12
    private enum Addressing { case columns, pages, page }
    private var addressing = Addressing.page
    private var window = (columns: 0...127, pages: 0...7)
    private var (column, page) = (0, 0)

    /// A panel that has just got its power.
    public init(height: Int = 64) {
        self.height = height
        memory = (0..<1024).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 7) }
    }

    /// A write transaction behind the address byte.
    public mutating func receive(_ bytes: [UInt8]) {
        transactions += 1
        guard let control = bytes.first, control & 0x3F == 0 else {
            mistakes += 1
            return
        }
        var rest = bytes[...]
        while let control = rest.popFirst() {
            // Bit 7: one byte follows, and another control byte; bit 6: data.
            let isContinued = control & 0x80 != 0
            var part = isContinued ? rest.prefix(1) : rest
            rest = isContinued ? rest.dropFirst() : []
            if control & 0x40 != 0 { for byte in part { store(byte) } } else { while !part.isEmpty { obey(&part) } }
        }
    }

    // MARK: What it shows

    /// Whether a pixel lights up, from the upper left corner.
    public func isLit(_ x: Int, _ y: Int) -> Bool {
        guard isOn, hasChargePump else { return false }
        if isAllLit { return true }
        guard rows == height else { return y < rows && (x + y) % 3 == 0 }
        // From the place on the glass to the driver's line. Wired wrongly, every other row is elsewhere.
        let isSequential = wiring & 0x10 == 0
        let line = isSequential == (height == 32) ? y : (y % 2) * height / 2 + y / 2
        let common = mirrorsRows ? line : height - 1 - line
        let row = (common + offset + firstRow) % 64
        let segment = mirrorsColumns ? x : 127 - x
        let bit = memory[row / 8 * 128 + segment] >> UInt8(row % 8) & 1
        return (bit == 1) != isInverted
    }

    /// Whether no pixel lights up.
    public var isDark: Bool { !(0..<height).contains { y in (0..<128).contains { isLit($0, y) } } }

    /// Whether anything is left in its memory, also while it is off.
    public var isEmpty: Bool { memory[..<(height * 16)].allSatisfy { $0 == 0 } }

    /// The text on it, as ``PixelText/lines(width:height:scale:isInk:)`` reads it.
    public func lines(scale: Int = 1) -> [[String]] {
        PixelText.lines(width: 128, height: height, scale: scale) { isLit($0, $1) }
    }

    // MARK: Commands

    private mutating func obey(_ bytes: inout ArraySlice<UInt8>) {
        guard let command = bytes.popFirst() else { return }
        func argument() -> UInt8? { bytes.popFirst() }
        switch command {
        case 0x00...0x0F: if addressing == .page { column = column & 0x70 | Int(command & 0x0F) }
        case 0x10...0x1F: if addressing == .page { column = column & 0x0F | Int(command & 0x07) << 4 }
        case 0x20:
            switch argument() {
            case 0x00: addressing = .columns
            case 0x01: addressing = .pages
            case 0x02: addressing = .page
            default: mistakes += 1
            }
        case 0x21:
            guard let first = argument(), let last = argument(), first <= last, last < 128 else { return wrong() }
            window.columns = Int(first)...Int(last)
            column = Int(first)
        case 0x22:
            guard let first = argument(), let last = argument(), first <= last, last < 8 else { return wrong() }
            window.pages = Int(first)...Int(last)
            page = Int(first)
        case 0x2E, 0xE3: break
        case 0x40...0x7F: firstRow = Int(command & 0x3F)
        case 0x81, 0xD5, 0xD9, 0xDB: if argument() == nil { wrong() }
        case 0x8D:
            guard let setting = argument() else { return wrong() }
            hasChargePump = setting & 0x04 != 0
        case 0xA0, 0xA1: mirrorsColumns = command == 0xA1
        case 0xA4, 0xA5: isAllLit = command == 0xA5
        case 0xA6, 0xA7: isInverted = command == 0xA7
        case 0xA8:
            guard let setting = argument(), (15...63).contains(setting) else { return wrong() }
            rows = Int(setting) + 1
        case 0xAE, 0xAF: isOn = command == 0xAF
        case 0xB0...0xB7: if addressing == .page { page = Int(command & 0x07) }
        case 0xC0, 0xC8: mirrorsRows = command == 0xC8
        case 0xD3:
            guard let setting = argument() else { return wrong() }
            offset = Int(setting & 0x3F)
        case 0xDA:
            guard let setting = argument(), setting & 0xCF == 0x02 else { return wrong() }
            wiring = setting
        default: wrong()
        }
    }

    private mutating func wrong() { mistakes += 1 }

    private mutating func store(_ byte: UInt8) {
        memory[page * 128 + column] = byte
        switch addressing {
        case .page: column = (column + 1) % 128
        case .columns:
            if column < window.columns.upperBound { return column += 1 }
            column = window.columns.lowerBound
            page = page < window.pages.upperBound ? page + 1 : window.pages.lowerBound
        case .pages:
            if page < window.pages.upperBound { return page += 1 }
            page = window.pages.lowerBound
            column = column < window.columns.upperBound ? column + 1 : window.columns.lowerBound
        }
    }
}
