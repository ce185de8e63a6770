import ArgumentParser
import CLoad
import Foundation
import TestProcesses

@main
struct LoadBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load-benchmark",
        abstract: "Plays many devices and observers to the real programs over TLS, and measures what a join costs.",
        discussion: """
            Starts key service, Mosquitto and C2 server from a folder of programs; with two folders two networks, which are
            measured in turn, "before" and "after". All devices register at the real key service, connect, and are looked up
            once by the C2 server; the joins that are measured are those of identities that it knows and that do not belong (each has been in and
            has left; "the first" are those that have not).

            Without a scenario, simple and observed joins are measured. For them the limits of one sender and of joins under
            way are lifted in c2.toml; all other scenarios have the usual limits, unless joins are measured in the same run.
            """)

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "The folder with srup-c2 and libBrokerGuard.so; two: before and after. Default: the bench's own.",
            valueName: "folder"))
    var programs: [String] = [ProgramRunner.ownFolder]
    @Option(parsing: .upToNextOption, help: "How many devices; several values are measured one after the other.")
    var devices = [200]
    @Option(parsing: .upToNextOption, help: "How many ask at once; several values are measured one after the other.")
    var atOnce = [64]
    @Option(help: "How many observers; each has 32 places and says VALID as soon as it is asked.")
    var observers = 8
    @Option(help: "How often joins are measured in each case.")
    var rounds = 3
    @Option(help: "How many RSA keys the devices share.")
    var keys = 64

    @Flag(help: "Scenario: simple joins.")
    var simple = false
    @Flag(help: "Scenario: observed joins. With --burst: the burst is of those.")
    var observed = false
    @Option(
        help: ArgumentHelp(
            "Scenario: so many devices ask at the same moment, once; how many are never answered.", valueName: "devices"
        ))
    var burst: Int?
    @Option(
        help: ArgumentHelp(
            "Scenario: so many identities that the server has never met ask at the same moment.", valueName: "devices"))
    var firstJoins: Int?
    @Option(
        help: ArgumentHelp("Scenario: members send so many values a second in all.", valueName: "per second"))
    var data: Double?
    @Option(help: ArgumentHelp("How long members send values.", valueName: "seconds"))
    var dataTime = 20.0
    @Flag(help: "Scenario: all devices lose their connection at once and come back.")
    var reconnectStorm = false
    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Scenario: broker or c2 is ended and started again.", valueName: "broker|c2"))
    var restart: [String] = []
    @Option(
        help: ArgumentHelp(
            """
            Scenario: while devices are let in, resign, ask again and register, c2, broker and key-service are killed (SIGKILL) \
            so many times at random, and started again a second later. Then everything must be as if nothing had happened.
            """, valueName: "times"))
    var kill: Int?
    @Option(help: ArgumentHelp("The time between two kills, on average.", valueName: "seconds"))
    var killEvery = 10.0
    @Option(
        help: "With --kill: what is played is drawn from this number. Default: another one each time, which is printed."
    )
    var seed: UInt64?
    @Option(
        help: ArgumentHelp(
            "With --kill: after how long a device asks again that was not answered. srup-device: 20.",
            valueName: "seconds"))
    var askAgain = 20.0
    @Option(
        help: ArgumentHelp(
            "After how long an answer in a burst is late, and how long the others wait for answers at least.",
            valueName: "seconds"))
    var wait = 60.0
    @Flag(
        help: """
            The server side keeps its stores on a PostgreSQL server, which --kill kills, too. Not for programs of before \
            that was possible.
            """)
    var postgres = false
    @Option(
        help: ArgumentHelp(
            "Two networks on PostgreSQL, in turn: one of one cell, and one of so many, 2 to 9.", valueName: "cells"))
    var cells: Int?
    @Flag(help: "Leave the server's limits as they are when joins are measured, too.")
    var usualLimits = false

    @Option(help: "Write everything to this file, as JSON.")
    var json: String?

    /// Whether joins are measured, of which kinds.
    var kinds: [Bool] {
        let others =
            burst != nil || firstJoins != nil || data != nil || reconnectStorm || !restart.isEmpty || kill != nil
        if burst != nil, !simple { return [] }
        if simple || observed { return [false, true].filter { $0 ? observed : simple } }
        return others ? [] : [false, true]
    }

    var killPlan: KillScenario.Plan? {
        kill.map {
            KillScenario.Plan(
                kills: $0, every: killEvery, seed: seed ?? .random(in: 0...999_999), askAgain: askAgain,
                rest: max(wait, 300))
        }
    }

    private var newcomers: Int { kill == nil ? 0 : Newcomers.most }

    /// The broker's configuration lets in no more.
    private static let maximumConnections = 9_900

    func validate() throws {
        guard (1...2).contains(programs.count) else { throw ValidationError("--programs takes one folder or two") }
        for folder in programs where !FileManager.default.isExecutableFile(atPath: folder + "/srup-c2") {
            throw ValidationError("there is no srup-c2 in \(folder)")
        }
        guard let most = devices.max(), let least = devices.min(), least > 0, atOnce.allSatisfy({ $0 > 0 }) else {
            throw ValidationError("--devices and --at-once take numbers above 0")
        }
        guard observers > 0 || !observed && !kinds.contains(true) else {
            throw ValidationError("observed joins need --observers")
        }
        for number in [burst, firstJoins].compactMap({ $0 }) where number < 1 {
            throw ValidationError("--burst and --first-joins take numbers above 0")
        }
        guard restart.allSatisfy({ ["broker", "c2"].contains($0) }) else {
            throw ValidationError("--restart takes broker or c2")
        }
        guard rounds > 0, (1...1000).contains(keys), observers >= 0, data ?? 1 > 0, dataTime > 0, wait > 0 else {
            throw ValidationError(
                "--rounds, --keys, --data, --data-time and --wait take numbers above 0; --keys at most 1000")
        }
        guard kill ?? 1 > 0, killEvery > 0, askAgain > 0 else {
            throw ValidationError("--kill, --kill-every and --ask-again take numbers above 0")
        }
        guard kill == nil || programs.count == 1 else { throw ValidationError("--kill takes one folder of programs") }
        if let cells {
            guard (2...9).contains(cells), programs.count == 1, !kinds.isEmpty, kill == nil, restart.isEmpty else {
                throw ValidationError("--cells takes 2 to 9, one folder of programs, and no scenario but joins")
            }
        }
        guard cells.map({ $0 <= observers || kinds == [false] }) ?? true else {
            throw ValidationError("each cell needs an observer of its own")
        }
        let connections = max(most, burst ?? 0) + observers + (firstJoins ?? 0) + newcomers
        guard connections <= Self.maximumConnections else {
            throw ValidationError(
                "\(connections) connections are more than a broker takes: \(Self.maximumConnections) at most")
        }
    }

    func run() async throws {
        load_print_lines()
        load_survive_lost_connections()
        try allowManyFiles()
        do {
            try await Bench(self).run()
        } catch let failure as ProgramRunner.Failure {
            print("error: \(failure)")
            throw ExitCode(1)
        } catch is Bench.Findings {
            throw ExitCode(1)
        }
    }

    /// Each connection is a descriptor here, and one in a broker, which inherits the limit.
    private func allowManyFiles() throws {
        let wanted =
            (max(devices.max() ?? 0, burst ?? 0) + observers + (firstJoins ?? 0) + newcomers)
            * (cells == nil ? programs.count : 2) + 200
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_max >= wanted else {
            throw ValidationError(
                "\(wanted) descriptors are needed, and \(limit.rlim_max) are allowed: ulimit -Hn \(wanted)")
        }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
