import HTTPServing
import Hummingbird
import Limits
import Operators

/// What is known of a request besides itself.
struct ConsoleContext: AddressedContext {
    var coreContext: CoreRequestContextStorage
    let address: AddressGroup
    /// The address itself, for operators to recognise their sessions by.
    let place: String
    /// Who asks; `nil`: somebody who has not signed in.
    var visitor: Visitor?
    /// Whether there is a connection that may close meanwhile.
    private(set) var hasConnection = false
    private var lengthen: @Sendable () -> Void = {}

    init(source: ApplicationRequestContextSource) {
        self.init(source: source, place: source.channel.remoteAddress?.ipAddress)
        hasConnection = true
        let channel = source.channel
        lengthen = { channel.pipeline.fireUserInboundEventTriggered(LongRequest()) }
    }

    /// The request that is being read may take long: whoever sends it may send a large file.
    func expectLongRequest() { lengthen() }

    /// - Parameter place: the address that a request comes from.
    init(source: some RequestContextSource, place: String?) {
        coreContext = .init(source: source)
        address = AddressGroup(place)
        self.place = place ?? "?"
    }
}

/// Somebody who has signed in, or a program with a token of theirs.
struct Visitor: Sendable {
    /// How they came in.
    enum Way: Sendable {
        case session(Session)
        case token(AccessToken)
    }
    let name: OperatorName
    let role: Role
    let way: Way

    init(_ session: Session) {
        (name, role, way) = (session.name, session.role, .session(session))
    }

    init(_ token: AccessToken) {
        (name, role, way) = (token.name, token.role, .token(token))
    }

    /// The session, for pages; `nil` for a program.
    var session: Session? {
        guard case .session(let session) = way else { return nil }
        return session
    }
}
