/// What one reading of a tag gives, to be compared with the next one byte for byte.
public struct TagContent: Sendable, Hashable {
    /// The capability container: where the message is and how long it may be.
    public let capability: [UInt8]
    /// The NDEF message, not yet parsed.
    public let bytes: [UInt8]

    /// The message.
    ///
    /// - Throws: ``TagError/message(_:)``.
    public func message() throws(TagError) -> NDEFMessage {
        do { return try NDEFMessage(parsing: bytes) } catch { throw .message(error) }
    }
}

/// A tag that is read again until it holds still.
///
/// A dynamic tag is rewritten by its device while we read it, page by page: one reading can be a mixture of two values. So a
/// tag is read completely, from its capability container on, until readings in a row are equal. A device may also pause
/// between two pages; what is half written is sorted out by the time for which a tag must not change. A Type 4 tag that is
/// written as its standard asks (NLEN 0, data, NLEN) has no message in the meantime, and two readings will do.
public struct SteadyTag: Sendable {
    /// How a tag is read.
    public enum Kind: Sendable, Hashable {
        case type2
        case type4

        /// How many readings in a row must be equal.
        var minimumReadings: Int { self == .type2 ? 3 : 2 }

        func content(_ exchange: TagExchange) throws(TagError) -> TagContent {
            switch self {
            case .type2: try Type2Tag.content(exchange)
            case .type4: try Type4Tag.content(exchange)
            }
        }
    }

    /// How this tag is read.
    public let kind: Kind
    /// For how long the tag must not change: from the end of the first of the equal readings to the beginning of the last.
    public var minimumTime = Duration.milliseconds(50)
    /// How long is waited for a tag that changes.
    public var maximumTime = Duration.seconds(2)
    /// How often a tag may change before it is left for now.
    static let maximumChanges = 32
    /// Bounds what a clock that stands still would not.
    static let maximumEqual = 256

    /// A tag of this kind that must not change for 50 ms and is waited for 2 s at most.
    public init(_ kind: Kind) {
        self.kind = kind
    }

    /// Reads the tag.
    ///
    /// - Parameters:
    ///   - known: what an earlier reading has given: found again, it need not prove once more that it stays.
    ///   - elapsed: the time since any fixed moment.
    /// - Throws: ``TagError``, of which ``TagError/changing`` says that the tag does not hold still.
    public func read(
        known: TagContent? = nil, elapsed: () -> Duration, _ exchange: TagExchange
    ) throws(TagError) -> TagContent {
        let begin = elapsed()
        var last: Result<TagContent, TagError>?
        var since = begin
        var equal = 0
        var changes = 0
        while true {
            let beginOfReading = elapsed()
            // What is malformed may be half written, too: only a tag that has gone ends this at once.
            let reading = try Self.result(kind, exchange)
            if let known, reading == .success(known) { return known }
            if reading == last {
                equal += 1
            } else {
                if last != nil { changes += 1 }
                last = reading
                equal = 1
                since = elapsed()
            }
            let hasStayed = beginOfReading - since >= minimumTime
            if equal >= kind.minimumReadings, hasStayed || equal >= Self.maximumEqual { return try reading.get() }
            // A slow tag that does not change is waited for, as long as it answers.
            guard changes == 0 || (changes <= Self.maximumChanges && elapsed() - begin < maximumTime) else {
                throw .changing
            }
        }
    }

    private static func result(
        _ kind: Kind, _ exchange: TagExchange
    ) throws(TagError) -> Result<TagContent, TagError> {
        do throws(TagError) {
            return .success(try kind.content(exchange))
        } catch {
            if case .link = error { throw error }
            return .failure(error)
        }
    }
}
