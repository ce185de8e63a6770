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

    /// How many are open.
    var count: Int { state.withLock { $0.streams.count } }

    func remove(_ number: Int) { state.withLock { $0.streams[number] = nil } }

    /// Ends those of one operator, who may open others.
    func end(of name: OperatorName) {
        let all = state.withLock { state in state.streams.values.filter { $0.name == name }.map(\.end) }
        for end in all { end() }
    }

    func endAll() {
        let all = state.withLock { state in
            state.isEnded = true
            return state.streams.values.map(\.end)
        }
        for end in all { end() }
    }
}

/// A stream's place in the table: it may end before it has one.
private final class StreamPlace: Sendable {
    private struct State {
        var number: Int?
        var hasEnded = false
    }
    private let state = Mutex(State())

    /// `false` when there is no room.
    func enter(_ table: StreamTable, _ name: OperatorName, end: @escaping @Sendable () -> Void) -> Bool {
        guard let number = table.add(name, end: end) else { return false }
        let hasEnded = state.withLock { state in
            state.number = number
            return state.hasEnded
        }
        if hasEnded { table.remove(number) }
        return true
    }

    func leave(_ table: StreamTable) {
        let number = state.withLock { state in
            state.hasEnded = true
            return state.number
        }
        if let number { table.remove(number) }
    }
}

/// Server-sent events (WHATWG HTML, 9.2): which rows are out of date, never what is in them; and for programs what has
/// happened, from where they have been the last time.
extension Console {
    /// A line of nothing, so that both ends learn of a connection that has gone.
    private static let heartbeat = Duration.seconds(15)
    /// So many occurrences are read at once.
    private static let portion = 100

    func addEvents(to router: Router<ConsoleContext>) {
        router.get("/events") { request, context in
            guard let visitor = context.visitor else { throw PageError.notSignedIn.withoutPage }
            return try events(request, visitor, hasConnection: context.hasConnection)
        }
    }

    private enum Tick: Sendable {
        case change(Change)
        case occurrence
        case beat
    }

    /// What one reader wants to hear.
    private struct Wish: Sendable {
        /// Empty: all; `nil`: none.
        var subjects: Set<Change.Subject>?
        /// The same.
        var kinds: Set<Occurrence.Kind>?
        /// The last occurrence that the reader has.
        var last: Int64

        /// Whoever names neither hears all.
        init(_ request: Request, newest: Int64) {
            let parameters = request.uri.queryParameters
            let (subjects, kinds) = (parameters["subjects"], parameters["kinds"])
            if subjects != nil || kinds == nil {
                self.subjects = Set((subjects ?? "").split(separator: ",").compactMap { .init(rawValue: String($0)) })
            }
            if kinds != nil || subjects == nil {
                self.kinds = Set((kinds ?? "").split(separator: ",").compactMap { .init(rawValue: String($0)) })
            }
            let header = HTTPField.Name("Last-Event-ID").flatMap { request.headers[$0] }
            // Of another server, or of before a restored backup: there was no such number here.
            last = header.flatMap { Int64($0) }.map { min(max($0, 0), newest) } ?? newest
        }
    }

    /// - Throws: ``PageError``.
    func events(_ request: Request, _ visitor: Visitor, hasConnection: Bool) throws(PageError) -> Response {
        let (ticks, ticker) = AsyncStream<Tick>.makeStream(bufferingPolicy: .bufferingNewest(64))
        // Before the newest number is read, so that none is missed in between.
        let (streams, changes, occurrences) = (streams, server.changes, server.occurrences)
        let news = occurrences.hear { _ in ticker.yield(.occurrence) }
        let wish: Wish
        do throws(PageError) {
            wish = Wish(request, newest: try stored { try server.store.newestOccurrence() })
        } catch {
            occurrences.stop(news)
            throw error
        }
        let rows = changes.hear { change in
            guard let subjects = wish.subjects, subjects.isEmpty || subjects.contains(change.subject) else { return }
            ticker.yield(.change(change))
        }
        let place = StreamPlace()
        ticker.onTermination = { _ in
            place.leave(streams)
            changes.stop(rows)
            occurrences.stop(news)
        }
        guard place.enter(streams, visitor.name, end: { ticker.finish() }) else {
            ticker.finish()
            var error = PageError(
                .tooManyRequests, "Too many live pages are open.", "Close some, or load the page by hand.")
            error.retryAfter = 30
            throw error
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
            body: .init { [self] writer in
                defer { ticker.finish() }
                if hasConnection {
                    try await request.body.consumeWithInboundCloseHandler { _ in
                        try await write(ticks, ticker, wish, visitor, &writer)
                    } onInboundClosed: {
                        ticker.finish()
                    }
                } else {
                    try await write(ticks, ticker, wish, visitor, &writer)
                }
                try await writer.finish(nil)
            })
    }

    private func write(
        _ ticks: AsyncStream<Tick>, _ ticker: AsyncStream<Tick>.Continuation, _ wish: Wish, _ visitor: Visitor,
        _ writer: inout any ResponseBodyWriter
    ) async throws {
        let beats = Task {
            while !Task.isCancelled {
                try await Task.sleep(for: Self.heartbeat)
                ticker.yield(.beat)
            }
        }
        defer { beats.cancel() }
        var last = wish.last
        try await writer.write(ByteBuffer(string: "retry: 3000\n\n"))
        try await tell(wish, &last, &writer)
        for await tick in ticks {
            switch tick {
            case .beat:
                // Whoever has been signed out hears nothing more.
                guard isStillIn(visitor) else { return }
                try await writer.write(ByteBuffer(string: ": \n\n"))
                // A reader who could not keep up has the rest now.
                try await tell(wish, &last, &writer)
            case .occurrence: try await tell(wish, &last, &writer)
            case .change(let change):
                let device = change.device.map { ",\"device\":\"\($0.hex)\"" } ?? ""
                try await writer.write(
                    ByteBuffer(string: "event: change\ndata: {\"subject\":\"\(change.subject.rawValue)\"\(device)}\n\n")
                )
            }
        }
    }

    /// What has been stored since the last one.
    private func tell(_ wish: Wish, _ last: inout Int64, _ writer: inout any ResponseBodyWriter) async throws {
        guard let kinds = wish.kinds else { return }
        while true {
            let found = try server.store.occurrences(after: last, limit: Self.portion)
            for one in found {
                last = one.id
                guard kinds.isEmpty || kinds.contains(one.kind) else { continue }
                var text = Array("id: \(one.id)\nevent: \(one.kind.rawValue)\ndata: ".utf8)
                text += one.json.bytes + Array("\n\n".utf8)
                try await writer.write(ByteBuffer(bytes: text))
            }
            guard found.count == Self.portion else { return }
        }
    }

    private func isStillIn(_ visitor: Visitor) -> Bool {
        switch visitor.way {
        case .session(let session):
            (try? operators.sessions(of: session.name, now: now()).contains { $0.number == session.number }) ?? false
        case .token(let token):
            (try? operators.isToken(token.number, now: now())) ?? false
        }
    }
}

extension Occurrence {
    /// As streams, webhook and API tell it.
    var json: JSON {
        var members: [JSON.Member] = [
            .init(name: "id", value: .integer(id)), .init(name: "time", value: .text(Words.iso(time))),
            .init(name: "kind", value: .text(kind.rawValue)), .init(name: "device", value: .text(device.hex)),
            .init(name: "type", value: .optional(type)),
        ]
        if let outcome { members.append(.init(name: "outcome", value: .text(outcome.rawValue))) }
        if let why { members.append(.init(name: "why", value: .text(why))) }
        if let by { members.append(.init(name: "by", value: .text(by))) }
        if let observer { members.append(.init(name: "observer", value: .text(observer.hex))) }
        return .object(members)
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
