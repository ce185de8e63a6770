import Linux
import Logging

/// Hands on what is logged with everything harmless in it that came from elsewhere: one event is one line, and steers no
/// terminal, whoever chose its words.
public struct PlainLogHandler: LogHandler {
    private var inner: any LogHandler

    /// The longest message, in bytes; what is above is cut.
    public static let maximumMessage = 8192

    public init(_ inner: any LogHandler) {
        self.inner = inner
    }

    public var logLevel: Logger.Level {
        get { inner.logLevel }
        set { inner.logLevel = newValue }
    }

    public var metadata: Logger.Metadata {
        get { inner.metadata }
        set { inner.metadata = newValue }
    }

    public var metadataProvider: Logger.MetadataProvider? {
        get { inner.metadataProvider }
        set { inner.metadataProvider = newValue }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { inner[metadataKey: key] }
        set { inner[metadataKey: key] = newValue }
    }

    public func log(event: LogEvent) {
        var event = event
        event.message = "\(event.message.description.withoutControls(atMost: Self.maximumMessage))"
        event.metadata = event.metadata?.mapValues {
            .string($0.description.withoutControls(atMost: Self.maximumMessage))
        }
        inner.log(event: event)
    }
}
