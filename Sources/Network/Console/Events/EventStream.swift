import C2
import Foundation
import HTTPTypes
import Hummingbird
import Operators
import Synchronization

/// The streams that are open, each with who reads it: they end with the server, and nobody has more than a few.
/// Safe to use from several threads.
final class StreamTable: Sendable {
    private struct State {
        var next = 0
        var streams: [Int: (name: OperatorName, end: @Sendable () -> Void)] = [:]
        var isEnded = false
    }
    private let state = Mutex(State())

    /// How many one operator may have open, in all browsers and programs together; and how many there are of all.
    static let (maximumOfOne, maximum) = (24, 192)

    /// - Parameter end: ends the stream.
    /// - Returns: the stream's number; `nil` when there is no room for another one.
    func add(_ name: OperatorName, end: @escaping @Sendable () -> Void) -> Int? {
        state.withLock { state in
            guard !state.isEnded, state.streams.count < Self.maximum,
                state.streams.values.filter({ $0.name == name }).count < Self.maximumOfOne
            else { return nil }
            state.next += 1
            state.streams[state.next] = (name, end)
            return state.next
        }
    }

    var count: Int { state.withLock { $0.streams.count } }

    func remove(_ number: Int) { state.withLock { $0.streams[number] = nil } }

    func endAll() {
        let all = state.withLock { state in
            state.isEnded = true
            return state.streams.values.map(\.end)
        }
        for end in all { end() }
    }
}

/// Server-sent events (WHATWG HTML, 9.2): which rows are out of date, never what is in them.
extension Console {
    /// A line of nothing, so that both ends learn of a connection that has gone.
    private static let heartbeat = Duration.seconds(15)

    func addEvents(to router: Router<ConsoleContext>) {
        router.get("/events") { request, context in
            guard let visitor = context.visitor else { throw PageError.notSignedIn.withoutPage }
            return try events(request, visitor, hasConnection: context.hasConnection)
        }
    }

    private enum Tick: Sendable {
        case change(Change)
        case beat
    }

    private func events(
        _ request: Request, _ visitor: Visitor, hasConnection: Bool
    ) throws(PageError) -> Response {
        let wanted = Set(
            (request.uri.queryParameters["subjects"] ?? "").split(separator: ",").compactMap {
                Change.Subject(rawValue: String($0))
            })
        let (ticks, ticker) = AsyncStream<Tick>.makeStream(bufferingPolicy: .bufferingNewest(64))
        guard let number = streams.add(visitor.name, end: { ticker.finish() }) else {
            var error = PageError(
                .tooManyRequests, "Too many live pages are open.", "Close some, or load the page by hand.")
            error.retryAfter = 30
            throw error
        }
        let streams = streams
        ticker.onTermination = { _ in streams.remove(number) }
        let feed = server.changes.listen()
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
            body: .init { [self] writer in
                defer { ticker.finish() }
                if hasConnection {
                    try await request.body.consumeWithInboundCloseHandler { _ in
                        try await write(ticks, ticker, feed, wanted, visitor, &writer)
                    } onInboundClosed: {
                        ticker.finish()
                    }
                } else {
                    try await write(ticks, ticker, feed, wanted, visitor, &writer)
                }
                try await writer.finish(nil)
            })
    }

    private func write(
        _ ticks: AsyncStream<Tick>, _ ticker: AsyncStream<Tick>.Continuation, _ feed: AsyncStream<Change>,
        _ wanted: Set<Change.Subject>, _ visitor: Visitor, _ writer: inout any ResponseBodyWriter
    ) async throws {
        let pump = Task {
            for await change in feed { ticker.yield(.change(change)) }
            ticker.finish()
        }
        let beats = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: Self.heartbeat)
                ticker.yield(.beat)
            }
        }
        defer {
            pump.cancel()
            beats.cancel()
        }
        try await writer.write(ByteBuffer(string: "retry: 3000\n\n"))
        for await tick in ticks {
            switch tick {
            case .beat:
                // Whoever has been signed out hears nothing more.
                guard isStillIn(visitor) else { return }
                try await writer.write(ByteBuffer(string: ": \n\n"))
            case .change(let change):
                guard wanted.isEmpty || wanted.contains(change.subject) else { continue }
                let device = change.device.map { ",\"device\":\"\($0.hex)\"" } ?? ""
                try await writer.write(
                    ByteBuffer(string: "event: change\ndata: {\"subject\":\"\(change.subject.rawValue)\"\(device)}\n\n")
                )
            }
        }
    }

    private func isStillIn(_ visitor: Visitor) -> Bool {
        switch visitor.way {
        case .session(let session):
            (try? operators.sessions(of: session.name, now: now()).contains { $0.number == session.number }) ?? false
        case .token(let token):
            (try? operators.tokens(of: token.name).contains { $0.number == token.number }) ?? false
        }
    }
}

extension PageError {
    /// The same for what no person opens.
    fileprivate var withoutPage: PageError {
        var error = self
        error.leadsToSignIn = false
        return error
    }
}
