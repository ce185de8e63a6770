import Glibc
import Limits
import Linux
import Logging
import Participant
import Releases
import SRUP
import Storage

/// Takes updates: fetches what the server offers (INITIATE), verifies it, puts it to use when the server says so (ACTIVATE),
/// and puts the old version back when the new one does not report in (docs/update.md).
///
/// What it is about to do is stored before it does it, so that after a power cut the next run goes on. One thing is done after
/// the other, in a task of its own; what blocks has a thread of its own.
public actor Updater {
    let settings: UpdateSettings
    let handler: any UpdateHandler
    let state: ParticipantStore
    let logger: Logger
    let causedLog: BoundedLog
    let events: EventLog
    let time: Timekeeper
    let wallClock: @Sendable () -> Double
    let authority: TrustedAuthority
    /// Called between steps; a test that does not return from it has cut the power.
    let reached: @Sendable (Step) async -> Void

    var member: Member?
    var record: UpdateRecord?
    /// Of the try under way.
    var stop: Download.Stop?
    /// The server has offered something else, or has put us out: what is under way is given up.
    var replacement: Replacement?
    private var work: Task<Void, Never>?
    private var alarm: Task<Void, Never>?
    /// When there is something to do again.
    var due: Duration?
    /// Of fetching.
    var backoff = Backoff(first: .seconds(5), longest: .seconds(600))
    var troubles = 0
    var began = Duration.zero
    /// Of the trial in this run.
    var trial: Trial?

    /// What takes the place of the update under way.
    enum Replacement {
        case offer(Member.Offer)
        case nothing
    }

    /// The moments between which a power cut may come.
    package enum Step: String, Sendable, CaseIterable {
        case offerStored, manifestRead, payloadFetched, payloadVerified, readyStored, readyAnswered
        case activationTaken, prepared, switchStored, switched, trialStored, afterwardsRun, keepStored, kept,
            doneStored, doneAnswered
        case revertStored, reverted
    }

    /// Of so many tries that met trouble the last one is the answer.
    static let maximumTroubles = 4

    /// Does nothing before ``use(_:)``.
    ///
    /// - Parameters:
    ///   - settings: what is updated, and how.
    ///   - folder: the participant's state folder.
    ///   - participant: whose updates they are.
    ///   - events: where what happens is recorded.
    ///   - program: the version of this program, for its own package.
    public init(
        _ settings: UpdateSettings, folder: String, participant: Participant, events: EventLog, program: String,
        time: Timekeeper = .monotonic
    ) throws(PrivateFileError) {
        try self.init(
            settings, folder: folder, participant: participant, events: events, program: program, time: time
        ) { _ in }
    }

    package init(
        _ settings: UpdateSettings, folder: String, participant: Participant, events: EventLog, program: String,
        time: Timekeeper, reached: @escaping @Sendable (Step) async -> Void
    ) throws(PrivateFileError) {
        self.settings = settings
        self.events = events
        self.time = time
        self.reached = reached
        state = participant.state
        wallClock = participant.wallClock
        logger = participant.logger
        causedLog = BoundedLog(participant.logger)
        handler = try Self.handler(settings, folder, program)
        switch settings.authority {
        case .system: authority = .system
        case .file(let path): authority = .file(path)
        case .network:
            let own = folder + "/https-ca.pem"
            authority = PublicFile.isThere(own) ? .file(own) : .system
        }
    }

    private static func handler(
        _ settings: UpdateSettings, _ state: String, _ program: String
    ) throws(PrivateFileError) -> any UpdateHandler {
        let own = settings.folder.isEmpty ? state + "/update" : settings.folder
        switch settings.kind {
        case .file: return FileHandler(path: settings.path, isProgram: settings.isProgram)
        case .versions:
            return VersionsHandler(
                folder: settings.folder, path: settings.path, name: settings.name, isProgram: settings.isProgram)
        case .command, .rauc, .package:
            if settings.folder.isEmpty || settings.kind == .package { try PrivateFile.makeFolder(own) }
            let part = own + "/payload.part"
            if settings.kind == .package { return PackageHandler(folder: own, running: program) }
            if settings.kind == .rauc { return RAUCHandler(part: part, user: settings.user) }
            return CommandHandler(
                part: part, install: settings.install, revert: settings.revert, keep: settings.keep, user: settings.user
            )
        }
    }

    /// Takes the member to answer with, before its first event, and goes on with what an earlier run has left.
    ///
    /// - Throws: ``StorageError``, ``ParticipantError``.
    public func use(_ member: Member) async throws {
        self.member = member
        record = try UpdateRecord.load(state)
        try await takeUp()
        go()
    }

    // MARK: Events

    /// What happens to the participant as a member of its network.
    public func handle(_ event: MemberEvent) async {
        switch event {
        case .updateOffered(let offer): await offered(offer)
        case .activation(let token, let isDue): await activation(token, isDue)
        case .left, .refused, .joinFailed, .identityEnded: giveUp(for: .nothing)
        default: break
        }
    }

    private func offered(_ offer: Member.Offer) async {
        events.record("update-offered", ["url": offer.url])
        switch record?.phase {
        case let phase? where phase.isExchanging:
            await answer(offer.token, .file("another update is being put to use"), ending: .update)
        case .ready where record?.belongs(to: offer.token) == true && record?.digest == offer.digest:
            await answerReady(offer.token)
        default: giveUp(for: .offer(offer))
        }
    }

    /// Fetching ends, or what is ready goes; what is being put to use goes on.
    private func giveUp(for other: Replacement) {
        if case .nothing = other, record == nil || record?.phase == .done || record?.phase.isExchanging == true {
            return
        }
        replacement = other
        stop?.set()
        due = nil
        go()
    }

    private func activation(_ token: Token, _ isDue: Bool) async {
        let isOurs = record?.belongs(to: token) == true
        switch record?.phase {
        case .ready where isOurs && isDue:
            events.record("update-activated")
            await store { $0.phase = .switching }
            await reached(.activationTaken)
            go()
        case let phase? where isOurs && phase.isExchanging:
            logger.notice("the server activates an update again that is being put to use")
        case .done where isOurs && [.activateSuccess, .activateFail].contains(outcome):
            // Nothing is done again; the answer may have been lost.
            await repeatAnswer(token)
        case .fetching where isOurs:
            await answer(token, .activation("the update has not been fetched yet"), ending: isDue ? .activation : nil)
        default:
            await answer(token, .activation("no verified update has this token"), ending: isDue ? .activation : nil)
        }
    }

    /// The answer that the update which is done had.
    var outcome: Status? { record?.status.flatMap { Status(rawValue: $0) } }

    /// A new version says that it is well.
    ///
    /// - Parameter process: must live on until the update stays; `nil`: nothing is watched.
    /// - Returns: whether somebody has waited for that.
    public func report(process: Int32? = nil) -> Bool {
        guard settings.waitsForReport, record?.phase == .trial, trial != nil else { return false }
        if trial?.hasReported == false { trial?.reported(process, at: time.now(), settle: settings.settle) }
        due = nil
        go()
        return true
    }

    // MARK: One after the other

    /// Goes on, unless that is done already.
    func go() {
        guard work == nil else { return }
        alarm?.cancel()
        work = Task { [weak self] in await self?.run() }
    }

    private func run() async {
        while await step() {}
        work = nil
        guard let due else { return }
        alarm = time.wake(at: due) { [weak self] in await self?.tick() }
    }

    /// Does what is due.
    public func tick() {
        guard let due, due <= time.now() else { return }
        self.due = nil
        go()
    }

    /// For tests: until there is nothing to do before some later moment.
    package func idle() async {
        while let work { await work.value }
    }

    /// `false`: there is something to wait for.
    private func step() async -> Bool {
        if let replacement {
            self.replacement = nil
            await replace(by: replacement)
            return true
        }
        if let due, due > time.now() { return false }
        switch record?.phase {
        case nil, .ready, .done: return false
        case .fetching: return await fetch()
        case .switching: return await makeSwitch()
        case .trial: return await tryOut()
        case .keeping: return await stay()
        case .reverting: return await revert()
        }
    }

    private func replace(by other: Replacement) async {
        let before = record
        switch other {
        case .nothing:
            record = nil
            do {
                try UpdateRecord.forget(state)
                for kind in [ParticipantStore.Request.Kind.update, .ready] { try state.drop(kind) }
            } catch {
                causedLog.log(.error, about: "the state file", "\(error)")
            }
            handler.discard()
        case .offer(let offer):
            var new = UpdateRecord(offer)
            let isSame = before?.phase == .fetching && before?.url == offer.url && before?.digest == offer.digest
            if isSame, let before { (new.manifest, new.mark) = (before.manifest, before.mark) }
            record = new
            await store { _ in }
            if !isSame { handler.discard() }
            if let before, !before.belongs(to: offer.token) { await supersede(before) }
            (backoff, troubles, began) = (Backoff(first: .seconds(5), longest: .seconds(600)), 0, time.now())
            try? state.drop(.ready)
            await reached(.offerStored)
        }
    }

    /// The one before gets its answer, if it has none.
    private func supersede(_ before: UpdateRecord) async {
        guard before.phase == .fetching, let token = before.realToken else { return }
        await answer(token, .file("another update was offered meanwhile"), ending: .update)
    }

    // MARK: State

    /// Changes the record and stores it; `false`: it could not be stored, and the next run begins where this one has begun.
    @discardableResult
    func store(_ change: (inout UpdateRecord) -> Void) async -> Bool {
        guard var changed = record else { return false }
        change(&changed)
        record = changed
        do {
            try changed.save(state)
            return true
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
            return false
        }
    }
}
