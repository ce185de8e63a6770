import Evidence
import SRUP
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// What several observers have said, and what came of a roll call, can be checked later.
@Suite struct ZoneEvidenceTests {
    private func report(
        _ scene: ZoneTests.Scene, _ change: (inout EvidenceLine) -> Void = { _ in }
    ) throws -> EvidenceReport {
        var verifier = EvidenceVerifier(trusted: TestNetwork.publicKey(TestServer.id))
        try scene.server.participant.state.evidence { record in
            if case .line(var line, let hash) = record {
                change(&line)
                verifier.take(.line(line, hash: hash))
            } else {
                verifier.take(record)
            }
        }
        return verifier.finish()
    }

    @Test func twoObserversAndARollCall() async throws {
        let scene = try await ZoneTests.Scene {
            $0.policies["sensor"] = JoinPolicy(rawValue: "observed by 2") ?? .refuse
            $0.rollCall.failures = 1
            $0.tries = 1
        }
        defer { scene.network.close() }
        let first = try await scene.addObserver(0, zone: nil)
        let second = try await scene.addObserver(1, zone: nil)
        let device = try await scene.addDevice(1, before: [first, second])
        await scene.look(for: 60) { device.member.isJoined }
        try await scene.server.server.callRoll(of: device.id, by: "anna")
        await scene.look(for: 10)
        #expect(try scene.server.state.presence(of: device.id)?.failures == 0)
        scene.places[device.id] = []
        try await scene.server.server.callRoll(of: device.id, by: "anna")
        await scene.look(for: 70)
        #expect(!device.member.isJoined)
        await scene.network.advance(by: .seconds(2), step: .milliseconds(100))

        let whole = try report(scene)
        #expect(whole.isGood && whole.sealed == whole.last, "\(whole.problems)")
        var calls: [(String, [MessageType])] = []
        _ = try report(scene) { line in
            guard line.event == "roll call" else { return }
            calls.append(
                (line.detail, line.messages.compactMap { try? SignedMessage(parsing: $0.bytes).message.body.type }))
        }
        #expect(calls.filter { $0.0.contains("observed by") }.map(\.1).first?.contains(.response) == true, "\(calls)")
        #expect(calls.contains { $0.0.contains("is put out") })

        // One of two has not said so: the line about the join, and that about the roll call, are found.
        let vouched = "\(first.id) and \(second.id)"
        for event in ["joined", "roll call"] {
            let forged = try report(scene) { line in
                guard line.event == "verdict", line.detail.contains(second.id.hex) else { return }
                line.messages = []
            }
            #expect(
                forged.problems.contains {
                    $0.kind == .message && $0.words.contains("\(second.id) that is named has not")
                },
                "\(event): \(forged.problems)")
            let other = try report(scene) { line in
                guard line.event == event else { return }
                line.detail = line.detail.replacing(vouched, with: "\(first.id) and b00b").replacing(
                    "\(second.id) and \(first.id)", with: "\(first.id) and b00b")
            }
            #expect(other.problems.contains { $0.words.contains("b00b that is named has not vouched") }, "\(event)")
        }
    }
}
