import ArgumentParser
import Glibc
import KeyService
import Linux
import Logging
import Program
import Storage
import Synchronization

/// RabbitMQ, run as "srup-c2 broker" runs Mosquitto, where c2.toml says so.
struct RabbitBroker {
    let folder: String
    let settings: ServerSettings.BrokerSettings
    let stores: ServerStores
    let logger: Logger

    /// How long it may take to write what it holds: when we are to stop, less than whoever has started us waits.
    private static let stopping = Duration.seconds(9)

    /// - Returns: when it is stopped.
    /// - Throws: an exit code, with its reason said.
    func run() throws {
        let configuration = RabbitConfiguration.path(folder)
        if let problem = PublicFile.problem(configuration) {
            Program.complain(
                "\(configuration) \(problem): \(folder) was made for Mosquitto; another broker needs a new folder "
                    + "(srup-c2 init --broker rabbitmq)")
            throw ExitCode(Program.Code.configuration.rawValue)
        }
        guard let program = RabbitProgram.find(settings.program) else {
            let places = settings.program.map { [$0] } ?? RabbitProgram.places
            Program.complain(
                "RabbitMQ is not installed (looked for \(places.joined(separator: ", "))); Debian 13's package is rabbitmq-server"
            )
            throw ExitCode(Program.Code.unavailable.rawValue)
        }
        if let version = program.version { try check(version) }
        let watch: RabbitWatch
        let broker: pid_t
        do {
            let revocations = try stores.revocations()
            for id in try revocations.endAgain() {
                logger.warning("\(id) had ended, and a backup has brought it back: it ends again")
            }
            try revocations.prepareStart()
            watch = RabbitWatch(
                folder: folder, control: try RabbitControl(folder: folder, port: settings.controlPort),
                logger: logger)
            broker = try ChildProcess.start(program.path, [], environment: environment)
        } catch {
            throw Program.failure(error)
        }
        let watching = Watching(watch)
        defer { watching.stop() }
        while !StopSignals.came {
            if let end = ChildProcess.reap(broker) {
                Program.complain("the broker: \(end)")
                throw ExitCode(Program.Code.failure.rawValue)
            }
            if let version = watching.newVersion() {
                do {
                    try check(version)
                } catch {
                    stop(broker)
                    throw error
                }
                logger.notice("RabbitMQ \(version) runs, its process is \(broker)")
            }
            usleep(100_000)
        }
        stop(broker)
    }

    private func check(_ version: String) throws {
        guard RabbitProgram.isTooOld(version) else { return }
        Program.complain(RabbitProgram.refusal(version))
        throw ExitCode(Program.Code.unavailable.rawValue)
    }

    private func stop(_ broker: pid_t) {
        kill(broker, SIGTERM)
        if ChildProcess.wait(broker, until: .now + Self.stopping, killsGroup: true) == nil {
            logger.error("the broker did not end in time and was killed")
        }
    }

    /// Ours, but for what would set RabbitMQ up otherwise; its cookie is in the home.
    private var environment: [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let variable = next.pointee {
            next += 1
            let pair = String(cString: variable).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2, !pair[0].hasPrefix("RABBITMQ_") { variables[String(pair[0])] = String(pair[1]) }
        }
        variables["RABBITMQ_CONF_ENV_FILE"] = RabbitConfiguration.environmentPath(folder)
        variables["HOME"] = folder + "/broker-data"
        return variables
    }

    /// The watch on a thread of its own: it blocks for as long as RabbitMQ takes to answer.
    private final class Watching: Sendable {
        private let isOver = Mutex(false)
        private let version = Mutex<String?>(nil)

        init(_ watch: RabbitWatch) {
            DetachedThread.start { [self] in
                var first = true
                while !isOver.withLock({ $0 }) {
                    if let found = watch.look(), first {
                        first = false
                        version.withLock { $0 = found }
                    }
                    usleep(100_000)
                }
            }
        }

        func stop() { isOver.withLock { $0 = true } }

        /// What runs, once.
        func newVersion() -> String? {
            version.withLock { version in
                defer { version = nil }
                return version
            }
        }
    }
}
