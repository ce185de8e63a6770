/// The way to the broker and back, as a participant needs it: ``BrokerLink`` in the programs, and in tests one in memory.
public protocol MessageLink: Sendable {
    /// Where the broker is, for the log.
    var place: String { get }
    /// To be read by one task only.
    var events: BrokerEvents { get }
    var isConnected: Bool { get }
    /// Publishes now or when the broker is back; ``BrokerEvent/confirmed(_:)`` tells when it has arrived.
    ///
    /// - Parameter id: the caller's number for it; a number that is still on its way is not published twice.
    func publish(_ payload: [UInt8], to topic: String, id: Int64)
    /// Adds a subscription now and after every reconnection.
    func subscribe(_ filter: String)
    /// Adds many at once.
    func subscribe(_ filters: [String])
    func unsubscribe(_ filter: String)
    /// From now on a connection that is lost is made anew at a random moment within this time, not at once.
    func returnWithin(_ time: Duration)
}

extension BrokerLink: MessageLink {
    /// The broker's host.
    public var place: String { address.host }
}

extension MessageLink {
    /// Adds many at once: each by itself, where the link knows no better.
    public func subscribe(_ filters: [String]) { for filter in filters { subscribe(filter) } }
    /// Nothing: a link that is never lost.
    public func returnWithin(_ time: Duration) {}
}
