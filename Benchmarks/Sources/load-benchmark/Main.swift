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
            Starts key service, Mosquitto and C2 server from the folder of programs; with two folders two networks, which are
            measured in turn, "before" and "after". All devices register at the key service, connect and are looked up once;
            what is measured then is joins of known identities that do not belong.
            """)

    @Option(parsing: .upToNextOption, help: "The folder with srup-c2 and libBrokerGuard.so; two: before and after.")
    var programs: [String] = [ProgramRunner.ownFolder]
    @Option(help: "How many devices.")
    var devices = 200
    @Option(parsing: .upToNextOption, help: "How many ask at once; several values are measured one after the other.")
    var atOnce = [64]
    @Option(help: "How many observers; each looks at 32 devices at once, and says VALID at once.")
    var observers = 8
    @Flag(help: "Simple joins (default: simple and observed ones).")
    var simple = false
    @Flag(help: "Observed joins.")
    var observed = false
    @Option(help: "How often each is measured.")
    var rounds = 3
    @Option(help: "Write everything to this file, as JSON.")
    var json: String?
    @Option(help: "How many RSA keys the devices share.")
    var keys = 64

    func run() async throws {
        load_print_lines()
        try Self.allowManyFiles()
        do {
            try await Bench(self).run()
        } catch let failure as ProgramRunner.Failure {
            print("error: \(failure)")
            throw ExitCode(1)
        }
    }

    /// Each connection is a descriptor here, and one in the broker, which inherits the limit.
    private static func allowManyFiles() throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// One run of the bench.
struct Bench {
    let options: LoadBenchmark

    init(_ options: LoadBenchmark) { self.options = options }

    /// Who asks for more than the server's usual limits is not what is measured.
    private static let limits = [
        "joins": 100_000, "joins_of_one_type": 100_000, "joins_by_one_observer": 100_000,
        "messages_per_second": 100_000, "joins_per_minute": 100_000,
    ]

    func run() async throws {
        let counter = ProgramRunner.ownFolder + "/libSyncCounter.so"
        guard FileManager.default.fileExists(atPath: counter) else {
            throw ProgramRunner.Failure(description: "\(counter) is missing: swift build --package-path Benchmarks --product SyncCounter")
        }
        guard (1...2).contains(options.programs.count) else {
            throw ValidationError("--programs takes one folder or two")
        }
        let names = options.programs.count == 2 ? ["before", "after"] : ["programs"]
        print("making \(options.keys) keys")
        let pool = try KeyPool(options.keys)
        var report = Report(
            machine: Report.machineWords(), builds: [:], signaturesPerSecond: try pool.signaturesPerSecond())
        print("machine: \(report.machine); one core signs \(Int(report.signaturesPerSecond)) times a second (RSA-2048)")
        let loop = BrokerLoop()
        var stages: [Stage] = []
        defer { for stage in stages { stage.close() } }
        for (name, folder) in zip(names, options.programs) {
            let path = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
            report.builds[name] = Self.build(path)
            print("\(name): \(path), \(report.builds[name] ?? "?")")
            let stage = try Stage(
                try Programs(name, folder: path, counter: counter, limits: Self.limits), loop: loop, pool: pool)
            stages.append(stage)
            let begin = BrokerLoop.clock()
            let before = stage.programs.usage()["key-service"] ?? Usage()
            let seconds = try await stage.register(devices: options.devices, observers: options.observers)
            var round = Round("registration", stage, atOnce: 8)
            round.seconds = BrokerLoop.clock() - begin
            round.succeeded = seconds.count
            round.perSecond = Double(seconds.count) / round.seconds
            round.set(latencies: seconds)
            round.set(["key-service": (stage.programs.usage()["key-service"] ?? Usage()) - before], count: seconds.count)
            report.rounds.append(round)
            print(
                String(
                    format: "%@: %d registered, %.0f a second, median %.0f ms, key service CPU %.1f ms each", name, seconds.count,
                    round.perSecond, round.median, round.cpu["key-service"] ?? 0))
        }
        for stage in stages {
            try stage.bringObservers()
            let took = try stage.connect(stage.devices)
            print(String(format: "%@: %d devices connected in %.1f s", stage.name, stage.devices.count, took))
            try stage.introduce(stage.devices)
        }
        print(Table.head())
        let both = options.simple == options.observed
        for kind in [false, true] where both || options.observed == kind {
            for atOnce in options.atOnce {
                for number in 0..<options.rounds {
                    // Who begins is who ended: what the machine does meanwhile falls on both.
                    for stage in number % 2 == 0 ? stages : stages.reversed() {
                        let round = try Scenarios(stage: stage, signatures: report.signaturesPerSecond).joins(
                            observed: kind, atOnce: atOnce)
                        report.rounds.append(round)
                        print(Table.line(round))
                    }
                }
            }
        }
        for line in Table.comparison(report.rounds) { print(line) }
        for stage in stages {
            if let last = report.rounds.last(where: { $0.programs == stage.name }) { print(Table.memory(last)) }
        }
        if let json = options.json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(report).write(to: URL(fileURLWithPath: json))
        }
    }

    private static func build(_ folder: String) -> String {
        if folder.hasSuffix("/debug") { return "debug build" }
        if folder.hasSuffix("/release") { return "release build" }
        return "build not known"
    }
}
