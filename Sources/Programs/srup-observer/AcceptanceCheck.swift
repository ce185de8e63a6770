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
        /// Of a reading and of a tap, in seconds.
        let wait: Double
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

    /// As ISO 8601 in UTC.
    var now: String { Date().formatted(.iso8601) }

    private var machine: FakeableRoot { FakeableRoot(root) }
    private var bootNumber: String? { machine.text("/proc/sys/kernel/random/boot_id") }
    private var eyes: [ObserverSettings.Eye] { settings.observers.flatMap(\.eyes) }
    private var camera: ObserverSettings.CameraSettings? {
        eyes.lazy.compactMap { if case .camera(let camera) = $0 { camera } else { nil } }.first
    }
    private var reader: ObserverSettings.NFCSettings? {
        eyes.lazy.compactMap { if case .nfc(let nfc) = $0 { nfc } else { nil } }.first
    }

    func describe(_ record: inout AcceptanceRecord) {
        record.version = Release.version
        record.host = machine.text("/proc/sys/kernel/hostname") ?? ""
        record.identity =
            ObserverReport.live(settings)?.compactMap(\.identity).joined(separator: ", ") ?? record.identity
        let words = [
            camera.map { "camera \($0.device.description), \($0.width) x \($0.height)" },
            reader.map { "reader \($0.device.description)" },
        ]
        record.eyes = words.compactMap { $0 }.joined(separator: "; ")
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
    func result(of step: AcceptanceStep, _ record: inout AcceptanceRecord) -> AcceptanceResult? {
        switch step {
        case .doctor: doctor()
        case .day, .lamp: reads(step, &record)
        case .tap: tap()
        case .wrongCode: wrongCode()
        case .heat: heat()
        case .power: power()
        case .powerCut: powerCut(&record)
        }
    }

    private func result(_ state: AcceptanceResult.State, _ says: String) -> AcceptanceResult {
        AcceptanceResult(state, says, at: now)
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
        let wrong = report.checks.filter { $0.state == .problem }.map { "\($0.name): \($0.says)" }
        let warnings = report.checks.filter { $0.state == .warning }.map { "\($0.name): \($0.says)" }
        let words = ["\(report.checks.count) checks"] + wrong + warnings.map { "warning, \($0)" }
        return result(report.ok && wrong.isEmpty ? .passed : .failed, words.joined(separator: "; "))
    }

    // MARK: What it sees

    private struct Sight: Decodable {
        let event: String
        let read: Bool?
        let module: Double?
        let test: [Int]?
        let text: String?
    }

    private func reads(_ step: AcceptanceStep, _ record: inout AcceptanceRecord) -> AcceptanceResult {
        guard let camera else { return result(.none, "no camera is configured") }
        var (good, edges, modules, advice) = (0, Set<Int>(), [Double](), "")
        let picture = folder + "/picture.jpg"
        for time in 1...3 {
            if isAsking {
                print("  \(time) of 3, Enter when the sheet is there: ", terminator: "")
                fflush(nil)
                guard readLine() != nil else { break }
            }
            let sights = look(camera, picture)
            let tests = Set(sights.flatMap { $0.test ?? [] })
            if !tests.isEmpty { good += 1 }
            edges.formUnion(tests)
            modules += sights.filter { $0.read == true }.compactMap(\.module)
            if let text = sights.last(where: { $0.text != nil })?.text { advice = text }
        }
        if let data = try? Data(contentsOf: URL(filePath: picture)), data.count < 1 << 20 {
            record.pictures[step.rawValue] = data.base64EncodedString()
        }
        unlink(picture)
        let sizes = edges.sorted().map(String.init).joined(separator: ", ")
        var words = "read \(good) of 3 times" + (sizes.isEmpty ? "" : ": codes of \(sizes) mm")
        if let least = modules.min(), let most = modules.max() { words += ", modules of \(least) to \(most) pixels" }
        if good < 3 { words += "; at the end: \(advice.isEmpty ? "no picture" : advice)" }
        return result(good == 3 ? .passed : .failed, words)
    }

    private func arguments(_ camera: ObserverSettings.CameraSettings, seconds: Double) -> [String] {
        [
            "aim", "--device", camera.device.description, "--size", "\(camera.width)x\(camera.height)", "--json",
            "--seconds", "\(seconds)",
        ]
    }

    private func look(_ camera: ObserverSettings.CameraSettings, _ picture: String) -> [Sight] {
        let output = try? ChildProcess.output(
            of: Program.sibling("srup-witness"), arguments(camera, seconds: limits.wait) + ["--picture", picture],
            until: .now + .seconds(limits.wait + 30), atMost: 4 << 20)
        return (output?.bytes ?? []).split(separator: 10).compactMap {
            try? JSONDecoder().decode(Sight.self, from: Data($0))
        }
    }

    private func tap() -> AcceptanceResult {
        guard let reader else { return result(.none, "no reader is configured") }
        let output = try? ChildProcess.output(
            of: Program.sibling("srup-witness"),
            ["nfc", "read", "--device", reader.device.description, "--once", "--json", "--seconds", "\(limits.wait)"],
            until: .now + .seconds(limits.wait + 30), atMost: 1 << 16)
        // What was tapped is nobody's business.
        return output?.end == .exited(0)
            ? result(.passed, "a tap was read") : result(.failed, "no tap was read in \(Int(limits.wait)) s")
    }

    // MARK: What it answers

    private var invalidVerdicts: Int? {
        ObserverReport.live(settings)?.reduce(0) { $0 + ($1.verdicts["INVALID"] ?? 0) }
    }

    private func wrongCode() -> AcceptanceResult {
        guard let before = invalidVerdicts else { return result(.failed, "the observer does not run") }
        let deadline = ContinuousClock.now + limits.verdict
        repeat {
            if let count = invalidVerdicts, count > before {
                return result(.passed, "the observer has answered INVALID")
            }
            usleep(250_000)
        } while ContinuousClock.now < deadline
        return result(.failed, "no INVALID in \(Int(limits.verdict / .seconds(1))) s")
    }

    private func powerCut(_ record: inout AcceptanceRecord) -> AcceptanceResult? {
        guard let before = record.startBeforeCut, before != bootNumber else {
            record.startBeforeCut = bootNumber
            print(AcceptanceStep.powerCut.request)
            return nil
        }
        let deadline = ContinuousClock.now + limits.verdict
        repeat {
            let reports = ObserverReport.live(settings) ?? []
            if !reports.isEmpty, reports.allSatisfy({ $0.joined && $0.connected }) {
                return result(.passed, "after a new start it has joined and is connected, \(reports[0].identity ?? "")")
            }
            usleep(250_000)
        } while ContinuousClock.now < deadline
        return result(.failed, "after a new start it is not back on its network (srup-observer status)")
    }

    // MARK: The machine

    private func finding(_ name: String) -> Finding? {
        MachineChecks(machine).all(version: Release.version).first { $0.name == name }
    }

    private func power() -> AcceptanceResult {
        guard let found = finding("power"), found.state != .skipped else {
            return result(.none, "this machine does not tell about undervoltage")
        }
        return result(found.state == .ok ? .passed : .failed, found.says)
    }

    /// Measured while it looks, as it does in a long watch.
    private func heat() -> AcceptanceResult {
        guard let first = finding("temperature"), first.state != .skipped else {
            return result(.none, "this machine has no thermometer")
        }
        var worst = first
        let seconds = limits.heat / .seconds(1)
        let process = camera.flatMap { camera in
            startLooking(arguments(camera, seconds: max(seconds, 1)))
        }
        defer { if let process { ChildProcess.end(process) } }
        let deadline = ContinuousClock.now + limits.heat
        while ContinuousClock.now < deadline {
            usleep(useconds_t(min(5, max(0.01, (deadline - .now) / .seconds(1))) * 1e6))
            if let next = finding("temperature"), Self.degrees(next) > Self.degrees(worst) { worst = next }
        }
        let words =
            "at most \(worst.says) in \(Int(seconds / 60)) min\(process == nil ? ", not looking" : " of looking")"
        return result(worst.state == .problem ? .failed : .passed, words)
    }

    private static func degrees(_ finding: Finding) -> Int {
        Int(finding.says.prefix { $0.isNumber || $0 == "-" }) ?? 0
    }

    private func startLooking(_ arguments: [String]) -> pid_t? {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { close(null) }
        return try? ChildProcess.start(
            Program.sibling("srup-witness"), arguments, descriptors: [0: null, 1: null, 2: null])
    }
}
