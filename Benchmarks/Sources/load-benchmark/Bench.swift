import Foundation
import Participant
import SRUP
import TestProcesses

/// One run of the bench.
final class Bench {
    private let options: LoadBenchmark
    private let loop = BrokerLoop()
    private var stages: [Stage] = []
    private var report = Report(machine: Report.machineWords(), builds: [:], signaturesPerSecond: 0)

    init(_ options: LoadBenchmark) { self.options = options }

    /// Who asks for more than the server's usual limits is not what is measured.
    private static let lifted = [
        "joins": 100_000, "joins_of_one_type": 100_000, "joins_by_one_observer": 100_000,
        "messages_per_second": 100_000, "joins_per_minute": 100_000,
    ]

    func run() async throws {
        defer { for stage in stages { stage.close() } }
        try prepare()
        for count in options.devices.sorted() {
            try await grow(to: count)
            try measureJoins()
            if let burst = options.burst { try await grow(to: burst) }
            try await measureOthers()
        }
        for line in Table.comparison(report.rounds) { print(line) }
        for stage in stages {
            if let last = report.rounds.last(where: { $0.programs == stage.name && !$0.memory.isEmpty }) {
                print(Table.memory(last))
            }
        }
        try save()
        if report.rounds.contains(where: { $0.findings?.isEmpty == false }) { throw Findings() }
    }

    /// Something that must hold does not.
    struct Findings: Error {}

    private func prepare() throws {
        let counter = ProgramRunner.ownFolder + "/libSyncCounter.so"
        guard FileManager.default.fileExists(atPath: counter) else {
            throw ProgramRunner.Failure(
                description: "\(counter) is missing: swift build --package-path Benchmarks --product SyncCounter")
        }
        let pool = try KeyPool(options.keys)
        report.signaturesPerSecond = try pool.signaturesPerSecond()
        print("machine: \(report.machine); one core signs \(Int(report.signaturesPerSecond)) times a second (RSA-2048)")
        let limits = options.kinds.isEmpty || options.usualLimits ? [:] : Self.lifted
        report.limits = limits.isEmpty ? "usual" : "lifted"
        var networks =
            zip(options.programs.count == 2 ? ["before", "after"] : ["programs"], options.programs).map {
                (name: $0, folder: $1, cells: 1)
            }
        if let cells = options.cells {
            networks = [1, cells].map { ("\($0) cell\($0 == 1 ? "" : "s")", options.programs[0], $0) }
        }
        for (name, folder, cells) in networks {
            let path = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
            report.builds[name] = Self.build(path)
            print("\(name): \(path), \(report.builds[name] ?? "?"), limits: \(report.limits)")
            let programs = try Programs(
                name, folder: path, counter: counter, limits: limits,
                isOnDatabase: options.postgres || options.cells != nil,
                cells: cells,
                arguments: options.kill == nil
                    ? [] : ["--observation-timeout", "\(KillScenario.observationTimeout)"])
            stages.append(try Stage(programs, loop: loop, pool: pool))
        }
    }

    /// A debug build of Swift's carries its modules' syntax trees.
    private static func build(_ folder: String) -> String {
        guard let handle = FileHandle(forReadingAtPath: folder + "/srup-c2") else { return "?" }
        defer { try? handle.close() }
        // The names of sections are at the end.
        let end = (try? handle.seekToEnd()) ?? 0
        try? handle.seek(toOffset: end > 65536 ? end - 65536 : 0)
        let tail = (try? handle.readToEnd()) ?? Data()
        return tail.range(of: Data(".swift_ast".utf8)) == nil ? "release build" : "debug build"
    }

    /// Registers and connects as many devices as there are to be.
    private func grow(to count: Int) async throws {
        let before = Dictionary(uniqueKeysWithValues: stages.map { ($0.name, $0.devices.count) })
        for stage in stages {
            let isFirst = stage.devices.isEmpty
            let observers = isFirst ? options.observers : 0
            let old = stage.devices.count
            guard count > old else { continue }
            try await register(stage, devices: count - old, observers: observers)
            if isFirst { try stage.bringObservers() }
            let new = Array(stage.devices[old...])
            let took = try stage.connect(new)
            print(String(format: "%@: %d devices connected in %.1f s", stage.name, new.count, took))
            try stage.introduce(new)
        }
        // Later joins are a little cheaper, so these are no round of those.
        for stage in stages where stage.devices.count > before[stage.name] ?? 0 && !options.kinds.isEmpty {
            note(
                try scenarios(stage).firstTime(
                    Array(stage.devices[(before[stage.name] ?? 0)...]), atOnce: options.atOnce[0]))
        }
    }

    private func register(_ stage: Stage, devices: Int, observers: Int) async throws {
        let begin = BrokerLoop.clock()
        let before = stage.programs.usage()["key-service"] ?? Usage()
        let seconds = try await stage.register(devices: devices, observers: observers)
        var round = Round("registration", stage, atOnce: Registrations.atOnce)
        round.seconds = BrokerLoop.clock() - begin
        round.succeeded = seconds.count
        round.perSecond = Double(seconds.count) / round.seconds
        round.set(latencies: seconds)
        let used = (stage.programs.usage()["key-service"] ?? Usage()) - before
        round.set(["key-service": used], count: seconds.count)
        report.rounds.append(round)
        print(
            String(
                format: "%@: %d registered, %.0f a second, median %.0f ms; key service: CPU %.1f ms, %.1f syncs each",
                stage.name,
                seconds.count, round.perSecond, round.median, round.cpu["key-service"] ?? 0,
                round.syncs["key-service"] ?? 0))
    }

    private func note(_ round: Round) {
        if !report.rounds.contains(where: { $0.scenario != "registration" }) { print(Table.head()) }
        report.rounds.append(round)
        print(Table.line(round))
        if let extra = Table.extra(round) { print(extra) }
    }

    private func scenarios(_ stage: Stage) -> Scenarios {
        Scenarios(stage: stage, signatures: report.signaturesPerSecond)
    }

    private func measureJoins() throws {
        for observed in options.kinds {
            for atOnce in options.atOnce {
                for number in 0..<options.rounds {
                    // Who begins is who ended: what the machine does meanwhile falls on both.
                    for stage in number % 2 == 0 ? stages : stages.reversed() {
                        try stage.takeOutAll()
                        note(try scenarios(stage).joins(observed: observed, atOnce: atOnce))
                    }
                }
            }
        }
    }

    private func measureOthers() async throws {
        for stage in stages {
            if options.burst != nil {
                try stage.takeOutAll()
                note(try scenarios(stage).burst(observed: options.observed, wait: options.wait))
            }
            if let count = options.firstJoins {
                let new = try await stage.registerApart(count)
                note(try scenarios(stage).firstJoins(new, wait: max(options.wait, 300)))
                for peer in new { peer.drop() }
            }
            if let rate = options.data { note(try scenarios(stage).data(perSecond: rate, seconds: options.dataTime)) }
            if options.reconnectStorm { note(try scenarios(stage).reconnectStorm(wait: max(options.wait, 300))) }
            if let plan = options.killPlan {
                let round = try await KillScenario(stage: stage, plan: plan).run()
                note(round)
                for line in Table.kills(round) { print(line) }
                if round.findings?.isEmpty == false { keep(stage, plan) }
            }
            for role in options.restart { note(try scenarios(stage).restart(role, wait: max(options.wait, 600))) }
        }
    }

    /// Who looks for the cause needs the server's logs and files.
    private func keep(_ stage: Stage, _ plan: KillScenario.Plan) {
        let place =
            FileManager.default.temporaryDirectory.path + "/load-kill-\(plan.seed)-\(UUID().uuidString.prefix(4))"
        // cp passes over the sockets, and says so.
        let code = try? stage.programs.runner.run("cp", ["-r", stage.programs.runner.folder + "/.", place], as: "keep")
        print("the server's logs and files are in \(place), its keys among them\(code == 0 ? "" : " (but sockets)")")
    }

    private func save() throws {
        guard let json = options.json else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "never", negativeInfinity: "never", nan: "never")
        try encoder.encode(report).write(to: URL(fileURLWithPath: json))
    }
}
