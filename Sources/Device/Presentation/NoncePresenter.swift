import ValueForms

/// A way for a joining device to show its nonce to an observer.
public protocol NoncePresenter: Sendable {
    /// Shows a value until ``clear()`` or the next call.
    ///
    /// - Parameter hex: its 32 lower-case hexadecimal characters, borrowed: not to be kept or logged.
    /// - Throws: ``PresentationError``.
    func show(_ hex: UnsafeRawBufferPointer) throws
    /// Takes it down.
    ///
    /// - Throws: ``PresentationError``.
    func clear() throws
    /// What an observer's camera would get to see, without showing it; none where nothing is for a camera.
    ///
    /// - Parameter hex: as in ``show(_:)``.
    /// - Throws: ``PresentationError``.
    func pictures(_ hex: UnsafeRawBufferPointer) throws -> [ShownPicture]
}

extension NoncePresenter {
    /// None: what most displays for people show.
    public func pictures(_ hex: UnsafeRawBufferPointer) throws -> [ShownPicture] { [] }
}

/// Why a nonce could not be shown.
public enum PresentationError: Error, Sendable, Hashable, CustomStringConvertible {
    case cannotEncode
    case badAddress(String)
    case cannotWrite(String, why: String)
    /// What is there must not be replaced or removed.
    case badFile(String)
    case noFramebuffer(String, why: String)
    case tooSmall(String)
    /// A small display, in whole words.
    case noDisplay(String)
    case commandFailed(String, how: String)
    /// What would be shown is not what the observer's reader reads.
    case unreadable(String, why: String)

    /// For people, in one line: which display and what is wrong with it.
    public var description: String {
        switch self {
        case .cannotEncode: "the value could not be made into a QR code"
        case .badAddress(let text):
            "\"\(text)\" is no way to show a code: say terminal, png:FILE, fb:/dev/fb0, nfc, nfc:READER, nfc-card:READER or command:CMD; or for people words, colours, mono, eink or hex, each with a colon and one of \(PeoplePresenter.Display.forms)"
        case .cannotWrite(let path, let why): "\(path) cannot be written: \(why)"
        case .badFile(let why): why
        case .noFramebuffer(let path, let why): "\(path) is no framebuffer that can be used: \(why)"
        case .tooSmall(let path): "\(path) is too small for what is to be shown"
        case .noDisplay(let why): why
        case .unreadable(let display, let why): "\(display) cannot be checked: \(why)"
        case .commandFailed(let command, let how): "the display command \"\(command)\" \(how)"
        }
    }
}

/// Several displays at once.
public struct CompositePresenter: NoncePresenter {
    private let presenters: [any NoncePresenter]

    /// Shows on all of these, in this order.
    public init(_ presenters: [any NoncePresenter]) {
        self.presenters = presenters
    }

    /// Shows a value on all displays, also after one has failed.
    ///
    /// - Parameter hex: 32 hexadecimal characters, borrowed.
    /// - Throws: what the first display that failed has thrown.
    public func show(_ hex: UnsafeRawBufferPointer) throws { try all { try $0.show(hex) } }
    /// Clears all displays, also after one has failed.
    ///
    /// - Throws: what the first display that failed has thrown.
    public func clear() throws { try all { try $0.clear() } }

    /// Those of all displays.
    public func pictures(_ hex: UnsafeRawBufferPointer) throws -> [ShownPicture] {
        try presenters.flatMap { try $0.pictures(hex) }
    }

    /// Tries all, also after one has failed, and throws the first failure.
    private func all(_ body: (any NoncePresenter) throws -> Void) throws {
        var failure: (any Error)?
        for presenter in presenters {
            do {
                try body(presenter)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }
}

/// How to show codes, as said on a command line.
public enum PresenterAddress: Sendable, Hashable {
    case terminal
    case png(String)
    case framebuffer(String)
    case command(String)
    /// By tap, with the reader at an address (see ``NearFieldPresenter``): as peer, or as a card.
    case nfc(reader: String, asCard: Bool)
    /// For people to compare, in one of the forms.
    case people(ValueForm, PeoplePresenter.Display)

    /// Whether people compare what is shown, and no observer looks at it.
    public var isForPeople: Bool {
        if case .people = self { true } else { false }
    }

    /// - Throws: ``PresentationError/badAddress(_:)``.
    public init(_ text: String) throws(PresentationError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let rest = parts.count == 2 ? parts[1] : ""
        switch parts[0] {
        case "terminal" where parts.count == 1: self = .terminal
        case "png" where !rest.isEmpty: self = .png(rest)
        case "fb" where rest.hasPrefix("/"): self = .framebuffer(rest)
        case "nfc": self = .nfc(reader: parts.count == 2 ? rest : "auto", asCard: false)
        case "nfc-card": self = .nfc(reader: parts.count == 2 ? rest : "auto", asCard: true)
        case "command" where !rest.isEmpty: self = .command(rest)
        default:
            let place = parts.count == 2 ? rest : "terminal"
            guard let form = ValueForm(rawValue: parts[0]), let display = PeoplePresenter.Display(place) else {
                throw .badAddress(text)
            }
            self = .people(form, display)
        }
    }

    /// Said at once, not when the first nonce has come.
    private static func png(_ path: String) throws(PresentationError) -> PNGPresenter {
        let presenter = PNGPresenter(path: path)
        try presenter.check()
        return presenter
    }

    /// - Throws: ``PresentationError``.
    public func presenter() throws(PresentationError) -> any NoncePresenter {
        switch self {
        case .terminal: TerminalPresenter()
        case .png(let path): try Self.png(path)
        case .framebuffer(let path): try FramebufferPresenter(path: path)
        case .command(let command): CommandPresenter(command)
        case .nfc(let reader, let asCard): NearFieldPresenter(reader: reader, asCard: asCard)
        case .people(let form, let display): try PeoplePresenter(form, on: display)
        }
    }
}
