import Acceptance
import Doctor
import Glibc
import Keeper
import Linux
import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The steps of an acceptance check, on this machine.
struct AcceptanceCheck {
    struct Limits {
        let heat: Duration
        /// For how long somebody is waited for who pulls the plug.
        let cut: Duration
        /// Of a tap, in seconds.
        let wait: Double
        /// Of a reading, in seconds.
        let look: Double
        let verdict: Duration
    }

    let settings: ObserverSettings
    /// The configuration's.
    let path: String
    /// Where /proc and /sys are.
    let root: String
    let folder: String
    let limits: Limits
    /// Somebody is asked before each reading.
    let isAsking: Bool
    /// Whoever checks has said so: what a step waits for need not come any more.
    var isGivenUp: () -> Bool = { StopSignals.came }

    /// As ISO 8601 in UTC.
    var now: String { Date().formatted(.iso8601) }

    private var machine: FakeableRoot { FakeableRoot(root) }
    private var bootNumber: String? { machine.text("/proc/sys/kernel/random/boot_id") }
    /// Each camera with the name of its [[observer]] block, empty where there are none.
    private var cameras: [(name: String, settings: ObserverSettings.CameraSettings)] {
        settings.observers.flatMap { observer in
            observer.eyes.compactMap { if case .camera(let camera) = $0 { (observer.name, camera) } else { nil } }
        }
    }
    private var readers: [(name: String, settings: ObserverSettings.NFCSettings)] {
        settings.observers.flatMap { observer in
            observer.eyes.compactMap { if case .nfc(let nfc) = $0 { (observer.name, nfc) } else { nil } }
        }
    }

    func describe(_ record: inout AcceptanceRecord) {
        record.version = Release.version
        record.host = machine.text("/proc/sys/kernel/hostname") ?? ""
        record.identity =
            ObserverReport.live(settings)?.compactMap(\.identity).joined(separator: ", ") ?? record.identity
        let words =
            cameras.map {
                Self.named($0.name, "camera \($0.settings.device), ")
                    + "\($0.settings.width) x \($0.settings.height)"
            }
            + readers.map { Self.named($0.name, "reader \($0.settings.device.description)") }
        record.eyes = words.joined(separator: "; ")
        if record.began.isEmpty { record.began = now }
    }

    /// What somebody at the keyboard says; `nil` when there is nobody any more.
    func ask(_ step: AcceptanceStep) -> AcceptanceAnswer? {
        print("\n\(step.title)\n  \(step.request)")
        while true {
            print("  Enter to check, skip REASON, seen WORDS, quit: ", terminator: "")
            fflush(nil)
            guard let line = readLine() else { return .quit }
            if let answer = AcceptanceAnswer(line) { return answer }
        }
    }

    /// `nil`: it stays open.
    ///
    /// - Parameter keep: stores the record, so that it is there after a power cut.
    func result(
        of step: AcceptanceStep, _ record: inout AcceptanceRecord,
        keep: (AcceptanceRecord) throws(OutputFile.Failure) -> Void
    ) throws(OutputFile.Failure) -> AcceptanceResult? {
        switch step {
        case .doctor: doctor()
        case .day, .lamp: reads(step, &record)
        case .tap: tap()
        case .wrongCode: wrongCode()
        case .heat: heat(&record)
        case .power: power(record)
        case .powerCut: try powerCut(&record, keep)
        }
    }

    private func result(
        _ state: AcceptanceResult.State, _ says: String, _ weakness: AcceptanceResult.Weakness? = nil
    ) -> AcceptanceResult {
        AcceptanceResult(state, says, at: now, weakness: weakness)
    }

    private func doctor() -> AcceptanceResult {
        struct Report: Decodable {
            let checks: [Finding]
            let ok: Bool
        }
        let output = try? ChildProcess.output(
            of: ChildProcess.executable, ["doctor", "--json", "--config", path, "--root", root],
            until: .now + .seconds(120), atMost: 1 << 20)
        guard let output, let report = try? JSONDecoder().decode(Report.self, from: Data(output.bytes)) else {
            return result(.failed, "the doctor gave no answer")
        }
        // What it says of this very check is not its concern here.
        let checks = report.checks.filter { $0.name != AcceptanceFolder.finding }
        let wrong = checks.filter { $0.state == .problem }.map { "\($0.name): \($0.says)" }
        let warnings = checks.filter { $0.state == .warning }.map { "\($0.name): \($0.says)" }
        let words = ["\(checks.count) checks"] + wrong + warnings.map { "warning, \($0)" }
        return result(report.ok && wrong.isEmpty ? .passed : .failed, words.joined(separator: "; "))
    }

    // MARK: What it sees

    /// A line of "srup-witness aim --json".
    private struct Sight: Decodable {
        let event: String
        let frame: Int?
        let read: Bool?
        let module: Double?
        let test: [Int]?
        let text: String?
    }

    private static func named(_ name: String, _ words: String) -> String { name.isEmpty ? words : "\(name): \(words)" }

    /// One result of several eyes: passed when all have.
    private func all(_ results: [(isGood: Bool, says: String)]) -> AcceptanceResult {
        result(results.allSatisfy(\.isGood) ? .passed : .failed, results.map(\.says).joined(separator: "; "))
    }

    /// Waits for somebody at the keyboard to be ready; `false` when there is nobody any more.
    private func isReady(_ words: String) -> Bool {
        guard isAsking else { return true }
        print("  \(words): ", terminator: "")
        fflush(nil)
        return readLine() != nil
    }

    private func reads(_ step: AcceptanceStep, _ record: inout AcceptanceRecord) -> AcceptanceResult {
        guard !cameras.isEmpty else { return result(.none, "no camera is configured") }
        return all(
            cameras.map { name, camera in
                let (isGood, says, picture) = reads(camera, name)
                record.pictures[name.isEmpty ? step.rawValue : "\(step.rawValue) \(name)"] = picture
                return (isGood, Self.named(name, says))
            })
    }

    private func reads(
        _ camera: ObserverSettings.CameraSettings, _ name: String
    ) -> (isGood: Bool, says: String, picture: String?) {
        var (good, edges, modules, advice, hasOther) = (0, Set<Int>(), [Double](), "", false)
        let picture = folder + "/picture.jpg"
        unlink(picture)
        for time in 1...3 {
            guard isReady(Self.named(name, "\(time) of 3, Enter when the sheet is there")) else { break }
            let sights = look(camera, picture)
            let tests = Set(sights.flatMap { $0.test ?? [] })
            if !tests.isEmpty { good += 1 }
            hasOther = tests.isEmpty && sights.contains { $0.read == true }
            edges.formUnion(tests)
            modules += sights.filter { $0.read == true && $0.test != nil }.compactMap(\.module)
            if let text = sights.last(where: { $0.text != nil })?.text { advice = text }
        }
        let data = try? Data(contentsOf: URL(filePath: picture))
        unlink(picture)
        let sizes = edges.sorted().map(String.init).joined(separator: ", ")
        var words = "read \(good) of 3 times" + (sizes.isEmpty ? "" : ": codes of \(sizes) mm")
        if let least = modules.min(), let most = modules.max() {
            words += ", modules of \(least == most ? "\(least)" : "\(least) to \(most)") pixels"
        }
        if hasOther {
            words += "; at the end a code was read that is none of the test sheet's"
        } else if good < 3 {
            words += "; at the end: \(advice.isEmpty ? "no picture" : advice)"
        }
        return (good == 3, words, data.filter { $0.count < 1 << 19 }?.base64EncodedString())
    }

    private func arguments(_ camera: ObserverSettings.CameraSettings, seconds: Double) -> [String] {
        [
            "aim", "--device", camera.device.description, "--size", "\(camera.width)x\(camera.height)", "--json",
            "--seconds", "\(seconds)",
        ]
    }

    private func look(_ camera: ObserverSettings.CameraSettings, _ picture: String) -> [Sight] {
        let output = try? ChildProcess.output(
            of: Program.sibling("srup-witness"), arguments(camera, seconds: limits.look) + ["--picture", picture],
            until: .now + .seconds(limits.look + 30), atMost: 4 << 20)
        return Self.lines(output?.bytes ?? [])
    }

    private static func lines<Line: Decodable>(_ bytes: [UInt8]) -> [Line] {
        bytes.split(separator: 10).compactMap { try? JSONDecoder().decode(Line.self, from: Data($0)) }
    }

    /// A line of "srup-witness nfc read --json"; what was tapped is nobody's business.
    private struct Touch: Decodable {
        let event: String
        let reason: String?
    }

    private func tap() -> AcceptanceResult {
        guard !readers.isEmpty else { return result(.none, "no reader is configured") }
        return all(
            readers.map { name, reader in
                // One reader alone is ready with the step's own Enter.
                guard readers.count == 1 || isReady(Self.named(name, "Enter, then the tap")) else {
                    return (false, Self.named(name, "not tried"))
                }
                let (isGood, says) = tap(reader)
                return (isGood, Self.named(name, says))
            })
    }

    private func tap(_ reader: ObserverSettings.NFCSettings) -> (isGood: Bool, says: String) {
        let output = try? ChildProcess.output(
            of: Program.sibling("srup-witness"),
            ["nfc", "read", "--device", reader.device.description, "--once", "--json", "--seconds", "\(limits.wait)"],
            until: .now + .seconds(limits.wait + 30), atMost: 1 << 16)
        if output?.end == .exited(0) { return (true, "a tap was read") }
        let touches: [Touch] = Self.lines(output?.bytes ?? [])
        let why =
            switch touches.last(where: { $0.event != "ready" }) {
            case let touch? where touch.event == "refused": "; what was tapped holds no value"
            case let touch?: touch.reason.map { "; at the end: \($0)" } ?? ""
            case nil: touches.isEmpty ? "; the reader gave no answer" : ""
            }
        return (false, "no tap was read in \(Int(limits.wait)) s" + why)
    }

    // MARK: What it answers

    private var verdicts: [String: Int]? {
        ObserverReport.live(settings).map { reports in
            reports.reduce(into: [:]) { $0.merge($1.verdicts, uniquingKeysWith: +) }
        }
    }

    /// `nil`: it was given up.
    private func wrongCode() -> AcceptanceResult? {
        guard let before = verdicts else { return result(.failed, "the observer does not run") }
        let deadline = ContinuousClock.now + limits.verdict
        var others: [String] = []
        repeat {
            if let after = verdicts {
                let news = after.filter { $0.value > before[$0.key] ?? 0 }
                if news["INVALID"] != nil { return result(.passed, "the observer has answered INVALID") }
                others = news.keys.sorted()
            }
            usleep(250_000)
            if isGivenUp() { return nil }
        } while ContinuousClock.now < deadline
        let words = others.isEmpty ? "" : "; it has answered " + others.joined(separator: ", ")
        return result(.failed, "no INVALID in \(Int(limits.verdict / .seconds(1))) s" + words)
    }

    // MARK: The power cut

    /// Passed by another number of the kernel's start, where this program was ended by force in the one before: it waits to be, and takes
    /// back what it has kept when it is ended in order, as it is by a restart (SIGTERM), a closed terminal or Ctrl-C.
    private func powerCut(
        _ record: inout AcceptanceRecord, _ keep: (AcceptanceRecord) throws(OutputFile.Failure) -> Void
    ) throws(OutputFile.Failure) -> AcceptanceResult? {
        guard let start = bootNumber, !start.isEmpty else {
            return result(.failed, "this machine does not number its starts")
        }
        if hasStartedAnew(since: record) { return back(record) }
        (record.startBeforeCut, record.cutAwaited) = (start, now)
        StopSignals.take()
        try keep(record)
        print("  Pull the plug now; it is waited for \(Int(limits.cut / .seconds(1))) s (Ctrl-C: another time).")
        fflush(nil)
        let deadline = ContinuousClock.now + limits.cut
        while ContinuousClock.now < deadline, !StopSignals.came, !isGivenUp() { usleep(50_000) }
        (record.startBeforeCut, record.cutAwaited) = (nil, nil)
        try keep(record)
        print("  The power was not cut: this step stays open.")
        return nil
    }

    /// A wait for the cut that has ended in this very start was none: whoever waited was ended by force, and the machine was not.
    func forgetEndedWait(_ record: inout AcceptanceRecord) {
        guard let before = record.startBeforeCut, before == bootNumber else { return }
        (record.startBeforeCut, record.cutAwaited) = (nil, nil)
    }

    /// Whether the plug was pulled, and the machine is back.
    func hasStartedAnew(since record: AcceptanceRecord) -> Bool {
        guard let before = record.startBeforeCut, let start = bootNumber else { return false }
        return before != start
    }

    private func back(_ record: AcceptanceRecord) -> AcceptanceResult {
        let cut =
            "stopped by force after \(record.cutAwaited ?? "?"), started anew" + (startedAt.map { " \($0)" } ?? "")
        let deadline = ContinuousClock.now + limits.verdict
        repeat {
            let reports = ObserverReport.live(settings) ?? []
            if !reports.isEmpty, reports.allSatisfy({ $0.joined && $0.connected }) {
                return result(.passed, "\(cut); it has joined and is connected, \(reports[0].identity ?? "")")
            }
            usleep(250_000)
        } while ContinuousClock.now < deadline
        return result(.failed, "\(cut); it is not back on its network (srup-observer status)")
    }

    /// proc(5): "btime", the second in which the machine was started.
    private var startedAt: String? {
        (machine.text("/proc/stat") ?? "").split(separator: "\n").first { $0.hasPrefix("btime ") }
            .flatMap { Double($0.dropFirst(6)) }.filter { $0 > 0 && $0 < 1e11 }
            .map { Date(timeIntervalSince1970: $0).formatted(.iso8601) }
    }

    // MARK: The machine

    private func power(_ record: AcceptanceRecord) -> AcceptanceResult {
        if let seen = record.undervoltage { return result(.failed, "undervoltage while heat was measured, \(seen)") }
        let state = PowerCheck(machine).state()
        if state.isLow == true { return result(.failed, "undervoltage now (\(state.source))") }
        if state.wasLow { return result(.failed, "undervoltage since the start (\(state.source))") }
        guard state.isLow == nil || state.isBlind else { return result(.passed, state.words) }
        let isBoard = machine.exists("/proc/device-tree/model")
        return result(.none, state.words + (isBoard ? "; measured by hand, \"--again power\" takes \"seen ...\"" : ""))
    }

    /// How long heat is measured where nothing else is said.
    static let usualHeat = Duration.seconds(3600)

    /// Measured while it looks, as it does in a long watch.
    private func heat(_ record: inout AcceptanceRecord) -> AcceptanceResult {
        let checks = MachineChecks(machine)
        let first = checks.temperature()
        guard first.state != .skipped else { return result(.none, "this machine has no thermometer") }
        var worst = first
        let begin = ContinuousClock.now
        // All at once, which is the worst.
        let looking = cameras.map { Looking(arguments($0.settings, seconds: limits.heat / .seconds(1) + 120)) }
        defer { for one in looking { one.end() } }
        let deadline = begin + limits.heat
        repeat {
            usleep(useconds_t(min(2, max(0.01, (deadline - .now) / .seconds(1))) * 1e6))
            let next = checks.temperature()
            if Self.degrees(next) > Self.degrees(worst) { worst = next }
            if record.undervoltage == nil, PowerCheck(machine).state().isLow == true { record.undervoltage = now }
            for one in looking { one.drain() }
        } while ContinuousClock.now < deadline && !looking.contains { $0.hasEnded }
        let time = ContinuousClock.now - begin
        var words = "at most \(worst.says) in \(Self.text(time))"
        var state = worst.state == .problem ? AcceptanceResult.State.failed : .passed
        if looking.isEmpty { words += ", without a camera that looks" }
        for (one, camera) in zip(looking, cameras) {
            let what = camera.name.isEmpty ? "" : " through \(camera.name)"
            words += " of looking\(what), \(one.frames) pictures"
            if one.frames == 0 || one.hasEnded {
                state = .failed
                words += one.frames == 0 ? ": the camera gave none" : ": then it stopped looking"
            }
        }
        let isShort = limits.heat < Self.usualHeat
        if isShort { words = "SHORTENED to \(Self.text(limits.heat)) of \(Self.text(Self.usualHeat)): " + words }
        return result(state, words, isShort ? .shortened : nil)
    }

    private static func text(_ time: Duration) -> String {
        let seconds = Int(time / .seconds(1))
        return seconds < 120 ? "\(seconds) s" : "\(seconds / 60) min"
    }

    private static func degrees(_ finding: Finding) -> Int {
        Int(finding.says.prefix { $0.isNumber || $0 == "-" }) ?? 0
    }

    /// "srup-witness aim", running beside us, and how many pictures it has looked at.
    private final class Looking {
        private(set) var frames = 0
        private var process: pid_t?
        private var ends: [Int32] = [-1, -1]
        private var rest: [UInt8] = []

        init(_ arguments: [String]) {
            guard pipe(&ends) == 0 else { return }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
            let null = open("/dev/null", O_RDWR | O_CLOEXEC)
            defer { close(null) }
            process = try? ChildProcess.start(
                Program.sibling("srup-witness"), arguments, descriptors: [0: null, 1: ends[1], 2: null])
        }

        var hasEnded: Bool { process.map { ChildProcess.ended($0) != nil } ?? true }

        /// Five lines a second come: to be called every few seconds, or it stands still.
        func drain() {
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            while case let count = read(ends[0], &chunk, chunk.count), count > 0 { rest += chunk.prefix(count) }
            guard let end = rest.lastIndex(of: 10) else { return }
            let sights: [Sight] = AcceptanceCheck.lines(Array(rest[..<end]))
            frames = max(frames, sights.compactMap(\.frame).max() ?? 0)
            rest.removeSubrange(...end)
        }

        func end() {
            if let process { ChildProcess.end(process) }
            for end in ends where end >= 0 { close(end) }
        }
    }
}

extension Optional {
    fileprivate func filter(_ isWanted: (Wrapped) -> Bool) -> Self { flatMap { isWanted($0) ? $0 : nil } }
}
