/// Over which time a network's members come back when all of them have lost their connection.
///
/// A broker takes TLS handshakes one after the other, at some 1.4 ms each: ten thousand at once are 14 s in which nobody is
/// answered. Spread so that the broker is busy for a third of the time, those who are there are served meanwhile.
struct ReturnPace: Sendable, Equatable {
    /// So many seconds; 0: everybody at once.
    private(set) var seconds = 0

    /// Below this nobody needs to wait.
    private static let shortest = 4
    /// A network so large that this is too short has more than one cell.
    private static let longest = 64

    /// Goes by the present number of members: by powers of two, and back only where it is clearly smaller, so that they need
    /// not be told again for each of them that comes or goes.
    ///
    /// - Parameter perSecond: how many may come back in a second; 0: all at once.
    mutating func follow(_ members: Int, perSecond: Int) {
        let now = Self.seconds(members, perSecond)
        guard now < seconds else { return seconds = now }
        seconds = min(seconds, Self.seconds(members + members / 3, perSecond))
    }

    private static func seconds(_ members: Int, _ perSecond: Int) -> Int {
        guard perSecond > 0 else { return 0 }
        var seconds = longest
        while seconds >= shortest, members < seconds * perSecond { seconds /= 2 }
        return seconds < shortest ? 0 : seconds
    }
}
