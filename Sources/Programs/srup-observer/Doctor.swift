import ArgumentParser
import Doctor
import Glibc
import Keeper
import Linux
import Participant
import Program
import SRUP
import Settings
import Storage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check everything this observer needs, and say what to do about what is wrong.",
        discussion: """
            Looks at configuration, state folder, identity, certificates, clock, key service, broker, the running observer, \
            cameras, reader, disk, power, heat and memory, and whether it was accepted (srup-observer \
            accept). Changes nothing; the broker sees a TLS handshake and no more. \
            Best run as root, since it looks at devices and at the observer's own folder; what it may not look at is skipped.

            Each line begins with ok, warn, FAIL or skip. Exit codes: 0 nothing is wrong (or only warnings), 1 a problem was \
            found, 78 the configuration is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Flag(help: "One JSON object: {\"checks\": [{\"name\", \"state\", \"says\", \"remedy\"}, …], \"ok\": bool}.")
    var json = false
    @Flag(help: "Leave out what looks through the network.")
    var offline = false
    @Option(
        help: ArgumentHelp("Where the machine's /proc, /sys and /dev are.", valueName: "folder", visibility: .hidden))
    var root = "/"

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let root = FakeableRoot(root)
        var report = FindingReport(json: json)
        var settings: ObserverSettings?
        do {
            let loaded = try ObserverSettings.load(configuration.path)
            settings = loaded
            report.note([Finding("configuration", .ok, "\(configuration.path) is valid")])
        } catch {
            report.note([Self.finding(error)])
        }
        report.note(MachineChecks(root).all(version: Release.version) + CardChecks(root).all() + [ClockChecks.clock()])
        let folder = settings?.stateFolder ?? ObserverSettings.defaultState
        report.note([DiskChecks.partition(of: folder)])
        if let settings { report.note(Self.led(settings.signal, root)) }
        if let settings {
            let doctor = ObserverDoctor(settings, isOffline: offline)
            for observer in settings.observers { report.note(await doctor.examine(observer)) }
        }
        if let settings { report.note([AcceptanceFolder.examined(settings)]) }
        let eyes = EyeDoctor(root, witness: Program.sibling("srup-witness"))
        report.note(eyes.examine(settings?.observers ?? []))
        report.end()
        if settings == nil { throw ExitCode(Program.Code.configuration.rawValue) }
        if !report.isWell { throw ExitCode(Program.Code.failure.rawValue) }
    }

    private static func finding(_ error: SettingsError) -> Finding {
        Finding(
            "configuration", .problem, error.description,
            remedy: "see docs/configure.md, or the package's /etc/srup-observer/srup-observer.toml")
    }

    /// A LED that is named must be there; a GPIO line is taken, and so changed, by "signal --test" only.
    private static func led(_ settings: SignalSettings, _ root: FakeableRoot) -> [Finding] {
        guard case .led(let name) = settings.led, !root.exists("/sys/class/leds/\(name)/brightness") else { return [] }
        return [
            Finding(
                "signal", .problem, "signal.led: there is no LED \"\(name)\" on this machine",
                remedy: "take a name that ls /sys/class/leds shows, or \"auto\"")
        ]
    }
}
