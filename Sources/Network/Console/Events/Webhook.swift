import C2
import Limits
import Logging
import Participant
import SRUP
import ServiceLifecycle

/// Tells another server what happens, in order and each until it is taken: `at least once`.
///
/// What is to be told is stored with the occurrences and survives a restart. What could not be told for a day, and what is
/// not kept any more (``C2State/maximumOccurrences``), is given up.
public struct Webhook: Service {
    private let store: C2State
    private let news: Feed<Int64>
    private let call: WebhookCall
    private let log: BoundedLog
    private let now: @Sendable () -> Double
    private let pauses: Backoff

    /// After this an occurrence is given up, in seconds.
    static let lifetime = 86400.0
    /// How often is looked whether there is something, whatever is heard.
    private static let round = Duration.seconds(30)

    /// - Parameters:
    ///   - server: whose occurrences are told.
    ///   - now: seconds since 1970.
    public init(
        _ server: C2Server, settings: WebhookSettings, secret: WebhookSecret, logger: Logger,
        now: @escaping @Sendable () -> Double = Participant.systemTime
    ) {
        self.init(
            store: server.store, news: server.occurrences, settings: settings, secret: secret, logger: logger,
            pauses: Backoff(first: .seconds(2), longest: .seconds(300)), now: now)
    }

    init(
        store: C2State, news: Feed<Int64>, settings: WebhookSettings, secret: WebhookSecret, logger: Logger,
        pauses: Backoff, now: @escaping @Sendable () -> Double
    ) {
        self.store = store
        self.news = news
        call = WebhookCall(settings: settings, secret: secret)
        log = BoundedLog(logger)
        self.pauses = pauses
        self.now = now
    }

    /// Tells until it is stopped.
    public func run() async throws {
        let (wakes, waker) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let heard = news.listen()
        let pumps = [
            Task { for await _ in heard { waker.yield() } },
            Task {
                while !Task.isCancelled {
                    waker.yield()
                    try? await Task.sleep(for: Self.round)
                }
            },
        ]
        defer { for pump in pumps { pump.cancel() } }
        await cancelWhenGracefulShutdown {
            for await _ in wakes { await tellAll() }
        }
    }

    /// Tells what there is, with pauses where it fails.
    private func tellAll() async {
        var pauses = pauses
        while !Task.isCancelled {
            do {
                var standing = try current()
                guard let next = try store.occurrences(after: standing.told, limit: 1).first else { return }
                standing.dropped += max(0, next.id - standing.told - 1)
                if now() - next.time > Self.lifetime {
                    standing.dropped += 1
                    standing.told = next.id
                    try store.save(standing)
                    continue
                }
                switch await call.post(next.json.bytes, kind: next.kind.rawValue, now: now()) {
                case .taken:
                    if standing.failed != nil { log.log(.notice, about: "the webhook", "the webhook is told again") }
                    standing.told = next.id
                    (standing.succeeded, standing.failed, standing.problem) = (now(), nil, nil)
                    try store.save(standing)
                    pauses.reset()
                case .failed(let why):
                    guard !Task.isCancelled else { return }
                    log.log(
                        .warning, about: "the webhook",
                        "the webhook could not be told of occurrence \(next.id): \(why); trying again")
                    standing.failed = standing.failed ?? now()
                    standing.problem = why
                    try store.save(standing)
                    try await Task.sleep(for: pauses.next())
                }
            } catch is CancellationError {
                return
            } catch {
                log.log(.error, about: "the state file", "\(error)")
                return
            }
        }
    }

    /// Where it stands; what has happened before there was one is not told.
    private func current() throws -> C2State.WebhookStanding {
        if let standing = try store.webhook() { return standing }
        let standing = C2State.WebhookStanding(told: try store.newestOccurrence())
        try store.save(standing)
        return standing
    }

    /// Sends one that means nothing, for the operator to see whether it comes.
    ///
    /// - Returns: what went wrong; `nil`: it was taken.
    public static func test(
        _ settings: WebhookSettings, secret: WebhookSecret, now: Double = Participant.systemTime()
    ) async -> String? {
        let body: JSON = [
            "id": 0, "time": .text(Words.iso(now)), "kind": "test", "device": nil, "type": nil,
        ]
        switch await WebhookCall(settings: settings, secret: secret).post(body.bytes, kind: "test", now: now) {
        case .taken: return nil
        case .failed(let why): return why
        }
    }
}
