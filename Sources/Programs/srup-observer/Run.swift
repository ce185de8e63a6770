import ArgumentParser
import Keeper
import Logging
import Observation
import Participant
import Program
import SRUP
import ServiceLifecycle
import Settings
import Storage
import WitnessLink

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Options that every command with a configuration file has.
struct ConfigurationOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .customLong("config")], help: "The configuration file.")
    var path = ObserverSettings.defaultPath

    func load() throws -> ObserverSettings {
        do {
            return try ObserverSettings.load(path)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }
}

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Be an observer: join the C2 server and look at devices when it asks.",
        discussion: """
            Needs an identity (srup-observer register), or one for each [[observer]] block of the configuration. Holds the keys and the broker connection; opens no device: each eye \
            runs as a process of its own (srup-witness), started from here. Stops on SIGTERM.
            On SIGHUP it reads log and [observe] of its configuration again; when its terminal has gone it stops.

            Exit codes: 0 stopped, 1 failed, 78 configuration or identity is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(help: ArgumentHelp("Append what happens to this file, one JSON object per line.", valueName: "file"))
    var events: String?

    @Option(
        help: ArgumentHelp(
            "Start no witnesses but connect to their sockets in this folder, where the service manager starts them.",
            valueName: "folder"))
    var witnesses: String?

    func run() async throws {
        let settings = try configuration.load()
        let logger = Program.logger("srup-observer", level: settings.logLevel.level)
        do {
            try await observe(settings, logger)
        } catch let error as BrokerLinkError {
            throw Program.failure(error, code: .configuration)
        } catch let error as ParticipantError {
            throw Program.failure(error, code: .configuration)
        } catch let error as FolderLockError {
            throw Program.failure(error, code: .configuration)
        } catch {
            throw Program.failure(error)
        }
    }

    private func observe(_ settings: ObserverSettings, _ logger: Logger) async throws {
        var running: [RunningObserver] = []
        // Said first: without an identity there may be no folder for the sockets either.
        for observer in settings.observers where try !Identity.exists(in: observer.stateFolder) {
            throw ParticipantError.notRegistered(folder: observer.stateFolder)
        }
        // Several have their folders in it.
        for folder in Set(settings.observers.map(\.stateFolder) + [settings.stateFolder]) {
            do {
                try PrivateFolder.check(folder, isOurs: true)
            } catch {
                throw ParticipantError.identity(error.description)
            }
        }
        let signals = try SignalBoard(
            path: SignalSocket.path(state: settings.stateFolder),
            valuePath: SignalSocket.path(state: settings.stateFolder, name: "value.sock"),
            names: settings.observers.map(\.name))
        let ledger = settings.appliance?.acceptance == true ? AcceptanceLink.Ledger() : nil
        for observer in settings.observers {
            running.append(
                try await RunningObserver(
                    observer, settings, events: EventLog(path: events, common: observer.tag), configuration.path,
                    witnessSockets: witnesses, signals: signals, ledger: ledger, logger))
        }
        let started = ContinuousClock.now
        let observers = running
        let control = try ControlSocket(path: settings.stateFolder + "/control.sock") {
            var reports: [ObserverReport] = []
            for observer in observers { reports.append(await observer.report(since: started)) }
            return ObserverReport.encoded(reports)
        }
        let acceptance = try ledger.map {
            try AcceptanceLink(settings.stateFolder, $0, signals: signals, desks: observers.map(\.desk))
        }
        for observer in running { observer.announce() }
        let heart = WatchdogService { for observer in observers { _ = await observer.report(since: started) } }
        try await Program.run(
            [control, heart, signals.socket, signals.values] + (acceptance.map { [$0] } ?? [])
                + running.flatMap(\.services), logger: logger
        ) { await reload(observers, logger) }
        for observer in running { observer.events.record("stopped") }
    }
}

extension Run {
    /// A configuration that is wrong changes nothing.
    private func reload(_ observers: [RunningObserver], _ logger: Logger) async {
        do {
            let settings = try ObserverSettings.load(configuration.path)
            Program.setLogLevel(settings.logLevel.level)
            for observer in observers { await observer.use(settings.rules) }
            logger.notice(
                "read \(configuration.path) again: log and [observe] are as it says, the rest at the next start")
        } catch {
            logger.error("the configuration is wrong, the earlier one stays in use: \(error)")
        }
    }
}

extension ObserverSettings.LogLevel {
    fileprivate var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
