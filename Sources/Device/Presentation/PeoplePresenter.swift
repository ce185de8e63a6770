import Glibc
import ObservedValue
import ValueForms

/// Shows a value in a form for people, who compare it with the operator's page.
public struct PeoplePresenter: NoncePresenter {
    /// Where the form is shown, all as text.
    public enum Display: Sendable, Hashable {
        case terminal
        /// A command gets it on its standard input.
        case command(String)
        /// A file that is there only while there is something to show.
        case file(String)
    }

    private let form: ValueForm
    private let display: Display

    /// - Parameters:
    ///   - form: words, a picture, or digits.
    ///   - display: where it is shown.
    public init(_ form: ValueForm, on display: Display) {
        self.form = form
        self.display = display
    }

    /// Shows the value.
    ///
    /// - Parameter hex: 32 hexadecimal characters, borrowed.
    /// - Throws: ``PresentationError``.
    public func show(_ hex: UnsafeRawBufferPointer) throws {
        guard var value = Hex.decode(hex), value.count == 16 else { throw PresentationError.cannotEncode }
        defer { explicit_bzero(&value, value.count) }
        let hasColour = display == .terminal && getenv("NO_COLOR") == nil && isatty(2) == 1
        let text = value.withUnsafeBytes { form.text(of: $0, hasColour: hasColour) }
        switch display {
        case .terminal: try TerminalPresenter().write("\n" + text + "\n")
        case .command(let command): try CommandPresenter(command).show(text: text)
        case .file(let path): try PNGPresenter(path: path).replace(with: Array(text.utf8))
        }
    }

    /// Takes it down.
    ///
    /// - Throws: ``PresentationError``.
    public func clear() throws {
        switch display {
        case .terminal: try TerminalPresenter().clear()
        case .command(let command): try CommandPresenter(command).clear()
        case .file(let path): try PNGPresenter(path: path).clear()
        }
    }
}
