import Glibc
import Linux

/// What an installation has come to.
enum InstallState: Sendable, Equatable {
    /// The new version runs well and stays.
    case stays
    /// It goes back, or has never come.
    case goesBack(String)
}

/// How a package gets onto this machine and, when its program does not run well, away again. All calls block, and each can be
/// made again after a power cut in its midst.
protocol InstallWay: Sendable {
    /// Whether the observer runs.
    func isRunning() -> Bool
    /// Makes sure that there is a way back, before anything is touched.
    func prepare(_ own: OwnFolder) throws(InstallProblem)
    /// Installs.
    func install(_ record: InstallRecord, _ own: OwnFolder) throws(InstallProblem)
    /// Waits until it is known whether the new version runs well.
    func trial(_ record: InstallRecord, hasReported: () -> Bool) -> InstallState
    /// Puts the earlier package back.
    func revert(_ record: InstallRecord, _ own: OwnFolder) throws(InstallProblem)
    /// The new version stays.
    func keep(_ own: OwnFolder)
}

/// On an ordinary Debian: by apt, with the earlier package kept beside it.
struct AptWay: InstallWay {
    let packages: DebianPackages
    let service: ServiceWatch
    let times: InstallTimes
    /// The program that installs.
    var program = ChildProcess.executable

    func isRunning() -> Bool { service.state().isActive }

    /// The one that was installed this way the last time, or one made again from what is installed; and a copy of this program,
    /// which can put it back when the new one does not start.
    func prepare(_ own: OwnFolder) throws(InstallProblem) {
        try packages.copy(program, to: own.program)
        let installed = try packages.installed()
        if let kept = try? packages.fields(of: own.earlier), kept == installed { return }
        try packages.repack(to: own.earlier, in: own.work)
        guard try packages.fields(of: own.earlier) == installed else {
            throw InstallProblem("the installed package could not be made again for the way back")
        }
    }

    func install(_ record: InstallRecord, _ own: OwnFolder) throws(InstallProblem) {
        let before = service.state().process
        try undisturbed(own.package)
        guard try packages.installed().version == record.version else {
            throw InstallProblem("apt has not installed version \(record.version)")
        }
        // The package restarts its service; where it could not, the old program would go on in memory.
        if record.wasRunning, let before, before == service.state().process { service.restart() }
    }

    /// A shutdown waits for dpkg; only a power cut does not.
    private func undisturbed(_ deb: String) throws(InstallProblem) {
        let before = signal(SIGTERM, SIG_IGN)
        defer { signal(SIGTERM, before) }
        try packages.install(deb)
    }

    func trial(_ record: InstallRecord, hasReported: () -> Bool) -> InstallState {
        guard record.wasRunning else { return .stays }
        let deadline = ContinuousClock.now + times.report
        var steady: (since: ContinuousClock.Instant, state: ServiceWatch.State)?
        while ContinuousClock.now < deadline {
            let state = service.state()
            if let since = steady, since.state == state, state.isActive, hasReported() {
                if ContinuousClock.now - since.since >= times.settle { return .stays }
            } else {
                steady = state.isActive && hasReported() ? (.now, state) : nil
            }
            usleep(times.pace)
        }
        return .goesBack("the new version has not reported in, or did not stay well, within \(times.report)")
    }

    func revert(_ record: InstallRecord, _ own: OwnFolder) throws(InstallProblem) {
        let before = service.state().process
        if (try? packages.installed().version) != record.earlier || !packages.isConfigured {
            try undisturbed(own.earlier)
        }
        guard try packages.installed().version == record.earlier else {
            throw InstallProblem("apt has not put version \(record.earlier) back")
        }
        let after = service.state()
        if record.wasRunning, !after.isActive || (before != nil && before == after.process) { service.restart() }
    }

    /// It is the way back from the next one.
    func keep(_ own: OwnFolder) {
        rename(own.package, own.earlier)
        sync()
    }
}

/// How long an installation is waited for.
public struct InstallTimes: Sendable {
    /// Within so long a new version must have reported in and stayed well.
    public var report = Duration.seconds(300)
    /// So long it must stay well.
    public var settle = Duration.seconds(60)
    /// Within so long the card's two systems must have decided which stays.
    public var slots = Duration.seconds(1200)
    /// Between two looks, in microseconds.
    public var pace: UInt32 = 1_000_000
    /// How often putting the earlier one back is tried in one run.
    public var reverts = 5
    /// Between two of them, in seconds.
    public var revertPause: UInt32 = 60

    /// The usual ones.
    public init() {}
}

/// The observer's service, as systemd sees it.
struct ServiceWatch: Sendable {
    static let unit = "srup-observer.service"
    /// systemctl(1).
    let program: String

    struct State: Equatable {
        var isActive: Bool
        /// `nil`: none runs.
        var process: Int32?
        /// How often it was started again.
        var restarts: String
    }

    private func run(_ arguments: [String]) -> String? {
        let command = CommandRun.Command(program: program, arguments: arguments, timeout: .seconds(120))
        return (try? CommandRun(command: command).run()).map { String(decoding: $0, as: UTF8.self) }
    }

    func state() -> State {
        var values: [Substring: Substring] = [:]
        let text = run(["show", "-p", "ActiveState", "-p", "MainPID", "-p", "NRestarts", Self.unit]) ?? ""
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        let process = values["MainPID"].flatMap { Int32($0) }
        return State(
            isActive: values["ActiveState"] == "active", process: process == 0 ? nil : process,
            restarts: String(values["NRestarts"] ?? ""))
    }

    func restart() { _ = run(["restart", Self.unit]) }
}
