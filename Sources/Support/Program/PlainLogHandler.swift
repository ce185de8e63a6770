import Linux
import Logging
import Synchronization

/// Hands on what is logged with everything harmless in it that came from elsewhere: one event is one line, and steers no
/// terminal, whoever chose its words.
public struct PlainLogHandler: LogHandler {
    private var inner: any LogHandler
    /// `nil`: the program's.
    private var ownLevel: Logger.Level?

    /// The level of all loggers that were given none of their own; it may be changed at any time.
    final class CommonLevel: Sendable {
        private let level = Mutex(Logger.Level.info)
        var value: Logger.Level { level.withLock { $0 } }
        func set(_ new: Logger.Level) { level.withLock { $0 = new } }
    }
    static let commonLevel = CommonLevel()

    /// The longest message, in bytes; what is above is cut.
    public static let maximumMessage = 8192

    /// Hands on to another handler, which gets all levels: what is left out is decided here.
    public init(_ inner: any LogHandler) {
        self.inner = inner
        // What is left out is decided here.
        self.inner.logLevel = .trace
    }

    /// The least level that is logged: the program's common one until this logger is given one of its own.
    public var logLevel: Logger.Level {
        get { ownLevel ?? Self.commonLevel.value }
        set { ownLevel = newValue }
    }

    /// What is logged with every event; kept by the inner handler, and handed on as it is.
    public var metadata: Logger.Metadata {
        get { inner.metadata }
        set { inner.metadata = newValue }
    }

    /// Makes more metadata for each event; kept by the inner handler, and what it makes is handed on as it is.
    public var metadataProvider: Logger.MetadataProvider? {
        get { inner.metadataProvider }
        set { inner.metadataProvider = newValue }
    }

    /// One entry of ``metadata``; `nil`: there is none.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { inner[metadataKey: key] }
        set { inner[metadataKey: key] = newValue }
    }

    /// Hands an event on; its message and its own metadata's values are made harmless and cut to ``maximumMessage``.
    public func log(event: LogEvent) {
        var event = event
        event.message = "\(event.message.description.withoutControls(atMost: Self.maximumMessage))"
        event.metadata = event.metadata?.mapValues {
            .string($0.description.withoutControls(atMost: Self.maximumMessage))
        }
        inner.log(event: event)
    }
}
