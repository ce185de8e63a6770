import Limits
import Linux
import Logging
import Participant
import SRUP
import ServiceLifecycle
import Synchronization

/// The C2 server: lets devices in by the operator's policy, asks observers, and believes only the one it has asked.
///
/// No message, row or peer ends it: a join that cannot go on is dropped, logged and, if that is possible, answered.
public actor C2Server: Service {
    nonisolated let participant: Participant
    let state: C2State
    let commands: CommandStore
    /// Where the broker is told of groups.
    let access: any BrokerAccess
    let directory: any KeyDirectory
    /// Has connections closed that the broker does not close on a message; `nil`: it does.
    let closer: (any ConnectionCloser)?
    /// The network's other cells; `nil`: there is one.
    let neighbours: (any Neighbours)?
    /// What observers here look at for other cells.
    var lent: [Token: Lent] = [:]
    /// Releases and rollouts; `nil`: there are none here.
    let shelf: ReleaseShelf?
    /// Rollouts in which something can change, by number.
    var rollouts: [Int64: Rollout] = [:]
    /// When rollouts are looked at next.
    var nextLookAtRollouts = Duration.zero
    /// When it is looked for members that rollouts are meant for, too.
    var nextLookForLater = Duration.zero
    private(set) var rules: C2Rules
    let events: EventLog
    /// How much of the audit log is kept.
    let evidenceRules: EvidenceRules
    var evidenceTimes = EvidenceTimes()
    let time: Timekeeper
    /// For lines that peers cause.
    let causedLog: BoundedLog
    var joins = JoinBook()
    var moderations: ModerationBook
    /// Says which row of a page is out of date.
    public nonisolated let changes = ChangeFeed()
    /// Says the number of each occurrence that was noted: ``C2State/occurrences(after:limit:)`` has it.
    public nonisolated let occurrences = Feed<Int64>()
    /// How many joins were answered since the start.
    public nonisolated let tally = JoinTally()
    /// The rules as they came from the configuration, before ``C2State/policies()``.
    var configured: C2Rules
    var roster = ObserverRoster()
    /// Observers that are an operator's phone page, while it is open: whose.
    var phones: [DeviceID: String] = [:]
    /// By what each observer sees, as it was read last: ``eyeKinds()``.
    var eyes: [DeviceID: EyeKind] = [:]
    private var messageBudget: SenderBudget<DeviceID>
    private var joinBudget: SenderBudget<DeviceID>
    private var floods = FloodGate()
    /// Identities that are coming to their end.
    var endings: [DeviceID: Ending] = [:]
    /// How many commands the broker was given.
    var controls: Int64 = 0
    var lookUps = LookUps()
    /// What the key service has answered, until there is time for it.
    nonisolated let found = Mutex<[LookUps.Found]>([])
    var unknown: [DeviceID: Duration] = [:]
    /// Who has come to belong in the present turn: ``turn(_:)``.
    var newMembers: [DeviceID] = []
    var isInTurn = false
    /// Signs what a turn sends.
    let crew: SigningCrew
    /// What could not be stored has to be forgotten first: when that is tried; `nil`: there is nothing such.
    var startsOverAt: Duration?
    private var nextLookAtOrders = Duration.zero
    private var announcedDisconnection = false
    /// After a backup was put back: whom to tell that our numbers have jumped ahead.
    private var toBeNudged: [DeviceID] = []
    /// For what members are told that nobody has asked for, but they can cause.
    var nudges = SenderBudget<DeviceID>(burst: 3, perSecond: 1 / 30)
    var returnPace = ReturnPace()
    /// Members that have been told another one.
    var toBeToldReturn: [DeviceID] = []
    var nextLookAtMembers = Duration.zero
    nonisolated var logger: Logger { participant.logger }

    /// How long an identity that the key service does not know is not asked for again.
    static let unknownFor = Duration.seconds(5)
    /// So many events are taken up together at most.
    private static let eventsAtOnce = 128
    /// How often the server looks at what is due, and how often at what the operator has said on the command line.
    static let longestTurn = Duration.milliseconds(50)
    private static let (beat, ordersEvery) = (Duration.milliseconds(100), Duration.seconds(1))

    /// A server that begins with ``run()``.
    ///
    /// - Parameters:
    ///   - participant: the server's own identity on the network.
    ///   - state: joins under way and the operator's word.
    ///   - commands: what was sent, what has come, and groups.
    ///   - access: tells the broker who is in which group.
    ///   - closer: has connections closed; `nil`: a message to the broker does (Mosquitto).
    ///   - directory: where keys and types of strangers are looked up.
    ///   - neighbours: the network's other cells; `nil`: there is one.
    ///   - updates: releases and rollouts; `nil`: there are none here.
    ///   - events: where what happens is written for other programs.
    ///   - evidence: how much of the audit log is kept, and where the rest goes.
    ///   - time: the clock for all deadlines; tests pass their own.
    public init(
        _ participant: Participant, state: C2State, commands: CommandStore, access: any BrokerAccess,
        closer: (any ConnectionCloser)? = nil, directory: any KeyDirectory, neighbours: (any Neighbours)? = nil,
        updates: ReleaseShelf? = nil, rules: C2Rules,
        events: EventLog,
        evidence: EvidenceRules = .init(),
        time: Timekeeper = .monotonic
    ) {
        self.participant = participant
        crew = SigningCrew(participant.key)
        self.state = state
        self.commands = commands
        self.access = access
        self.closer = closer
        self.directory = directory
        self.neighbours = neighbours
        shelf = updates
        configured = rules
        self.rules = rules
        moderations = ModerationBook(rules.limits)
        self.events = events
        evidenceRules = evidence
        self.time = time
        events.tell(participant.afterwards)
        causedLog = BoundedLog(participant.logger, time: time)
        messageBudget = SenderBudget(burst: rules.limits.messageBurst, perSecond: rules.limits.messagesPerSecond)
        joinBudget = SenderBudget(burst: rules.limits.joinBurst, perSecond: rules.limits.joinsPerMinute / 60)
    }

    /// Goes by other rules from now on; joins under way keep what they were promised.
    public func use(_ new: C2Rules) {
        let old = rules
        configured = new
        rules = new.with(setPolicies(), setZones())
        for warning in rules.warnings where !old.warnings.contains(warning) { logger.warning("\(warning)") }
        guard new.limits != old.limits else { return }
        let limits = new.limits
        moderations = moderations.with(limits)
        messageBudget = SenderBudget(burst: limits.messageBurst, perSecond: limits.messagesPerSecond)
        joinBudget = SenderBudget(burst: limits.joinBurst, perSecond: limits.joinsPerMinute / 60)
    }

    /// The subscriptions a server begins with.
    ///
    /// - Parameter hearsBroker: whether the broker answers commands by messages.
    public static func subscriptions(_ id: DeviceID, hearsBroker: Bool = true) -> [String] {
        ["SRUP/servers/\(id.hex)/#"] + (hearsBroker ? [controlAnswers] : [])
    }

    /// Handles the link's events until the link ends.
    public func run() async throws {
        try begin()
        let heart = Task { [weak self, time] in
            while !Task.isCancelled, let self {
                await self.tick()
                await time.wake(at: time.now() + Self.beat) {}.value
            }
        }
        var arrivals = participant.link.events.makeAsyncIterator()
        while case let events = await arrivals.all(atMost: Self.eventsAtOnce), !events.isEmpty { handle(events) }
        heart.cancel()
        sealLog(at: time.now(), isLast: true)
    }

    package func handle(_ event: BrokerEvent) { turn { take(event) } }

    /// What has come together is stored together, but nobody waits longer for that than a few disk writes take. Where all of it
    /// cannot be stored, each is tried by itself: one that never can takes no other with it.
    package func handle(_ events: [BrokerEvent]) {
        var rest = events[...]
        while !rest.isEmpty {
            let end = ContinuousClock.now + Self.longestTurn
            var taken: [BrokerEvent] = []
            let isStored = turn {
                repeat {
                    let event = rest.removeFirst()
                    taken.append(event)
                    take(event)
                } while !rest.isEmpty && ContinuousClock.now < end
            }
            // Nothing was taken where the server has yet to start over.
            if taken.isEmpty { return }
            if !isStored && taken.count > 1 { for event in taken { turn { take(event) } } }
        }
    }

    private func take(_ event: BrokerEvent) {
        switch event {
        case .connected:
            announcedDisconnection = false
            causedLog.log(.info, about: "the broker", "connected to the broker at \(participant.link.place)")
            events.record("connected")
            askAgainAboutEndings()
            watchEndings(time.now())
        case .disconnected(let why):
            if !announcedDisconnection {
                announcedDisconnection = true
                causedLog.log(.warning, about: "the broker", "\(why); trying again")
            }
        case .confirmed(let id): participant.confirmed(id)
        case .message(Self.controlAnswers, let payload): brokerAnswered(payload)
        case .message(let topic, let payload): received(payload, topic: topic)
        }
    }

    /// After a restart: listen to those who belong, and go on with the joins under way.
    package func begin() throws {
        rules = configured.with(setPolicies(), setZones())
        for warning in rules.warnings { logger.warning("\(warning)") }
        try participant.state.keepEvidence(of: participant.id, key: participant.key, now: participant.wallClock())
        try endAgain()
        try participant.state.dropEarlierRequests()
        try gather { try takeUp() }
        if try participant.state.hasLeaped() { toBeNudged = try participant.state.knownPeers().reversed() }
    }

    /// Takes up what is stored: members, and what is under way. What is to be sent yet leaves before anything new.
    func takeUp() throws {
        // A database server may still be storing what an earlier connection of ours has left, which nobody had an answer to.
        for store in [participant.state.database, state.database, commands.database, shelf?.store.database] {
            try store?.claim()
        }
        try participant.resume()
        let members = try participant.state.members().map(\.id)
        participant.link.subscribe(members.map { "SRUP/\($0.hex)" })
        newMembers += members
        try tellBroker()
        try lookAtMembers(isAnew: true)
        try noteMembersNotYetCalled()
        try lookForCandidates()
        try resumeJoins()
        try resumeErrands()
        try resumeModerations()
        try resumeRollouts()
    }

    /// Does what is due.
    package func tick() { turn { doWhatIsDue() } }

    private func doWhatIsDue() {
        let now = time.now()
        if now >= nextLookAtOrders {
            nextLookAtOrders = now + Self.ordersEvery
            obeyOrders()
        }
        watchJoins(now)
        watchNeighbours(now)
        watchModerations(now)
        watchEndings(now)
        watchRollouts(now)
        listenAgain(now)
        nudgeSome()
        watchReturn(now)
        watchEvidence(now)
    }

    /// What the operator has said on the command line.
    private func obeyOrders() {
        do {
            for removal in try state.removals() {
                do {
                    try putOut(removal.id, by: removal.by)
                } catch {
                    logger.error("\(removal.id) could not be told that it was removed: \(error)")
                }
                try state.removed(removal.id)
            }
            try letInWhomTheOperatorHasNamed()
            try lookForCandidates()
            try callTheRoll()
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
    }

    func putOut(_ id: DeviceID, by name: String? = nil) throws {
        causedLog.log(.notice, about: id, "\(id) is removed, as \(name ?? "the operator") says")
        // At the end, with the TERMINATE_COMMAND beside it.
        defer { participant.audit("removed", "\(id): by the operator", about: id, by: name) }
        events.record("removed", ["device": id.hex])
        occurred(.removed, id, why: "by the operator", by: name)
        // A join under way has an answer to get.
        if let join = joins[id]?.join {
            carryOn(join) { try conclude(join, .joinFail, why: "removed by the operator") }
        }
        if let entry = moderations[id] { try conclude(entry.moderation, .joinFail, why: "removed by the operator") }
        try participant.state.setJoined(id, false)
        try send(.terminateCommand, to: id)
        gone(id, why: "was removed")
    }

    // MARK: After a backup was put back

    /// So many each time that something is due, which is ten times a second.
    private static let nudgesAtOnce = 20

    private func nudgeSome() {
        guard participant.link.isConnected else { return }
        for _ in 0..<min(Self.nudgesAtOnce, toBeNudged.count) { nudge(toBeNudged.removeLast()) }
    }

    /// A peer takes our number, and goes on above it; whoever does not belong obeys nothing else of the message. A broker that
    /// was made anew, too, does not keep it for who is away: that one is told when it asks.
    private func nudge(_ id: DeviceID) {
        guard nudges.take(id, at: time.now()) else { return }
        do {
            try send(.idRequest, to: id)
        } catch {
            causedLog.log(.error, about: id, "\(id) could not be told of the backup that was put back: \(error)")
        }
    }

    // MARK: Receiving

    func received(_ payload: [UInt8], topic name: String) {
        do {
            guard let (signed, topic) = try participant.read(payload, topic: name) else { return }
            let sender = signed.message.sender
            guard let place = topic.participant else { throw Rejection.wrongTopic(name) }
            guard place == sender else {
                // Garbage with another's name in it: who has written there pays.
                if !messageBudget.take(place, at: time.now()) { throw overBudget(place) }
                throw Rejection.wrongTopic(name)
            }
            // The broker lets nobody write where another identity has its place, so each sender pays for its own.
            guard messageBudget.take(sender, at: time.now()) else { throw overBudget(sender) }
            switch topic {
            case .joins(let server, _):
                guard server == participant.id else { throw Rejection.wrongTopic(name) }
                guard try !state.hasEnded(sender) else { throw Rejection.unknownSender(sender) }
                guard let known = try participant.state.peer(sender), known.key != nil, known.type != nil else {
                    try lookUp(sender, payload: payload, topic: name)
                    return
                }
                guard joinBudget.take(sender, at: time.now()) else { throw Rejection.overBudget(sender) }
                try handleJoin(try participant.admit(signed, key: known.key), type: known.type ?? "")
            case .group: throw Rejection.wrongTopic(name)
            case .member:
                let known = try participant.state.peer(sender)
                guard let known, known.isJoined || isLastWord(signed.message) else {
                    throw Rejection.unknownSender(sender)
                }
                try handleMember(try participant.admit(signed, key: known.key))
            }
        } catch let rejection as Rejection {
            if case .malformed = rejection, let costlier = chargeGarbage(name) {
                participant.rejections.record(costlier)
            } else {
                participant.rejections.record(rejection)
            }
            // It is its sender's, by the signature: not yet told that our numbers have jumped ahead.
            if case .replayed(let id, _, _) = rejection, (try? participant.state.hasLeaped()) == true { nudge(id) }
        } catch {
            causedLog.log(.error, about: "messages", "a message could not be handled: \(error)")
        }
    }

    /// Bytes that are no message are paid for, too, by whoever has a place on that topic.
    private func chargeGarbage(_ name: String) -> Rejection? {
        guard let id = Topic(name)?.participant, id != participant.id, !messageBudget.take(id, at: time.now()) else {
            return nil
        }
        return overBudget(id)
    }

    /// A member that goes on sending more than it may is not listened to for a while: its messages would take the others'
    /// places in the broker's queue for us.
    private func overBudget(_ sender: DeviceID) -> Rejection {
        if floods.isFlood(sender, at: time.now()) {
            participant.link.unsubscribe("SRUP/\(sender.hex)")
            causedLog.log(.warning, about: sender, "\(sender) floods us: it is not listened to for a while")
        }
        return .overBudget(sender)
    }

    private func listenAgain(_ now: Duration) {
        for id in floods.over(at: now) where (try? participant.state.peer(id))??.isJoined == true {
            participant.link.subscribe("SRUP/\(id.hex)")
        }
    }

    // MARK: Sending

    /// Answers a join. The answer decides who belongs, for both sides: it is stored together with the membership.
    func answer(
        _ device: DeviceID, _ status: Status, _ token: Token, why: String, way: ParticipantStore.Admission.Way? = nil
    ) throws {
        let change = way.map { ParticipantStore.MembershipChange.begins(.init($0, token)) } ?? .ends(token)
        try participant.send(
            .response(status), to: device, on: .member(device), token: token, membership: change)
        answered(device, status, why: why)
        tally.count(policy(for: device), status)
        if way == nil { gone(device, why: why) }
    }

    /// Says again to a member that it belongs.
    func confirm(_ device: DeviceID, _ token: Token) throws {
        try participant.send(.response(.joinSuccess), to: device, on: .member(device), token: token)
        answered(device, .joinSuccess, why: "belongs already")
    }

    func answered(_ device: DeviceID, _ status: Status, why: String) {
        events.record("join-answered", ["device": device.hex, "status": status.description, "why": why])
    }

    func send(_ body: Body, to device: DeviceID) throws {
        try participant.send(body, to: device, on: .member(device), token: .random())
    }

    /// Who does not belong any more is not listened to, and vouches for nobody.
    func gone(_ id: DeviceID, why: String) {
        participant.link.unsubscribe("SRUP/\(id.hex)")
        leaveGroups(id)
        forgetPresence(of: id)
        failJoins(by: id, because: "the observer \(id) does not belong any more (\(why))")
        changed(.device, id)
    }

    // MARK: Messages of those who belong

    private func handleMember(_ message: Message) throws {
        let sender = message.sender
        roster.heard(sender, at: time.now())
        rolloutsHeard(sender)
        switch message.body {
        case .response(let status) where isLastWord(message): try lastWord(status, from: sender)
        case .response(let status):
            if try updateAnswered(status, from: sender, message.token) { return }
            if try !answered(status, from: sender, message.token) { try verdict(status, from: sender, message.token) }
        case .data(let id, let value):
            if id == Array(DataName.identification.utf8) {
                try identified(sender, value)
            } else {
                try received(id, value, from: sender)
            }
        case .resignRequest: try resigns(message)
        case .deregisterRequest: try wishesToEnd(message)
        default: throw Rejection.unexpected(message.body.type)
        }
    }

    /// An observer that handles several observations, or has connected anew, says so.
    private func identified(_ sender: DeviceID, _ value: [UInt8]) throws {
        let identification = Identification(
            String(decoding: value.prefix(Identification.maximumLength), as: UTF8.self).withoutControls)
        if let replaced = identification.replaces { try replace(replaced, by: sender) }
        try participant.state.note(identification: identification.description, of: sender)
        try tellReturn(sender, identification)
        try commands.identified(sender, now: participant.wallClock())
        rolloutsIdentified(sender, identification.description)
        if let groups = identification.groups { try compareGroups(sender, groups) }
        causedLog.log(
            .info, about: sender, "\(sender) is \(String(identification.program.prefix(80)).debugDescription)")
        changed(.device, sender)
        guard try state.trusted().contains(sender) else { return }
        let isNew = roster.learned(identification, of: sender)
        try state.told(eyes: identification.eyes, by: sender)
        eyes = try eyeKinds()
        roster.heard(sender, at: time.now())
        try state.save(
            C2State.Observer(
                id: sender, observations: identification.observations ?? 1, session: identification.session))
        if isNew { askAnew(sender) }
        askNext(sender)
    }

    /// A box that was registered anew says that its old identity is no more.
    private func replace(_ replaced: Replacement, by new: DeviceID) throws {
        guard let key = try participant.state.peer(replaced.old)?.key, replaced.isGenuine(by: new, oldKey: key),
            replaced.old != participant.id
        else { return }
        logger.notice("\(new) has taken the place of \(replaced.old), which ends")
        participant.audit("replaced", "\(replaced.old) by \(new)", about: replaced.old)
        try directory.end(
            replaced.old, why: "\(new) has taken its place", by: nil, since: participant.wallClock())
        watchEndings(time.now())
    }
}
