import ArgumentParser
import Foundation
import Glibc
import KeyService
import Linux
import Logging
import Program
import Storage

struct BrokerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker",
        abstract:
            "Run the broker: Mosquitto, started anew when its certificate or the authority's was renewed; or RabbitMQ.",
        discussion: """
            Needs the folder of "srup-c2 init". Where c2.toml says engine = "rabbitmq" it runs RabbitMQ 4, and has connections \
            closed of identities that have ended. Of Mosquitto: every ten months participants lose their connection for a moment; what waits for \
            them at the broker is kept. Stops on SIGTERM. Exit codes: 0 stopped, 1 the broker has ended by itself (its log says \
            why), 69 Mosquitto or RabbitMQ is not installed, or too old, 78 there is no such folder.
            """)

    @OptionGroup var folder: FolderOptions

    // Not by SIGHUP, at which Mosquitto reads its certificate, but 2.0.11 also enters each absent participant's session into
    // its list of sessions to expire once more: when such a one has come back, the list holds memory that was freed.
    func run() throws {
        let logger = Program.logger("broker", level: .info)
        let settings: ServerSettings.BrokerSettings
        let file = folder.folder + "/c2.toml"
        if PublicFile.isThere(file), let problem = PublicFile.problem(file) {
            Program.complain("\(file) \(problem); is \(folder.folder) the right folder?")
            throw ExitCode(Program.Code.configuration.rawValue)
        }
        do {
            settings = try ServerSettings.broker(folder.folder)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        switch settings.engine {
        case .mosquitto: try runMosquitto(logger)
        case .rabbitmq:
            try checkFolders()
            // It takes nine tenths of them for connections.
            raiseFileLimit(logger, to: BrokerConfiguration.maximumConnections * 10 / 9 + 2000)
            StopSignals.take()
            try RabbitBroker(
                folder: URL(fileURLWithPath: folder.folder).standardizedFileURL.path, settings: settings,
                stores: try folder.stores(), logger: logger
            ).run()
        }
    }

    private func checkFolders() throws {
        do {
            for place in [folder.folder, folder.folder + "/broker-data"] { try PrivateFolder.check(place) }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }

    private func runMosquitto(_ logger: Logger) throws {
        let configuration = folder.folder + "/mosquitto.conf"
        if let problem = PublicFile.problem(configuration) {
            Program.complain("\(configuration) \(problem); is \(folder.folder) the right folder?")
            throw ExitCode(Program.Code.configuration.rawValue)
        }
        try checkFolders()
        guard let mosquitto = Self.places.first(where: { access($0, X_OK) == 0 }) else {
            Program.complain("Mosquitto is not installed (looked for \(Self.places.joined(separator: ", ")))")
            throw ExitCode(Program.Code.unavailable.rawValue)
        }
        raiseFileLimit(logger)
        StopSignals.take()
        // From this thread, the first: the broker ends with it (libBrokerGuard.so).
        setenv("SRUP_BROKER_KEEPER", "\(getpid())", 1)
        var isAnew = false
        while !StopSignals.came {
            let broker: pid_t
            do {
                // Whoever has ended while no broker ran is refused before anybody is let in.
                let revocations = try folder.stores().revocations()
                for id in try revocations.endAgain() {
                    logger.warning("\(id) had ended, and a backup has brought it back: it ends again")
                }
                try revocations.prepareStart()
                broker = try ChildProcess.start(mosquitto, ["-c", configuration])
                if isAnew { logger.notice("the broker was started anew, its process is \(broker)") }
                isAnew = true
            } catch {
                throw Program.failure(error)
            }
            if let end = endOrRenewal(of: broker, logger) {
                Program.complain("the broker: \(end)")
                throw ExitCode(Program.Code.failure.rawValue)
            }
            kill(broker, SIGTERM)
            // It writes its store.
            if ChildProcess.wait(broker, until: .now + .seconds(StopSignals.came ? 9 : 60)) == nil {
                logger.error("the broker did not end in time and was killed")
            }
        }
    }

    /// A connection is an open file, and a shell gives a process 1,024 of them unless it asks for more.
    private func raiseFileLimit(
        _ logger: Logger, to count: Int = BrokerConfiguration.maximumConnections + 1000
    ) {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0 else { return }
        let enough = rlim_t(count)
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, enough))
        _ = setrlimit(files, &limit)
        if limit.rlim_cur < enough {
            logger.notice(
                "this process may have \(limit.rlim_cur) files open: not more than so many devices can connect")
        }
    }

    private static let places = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
    /// Renewed certificates come within seconds of each other.
    private static let calm = Duration.seconds(3)

    /// Waits until the broker is to be ended; tells if it has ended by itself.
    private func endOrRenewal(of broker: pid_t, _ logger: Logger) -> ChildProcess.End? {
        let files = ["ca.crt", "broker.crt"].map { folder.folder + "/" + $0 }
        let first = files.map(Self.stamp)
        var last = (first, since: ContinuousClock.now)
        while !StopSignals.came {
            if let end = ChildProcess.reap(broker) { return end }
            let present = files.map(Self.stamp)
            if present != last.0 { last = (present, since: .now) }
            if present != first, .now - last.since >= Self.calm, isUsable() {
                logger.notice("the certificate was renewed: starting the broker anew")
                return nil
            }
            usleep(200_000)
        }
        return nil
    }

    private func isUsable() -> Bool {
        let base = folder.folder + "/broker"
        return (try? ServerCertificates.fit(certificateFile: base + ".crt", keyFile: base + ".key")) == true
    }

    /// What changes with a file: each is replaced as a whole.
    private static func stamp(_ file: String) -> [Int] {
        var status = stat()
        guard stat(file, &status) == 0 else { return [] }
        return [Int(status.st_ino), Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
    }
}
