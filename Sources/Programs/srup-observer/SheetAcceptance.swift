import Acceptance
import Glibc
import Keeper
import Linux
import ObservedValue
import Program
import Signals
import Synchronization

/// An acceptance check that is driven by cards before the observer's own eyes. The keeper tells which words are in view and shows on lamp
/// and display where the check is; the steps themselves, their record and their report are those of every acceptance check.
struct SheetAcceptance {
    private let check: AcceptanceCheck
    private let kept: AcceptanceFolder
    private let line: KeeperLine
    private let window: Duration
    /// The verdict is on the lamp for so long, then it says again whether anything is read.
    private static let verdictTime = Duration.seconds(60)
    /// An eye takes a moment to let go of its device.
    private static let release: useconds_t = 1_500_000

    init(_ check: AcceptanceCheck, _ kept: AcceptanceFolder, _ settings: ObserverSettings, window: Duration) {
        self.check = check
        self.kept = kept
        self.window = max(window, .seconds(60 * (settings.appliance?.aimMinutes ?? 0)))
        line = KeeperLine(settings.stateFolder)
    }

    /// Until no card was held up for long, or the program is to end.
    mutating func run(_ record: inout AcceptanceRecord) throws(OutputFile.Failure) {
        StopSignals.take()
        line.start()
        defer { line.stop() }
        var sheet = SheetCheck(record)
        if record.exitCode != 2 || sheet.step == nil && !record.isNew { line.verdict(record, for: Self.verdictTime) }
        if sheet.step != nil { say("going on at step \(sheet.step?.number ?? 0) of 8") }
        var lastWord: ContinuousClock.Instant?
        if sheet.step == .powerCut, check.hasStartedAnew(since: record) {
            try take(.check(.powerCut), &sheet, &record)
            if sheet.step == nil { try end(record) }
        }
        while !StopSignals.came {
            var action = sheet.due()
            if action == nil {
                line.ask(sheet.step, record)
                if let command = line.word(within: 250) {
                    lastWord = .now
                    say("card: \(command.rawValue)")
                    let before = sheet.step
                    action = sheet.heard(command, &record)
                    if before == nil, sheet.step != nil { check.describe(&record) }
                    try kept.keep(record)
                    if before != nil, sheet.step == nil { try end(record) }
                }
            }
            if let action {
                try take(action, &sheet, &record)
                lastWord = .now
                if sheet.step == nil { try end(record) }
            }
            // Counted from when the keeper is there; it may wait for its registration first.
            if lastWord == nil, line.isConnected { lastWord = .now }
            if let lastWord, ContinuousClock.now - lastWord > window {
                say("no card was held up for \(window): ending until the next start")
                return
            }
        }
    }

    private func end(_ record: AcceptanceRecord) throws(OutputFile.Failure) {
        try kept.report(record)
        say(AcceptanceReport(record).verdict)
        line.verdict(record, for: Self.verdictTime)
    }

    private func take(
        _ action: SheetCheck.Action, _ sheet: inout SheetCheck, _ record: inout AcceptanceRecord
    ) throws(OutputFile.Failure) {
        guard let step = sheet.step else { return }
        switch action {
        case .skip: record[step] = AcceptanceResult(.skipped, "skipped by the sheet", at: check.now)
        case .seen:
            record[step] = AcceptanceResult(
                .passed, "seen: confirmed by the sheet", at: check.now, weakness: .seen)
        case .check: record[step] = try checked(step, &record)
        }
        try kept.keep(record)
        try kept.report(record)
        if let result = record[step] {
            say("step \(step.number), \(step.title): \(result.state.rawValue), \(result.says)")
            line.tell(step, result.state)
        }
        sheet.took(&record)
        try kept.keep(record)
    }

    private func checked(
        _ step: AcceptanceStep, _ record: inout AcceptanceRecord
    ) throws(OutputFile.Failure) -> AcceptanceResult? {
        say("step \(step.number), \(step.title)")
        var check = check
        // In these the eyes are the observer's own, so that a card can end the wait.
        let isWatching = step == .wrongCode || step == .powerCut
        line.check(step, looks: isWatching, waitsForCut: step == .powerCut && !check.hasStartedAnew(since: record))
        if isWatching {
            let line = line
            check.isGivenUp = { StopSignals.came || line.isEndWanted }
        } else {
            // What a server asks goes first.
            let deadline = ContinuousClock.now + .seconds(120)
            while line.openWatches > 0, ContinuousClock.now < deadline, !StopSignals.came { usleep(250_000) }
            usleep(Self.release)
        }
        let result = try check.result(of: step, &record, keep: kept.keep)
        line.goesOn(keepsWords: result == nil)
        return result
    }
}

/// At once: into a journal output goes by the block otherwise.
private func say(_ text: String) {
    print(text)
    fflush(nil)
}

extension AcceptanceRecord {
    /// Nothing has come of any step.
    fileprivate var isNew: Bool { open.count == AcceptanceStep.allCases.count }
}

/// What is said to the keeper, again and again, and what its eyes have seen; asked by a thread of its own, since steps take their time.
private final class KeeperLine: Sendable {
    private struct State {
        var request = AcceptanceRequest(looks: true)
        var words: [SheetCommand] = []
        var sense = CommandSense()
        var isStopping = false
        var isConnected = false
        var resumes = false
        /// The keeper's, as last heard.
        var clock = Duration.zero
        var openWatches = 0
        var verdictUntil: ContinuousClock.Instant?
    }
    private let state = Mutex(State())
    private let folder: String

    init(_ folder: String) { self.folder = folder }

    var isConnected: Bool { state.withLock { $0.isConnected } }
    var openWatches: Int { state.withLock { $0.openWatches } }
    /// A card ends what is waited for; it stays to be taken up.
    var isEndWanted: Bool { state.withLock { $0.words.contains { $0 == .skip || $0 == .end || $0 == .seen } } }

    func start() {
        DetachedThread.start(stack: 256) {
            while !self.state.withLock({ $0.isStopping }) {
                self.ask()
                usleep(200_000)
            }
        }
    }

    func stop() { state.withLock { $0.isStopping = true } }

    private func ask() {
        let request = state.withLock { state in
            if let until = state.verdictUntil, until <= .now {
                state.verdictUntil = nil
                state.request.word = nil
                state.request.lines = []
            }
            return state.request
        }
        let reply = AcceptanceLink.ask(folder, request)
        state.withLock { state in
            state.isConnected = reply != nil
            state.openWatches = reply?.openWatches ?? 0
            if let reply {
                state.clock = .milliseconds(reply.milliseconds)
                if state.resumes { state.sense.resume(at: state.clock) }
                state.resumes = false
            }
            for sight in reply?.sights ?? [] {
                // A keeper that was started anew counts from the beginning.
                state.request.after = sight.number
                let word = state.sense.saw(
                    sight.command, isTapped: sight.isTapped, at: .milliseconds(sight.milliseconds))
                if let word, state.words.count < 4 { state.words.append(word) }
            }
        }
    }

    /// The next word; `nil` when none comes in time.
    func word(within milliseconds: Int) -> SheetCommand? {
        let deadline = ContinuousClock.now + .milliseconds(milliseconds)
        repeat {
            if let word = state.withLock({ $0.words.isEmpty ? nil : $0.words.removeFirst() }) { return word }
            usleep(20_000)
        } while ContinuousClock.now < deadline && !StopSignals.came
        return nil
    }

    /// A step is asked for, or nothing.
    func ask(_ step: AcceptanceStep?, _ record: AcceptanceRecord) {
        state.withLock { state in
            state.request.looks = true
            guard let step else {
                if state.verdictUntil == nil {
                    (state.request.word, state.request.lines) = (nil, ["acceptance", "hold up begin"])
                }
                return
            }
            state.verdictUntil = nil
            state.request.word = SignalWord.steps[step.number - 1].rawValue
            let last = record[step].map { $0.state == .failed ? "failed" : $0.state.rawValue }
            state.request.lines = ["step \(step.number) of 8", step.shortTitle, last ?? "hold up check"]
        }
    }

    /// A step is being checked.
    func check(_ step: AcceptanceStep, looks: Bool, waitsForCut: Bool) {
        state.withLock { state in
            // What is before the eyes has been answered.
            state.words = []
            state.verdictUntil = nil
            state.request.looks = looks
            if !looks { state.sense.pause(at: state.clock) }
            state.request.word = (waitsForCut ? SignalWord.unplug : .checking).rawValue
            state.request.lines = ["step \(step.number) of 8", step.shortTitle, waitsForCut ? "now" : "checking"]
        }
    }

    /// A step is over, and the eyes are the cards' again.
    ///
    /// - Parameter keepsWords: one of them has ended it.
    func goesOn(keepsWords: Bool) {
        state.withLock { state in
            if !keepsWords { state.words = [] }
            state.resumes = !state.request.looks
            state.request.looks = true
        }
    }

    /// What came of a step.
    func tell(_ step: AcceptanceStep, _ end: AcceptanceResult.State) {
        guard end != .skipped else { return }
        state.withLock { state in
            state.request.event = (end == .failed ? SignalWord.stepFailed : .stepPassed).rawValue
            // Of this program's run, whatever the keeper has shown before.
            state.request.eventNumber = Int(truncatingIfNeeded: getpid()) << 16 + state.request.eventNumber & 0xFFFF + 1
        }
    }

    func verdict(_ record: AcceptanceRecord, for time: Duration) {
        state.withLock { state in
            let isGood = record.exitCode == 0
            state.request.looks = true
            state.request.word = (isGood ? SignalWord.accepted : .notAccepted).rawValue
            let words = [0: "accepted", 1: "not accepted"][record.exitCode] ?? "not complete"
            state.request.lines = ["acceptance", words]
            state.verdictUntil = .now + time
        }
    }
}
