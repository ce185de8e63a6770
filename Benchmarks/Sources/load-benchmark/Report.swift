import Foundation
import SRUP
import TestProcesses

/// One measured round, as it is printed and written to the JSON file.
struct Round: Codable {
    /// "simple join", "observed join", ...
    var scenario: String
    /// Which programs: "before", "after", or "programs".
    var programs: String
    /// Connected devices, observers, and requests open at once.
    var devices: Int
    var observers: Int
    var atOnce: Int
    var succeeded = 0
    var answers: [String: Int] = [:]
    var unanswered = 0
    var seconds = 0.0
    var perSecond = 0.0
    var median = 0.0
    var percentile99 = 0.0
    var worst = 0.0
    /// For each success: the server's signatures, and what each program has used; "bench" is this program.
    var signatures = 0.0
    var cpu: [String: Double] = [:]
    var syncs: [String: Double] = [:]
    var commits: [String: Double] = [:]
    var kibibytes: [String: Double] = [:]
    var memory: [String: Memory] = [:]
    /// Of the joins that one core's RSA signatures allow.
    var shareOfSignatures: Double?
    /// Devices whose nonce was opened and is the one that their observer got.
    var compared: Int?
    /// What else is measured in this scenario, with its unit in the name.
    var extra: [String: Double] = [:]
    /// Of the scenario that kills programs, and what did not hold afterwards.
    var kills: [KillScenario.Kill]?
    var findings: [String]?

    init(_ scenario: String, _ stage: Stage, atOnce: Int) {
        self.scenario = scenario
        programs = stage.name
        devices = stage.devices.count
        observers = stage.observers.count
        self.atOnce = atOnce
    }

    mutating func set(latencies: [Double]) {
        let sorted = latencies.sorted()
        guard let last = sorted.last else { return }
        median = sorted[sorted.count / 2] * 1000
        percentile99 = sorted[min(sorted.count - 1, Int((Double(sorted.count) * 0.99).rounded(.up)) - 1)] * 1000
        worst = last * 1000
    }

    mutating func set(_ outcome: Stage.Outcome, wanted: Status) {
        succeeded = outcome.statuses[wanted] ?? 0
        for (status, count) in outcome.statuses { answers[status.description] = count }
        unanswered = outcome.unanswered
        seconds = outcome.seconds
        perSecond = Double(succeeded) / max(outcome.seconds, 1e-6)
        set(latencies: outcome.latencies)
    }

    /// Shares what was used among so many.
    mutating func set(_ used: [String: Usage], count: Int) {
        let count = Double(max(count, 1))
        for (role, usage) in used {
            cpu[role] = usage.cpu * 1000 / count
            kibibytes[role] = usage.written / 1024 / count
            guard role != "bench" else { continue }
            syncs[role] = usage.syncs / count
            commits[role] = usage.commits / count
        }
    }
}

/// Everything of one run.
struct Report: Codable {
    var machine: String
    /// Debug or release, of each set of programs.
    var builds: [String: String]
    /// "usual", or "lifted" in c2.toml.
    var limits = "usual"
    /// Of one core, in this run.
    var signaturesPerSecond: Double
    var rounds: [Round] = []
}

extension Report {
    static func machineWords() -> String {
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = text.split(separator: "\n").first { $0.hasPrefix("model name") }
            .map { $0.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "" }
        let load =
            ((try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? "?").split(separator: " ").first ?? "?"
        return "\(cores) cores (\(model ?? "?")), load \(load) at the start"
    }
}

/// Tables for people.
enum Table {
    static func head() -> String {
        "| scenario | programs | devices | at once | /s | median ms | 99 % ms | C2 CPU ms | broker CPU ms | bench CPU ms | syncs C2, broker | commits C2 | KiB C2, broker | signatures | share of RSA |\n"
            + "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    }

    static func number(_ value: Double?, _ digits: Int = 1) -> String {
        value.map { String(format: "%.\(digits)f", $0) } ?? "-"
    }

    static func line(_ round: Round) -> String {
        func of(_ values: [String: Double], _ role: String, _ digits: Int = 1) -> String {
            number(values[role], digits)
        }
        let cells = [
            round.scenario, round.programs, "\(round.devices)", "\(round.atOnce)", number(round.perSecond),
            number(round.median), number(round.percentile99), of(round.cpu, "c2", 2), of(round.cpu, "broker", 2),
            of(round.cpu, "bench", 2), "\(of(round.syncs, "c2", 2)), \(of(round.syncs, "broker", 2))",
            of(round.commits, "c2", 2),
            "\(of(round.kibibytes, "c2")), \(of(round.kibibytes, "broker"))", number(round.signatures),
            round.shareOfSignatures.map { String(format: "%.1f %%", $0 * 100) } ?? "-",
        ]
        var line = "| " + cells.joined(separator: " | ") + " |"
        let others = round.answers.filter { $0.value != round.succeeded }
        if round.unanswered > 0 || !others.isEmpty {
            line +=
                " answers: \(round.answers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))"
            line += ", none: \(round.unanswered)"
        }
        return line
    }

    /// What a scenario has beside the table's columns.
    static func extra(_ round: Round) -> String? {
        guard !round.extra.isEmpty else { return nil }
        let words = round.extra.sorted { $0.key < $1.key }.map { "\($0.key): \(number($0.value))" }
        return "\(round.scenario), \(round.programs), \(round.devices) devices: " + words.joined(separator: "; ")
    }

    /// What became of each kind of kill, and what did not hold.
    static func kills(_ round: Round) -> [String] {
        guard let kills = round.kills else { return [] }
        var lines = [
            "| killed | times | up again, median s | worst | nobody answered, median s | worst |",
            "|---|---|---|---|---|---|",
        ]
        for role in Programs.roles {
            let own = kills.filter { $0.role == role }
            let (ready, silence) = (own.compactMap(\.ready), own.map(\.silence))
            let cells = [median(ready), ready.max(), median(silence), silence.max()].map { number($0, 2) }
            lines.append("| \(role) | \(own.count) | " + cells.joined(separator: " | ") + " |")
        }
        let findings = round.findings ?? []
        return lines + findings.map { "FINDING: \($0)" } + ["\(kills.count) kills, \(findings.count) findings"]
    }

    static func memory(_ round: Round) -> String {
        let words = Programs.roles.compactMap { role in
            round.memory[role].map {
                "\(role) \(number($0.resident)) MiB resident (highest \(number($0.highest)), proportional \(number($0.proportional)))"
            }
        }
        return "memory, \(round.programs), \(round.devices) devices: " + words.joined(separator: "; ")
    }

    private static func median(_ values: [Double]) -> Double? {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return nil }
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    /// The medians of the rounds of each case, and of two networks that were measured in turn, the second divided by the first.
    static func comparison(_ rounds: [Round]) -> [String] {
        struct Case: Hashable {
            let scenario: String
            let devices: Int
            let atOnce: Int
        }
        var order: [Case] = []
        var groups: [Case: [String: [Round]]] = [:]
        for round in rounds where round.perSecond > 0 && round.scenario != "registration" {
            let key = Case(scenario: round.scenario, devices: round.devices, atOnce: round.atOnce)
            if groups[key] == nil { order.append(key) }
            groups[key, default: [:]][round.programs, default: []].append(round)
        }
        var names: [String] = []
        for round in rounds where !names.contains(round.programs) { names.append(round.programs) }
        guard names.count == 2 else { return [] }
        var lines: [String] = []
        for key in order {
            guard let before = groups[key]?[names[0]], let after = groups[key]?[names[1]] else { continue }
            func ratio(_ value: (Round) -> Double?) -> String {
                guard let old = median(before.compactMap(value)), let new = median(after.compactMap(value)), old > 0
                else { return "-" }
                return String(format: "%.2f -> %.2f (x%.2f)", old, new, new / old)
            }
            lines.append(
                "\(key.scenario), \(key.devices) devices, \(key.atOnce) at once, median of \(before.count) and \(after.count) rounds, \(names[0]) -> \(names[1]):\n"
                    + "  joins/s \(ratio { $0.perSecond }); median ms \(ratio { $0.median }); 99 % ms \(ratio { $0.percentile99 })\n"
                    + "  CPU ms a join: C2 \(ratio { $0.cpu["c2"] }); broker \(ratio { $0.cpu["broker"] })\n"
                    + "  syncs a join: C2 \(ratio { $0.syncs["c2"] }); broker \(ratio { $0.syncs["broker"] }); commits C2 \(ratio { $0.commits["c2"] }); KiB C2 \(ratio { $0.kibibytes["c2"] })\n"
                    + "  share of RSA \(ratio { $0.shareOfSignatures.map { $0 * 100 } })")
        }
        return lines
    }
}
