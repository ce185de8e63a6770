import Foundation
import Participant
import SRUP
import TestProcesses

/// What must hold when everything is quiet again.
extension KillScenario {
    /// - Returns: what the server's log has told.
    func check() throws -> EvidenceCheck {
        checkNumbers()
        try checkMembers()
        let evidence = try checkEvidence()
        if stage.tally.wrong > 0 { found("\(stage.tally.wrong) messages were not the server's, or not understood") }
        return evidence
    }

    private func checkNumbers() {
        for peer in stage.peers {
            guard let record = peer.record else { continue }
            for number in record.reused { found("two messages to \(peer.id) carry the number \(number)") }
            for number in record.fallen {
                found("a new message to \(peer.id) has the number \(number), below an earlier one")
            }
        }
    }

    /// Runs srup-c2 and gives what it has printed.
    private func ask(_ command: [String], as role: String) throws -> String {
        let runner = stage.programs.runner
        try runner.must("srup-c2", command + ["--folder", runner.path("c2")], as: role)
        return try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)
    }

    private func checkMembers() throws {
        struct Line: Decodable { let device, state: String }
        var states: [String: String] = [:]
        for line in try ask(["devices", "--json"], as: "list").utf8.split(separator: 10) {
            let line = try JSONDecoder().decode(Line.self, from: Data(line))
            states[line.device] = line.state
        }
        for peer in stage.peers {
            let (server, own) = (states[peer.id.hex] ?? "unknown", peer.isMember ? "in" : "out")
            if server != own { found("\(peer.id) believes that it is \(own), and the server that it is \(server)") }
        }
        for line in try ask(["devices"], as: "under-way").split(separator: "\n") where line.contains("  joining, ") {
            found("a join is still under way at the server: \(line)")
        }
    }

    private func checkEvidence() throws -> EvidenceCheck {
        let runner = stage.programs.runner
        guard let server = stage.peers.first?.credential.server else { throw stage.failure("there are no peers") }
        var evidence = EvidenceCheck(server: server, trusted: Set(stage.observers.map(\.id)))
        let file = runner.path("evidence.jsonl")
        try runner.must("srup-c2", ["audit", "export", "--folder", runner.path("c2"), file], as: "export")
        try evidence.check(file)
        for finding in evidence.findings { found(finding) }
        if try runner.run("srup-c2", ["audit", "verify", "--folder", runner.path("c2")], as: "verify") != 0 {
            found("the audit log is not as it was written:\n\(runner.tail(of: "verify"))")
        }
        return evidence
    }

    // MARK: The report

    func report(_ evidence: EvidenceCheck, seconds: Double, rest: Double) -> Round {
        var round = Round("kill -9", stage, atOnce: stage.devices.count)
        round.seconds = seconds
        round.set(latencies: latencies)
        for (status, count) in answers { round.answers[status.description] = count }
        round.succeeded = answers[.joinSuccess] ?? 0
        round.perSecond = Double(round.succeeded) / seconds
        round.kills = kills
        round.findings = findings
        round.extra = [
            "joins asked for": Double(joinsAsked), "resignations": Double(resignsAsked),
            "resignations without an answer": Double(resignsUnanswered), "asked again": Double(repeats),
            "connections lost": Double(connectionsLost), "newcomers": Double(newcomersSeen),
            "registrations that failed": Double(newcomers.failures),
            "messages with a number": Double(stage.peers.reduce(0) { $0 + ($1.record?.count ?? 0) }),
            "messages that came twice": Double(stage.tally.repeated),
            "let in, by the server's log": Double(evidence.admissions), "of them observed": Double(evidence.observed),
            "verdicts": Double(evidence.looks), "at rest after s": rest,
            "ended while the database was down": Double(endedWithoutDatabase),
        ]
        return round
    }
}
