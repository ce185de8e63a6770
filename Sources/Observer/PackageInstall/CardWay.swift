import Glibc
import Linux

/// On the card image: into the system that does not run, which is then started on trial (srup-update(8), srup-slot(8)). What
/// decides whether it stays is the card's own trial.
struct CardWay: InstallWay {
    let packages: DebianPackages
    let service: ServiceWatch
    let times: InstallTimes
    /// srup-update(8).
    let update: String
    /// srup-slot(8).
    let slot: String

    /// So often it is begun: a power cut in its midst costs only that try.
    private static let maximumTries = 3
    // Copying a system on a slow card, and a restart.
    private static let updateTime = Duration.seconds(5400)

    /// `nil` when this is no card image.
    static func found(_ packages: DebianPackages, _ service: ServiceWatch, _ times: InstallTimes) -> CardWay? {
        let (update, slot) = ("/usr/sbin/srup-update", "/usr/sbin/srup-slot")
        guard access(update, X_OK) == 0, access(slot, X_OK) == 0 else { return nil }
        return CardWay(packages: packages, service: service, times: times, update: update, slot: slot)
    }

    func isRunning() -> Bool { service.state().isActive }

    /// The other system is the way back.
    func prepare(_ own: OwnFolder) {}

    private func run(
        _ program: String, _ arguments: [String], within timeout: Duration
    ) throws(InstallProblem) -> String {
        let command = CommandRun.Command(program: program, arguments: arguments, timeout: timeout)
        do throws(CommandRun.Failure) {
            return String(decoding: try CommandRun(command: command, maximumOutput: 4 << 20).run(), as: UTF8.self)
        } catch {
            throw InstallProblem("\(program): \(error)")
        }
    }

    /// `a stays`, `b trial` or `a tried b`; empty while it cannot be read.
    private func state() -> [Substring] {
        ((try? run(slot, ["state"], within: .seconds(60))) ?? "").split(whereSeparator: \.isWhitespace)
    }

    private func isWanted(_ record: InstallRecord) -> Bool {
        (try? packages.installed().version) == record.version
    }

    func install(_ record: InstallRecord, _ own: OwnFolder) throws(InstallProblem) {
        // A system that has just started on trial, with the new version or without it, knows soon whether it stays.
        let deadline = ContinuousClock.now + times.slots
        while state().last != "stays", ContinuousClock.now < deadline { usleep(times.pace) }
        guard !isWanted(record) else { return }
        guard record.tries <= Self.maximumTries else {
            throw InstallProblem("it was begun \(Self.maximumTries) times and came to no end")
        }
        let said = try run(update, ["--offline", "--deb", own.package], within: Self.updateTime)
        // It remembers what was on trial and did not stay.
        guard state().last == "trial" else {
            let last = said.split(separator: "\n").last.map(String.init) ?? "srup-update has said nothing"
            throw InstallProblem(String(last.prefix(200)).withoutControls)
        }
        // The machine starts anew, and the next run of this program looks how that went.
        while true { sleep(60) }
    }

    /// Of the system that runs now, nobody has any doubt.
    func trial(_ record: InstallRecord, hasReported: () -> Bool) -> InstallState {
        isWanted(record) ? .stays : .goesBack("the system with the new version did not stay")
    }

    func revert(_ record: InstallRecord, _ own: OwnFolder) {}
    func keep(_ own: OwnFolder) { unlink(own.package) }
}
