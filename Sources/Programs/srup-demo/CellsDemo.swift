import Foundation
import TestProcesses

/// A network of three cells, each a machine of its own: somebody new is given to the one with the fewest, a server that is
/// killed is replaced by another, and one that was only frozen stores nothing when it wakes up.
///
/// As root each machine is a network namespace; else they are ports of this one.
struct CellsDemo {
    let runner: ProgramRunner
    let story: Narrator
    private let events: EventFollower
    private let machines: [Machine]

    private static let devices = 9
    private static let policy = ["--policy", "lamp=simple"]

    private let kills: Int

    /// - Parameter kills: how often a server is killed.
    init(runner: ProgramRunner, story: Narrator, kills: Int) throws {
        self.kills = kills
        self.runner = runner
        self.story = story
        events = EventFollower(runner)
        machines = try Machine.all(["main", "north", "south"])
    }

    func play() throws {
        if let missing = PostgresServer.missing { throw ProgramRunner.Failure(description: missing) }
        story.chapter("Setting the stage")
        let server = try PostgresServer()
        let database = try server.makeDatabase()
        story.say("a PostgreSQL server of its own is there")
        try makeFolders(database)
        for machine in machines { try start(machine) }
        story.say(
            machines.contains { $0.namespace != nil }
                ? "three machines, each a network namespace: a broker and a C2 server on each"
                : "three brokers and C2 servers on ports of this machine (as root each has a network of its own)")

        story.chapter("Act 1: each new device is given a cell")
        let members = try bringDevices()
        story.chapter("Act 2: a server is killed, and another takes its place")
        let times = try killServers(members)
        story.chapter("Act 3: a server was only frozen, and wakes up")
        try freeze(members, server, database)
        // Before the database is gone.
        for machine in machines { for role in [machine.name, machine.name + "-spare"] { runner.stop(role) } }
        withExtendedLifetime(server) {}
        let sorted = times.sorted()
        story.chapter(
            String(
                format:
                    "All as it should be: from the kill to the first answer %.1f s (median), %.1f s (worst of %d); docs/scale.md",
                sorted[sorted.count / 2], sorted.last ?? 0, sorted.count))
    }

    // MARK: The stage

    private func c2(_ words: [String], _ role: String = "command") throws {
        try runner.must("srup-c2", words, as: role)
    }

    private func makeFolders(_ database: String) throws {
        for machine in machines {
            let folder = runner.path(machine.name)
            let places = [
                "--host", machine.host, "--bind", machine.bind, "--broker-port", "\(machine.broker)",
                "--key-service-port",
                "\(machine.keyService)", "--pages-port", "\(machine.pages)",
            ]
            if machine.name == "main" {
                try c2(["init", "--folder", folder, "--database", database] + places, "init")
            } else {
                try c2(
                    ["cell", "new", machine.name, "--folder", runner.path("main"), "--to", folder] + places, "init")
            }
            // For whoever may have to take its place: as it would be copied to a spare machine.
            try FileManager.default.copyItem(atPath: folder, toPath: folder + "-spare")
            let file = folder + "-spare/c2.toml"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            try text.replacing("[pages]\non = true", with: "[pages]\non = false")
                .write(toFile: file, atomically: true, encoding: .utf8)
        }
    }

    /// Starts one of our programs on a machine.
    private func run(_ program: String, _ arguments: [String], on machine: Machine, as role: String) throws {
        guard let namespace = machine.namespace else { return try runner.start(program, arguments, as: role) }
        try runner.start(
            "ip", ["netns", "exec", namespace, ProgramRunner.ownFolder + "/" + program] + arguments, as: role)
    }

    private func start(_ machine: Machine) throws {
        let folder = runner.path(machine.name)
        try run("srup-c2", ["broker", "--folder", folder], on: machine, as: machine.name + "-broker")
        if machine.name == "main" {
            try run("srup-c2", ["key-service", "--folder", folder], on: machine, as: "key-service")
        }
        try startServer(machine.name, on: machine)
        try events.wait(for: machine.name, ["connected"], within: 60)
    }

    private func startServer(_ role: String, on machine: Machine) throws {
        try run(
            "srup-c2",
            ["run", "--folder", runner.path(role), "--events", EventFollower.file(role, on: runner)] + Self.policy,
            on: machine, as: role)
    }

    // MARK: The acts

    private func join(_ device: String) throws {
        let begin = EventFollower.clock()
        try runner.start(
            "srup-device",
            [
                "run", "--once", "--state", runner.path(device), "--present", "png:\(runner.path(device)).png",
                "--events",
                EventFollower.file(device, on: runner),
            ], as: device)
        try events.wait(for: device, ["joined"], since: begin, within: 90)
        runner.stop(device)
    }

    /// - Returns: a device of each cell.
    private func bringDevices() throws -> [String: String] {
        let home = machines[0]
        for index in 1...Self.devices {
            try runner.must(
                "srup-device",
                [
                    "register", "--state", runner.path("d\(index)"), "--url", "https://\(home.host):\(home.keyService)",
                    "--ca", runner.path("main/ca.crt"), "--type", "lamp",
                ], as: "d\(index)")
            try join("d\(index)")
        }
        var members: [String: String] = [:]
        for machine in machines {
            try c2(["devices", "--folder", runner.path(machine.name)], "devices-" + machine.name)
            let list = log("devices-" + machine.name)
            let own = try (1...Self.devices).map { "d\($0)" }.filter { list.contains(try identity($0)) }
            story.say("\(own.joined(separator: ", ")) belong to the cell \(machine.name) and have joined there")
            try expect(own.count == Self.devices / machines.count, "each cell has a third of them")
            members[machine.name] = own.first
        }
        return members
    }

    private func identity(_ device: String) throws -> String {
        let words = log(device).components(separatedBy: "identity is ")
        guard let id = words.dropFirst().first?.prefix(while: \.isHexDigit), !id.isEmpty else {
            throw ProgramRunner.Failure(description: "\(device) did not say its identity")
        }
        return String(id)
    }

    private func log(_ role: String) -> String {
        (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    private func expect(_ isTrue: Bool, _ words: String) throws {
        guard isTrue else { throw ProgramRunner.Failure(description: "not true: \(words)") }
    }

    private func wait(_ what: String, _ isSo: () -> Bool) throws {
        let end = ContinuousClock.now + .seconds(60)
        while !isSo() {
            guard ContinuousClock.now < end else {
                throw ProgramRunner.Failure(description: "not within a minute: \(what)")
            }
            usleep(10_000)
        }
    }

    /// Starts the other server of a cell, which waits.
    private func startSpare(_ role: String, on machine: Machine) throws {
        let before = log(role).components(separatedBy: "waits to take its place").count
        try startServer(role, on: machine)
        try wait("\(role) waits") { log(role).components(separatedBy: "waits to take its place").count > before }
    }

    /// - Returns: how long each time nobody was answered, in seconds.
    private func killServers(_ members: [String: String]) throws -> [Double] {
        let north = machines[1]
        let device = members["north"] ?? ""
        var (working, waiting) = ("north", "north-spare")
        var times: [Double] = []
        for _ in 0..<kills {
            try startSpare(waiting, on: north)
            let begin = EventFollower.clock()
            runner.kill9(working)
            try events.wait(for: waiting, ["connected"], since: begin, within: 60)
            try join(device)
            times.append(EventFollower.clock() - begin)
            story.say(
                String(
                    format: "the server of north is killed; another works the cell, and answers %@ after %.1f s",
                    device,
                    times.last ?? 0))
            try join(members["main"] ?? "")
            swap(&working, &waiting)
        }
        if working != "north" {
            // As it was.
            try startSpare("north", on: north)
            let begin = EventFollower.clock()
            runner.stop("north-spare")
            try events.wait(for: "north", ["connected"], since: begin, within: 60)
        }
        return times
    }

    private func freeze(_ members: [String: String], _ server: PostgresServer, _ database: String) throws {
        let north = machines[1]
        guard let frozen = runner.processIdentifier("north") else {
            throw ProgramRunner.Failure(description: "the server of north does not run")
        }
        try startSpare("north-spare", on: north)
        let begin = EventFollower.clock()
        kill(frozen, SIGSTOP)
        try events.wait(for: "north-spare", ["connected"], since: begin, within: 60)
        try join(members["north"] ?? "")
        story.say("the server of north stands still; another has taken the cell")
        let question = "SELECT count(*), max(id) FROM cell_north_participant.audit"
        let before = try server.sql(question, at: database)
        kill(frozen, SIGCONT)
        try wait("the first one ends") { !runner.isRunning("north") }
        try expect(log("north").contains("another server works the cell"), "it says why it ends")
        try expect(try server.sql(question, at: database) == before, "it has written nothing")
        story.say("it wakes up, finds that another works the cell, and ends; it has written nothing")
        try join(members["north"] ?? "")
        for machine in ["main", "north-spare", "south"] {
            try c2(["audit", "verify", "--folder", runner.path(machine)], "verify-" + machine)
        }
        story.say("the logs of all cells are as they were written")
    }
}

/// A machine of the demo.
private struct Machine {
    let name: String
    let host, bind: String
    let broker, keyService, pages: Int
    /// Its network; `nil`: this machine's.
    let namespace: String?

    /// As many machines, on one network if that may be made here.
    static func all(_ names: [String]) throws -> [Machine] {
        guard ProcessInfo.processInfo.environment["SRUP_DEMO_NETWORK"] != nil else {
            return try names.map {
                Machine(
                    name: $0, host: "localhost", bind: "127.0.0.1", broker: try ProgramRunner.freePort(),
                    keyService: try ProgramRunner.freePort(), pages: try ProgramRunner.freePort(), namespace: nil)
            }
        }
        return names.enumerated().map { index, name in
            Machine(
                name: name, host: "10.83.0.\(index + 2)", bind: "0.0.0.0", broker: 8883, keyService: 8443, pages: 8444,
                namespace: name)
        }
    }
}
