import Foundation

/// A whole SRUP network on loopback, made of the real programs: key service, Mosquitto, C2 server, observers, devices.
public final class LoopbackNetwork {
    /// What runs the programs, and has their files.
    public let runner: ProgramRunner
    /// Follows the event files of all programs.
    public let events: EventFollower
    /// The TCP port of the key service, on loopback.
    public let keyServicePort: Int
    /// The TCP port of the broker, on loopback.
    public let brokerPort: Int
    /// The port of the operators' pages.
    public let pagesPort: Int
    /// A PostgreSQL database for ``prepare()``; `nil`: files.
    public var database: String?
    /// Identities by the names that participants were registered under; a logical observer's by "box/name".
    public private(set) var identities: [String: String] = [:]

    /// The key service's address.
    public var url: String { "https://localhost:\(keyServicePort)" }
    var authority: String { runner.path("c2/ca.crt") }

    /// Chooses the ports; nothing is made or started yet.
    ///
    /// - Throws: ``ProgramRunner/Failure`` when no port is free.
    public init(_ runner: ProgramRunner) throws {
        self.runner = runner
        events = EventFollower(runner)
        keyServicePort = try ProgramRunner.freePort()
        brokerPort = try ProgramRunner.freePort()
        pagesPort = try ProgramRunner.freePort()
    }

    private func eventFile(_ role: String) -> String { EventFollower.file(role, on: runner) }

    // MARK: The server side

    /// Makes keys, certificates and configuration.
    public func prepare() throws {
        try runner.must(
            "srup-c2",
            [
                "init", "--folder", runner.path("c2"), "--host", "localhost", "--bind", "127.0.0.1", "--broker-port",
                "\(brokerPort)", "--key-service-port", "\(keyServicePort)", "--pages-port", "\(pagesPort)",
            ] + (database.map { ["--database", $0] } ?? []), as: "init")
    }

    /// Starts the key service and waits until it listens, 90 s at most; after ``prepare()``.
    ///
    /// - Throws: ``ProgramRunner/Failure`` when it does not listen, or what starting it throws.
    public func startKeyService() throws {
        try runner.start("srup-c2", ["key-service", "--folder", runner.path("c2")], as: "key-service")
        try wait(for: "the key service", port: keyServicePort, role: "key-service")
    }

    /// Starts Mosquitto itself and waits until it listens, 90 s at most; after ``prepare()``.
    ///
    /// - Throws: ``ProgramRunner/Failure`` when it does not listen, or what starting it throws.
    public func startBroker() throws {
        try runner.start("mosquitto", ["-c", runner.path("c2/mosquitto.conf")], as: "broker")
        try wait(for: "the broker", port: brokerPort, role: "broker")
    }

    /// The same as "srup-c2 broker" runs it.
    public func startKeptBroker() throws {
        try runner.start("srup-c2", ["broker", "--folder", runner.path("c2")], as: "broker")
        try wait(for: "the broker", port: brokerPort, role: "broker")
    }

    /// - Parameter arguments: policies, tries, timeouts.
    public func startC2(_ arguments: [String]) throws {
        let begin = EventFollower.clock()
        try runner.start(
            "srup-c2", ["run", "--folder", runner.path("c2"), "--events", eventFile("c2")] + arguments, as: "c2")
        try events.wait(for: "c2", ["connected"], since: begin, within: 90)
    }

    /// All of the server side: keys and certificates, key service, broker, C2 server.
    public func startServer(_ arguments: [String]) throws {
        try prepare()
        try startKeyService()
        try startBroker()
        try startC2(arguments)
    }

    /// The status of the C2 server's final answer to a device that wants to join.
    public func answer(to name: String, since begin: Double, within limit: Double = 60) throws -> String {
        let id = identities[name] ?? ""
        return try events.wait(
            for: "c2", ["join-answered"], since: begin, within: limit,
            matching: { $0.details["device"] == id && $0.details["status"] != "JOIN_REFUSED" }
        ).details["status"] ?? "?"
    }

    /// Lets the C2 server trust what was registered under a name (`srup-c2 trust`).
    ///
    /// - Throws: ``ProgramRunner/Failure`` when the command fails.
    public func trust(_ name: String) throws {
        try runner.must("srup-c2", ["trust", "--folder", runner.path("c2"), identities[name] ?? ""], as: "trust")
    }

    private func wait(for what: String, port: Int, role: String) throws {
        let deadline = EventFollower.clock() + 90
        while EventFollower.clock() < deadline {
            if ProgramRunner.accepts(port: port) { return }
            guard runner.isRunning(role) else { break }
            usleep(10_000)
        }
        throw ProgramRunner.Failure(
            description: "\(what) does not listen on port \(port); its log ends:\n\(runner.tail(of: role))")
    }

    // MARK: Observers

    /// Writes an observer's configuration and registers it.
    public func registerObserver(_ name: String, camera: String, settings: String) throws {
        try registerObserver(name, eyes: Self.table(camera: camera), settings: settings)
    }

    /// The same, with any tables that say what it looks with.
    public func registerObserver(_ name: String, eyes: String, settings: String) throws {
        try runner.write(
            """
            state = "\(runner.path(name))"
            log = "debug"
            [registration]
            url = "\(url)"
            ca = "\(authority)"
            \(eyes)
            \(settings)
            """, to: "\(name).toml")
        try runner.must("srup-observer", ["register", "--config", runner.path("\(name).toml")], as: name)
        try learnIdentity(name)
    }

    /// Settings under which a verdict does not take long.
    public static let quick = """
        [server]
        rejoin = "2 s"
        [observe]
        timeout = "4 s"
        invalid_after = "1 s"
        display_time = "1 s"
        settle = "500 ms"
        witness_grace = "3 s"
        """

    /// The same with time enough for INVALID, which needs another value to come into view and stay.
    public static let patient = quick.replacingOccurrences(of: "timeout = \"4 s\"", with: "timeout = \"20 s\"")

    /// An observer that is registered, trusted and has joined.
    public func bringObserver(_ name: String = "observer", eyes: String, settings: String) throws {
        try registerObserver(name, eyes: eyes, settings: settings)
        try trust(name)
        try startObserver(name)
        try events.wait(for: name, ["joined"], within: 90)
    }

    /// The same with a camera.
    public func bringObserver(_ name: String = "observer", camera: String, settings: String) throws {
        try bringObserver(name, eyes: Self.table(camera: camera), settings: settings)
    }

    private static func table(camera: String) -> String { "[camera]\ndevice = \"\(camera)\"" }

    /// Starts an observer that is registered, and waits until it says that it has started, 90 s at most.
    ///
    /// - Throws: ``ProgramRunner/Failure`` when it says nothing, or what starting it throws.
    public func startObserver(_ name: String) throws {
        let begin = EventFollower.clock()
        try runner.start(
            "srup-observer", ["run", "--config", runner.path("\(name).toml"), "--events", eventFile(name)], as: name)
        try events.wait(for: name, ["started"], since: begin, within: 90)
    }

    // MARK: Devices

    /// Registers a device under a name, which is its state folder's, too, and learns its identity.
    ///
    /// - Parameters:
    ///   - type: the device type that it says.
    ///   - zone: the one that it is invited to.
    /// - Throws: ``ProgramRunner/Failure`` when the registration fails.
    public func registerDevice(_ name: String, type: String, zone: String? = nil) throws {
        try runner.must(
            "srup-device",
            [
                "register", "--state", runner.path(name), "--url", url + (zone.map { "/zone/\($0)" } ?? ""), "--ca",
                authority, "--type", type,
            ], as: name)
        try learnIdentity(name)
    }

    /// The picture that a device shows.
    public func picture(_ name: String) -> String { runner.path("\(name).png") }

    /// - Parameter present: how it shows its nonce; `nil`: as a picture.
    public func startDevice(_ name: String, present: String? = nil, _ arguments: [String] = ["--once"]) throws {
        try runner.start(
            "srup-device",
            [
                "run", "--state", runner.path(name), "--present", present ?? "png:\(picture(name))", "--events",
                eventFile(name),
            ] + arguments, as: name)
    }

    /// From what `register` has said; those of several logical observers are known as "box/name".
    private func learnIdentity(_ name: String) throws {
        let text = try String(contentsOfFile: runner.path("log/\(name).log"), encoding: .utf8)
        for line in text.split(separator: "\n") {
            let parts = line.components(separatedBy: "identity is ")
            guard parts.count == 2, let id = parts.last?.trimmingCharacters(in: .whitespaces) else { continue }
            identities[name] = id
            let words = parts[0].components(separatedBy: ": ")
            if words.count > 2 { identities["\(name)/\(words[0])"] = id }
        }
        guard identities[name] != nil else {
            throw ProgramRunner.Failure(description: "\(name) did not say its identity")
        }
    }

    // MARK: A third party at the broker

    /// The identity of a tool that may watch; the broker gives it one connection.
    public var monitor: String { runner.path("c2/monitor") }

    /// Starts `srup listen`.
    public func startListening() throws {
        try runner.start("srup", ["listen", "--folder", monitor, "--json"], as: "listen")
    }

    /// When the listener heard an observer's VALID, in seconds since 1970; `nil` when it did not in time.
    public func heardValid(after begin: Double, within limit: Double) throws -> Double? {
        struct Line: Decodable {
            let status: String?
            let time: Double?
        }
        let deadline = Date(timeIntervalSinceNow: limit)
        while Date() < deadline {
            let text = try String(contentsOfFile: runner.path("log/listen.log"), encoding: .utf8)
            for line in text.split(separator: "\n") {
                guard let found = try? JSONDecoder().decode(Line.self, from: Data(line.utf8)),
                    found.status == "OBSERVED_JOIN_VALID", let time = found.time, time >= begin
                else { continue }
                return time
            }
            usleep(20_000)
        }
        return nil
    }

    // MARK: Readers

    /// Starts simulated PN532 chips with these names, each behind a serial port.
    public func startReaders(_ names: [String], _ arguments: [String] = []) throws -> SimulatedReaders {
        try SimulatedReaders(runner, serial: names, arguments)
    }

    // MARK: What the camera sees

    /// A FIFO for frames.
    public func makeCamera(_ name: String) throws -> String {
        let path = runner.path("\(name).fifo")
        guard mkfifo(path, 0o600) == 0 else { throw ProgramRunner.Failure(description: "\(path) cannot be made") }
        return path
    }

    /// Puts a picture before a camera when the observer is looking already and has seen that nothing was there before: as
    /// somebody does who shows another code in a device's place.
    ///
    /// - Parameter ask: lets the device ask.
    public func showLater(
        _ picture: String, on camera: String, before device: String, observer: String = "observer",
        _ ask: () throws -> Void
    ) throws {
        let shown = runner.path("\(device)-later.png")
        try startScene(on: camera, picture: shown)
        let begin = EventFollower.clock()
        try ask()
        try events.wait(for: observer, ["looking"], since: begin, within: 30)
        // Longer than "settle" in the settings for tests.
        usleep(1_500_000)
        try FileManager.default.copyItem(atPath: picture, toPath: shown + ".part")
        try FileManager.default.moveItem(atPath: shown + ".part", toPath: shown)
    }

    /// Puts a drawn scene before a camera: a device whose display shows `picture`, or a dark one.
    public func startScene(on camera: String, picture: String?, role: String = "scene", _ arguments: [String] = [])
        throws
    {
        try runner.start(
            "srup-scene",
            ["--output", camera] + (picture.map { ["--picture", $0] } ?? []) + arguments, as: role)
    }
}
