import ArgumentParser
import C2
import Doctor
import Foundation
import Glibc
import KeyService
import Linux
import Participant
import Program
import Storage

struct ServerDoctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check everything this server needs, and say what to do about what is wrong.",
        discussion: """
            Looks at c2.toml and its policies, the folder's rights, databases, certificates, the broker's configuration, clock \
            and disk, and at broker, key service and C2 server while they run. Changes nothing.

            Each line begins with ok, warn, FAIL or skip. Exit codes: 0 nothing is wrong (or only warnings), 1 a problem was \
            found, 78 the configuration is wrong.
            """)

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object: {\"checks\": [{\"name\", \"state\", \"says\", \"remedy\"}, …], \"ok\": bool}.")
    var json = false

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let folder = URL(fileURLWithPath: folder.folder).standardizedFileURL.path
        var report = FindingReport(json: json)
        let settings: ServerSettings
        do {
            settings = try ServerSettings.load(folder)
        } catch {
            report.note([
                Finding(
                    "configuration", .problem, error.description,
                    remedy: "correct it (docs/configure.md), or make a folder with srup-c2 init")
            ])
            report.end()
            throw ExitCode(Program.Code.configuration.rawValue)
        }
        report.note([Finding("configuration", .ok, "\(folder)/c2.toml is valid")])
        report.note(settings.rules.warnings.map { Finding("policies", .warning, $0) })
        report.note(Self.rights(folder) + Self.databases(folder, settings))
        report.note(Self.certificates(folder) + Self.broker(folder, settings))
        report.note([ClockChecks.clock(), DiskChecks.partition(of: folder)])
        report.note(await Self.running(folder, settings) + Self.operators(folder) + Self.webhook(settings, folder))
        report.end()
        if !report.isWell { throw ExitCode(Program.Code.failure.rawValue) }
    }

    private static func rights(_ folder: String) -> [Finding] {
        do {
            for place in ["", "/server", "/broker-data", "/monitor"] { try PrivateFolder.check(folder + place) }
            return [Finding("folder", .ok, "\(folder) is its owner's alone")]
        } catch {
            return [Finding("folder", .problem, "\(error)", remedy: "chmod -R go-rwx \(folder), as its owner")]
        }
    }

    private static func databases(_ folder: String, _ settings: ServerSettings) -> [Finding] {
        if let place = settings.database { return [database(folder, place)] }
        return ["key-service.db", "server/state.db", "server/c2.db", "server/commands.db", "server/updates.db"].map {
            name in
            let path = folder + "/" + name
            // The server makes its own at its first start.
            guard PublicFile.isThere(path) else { return Finding(name, .skipped, "it is not there yet") }
            do {
                guard let damage = try Database.damage(path) else { return Finding(name, .ok, "it is sound") }
                return Finding(
                    name, .problem, "it is damaged: \(damage)", remedy: "stop the server and restore a backup")
            } catch {
                return Finding(
                    name, .problem, "\(error)", remedy: "look at the file's owner and rights, and at the disk")
            }
        }
    }

    private static func database(_ folder: String, _ place: DatabasePlace) -> Finding {
        do {
            let stores = ServerStores(folder, place)
            let (identity, _) = try stores.identity(use: .look)
            let count = try stores.keyService().counts().all
            return Finding(
                "database", .ok, "\(place.address.place) holds the C2 server \(identity.id) and \(count) identities")
        } catch {
            return Finding(
                "database", .problem, "\(error)",
                remedy: "is the database server reachable from here? Try: psql with the address in \(folder)/c2.toml")
        }
    }

    private static func certificates(_ folder: String) -> [Finding] {
        let problems = ServerCertificates.problems(folder: folder)
        guard !problems.isEmpty else { return [Finding("certificates", .ok, "none runs out soon")] }
        return problems.map { Finding("certificates", .warning, $0) }
    }

    private static func broker(_ folder: String, _ settings: ServerSettings) -> [Finding] {
        let problems = settings.brokerProblems(folder)
        guard !problems.isEmpty else {
            let files =
                settings.broker.engine == .mosquitto ? "mosquitto.conf and acl" : "rabbitmq.conf and what it names"
            return [Finding("broker's files", .ok, "\(files) are up to date")] + rabbit(folder, settings.broker)
        }
        return rabbit(folder, settings.broker)
            + problems.map { Finding("broker's files", .warning, $0, remedy: "srup-c2 upgrade --folder \(folder)") }
    }

    /// RabbitMQ itself: its version, as it is installed and as it runs.
    private static func rabbit(_ folder: String, _ settings: ServerSettings.BrokerSettings) -> [Finding] {
        guard settings.engine == .rabbitmq else { return [] }
        let name = "RabbitMQ"
        guard let program = RabbitProgram.find(settings.program) else {
            return [
                Finding(
                    name, .problem, "it is not installed",
                    remedy: "apt install rabbitmq-server (Debian 13); or broker.program in c2.toml")
            ]
        }
        do {
            let version = try RabbitControl(folder: folder, port: settings.controlPort).version()
            guard RabbitProgram.isTooOld(version) else { return [Finding(name, .ok, "version \(version) runs")] }
            return [Finding(name, .problem, RabbitProgram.refusal(version), remedy: "install version 4")]
        } catch {
            if let version = program.version, RabbitProgram.isTooOld(version) {
                return [Finding(name, .problem, RabbitProgram.refusal(version), remedy: "install version 4")]
            }
            return [Finding(name, .problem, "\(error)", remedy: "srup-c2 broker --folder \(folder)")]
        }
    }

    // MARK: While it runs

    private static func running(_ folder: String, _ settings: ServerSettings) async -> [Finding] {
        let home = folder + "/server"
        guard let (identity, _) = try? ServerStores(folder).identity(use: .look) else {
            return [Finding("server", .problem, "its identity in \(home) cannot be read", remedy: "restore a backup")]
        }
        return [
            await probe(identity.broker, folder), await keyService(identity, home),
            isRunning(home)
                ? Finding("C2 server", .ok, "it runs")
                : Finding("C2 server", .problem, "it does not run", remedy: "srup-c2 run --folder \(folder)"),
        ]
    }

    private static func probe(_ broker: BrokerAddress, _ folder: String) async -> Finding {
        switch await BrokerProbe(broker, limit: .seconds(5)).outcome() {
        case .accepted(let version, _):
            Finding("broker", .ok, "it answers at \(broker.host):\(broker.port), \(version)")
        case .untrusted(let problem):
            Finding(
                "broker", .problem, "its certificate is not believed: \(problem)",
                remedy:
                    "is it this folder's broker? srup-c2 broker --folder \(folder) starts it anew when it is renewed")
        case .nameUnknown(let why), .unreachable(let why):
            Finding("broker", .problem, why, remedy: "srup-c2 broker --folder \(folder)")
        case .refused(let why), .localFile(let why):
            Finding("broker", .problem, why, remedy: "srup-c2 upgrade --folder \(folder); else restore a backup")
        }
    }

    private static func keyService(_ identity: Identity, _ home: String) async -> Finding {
        do {
            let client = try Registrar.client(identity, folder: home, timeout: .seconds(5))
            guard try await client.key(of: identity.id) != nil else {
                return Finding(
                    "key service", .problem, "it does not know this server: it is another network's",
                    remedy: "does another program use its port?")
            }
            return Finding("key service", .ok, "it answers at \(identity.keyService)")
        } catch {
            return Finding("key service", .problem, "\(error)", remedy: "srup-c2 key-service")
        }
    }

    /// The server holds its folder while it runs.
    private static func isRunning(_ home: String) -> Bool {
        let descriptor = open(home + "/lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return errno == EWOULDBLOCK }
        return false
    }

    private static func operators(_ folder: String) -> [Finding] {
        guard let c2 = try? ServerStores(folder).state(use: .look) else { return [] }
        var found: [Finding] = []
        if (try? c2.trusted().isEmpty) == true {
            found.append(
                Finding(
                    "observers", .warning, "no observer is trusted, so that no device can be observed",
                    remedy: "register one, then srup-c2 trust --folder \(folder) <its identity>"))
        }
        if let waiting = try? c2.moderations().count, waiting > 0 {
            found.append(Finding("waiting", .warning, "\(waiting) wait for a person to let them in"))
        }
        return found
    }
}
