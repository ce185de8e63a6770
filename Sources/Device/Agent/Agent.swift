import Limits
import Linux
import Logging
import Participant
import Program
import SRUP
import ServiceLifecycle
import Updates

/// Does what the server tells a device to do, sends its values, and connects local programs with the network
/// (docs/agent.md).
///
/// Commands run on threads of their own: a few at once, each handler's one after the other, and a bounded number wait.
public actor Agent {
    private let settings: AgentSettings
    private let events: EventLog
    private let logger: Logger
    private let causedLog: BoundedLog
    private let time: Timekeeper
    private var member: Member?
    private var updater: Updater?
    private var socket: ConversationSocket?
    private var waiting: [Job] = []
    private var running: Set<String> = []
    private var budget = SenderBudget<Int>(burst: 30, perSecond: 5)
    private var due: [String: Duration] = [:]
    private var isJoined = false
    /// Actions that a program at the socket does.
    private var handed: [UInt64: (token: Token, action: UInt8, until: Duration)] = [:]
    private var nextNumber: UInt64 = 1
    private var alarm: Task<Void, Never>?

    /// More commands do not wait, of one handler and of all.
    private static let (maximumWaitingOfOne, maximumWaiting) = (8, 64)
    /// So many run at once.
    private static let maximumRunning = 4

    /// Something to be run.
    private struct Job: Sendable {
        enum What: Sendable {
            case action(UInt8, Token)
            case taken(String)
            case sent(String)
        }
        let what: What
        let run: CommandRun
        /// One at a time.
        let handler: String
    }

    /// Does nothing before ``use(_:)``.
    ///
    /// - Parameter events: where what happens is recorded.
    public init(
        _ settings: AgentSettings, events: EventLog, logger: Logger, time: Timekeeper = .monotonic
    ) {
        self.settings = settings
        self.events = events
        self.logger = logger
        self.time = time
        causedLog = BoundedLog(logger, time: time)
    }

    /// Takes the member to answer with, before its first event.
    ///
    /// - Parameter updater: hears that a new version is well; `nil`: the device is not updated.
    public func use(_ member: Member, updater: Updater? = nil) {
        self.member = member
        self.updater = updater
    }

    /// The socket for local programs; `nil` when the settings have none.
    ///
    /// - Throws: ``ControlSocket/Failure``.
    public func makeSocket() throws -> ConversationSocket? {
        guard let path = settings.socket else { return nil }
        let socket = try ConversationSocket(path: path, group: settings.socketGroup) { [weak self] line, peer in
            await self?.answer(line, peer) ?? AgentReply(error: "this device is stopping").jsonLine
        }
        self.socket = socket
        return socket
    }

    // MARK: Events

    /// What happens to the device as a member of its network.
    public func handle(_ event: MemberEvent) async {
        switch event {
        case .joined:
            guard !isJoined else { break }
            isJoined = true
            tell(AgentNews(event: "joined"))
            for (name, sent) in settings.sends where sent.command != nil { due[name] = time.now() }
            schedule()
        case .left, .refused, .joinFailed:
            guard isJoined else { break }
            isJoined = false
            tell(AgentNews(event: "left"))
        case .group(let group, let isMember):
            tell(AgentNews(event: isMember ? "group-entered" : "group-left", group: group.text))
        case .action(let number, let token): await act(number, token)
        case .data(let id, let value): take(String(decoding: id, as: UTF8.self), value)
        default: break
        }
    }

    private func act(_ number: UInt8, _ token: Token) async {
        guard let action = settings.actions[number] else { return await answer(token, number, .unknown) }
        logger.info("action \(number) (\(action.name))")
        events.record("action", ["action": String(number), "name": action.name])
        guard let command = action.command else { return await hand(number, action, token) }
        let run = CommandRun(
            command: command, user: settings.user,
            environment: ["SRUP_ACTION": String(number), "SRUP_ACTION_NAME": action.name])
        if !enqueue(Job(what: .action(number, token), run: run, handler: "action \(number)")) {
            causedLog.log(.warning, about: "actions", "action \(number) (\(action.name)) has failed: too many wait")
            await answer(token, number, .failed)
        }
    }

    private func take(_ name: String, _ wire: [UInt8]) {
        guard let taken = settings.takes[name], let value = try? taken.type.value(wire: wire) else { return }
        logger.info("\(name) from the server")
        events.record("data-taken", ["name": name])
        tell(AgentNews(event: "data", name: name, type: taken.type, value: value))
        guard let command = taken.command else { return }
        let run = CommandRun(
            command: command, user: settings.user,
            environment: ["SRUP_DATA": name, "SRUP_TYPE": taken.type.rawValue], input: Array((value.text + "\n").utf8))
        if !enqueue(Job(what: .taken(name), run: run, handler: "takes \(name)")) {
            causedLog.log(.warning, about: "data", "\(name) is dropped: too many wait")
        }
    }

    // MARK: Commands

    private func enqueue(_ job: Job) -> Bool {
        guard waiting.count < Self.maximumWaiting,
            waiting.count(where: { $0.handler == job.handler }) < Self.maximumWaitingOfOne
        else { return false }
        waiting.append(job)
        startNext()
        return true
    }

    private func startNext() {
        while running.count < Self.maximumRunning,
            let index = waiting.firstIndex(where: { !running.contains($0.handler) })
        {
            let job = waiting.remove(at: index)
            running.insert(job.handler)
            Task {
                let outcome = await DetachedThread.value(stack: 256) { Result { try job.run.run() } }
                await self.finished(job, outcome)
            }
        }
    }

    private func finished(_ job: Job, _ outcome: Result<[UInt8], any Error>) async {
        running.remove(job.handler)
        startNext()
        if case .failure(let why) = outcome {
            causedLog.log(.warning, about: job.handler, "\(job.handler): \(job.run.program): \(why)")
            events.record("command-failed", ["handler": job.handler, "why": "\(why)"])
        }
        let output = try? outcome.get()
        switch job.what {
        case .action(let number, let token):
            var isDone = output != nil
            if let output, let name = settings.actions[number]?.sends { isDone = await send(name, output: output) }
            await answer(token, number, isDone ? .done : .failed)
        case .taken: break
        case .sent(let name):
            if let output { _ = await send(name, output: output) }
        }
    }

    private func answer(_ token: Token, _ number: UInt8, _ outcome: Member.Outcome) async {
        do {
            try await member?.answer(token, outcome)
            events.record("action-answered", ["action": String(number), "outcome": "\(outcome)"])
        } catch {
            causedLog.log(.error, about: "answers", "an action could not be answered: \(error)")
        }
    }

    /// What a command has written is the value, in the words of its type; a line's end behind it does not count.
    private func send(_ name: String, output: [UInt8]) async -> Bool {
        guard let type = settings.sends[name]?.type else { return false }
        do {
            guard let text = String(validating: output, as: UTF8.self) else {
                throw AgentError("its output is not UTF-8")
            }
            let trimmed = type == .string ? Self.withoutLineEnd(text) : text.filter { !$0.isWhitespace }
            try await send(name, try type.value(text: trimmed))
            return true
        } catch {
            causedLog.log(.warning, about: name, "\(name) could not be sent: \(error)")
            return false
        }
    }

    private static func withoutLineEnd(_ text: String) -> String {
        text.last?.isNewline == true ? String(text.dropLast()) : text
    }

    private func send(_ name: String, _ value: DataValue) async throws {
        guard let member else { throw AgentError("this device is starting") }
        // The server takes so many messages from one sender, and leaves who sends more unheard.
        guard budget.take(0, at: time.now()) else { throw AgentError("more than five values a second are too many") }
        try await member.report(name, value.wire)
        events.record("data-sent", ["name": name])
    }

    // MARK: Time

    private func schedule() {
        alarm?.cancel()
        guard let next = (Array(due.values) + handed.values.map(\.until)).min() else { return }
        alarm = time.wake(at: next) { [weak self] in await self?.tick() }
    }

    /// Does what is due.
    public func tick() async {
        let now = time.now()
        for (name, moment) in due where moment <= now {
            guard let sent = settings.sends[name], let command = sent.command else { continue }
            due[name] = now + sent.every
            // Nobody waits for two values of one kind.
            let handler = "sends \(name)"
            guard isJoined, !running.contains(handler), !waiting.contains(where: { $0.handler == handler }) else {
                continue
            }
            _ = enqueue(
                Job(
                    what: .sent(name),
                    run: CommandRun(command: command, user: settings.user, environment: ["SRUP_DATA": name]),
                    handler: handler))
        }
        for (number, order) in handed where order.until <= now {
            handed[number] = nil
            causedLog.log(
                .warning, about: "actions", "action \(order.action) has failed: no program has answered in time")
            await answer(order.token, order.action, .failed)
        }
        schedule()
    }

    // MARK: Local programs

    private func hand(_ number: UInt8, _ action: AgentSettings.Action, _ token: Token) async {
        let ticket = nextNumber
        nextNumber += 1
        let news = AgentNews(event: "action", name: action.name, action: number, number: ticket)
        guard handed.count < Self.maximumWaiting, tell(news) > 0 else {
            causedLog.log(
                .warning, about: "actions",
                "action \(number) (\(action.name)) has failed: no program listens at the socket")
            return await answer(token, number, .failed)
        }
        handed[ticket] = (token, number, time.now() + action.timeout)
        schedule()
    }

    @discardableResult
    private func tell(_ news: AgentNews) -> Int { socket?.tell(news.jsonLine) ?? 0 }

    /// Answers a line of a local program.
    func answer(_ line: String, _ peer: ConversationSocket.Peer) async -> String {
        do {
            switch try AgentOrder(line: line) {
            case .listen:
                peer.listen()
                return AgentReply(identity: member?.participant.id.hex, joined: isJoined).jsonLine
            case .send(let name, let text, let type):
                let known = settings.sends[name]?.type
                guard let type = known ?? type else {
                    throw AgentError(
                        "there is no [sends.\(name.withoutControls)] in the configuration, and no \"type\" here")
                }
                try await send(name, try type.value(text: text))
            case .report(let process):
                guard await updater?.report(process: process) == true else {
                    throw AgentError("no update waits for a report now")
                }
            case .answer(let number, let isDone):
                guard let order = handed.removeValue(forKey: number) else {
                    throw AgentError("there is no action \(number) to be answered now")
                }
                await answer(order.token, order.action, isDone ? .done : .failed)
            }
            return AgentReply(done: true).jsonLine
        } catch {
            return AgentReply(error: "\(error)").jsonLine
        }
    }
}

/// Why the agent does not do something; in words for the program that has asked.
struct AgentError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
