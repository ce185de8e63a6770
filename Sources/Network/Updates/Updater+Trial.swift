import Glibc
import Linux
import Participant
import Releases
import SRUP

/// From ACTIVATE to the version that stays.
extension Updater {
    /// The trial of a new version, in this run.
    struct Trial: Sendable {
        /// Until when it may report in.
        var deadline: Duration
        var hasReported = false
        /// Until when it has to stay well.
        var settled: Duration?
        /// Lives on until then.
        var process: Int32?

        mutating func reported(_ process: Int32?, at now: Duration, settle: Duration) {
            hasReported = true
            settled = now + settle
            self.process = process
        }
    }

    private static let pace = Duration.seconds(2)

    private func payload(_ record: UpdateRecord) -> Payload {
        Payload(version: record.version, digest: record.payloadDigest ?? [], manifest: record.manifest)
    }

    /// Runs what blocks on a thread of its own.
    private func blocking<Value: Sendable>(
        _ body: @escaping @Sendable () throws(UpdateProblem) -> Value
    ) async -> Result<Value, UpdateProblem> {
        await DetachedThread.value {
            do throws(UpdateProblem) {
                return .success(try body())
            } catch {
                return .failure(error)
            }
        }
    }

    func makeSwitch() async -> Bool {
        guard let record else { return false }
        let (handler, payload) = (handler, payload(record))
        if record.undo == nil {
            if let problem = await recheck(record) {
                await endUnused(problem)
                return true
            }
            switch await blocking({ () throws(UpdateProblem) in try handler.prepare(payload) }) {
            case .failure(let problem):
                await endUnused(problem)
                return true
            case .success(let undo):
                await reached(.prepared)
                // Without it nobody could go back.
                guard
                    await store({
                        $0.undo = undo
                        $0.boot = Files.boot
                    })
                else {
                    await endUnused(.activation("the state file cannot be written"))
                    return true
                }
                await reached(.switchStored)
            }
        }
        let undo = self.record?.undo ?? ""
        if case .failure(let problem) = await blocking({ () throws(UpdateProblem) in
            try handler.make(payload, undo: undo)
        }) {
            await goBack(problem)
            return true
        }
        await reached(.switched)
        await store { $0.phase = .trial }
        await reached(.trialStored)
        return true
    }

    /// What was verified may lie on the disk since weeks.
    private func recheck(_ record: UpdateRecord) async -> UpdateProblem? {
        let (part, digest) = (handler.part, record.payloadDigest ?? [])
        if let release = record.release {
            do {
                try check(release)
            } catch {
                return .activation("\(error)")
            }
        }
        let isRight = await DetachedThread.value { PayloadDigest.matches(part, digest) }
        return isRight ? nil : .activation("what was verified is not on the disk any more")
    }

    /// Nothing was touched.
    private func endUnused(_ problem: UpdateProblem) async {
        handler.discard()
        await end(problem)
    }

    // MARK: The trial

    func tryOut() async -> Bool {
        guard let record else { return false }
        if trial == nil {
            trial = Trial(deadline: time.now() + settings.reportWithin)
            if let problem = await afterwards(payload(record)) {
                await goBack(problem)
                return true
            }
            await reached(.afterwardsRun)
        }
        if let problem = await progress(record) {
            await goBack(problem)
            return true
        }
        guard let settled = trial?.settled, time.now() >= settled else {
            let next = time.now() + Self.pace
            due = trial?.settled.map { min($0, next) } ?? trial.map { min($0.deadline, next) } ?? next
            return false
        }
        trial = nil
        await store { $0.phase = .keeping }
        await reached(.keepStored)
        return true
    }

    /// What speaks against the new version now.
    private func progress(_ record: UpdateRecord) async -> UpdateProblem? {
        guard let trial else { return nil }
        if !trial.hasReported {
            if let problem = await lookForReport(record) { return problem }
            if self.trial?.hasReported != true, time.now() >= trial.deadline {
                return .activation("the new version has not reported in within \(settings.reportWithin)")
            }
            return nil
        }
        if let process = trial.process, kill(process, 0) != 0, errno == ESRCH {
            return .activation("the new version has reported in and then ended")
        }
        if let settled = trial.settled, time.now() >= settled, settings.check != nil, await !passesCheck(record) {
            return .activation("the new version has reported in, and then its check failed")
        }
        return nil
    }

    /// The new version is well when it runs, has said so where that is wanted, and its check exits with 0 where there is one.
    private func lookForReport(_ record: UpdateRecord) async -> UpdateProblem? {
        switch handler.isRunning(payload(record), undo: record.undo ?? "", sameBoot: record.boot == Files.boot) {
        case false?: return .activation(handler.reason() ?? "the old version runs again")
        case nil: return nil
        case true?: break
        }
        // A program's own word comes by `report`.
        guard !settings.waitsForReport, await passesCheck(record) else { return nil }
        trial?.reported(nil, at: time.now(), settle: settings.settle)
        return nil
    }

    private func passesCheck(_ record: UpdateRecord) async -> Bool {
        let (check, user, payload, part) = (settings.check, settings.user, payload(record), handler.part)
        let result = await blocking { () throws(UpdateProblem) in try Files.run(check, user, payload, part: part) }
        if case .failure(let why) = result { causedLog.log(.info, about: "check", "\(why)") }
        return (try? result.get()) != nil
    }

    private func afterwards(_ payload: Payload) async -> UpdateProblem? {
        let (after, user, part) = (settings.after, settings.user, handler.part)
        let result = await blocking { () throws(UpdateProblem) in try Files.run(after, user, payload, part: part) }
        guard case .failure(let problem) = result else { return nil }
        return problem
    }

    func stay() async -> Bool {
        guard let record else { return false }
        let (handler, payload, undo) = (handler, payload(record), record.undo ?? "")
        if let release = record.release {
            do {
                try UpdateRecord.note(release.version, state)
            } catch {
                causedLog.log(.error, about: "the state file", "\(error)")
            }
        }
        let result = await blocking { () throws(UpdateProblem) in try handler.keep(payload, undo: undo) }
        if case .failure(let problem) = result { causedLog.log(.warning, about: "updates", "\(problem)") }
        await reached(.kept)
        logger.notice("the update stays: version \(record.version)")
        await end(nil)
        return true
    }

    // MARK: And back

    private func goBack(_ problem: UpdateProblem) async {
        trial = nil
        causedLog.log(.warning, about: "updates", "the update goes back: \(problem)")
        await store {
            $0.phase = .reverting
            $0.problem = problem.description
        }
        await reached(.revertStored)
    }

    func revert() async -> Bool {
        guard let record else { return false }
        let (handler, payload, undo) = (handler, payload(record), record.undo ?? "")
        let result = await blocking { () throws(UpdateProblem) in try handler.revert(payload, undo: undo) }
        if case .failure(let problem) = result {
            // Better late than never: the disk may be full, or a command's service not there yet.
            causedLog.log(.error, about: "updates", "the old version could not be put back: \(problem); trying again")
            due = time.now() + .seconds(60)
            return false
        }
        await reached(.reverted)
        if let problem = await afterwards(payload) { causedLog.log(.error, about: "updates", "\(problem)") }
        let why = UpdateProblem.activation(record.problem ?? "")
        await end(why)
        return true
    }
}
