import HTTPTypes
import Limits
import NIOCore
import NIOHTTPTypes

/// Fired into a connection's pipeline when the request that is being read may take as long as a stream.
public struct LongRequest: Sendable {
    /// For the request that is being read now.
    public init() {}
}

/// In each connection's pipeline: takes a place in the ``ConnectionTable``, and closes the connection when a request (TLS
/// handshake, headers, body and answer together) is not done by its deadline, however busily its bytes drop in, or when
/// the rest of it cannot come any more. A stream of events has a longer one.
///
/// Used on its connection's event loop only.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let table: ConnectionTable
    private let limit: TimeAmount
    private let streamLimit: TimeAmount
    private var place: ConnectionTable.Place?
    private var deadline: Scheduled<Void>?
    /// The end of the request that is being read has come.
    private var isWhole = false

    init(_ table: ConnectionTable, _ limits: ConnectionLimits) {
        self.table = table
        limit = .nanoseconds(Int64(limits.requestDeadline / .nanoseconds(1)))
        streamLimit = .nanoseconds(Int64(limits.streamDeadline / .nanoseconds(1)))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: isWhole = false
        case .end: isWhole = true
        case .body: break
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent, !isWhole { return context.close(promise: nil) }
        // Whoever sends a large file has been let in.
        if event is LongRequest { return startClock(context.channel, streamLimit) }
        context.fireUserInboundEventTriggered(event)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // The next request on this connection has as long as this one had.
        switch unwrapOutboundIn(data) {
        case .head(let head) where Self.takesLong(head): startClock(context.channel, streamLimit)
        case .end: startClock(context.channel, limit)
        case .head, .body: break
        }
        context.write(data, promise: promise)
    }

    /// A stream of events, or a file that is downloaded: where it is cut, it is asked for from there.
    private static func takesLong(_ head: HTTPResponse) -> Bool {
        let type = head.headerFields[.contentType] ?? ""
        return type.hasPrefix("text/event-stream")
            || type == "application/octet-stream" && (head.status == .ok || head.status == .partialContent)
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard place == nil else { return }
        let channel = context.channel
        place = table.add(AddressGroup(channel.remoteAddress?.ipAddress)) { channel.close(promise: nil) }
        guard place != nil else { return channel.close(promise: nil) }
        startClock(channel, limit)
    }

    private func startClock(_ channel: any Channel, _ limit: TimeAmount) {
        deadline?.cancel()
        deadline = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    }

    private func end() {
        deadline?.cancel()
        deadline = nil
        if let place { table.remove(place) }
        place = nil
    }
}
