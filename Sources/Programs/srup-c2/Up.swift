import ArgumentParser
import Foundation
import Glibc
import KeyService
import Limits
import Linux
import Logging
import Program
import Settings
import Storage

struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a whole network's server side from one folder: broker, key service and C2 server as one.",
        discussion: """
            Makes the folder first when there is none (as "srup-c2 init" does; --host says how devices reach this machine, \
            without it that is this machine's name). Whatever ends is started again; what ends at once, again and again, ends \
            all. Stops on SIGTERM, SIGINT (Ctrl-C) and when its terminal goes; on SIGHUP key service and server read c2.toml \
            again. For a machine that serves for years the package's systemd units run the three apart.

            Exit codes: 0 stopped, 1 one of them cannot run, 69 Mosquitto (or RabbitMQ, where c2.toml says so) is not installed, 78 the folder or its configuration \
            is wrong.
            """)

    @Option(help: ArgumentHelp("The folder for keys, state and c2.toml.", valueName: "dir"))
    var folder = "./c2"
    @Option(
        help: ArgumentHelp(
            "For a new folder: how devices reach this machine; may be given several times.", valueName: "name"))
    var host: [String] = []
    @Flag(help: "Say more.")
    var verbose = false

    func validate() throws {
        guard host.allSatisfy(SettingsForm.isHost) else {
            throw ValidationError("--host must be \(ServerSettings.hostForm)")
        }
    }

    func run() throws {
        let logger = Program.logger("up", level: .info)
        let folder = URL(fileURLWithPath: folder).standardizedFileURL.path
        let settings: ServerSettings
        do {
            try initialise(folder)
            settings = try ServerSettings.load(folder)
            try PrivateFolder.check(folder)
        } catch let wrong as ValidationError {
            throw wrong
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        StopSignals.take()
        HangUpFlag.take()
        var group = ServerGroup(folder: folder, isVerbose: verbose, logger: logger)
        let outcome = group.run { announce(settings, folder) }
        if let code = outcome { throw ExitCode(code) }
    }

    private func initialise(_ folder: String) throws {
        guard !PublicFile.isThere(folder + "/c2.toml") else {
            guard host.isEmpty else {
                throw ValidationError(
                    "\(folder) is there already, for the host in its c2.toml: leave --host away, or name another folder"
                )
            }
            return
        }
        try NewFolder(hosts: host.isEmpty ? [Self.ownName, "localhost"] : host).make(folder)
    }

    /// How others reach this machine: its name.
    private static var ownName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, 255) == 0 else { return "localhost" }
        let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return SettingsForm.isHost(text) ? text : "localhost"
    }

    private func announce(_ settings: ServerSettings, _ folder: String) {
        let place = SettingsForm.inURL(settings.host)
        print(
            """

            The network is up, in \(folder). Ctrl-C stops it.
              key service   https://\(place):\(settings.keyServicePort)
              broker        \(place):\(settings.brokerPort) (MQTT over TLS)
              pages         \(settings.pages.isOn ? "https://\(place):\(settings.pages.port)" : "off, in c2.toml")
            Operators sign in to the pages; make one: srup-c2 operator add --folder \(folder) NAME --role administer --generate
            A device or an observer comes in with the authority's certificate, \(folder)/ca.crt:
              srup-device register --url https://\(place):\(settings.keyServicePort) --ca \(folder)/ca.crt --type sensor
              srup-observer register --url https://\(place):\(settings.keyServicePort) --ca \(folder)/ca.crt
            or by the code that this shows, before its camera:
              srup-c2 invite --folder \(folder)
            An observer is let in by:
              srup-c2 trust --folder \(folder) <identity of an observer>

            """)
        // Whoever reads a pipe reads it now.
        fflush(nil)
    }
}

/// SIGHUP as a flag of its own, unless it is ignored or means that the terminal has gone.
enum HangUpFlag {
    nonisolated(unsafe) private static var flag: sig_atomic_t = 0

    /// From now on it sets the flag. Without a terminal only: from one it stops, as ``StopSignals`` has it.
    static func take() {
        let terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        guard terminal < 0 else {
            close(terminal)
            return
        }
        signal(SIGHUP) { _ in HangUpFlag.flag = 1 }
    }

    /// Whether one has come since the last call.
    static func takeOne() -> Bool {
        defer { flag = 0 }
        return flag != 0
    }
}

/// The three programs of a network's server side, started in order, kept running, and stopped in reverse order.
struct ServerGroup {
    private struct Part {
        let name: String
        let arguments: [String]
        /// Whether SIGHUP asks it to read its configuration again.
        let rereads: Bool
        var process: pid_t?
        var began = ContinuousClock.now
        var again = Backoff(first: .seconds(1), longest: .seconds(30))
        var startAt = ContinuousClock.now
        /// How often it has ended in its first seconds, one time after the other.
        var earlyEnds = 0
        /// How it ended last.
        var lastCode: Int32 = Program.Code.failure.rawValue
    }

    private var parts: [Part]
    private let logger: Logger

    /// What ends sooner than this has not worked; so often in a row, and all is over.
    private static let (early, maximumEarlyEnds) = (Duration.seconds(5), 4)
    /// How long each may take to stop: the broker writes its store.
    private static let stopping = Duration.seconds(10)

    init(folder: String, isVerbose: Bool, logger: Logger) {
        self.logger = logger
        let options = ["--folder", folder]
        let more = isVerbose ? ["--verbose"] : []
        parts = [
            Part(name: "broker", arguments: ["broker"] + options, rereads: false),
            Part(name: "key service", arguments: ["key-service"] + options + more, rereads: true),
            Part(name: "C2 server", arguments: ["run"] + options + more, rereads: true),
        ]
    }

    /// Runs until a stop is asked for, or one of them cannot run.
    ///
    /// - Parameter started: called once, when all have run for a moment.
    /// - Returns: the exit code when one could not run; `nil` after a stop that was asked for.
    mutating func run(started: () -> Void) -> Int32? {
        var announceAt: ContinuousClock.Instant? = .now + .seconds(1)
        var failure: Int32?
        while !StopSignals.came, failure == nil {
            for index in parts.indices where failure == nil { failure = look(index) }
            if let moment = announceAt, .now >= moment, parts.allSatisfy({ $0.process != nil }) {
                announceAt = nil
                started()
            }
            if HangUpFlag.takeOne() {
                for part in parts where part.rereads { if let process = part.process { kill(process, SIGHUP) } }
            }
            usleep(100_000)
        }
        stop()
        return failure
    }

    /// - Returns: the exit code, when it cannot run.
    private mutating func look(_ index: Int) -> Int32? {
        guard let process = parts[index].process else {
            guard parts[index].startAt <= .now else { return nil }
            return start(index)
        }
        guard let end = ChildProcess.reap(process) else { return nil }
        parts[index].process = nil
        if StopSignals.came { return nil }
        return ended(index, end)
    }

    private mutating func start(_ index: Int) -> Int32? {
        do {
            parts[index].process = try ChildProcess.start(ChildProcess.executable, parts[index].arguments)
            parts[index].began = .now
            return nil
        } catch {
            Program.complain("\(error)")
            return Program.Code.failure.rawValue
        }
    }

    private mutating func ended(_ index: Int, _ end: ChildProcess.End) -> Int32? {
        let name = parts[index].name
        if case .exited(let code) = end { parts[index].lastCode = code }
        // Trying again does not help against a configuration that is wrong, or without Mosquitto.
        for code in [Program.Code.configuration, .unavailable] where end == .exited(code.rawValue) {
            Program.complain("the \(name) cannot run (see above)")
            return code.rawValue
        }
        if .now - parts[index].began >= Self.early {
            parts[index].earlyEnds = 0
            parts[index].again.reset()
        } else {
            parts[index].earlyEnds += 1
        }
        guard parts[index].earlyEnds < Self.maximumEarlyEnds else {
            Program.complain("the \(name) ends as soon as it is started (see above)")
            return Program.Code.failure.rawValue
        }
        let pause = parts[index].again.next()
        parts[index].startAt = .now + pause
        logger.error("the \(name) has ended (\(end)); starting it again")
        return nil
    }

    private mutating func stop() {
        for index in parts.indices.reversed() {
            guard let process = parts[index].process else { continue }
            kill(process, SIGTERM)
            if ChildProcess.wait(process, until: .now + Self.stopping, killsGroup: true) == nil {
                logger.error("the \(parts[index].name) did not stop in time and was killed")
            }
            parts[index].process = nil
        }
    }
}
