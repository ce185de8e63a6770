/// Why the page cannot be served.
public enum PageError: Error, Sendable, Hashable, CustomStringConvertible {
    case cannotListen(String, why: String)

    /// For people: the address and port, and the system's reason.
    public var description: String {
        switch self {
        case .cannotListen(let port, let why): "no page can be served at \(port): \(why)"
        }
    }
}
