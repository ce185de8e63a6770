import C2
import Limits
import Linux
import Logging
import Observation
import ObservedValue
import SRUP
import ServiceLifecycle

/// The phones of all operators: which are open, and what comes from them.
///
/// A phone is trusted from when its page is opened until it is closed, its session has ended, or nothing has come from it for
/// a minute. Pictures are decoded in processes of their own, a few at once, and kept nowhere.
package actor PhoneDesk: Service {
    /// What is allowed.
    package struct Limits: Sendable {
        /// Pictures of one operator: so many at once, and so many a second in the long run.
        package var burst = 12.0
        package var perSecond = 6.0
        /// Pictures of one operator that are on their way or being decoded at the same time.
        package var ofOne = 2
        /// The same of all operators.
        package var ofAll = 8
        /// How many are decoded at once.
        package var decoding = 2
        /// Without a sign of life for so long a page counts as closed.
        package var silence = Duration.seconds(60)
        /// How many phones are open at once.
        package var phones = 32
        /// An eye that has shown nothing for so long begins anew.
        package var pause = Duration.seconds(3)
        /// How long whoever opens a page waits until the server has let its phone in.
        package var settling = Duration.seconds(3)

        package init() {}
    }

    /// How a phone stands, for its page.
    package struct Status: Sendable {
        package let id: DeviceID
        package let isConnected: Bool
        /// Whether the server has let it in, on this connection.
        package let isJoined: Bool
        /// What it is to look at; since when and how much longer.
        package let subjects: [(device: DeviceID, since: Duration, left: Duration)]
        package let look: Look?
        /// The last verdicts, the newest first, and how long ago.
        package let verdicts: [(device: DeviceID, name: String, ago: Duration)]
        package let lookAgo: Duration
    }

    private struct Open {
        let phone: Phone
        var lastSign: Duration
        var isStillIn: @Sendable () -> Bool
        var look: Look?
        var lastPicture: [Look.Eye: Duration] = [:]
    }

    private let server: C2Server
    private let places: any PhonePlaces
    private let rules: WatchRules
    private let limits: Limits
    private let time: Timekeeper
    private let causedLog: BoundedLog
    private let examine: @Sendable ([UInt8]) async throws -> PictureReport
    private var open: [String: Open] = [:]
    /// Those that are being opened or closed.
    private var busy: Set<String> = []
    private var isEnded = false
    private var budget: SenderBudget<String>
    private var underWay: [String: Int] = [:]
    private var decoding = 0
    private var queue: [CheckedContinuation<Void, Never>] = []

    /// How often the desk looks for pages that have been closed.
    private static let beat = Duration.seconds(2)

    /// - Parameters:
    ///   - examine: looks at a picture; by default in a process of its own.
    package init(
        server: C2Server, places: any PhonePlaces, rules: WatchRules, limits: Limits = .init(), logger: Logger,
        time: Timekeeper = .monotonic,
        examine: @escaping @Sendable ([UInt8]) async throws -> PictureReport = PhoneDesk.inAProcessOfItsOwn
    ) {
        self.server = server
        self.places = places
        self.rules = rules
        self.limits = limits
        self.time = time
        self.examine = examine
        causedLog = BoundedLog(logger)
        budget = SenderBudget(burst: limits.burst, perSecond: limits.perSecond, maximum: 1000)
    }

    /// The rules of a phone in a network whose server waits so long for a verdict: a person needs more time than a camera that
    /// hangs there, and pictures come more rarely.
    package static func rules(observationTimeout: Duration) -> WatchRules {
        var rules = WatchRules()
        rules.timeout = max(observationTimeout - .seconds(5), observationTimeout / 2)
        rules.longestGap = .seconds(2)
        rules.maximumWatches = 8
        return rules
    }

    /// Decodes a picture where it can harm nothing.
    ///
    /// - Throws: ``PictureProcess/Failure``.
    @Sendable package static func inAProcessOfItsOwn(_ picture: [UInt8]) async throws -> PictureReport {
        let outcome = await DetachedThread.value { () -> Result<PictureReport, PictureProcess.Failure> in
            do throws(PictureProcess.Failure) {
                return .success(try PictureProcess().report(on: picture))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Looks after the phones until the service group stops them.
    package func run() async throws {
        await begin()
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.beat)
                await self.tick()
            }
        }
        await endAll()
    }

    /// Phones that an earlier run has left trusted are not.
    package func begin() async {
        do {
            try await server.forgetPhones(places.identities())
        } catch {
            causedLog.log(.error, about: "phones", "phones of an earlier run may still be trusted: \(error)")
        }
    }

    /// Closes the pages that nobody has open any more.
    package func tick() async {
        let now = time.now()
        for (name, one) in open {
            await one.phone.tick()
            if !one.isStillIn() {
                await close(name, why: "the session has ended")
            } else if now - one.lastSign >= limits.silence {
                await close(name, why: "no sign of life for \(limits.silence)")
            }
        }
    }

    private func endAll() async {
        isEnded = true
        await withTaskGroup(of: Void.self) { group in
            for name in open.keys { group.addTask { await self.close(name, why: "the server stops") } }
        }
    }

    // MARK: Open and closed

    /// The operator has opened the page: their phone becomes an observer.
    ///
    /// - Parameter isStillIn: whether the session that does it is still there.
    /// - Throws: ``PhoneError``.
    package func open(_ name: String, isStillIn: @escaping @Sendable () -> Bool) async throws(PhoneError) {
        if open[name] != nil { return _ = sign(name, isStillIn) }
        guard !isEnded, !busy.contains(name), open.count + busy.count < limits.phones else { throw .tooMany(5) }
        busy.insert(name)
        defer { busy.remove(name) }
        let server = server
        do {
            let place = try await places.place(of: name)
            let id = place.participant.id
            // Before it asks to come in: as an observer it is let in by name only.
            try await server.openPhone(id, of: name)
            do {
                let phone = try await Phone(name, place, rules: rules, time: time) { server.phoneChanged($0) }
                open[name] = Open(phone: phone, lastSign: time.now(), isStillIn: isStillIn)
            } catch {
                try? await server.closePhone(id, of: name, why: "it could not begin")
                throw error
            }
        } catch {
            causedLog.log(.error, about: name, "the phone of \(name) cannot become an observer: \(error)")
            throw .noPlace("\(error)")
        }
        if isEnded { await close(name, why: "the server stops") }
        // So that the page, which may have no script, can say how it stands.
        let until = ContinuousClock.now + limits.settling
        while open[name]?.phone.isJoined == false, .now < until { try? await Task.sleep(for: .milliseconds(50)) }
    }

    /// The page is closed.
    package func close(_ name: String, why: String = "closed") async {
        guard let one = open.removeValue(forKey: name) else { return }
        busy.insert(name)
        defer { busy.remove(name) }
        do {
            try await server.closePhone(one.phone.id, of: name, why: why)
        } catch {
            causedLog.log(.error, about: name, "the phone of \(name) may still be trusted: \(error)")
        }
        await one.phone.stop()
        server.phoneChanged(nil)
    }

    /// A sign of life from the page.
    ///
    /// - Returns: whether the phone is open; it is not opened by that.
    @discardableResult
    package func sign(_ name: String, _ isStillIn: @escaping @Sendable () -> Bool) -> Bool {
        guard open[name] != nil else { return false }
        open[name]?.lastSign = time.now()
        open[name]?.isStillIn = isStillIn
        return true
    }

    /// How a phone stands; `nil` when it is not open.
    package func status(_ name: String) async -> Status? {
        guard let one = open[name] else { return nil }
        let now = time.now()
        let subjects = await one.phone.subjects
        return Status(
            id: one.phone.id, isConnected: one.phone.isConnected, isJoined: one.phone.isJoined,
            subjects: subjects.map { ($0.device, now - $0.opened, max($0.deadline - now, .zero)) }, look: one.look,
            verdicts: one.phone.verdicts.reversed().map { ($0.device, $0.verdict.name, now - $0.at) },
            lookAgo: one.look.map { now - $0.at } ?? .zero)
    }

    /// The phones that are open: their operators.
    package var openNames: [String] { open.keys.sorted() }

    /// How many pictures are being decoded.
    package var decodingNow: Int { decoding }

    // MARK: Pictures

    /// Takes a picture from the page and looks at it.
    ///
    /// - Parameter collect: gets it; called when it may come.
    /// - Throws: ``PhoneError``; what `collect` throws.
    package func look(
        _ name: String, by eye: Look.Eye, collect: @Sendable () async throws -> [UInt8]
    ) async throws -> Look {
        guard open[name] != nil else { throw PhoneError.notOpen }
        let now = time.now()
        guard budget.take(name, at: now) else {
            throw PhoneError.tooMany(max(1, Int((budget.wait(name, at: now) / .seconds(1)).rounded(.up))))
        }
        guard underWay[name, default: 0] < limits.ofOne, underWay.values.reduce(0, +) < limits.ofAll else {
            throw PhoneError.tooMany(1)
        }
        underWay[name, default: 0] += 1
        defer {
            underWay[name, default: 1] -= 1
            if underWay[name] == 0 { underWay[name] = nil }
        }
        let picture = try await collect()
        guard picture.count <= PictureProcess.maximumPicture else { throw PhoneError.tooLarge }
        guard let phone = open[name]?.phone else { throw PhoneError.notOpen }
        guard await phone.isLooking else { return note(Look(outcome: .nobody, at: time.now(), eye: eye), name) }
        let begun = time.now()
        if open[name]?.lastPicture[eye].map({ begun - $0 > limits.pause }) ?? true { await phone.begins(eye) }
        open[name]?.lastPicture[eye] = begun
        let report: PictureReport
        do {
            report = try await decoded(picture)
        } catch {
            causedLog.log(.warning, about: name, "a picture of \(name): \(error)")
            return note(Look(outcome: .failed, at: time.now(), eye: eye), name)
        }
        open[name]?.lastPicture[eye] = time.now()
        return try await judge(report, name, eye)
    }

    /// A value that the phone has read off a tag.
    ///
    /// - Throws: ``PhoneError``.
    package func tapped(_ name: String, _ text: [UInt8]) async throws(PhoneError) -> Look {
        guard open[name] != nil else { throw .notOpen }
        guard budget.take(name, at: time.now()) else { throw .tooMany(1) }
        var report = PictureReport()
        if let value = ObservedValue(text: text) {
            report.seen = [.init(value: value.bytes, how: "type unknown, read by a phone")]
        } else {
            report.others = 1
        }
        guard let phone = open[name]?.phone else { throw .notOpen }
        guard await phone.isLooking else { return note(Look(outcome: .nobody, at: time.now(), eye: .tag), name) }
        return try await judge(report, name, .tag)
    }

    private func judge(_ report: PictureReport, _ name: String, _ eye: Look.Eye) async throws(PhoneError) -> Look {
        // Whoever has closed the page meanwhile has not seen anything.
        guard let phone = open[name]?.phone else { throw .notOpen }
        let verdicts = await phone.show(report, by: eye)
        var outcome: Look.Outcome =
            if let why = report.unusable {
                .unusable(why)
            } else if !report.seen.isEmpty {
                .otherValue
            } else if !report.unread.isEmpty {
                .unread
            } else if report.others > 0 {
                .otherCode
            } else {
                .nothing(report.light)
            }
        for told in verdicts {
            switch told.verdict {
            case .valid: outcome = .valid(told.device)
            case .invalid: if case .valid = outcome {} else { outcome = .invalid(told.device) }
            case .failed: break
            }
        }
        return note(Look(outcome: outcome, at: time.now(), eye: eye), name)
    }

    private func note(_ look: Look, _ name: String) -> Look {
        open[name]?.look = look
        return look
    }

    private func decoded(_ picture: [UInt8]) async throws -> PictureReport {
        if decoding >= limits.decoding {
            // No more of these than pictures under way.
            await withCheckedContinuation { queue.append($0) }
        } else {
            decoding += 1
        }
        defer { if queue.isEmpty { decoding -= 1 } else { queue.removeFirst().resume() } }
        return try await examine(picture)
    }
}
