import Addresses
import Glibc
import OLED
import ObservedValue
import ValueForms

/// Shows a value in a form for people, who compare it with the operator's page.
///
/// The form is drawn once (``ValueForms/ValueDrawing``), and every display shows that drawing as large as it can.
public struct PeoplePresenter: NoncePresenter {
    /// Where the form is shown.
    public enum Display: Sendable, Hashable {
        case terminal
        /// A command gets the text on its standard input, or a PNG picture.
        case command(String, isPicture: Bool)
        /// A text file that is there only while there is something to show.
        case file(String)
        /// The same as a PNG picture.
        case png(String)
        /// The same as an SVG picture.
        case svg(String)
        case framebuffer(String)
        case oled(OLEDAddress)

        /// How it may be written behind a form and a colon, for messages.
        public static let forms =
            "terminal, file:FILE, png:FILE, svg:FILE, fb:/dev/fb0, oled[:/dev/i2c-1[:0x3C[:128x64]]], command:CMD (text) "
            + "or command-png:CMD"

        /// `nil` for text that is no display.
        init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let rest = parts.count == 2 ? parts[1] : ""
            switch parts[0] {
            case "terminal" where parts.count == 1: self = .terminal
            case "command" where !rest.isEmpty: self = .command(rest, isPicture: false)
            case "command-png" where !rest.isEmpty: self = .command(rest, isPicture: true)
            case "file" where !rest.isEmpty: self = .file(rest)
            case "png" where !rest.isEmpty: self = .png(rest)
            case "svg" where !rest.isEmpty: self = .svg(rest)
            case "fb" where rest.hasPrefix("/"): self = .framebuffer(rest)
            case "oled":
                guard let address = try? OLEDAddress(text) else { return nil }
                self = .oled(address)
            default: return nil
            }
        }
    }

    private let form: ValueForm
    private let display: Display
    private let framebuffer: FramebufferPresenter?
    private let screen: OLEDScreen?

    /// - Parameters:
    ///   - form: words, a picture, or digits.
    ///   - display: where it is shown.
    /// - Throws: ``PresentationError`` when the display cannot be used, or is too small for the form.
    public init(_ form: ValueForm, on display: Display) throws(PresentationError) {
        self.form = form
        self.display = display
        switch display {
        case .file(let path), .png(let path), .svg(let path): try PNGPresenter(path: path).check()
        default: break
        }
        framebuffer = if case .framebuffer(let path) = display { try FramebufferPresenter(path: path) } else { nil }
        screen = if case .oled(let address) = display { OLEDScreen(address) } else { nil }
        // Said at once, not when the first value has come: a form needs the same room for every value.
        if let screen, Self.pages(Self.nothing, form, screen.address.size).isEmpty {
            throw .tooSmall(screen.address.description)
        }
        if let framebuffer, framebuffer.page(of: Self.drawing(Self.nothing, form)) == nil {
            throw .tooSmall(framebuffer.path)
        }
    }

    private static let nothing = [UInt8](repeating: 0, count: 16)

    private static func drawing(_ value: [UInt8], _ form: ValueForm) -> ValueDrawing {
        value.withUnsafeBytes { ValueDrawing($0, as: form) }
    }

    private static func pages(_ value: [UInt8], _ form: ValueForm, _ size: OLEDAddress.Size) -> [Raster] {
        drawing(value, form).pages(width: size.width, height: size.height, ground: .dark)
    }

    /// Shows the value.
    ///
    /// - Parameter hex: 32 hexadecimal characters, borrowed.
    /// - Throws: ``PresentationError``.
    public func show(_ hex: UnsafeRawBufferPointer) throws {
        guard var value = Hex.decode(hex), value.count == 16 else { throw PresentationError.cannotEncode }
        defer { explicit_bzero(&value, value.count) }
        switch display {
        case .terminal:
            let hasColour = getenv("NO_COLOR") == nil && isatty(2) == 1
            try TerminalPresenter().write("\n" + text(value, hasColour: hasColour) + "\n")
        case .command(let command, isPicture: false): try CommandPresenter(command).show(text: text(value))
        case .command(let command, isPicture: true): try CommandPresenter(command).show(bytes: try png(value))
        case .file(let path): try PNGPresenter(path: path).replace(with: Array(text(value).utf8))
        case .png(let path): try PNGPresenter(path: path).replace(with: try png(value))
        case .svg(let path):
            let svg = Self.drawing(value, form).svg(title: "The value to compare (\(form.rawValue))")
            try PNGPresenter(path: path).replace(with: Array(svg.utf8))
        case .framebuffer: try framebuffer?.show(Self.drawing(value, form))
        case .oled: try show(value, on: screen)
        }
    }

    private func text(_ value: [UInt8], hasColour: Bool = false) -> String {
        value.withUnsafeBytes { form.text(of: $0, hasColour: hasColour) }
    }

    private func png(_ value: [UInt8]) throws(PresentationError) -> [UInt8] {
        guard var raster = Self.drawing(value, form).picture() else { throw .cannotEncode }
        defer { raster.wipe() }
        return try PNGPresenter.png(raster)
    }

    private func show(_ value: [UInt8], on screen: OLEDScreen?) throws(PresentationError) {
        guard let screen else { return }
        let pages = Self.pages(value, form, screen.address.size).map { page in
            screen.page { page.isLight($0, $1) }
        }
        do throws(OLEDError) {
            try screen.show(pages)
        } catch {
            throw .noDisplay(error.description)
        }
    }

    /// Takes it down.
    ///
    /// - Throws: ``PresentationError``.
    public func clear() throws {
        switch display {
        case .terminal: try TerminalPresenter().clear()
        case .command(let command, _): try CommandPresenter(command).clear()
        case .file(let path), .png(let path), .svg(let path): try PNGPresenter(path: path).clear()
        case .framebuffer: try framebuffer?.clear()
        case .oled:
            do throws(OLEDError) {
                try screen?.clear()
            } catch {
                throw PresentationError.noDisplay(error.description)
            }
        }
    }
}
