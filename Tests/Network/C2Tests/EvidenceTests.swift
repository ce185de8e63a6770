import Evidence
import Foundation
import SRUP
import Storage
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// What makes a decision is kept beside the line that tells of it.
@Suite struct EvidenceTests {
    typealias Scene = HostileJoinTests.Scene

    private func records(_ scene: Scene) throws -> [EvidenceRecord] {
        var records: [EvidenceRecord] = []
        try scene.server.participant.state.evidence { records.append($0) }
        return records
    }

    private func verified(_ records: [EvidenceRecord]) -> EvidenceReport {
        var verifier = EvidenceVerifier(trusted: TestNetwork.publicKey(TestServer.id))
        for record in records { verifier.take(record) }
        return verifier.finish()
    }

    /// The last line of an event about a device, and its messages.
    private func line(
        _ event: String, about id: DeviceID?, _ records: [EvidenceRecord]
    ) -> (line: EvidenceLine, messages: [Message])? {
        records.reversed().lazy.compactMap { record -> EvidenceLine? in
            if case .line(let line, _) = record, line.event == event, line.subject == id { line } else { nil }
        }.first.map { ($0, $0.messages.compactMap { try? SignedMessage(parsing: $0.bytes).message }) }
    }

    @Test func anObservedJoinHasItsMessagesBesideIt() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try await scene.observe(device, .observedJoinValid)
        #expect(device.answers.last == .joinSuccess)
        // Sealed within a second.
        await scene.network.advance(by: .seconds(2), step: .milliseconds(100))
        let records = try records(scene)
        let report = verified(records)
        #expect(report.isGood && report.sealed == report.last && report.bare == 0, "\(report.problems)")
        let verdict = try #require(line("verdict", about: device.id, records))
        #expect(
            verdict.messages.map(\.body.type) == [
                .observedJoinRequest, .observedJoinResponse, .observationRequest, .response,
            ])
        #expect(verdict.messages.map(\.sender) == [device.id, TestServer.id, TestServer.id, scene.observer.id])
        #expect(verdict.messages[2].token == verdict.messages[3].token)
        let joined = try #require(line("joined", about: device.id, records))
        #expect(joined.messages.map(\.body) == [.response(.joinSuccess)])
        #expect(joined.messages[0].token == verdict.messages[1].token)
    }

    @Test func whoAsksMeanwhileWhetherItBelongsLosesNoMessage() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try await scene.observe(device, .observedJoinValid)
        // As a member that is to be looked at again, and has connected anew.
        try device.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        try device.ask(.joinRequest)
        await scene.network.settle()
        #expect(device.answers.count == 2)
        try scene.answer(.observedJoinValid)
        await scene.network.settle()
        let records = try records(scene)
        let report = verified(records)
        #expect(report.isGood && report.bare == 0, "\(report.problems)")
        let verdict = try #require(line("verdict", about: device.id, records))
        #expect(verdict.messages.last?.sender == scene.observer.id)
    }

    @Test func whoIsNotLetInHasALineWithTheVerdict() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try await scene.observe(device, .observedJoinInvalid)
        let records = try records(scene)
        #expect(line("verdict", about: device.id, records)?.messages.last?.body == .response(.observedJoinInvalid))
        #expect(line("not joined", about: device.id, records)?.messages.map(\.body) == [.response(.joinFail)])
        #expect(verified(records).isGood)
    }

    @Test func aVerdictUnderAnotherLineIsFound() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let (one, other) = (try scene.device(0xD1), try scene.device(0xD2))
        try await scene.observe(one, .observedJoinValid)
        try await scene.observe(other, .observedJoinInvalid)
        let good = try records(scene)
        #expect(verified(good).isGood)
        // The server itself lies: all hashes and seals are right, and the observer's word is still not there.
        let key = TestNetwork.key(TestServer.id)
        func forged(_ change: (inout EvidenceLine) -> Void) throws -> [String] {
            var previous = EvidenceHash.none
            let forged = try good.map { record -> EvidenceRecord in
                switch record {
                case .line(var line, _):
                    change(&line)
                    previous = line.hash(after: previous)
                    return .line(line, hash: previous)
                case .seal(let seal):
                    return .seal(
                        try Seal(
                            .seal, server: seal.server, number: seal.number, hash: previous,
                            milliseconds: seal.milliseconds, signedBy: key, digest: seal.key))
                default: return record
                }
            }
            let report = verified(forged)
            #expect(report.problems.allSatisfy { $0.kind == .message })
            return report.problems.map(\.words)
        }
        let verdictOfOne = try #require(line("verdict", about: one.id, good)).line
        let swapped = try forged { line in
            if line.event == "verdict", line.subject == other.id { line.messages = verdictOfOne.messages }
        }
        #expect(swapped.contains { $0.contains("is about \(one.id)") }, "\(swapped)")
        let retold = try forged { line in
            if line.event == "verdict", line.subject == other.id {
                line.detail = line.detail.replacingOccurrences(of: "INVALID", with: "VALID")
            }
        }
        #expect(retold == ["no observer has said so"])
        let letIn = try forged { line in
            if line.event == "not joined", line.subject == other.id {
                line.event = "joined"
                line.detail = "\(other.id): observed by \(scene.observer.id)"
            }
        }
        #expect(letIn == ["the answer is not JOIN_SUCCESS"])
        let unseen = try forged { line in
            if line.event == "joined", line.subject == one.id { line.detail = "\(one.id): observed by cafe" }
        }
        #expect(unseen == ["the observer cafe that is named has not vouched for \(one.id)"])
    }

    @Test func commandsAndEndingsHaveTheirMessages() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let lamp = try scene.device(0x1A, type: "lamp")
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        let server = scene.server.server
        try await server.sendAction(7, to: lamp.id, by: "anna")
        await scene.network.settle()
        let action = try #require(lamp.heard.last { $0.body.type == .action })
        try lamp.say(.response(.actionSuccess), action.token)
        await scene.network.settle()
        try await server.remove(lamp.id, by: "anna")
        await scene.network.settle()
        try lamp.ask(.joinRequest)
        await scene.network.settle()
        try lamp.say(.resignRequest)
        await scene.network.advance(by: .seconds(2))
        let records = try records(scene)
        #expect(line("sent", about: lamp.id, records)?.messages.map(\.body) == [.action(7)])
        #expect(line("answered", about: lamp.id, records)?.messages.map(\.token) == [action.token])
        #expect(line("removed", about: lamp.id, records)?.messages.map(\.body) == [.terminateCommand])
        #expect(line("removed", about: lamp.id, records)?.line.by == "anna")
        #expect(
            line("left", about: lamp.id, records)?.messages.map(\.body) == [.resignRequest, .response(.resignSuccess)])
        let report = verified(records)
        #expect(report.isGood && report.sealed == report.last, "\(report.problems)")
    }

    @Test func aRestartInTheMiddleLosesNoMessage() async throws {
        let scene = try await Scene()
        defer { scene.network.close() }
        let device = try scene.device(0xD1)
        try device.ask(.observedJoinRequest(observer: scene.observer.id))
        await scene.network.settle()
        try await scene.server.restart()
        // What is asked anew is answered.
        await scene.network.advance(by: .seconds(5))
        try scene.identify(session: "2")
        await scene.network.settle()
        try scene.answer(.observedJoinValid)
        await scene.network.settle()
        let records = try records(scene)
        #expect(verified(records).isGood)
        let verdict = line("verdict", about: device.id, records)
        #expect(verdict?.messages.first?.body.type == .observedJoinRequest)
        #expect(verdict?.messages.last?.body == .response(.observedJoinValid))
    }

    @Test func theLogIsBoundedAndItsFrontGoesIntoTheArchive() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let base = try await TestServer(network)
        var rules = EvidenceRules()
        rules.lines = 1500
        rules.archive = network.folder + "/archive"
        rules.archiveSize = 1 << 20
        let state = base.participant.state
        for number in 0..<2600 { try state.audit("note", "\(number)", about: DeviceID(7), now: 100) }
        let server = C2Server(
            base.participant, state: base.state, commands: base.commands, access: base.access, directory: base.book,
            rules: base.rules, events: try EventLog(path: nil), evidence: rules, time: network.time)
        try await server.begin()
        await server.tick()
        let extent = try #require(try state.evidenceExtent())
        #expect(extent.anchor.number == 1000 && extent.last > 2600)
        let archive = EvidenceArchive(folder: network.folder + "/archive", size: 1 << 20)
        let segments = archive.segments()
        #expect(segments.map { ($0 as NSString).lastPathComponent } == ["audit-000000000001-1000.jsonl"])
        var verifier = EvidenceVerifier(trusted: TestNetwork.publicKey(TestServer.id))
        try EvidenceFile.read(segments[0]) { record, _ in verifier.take(record) }
        let old = verifier.finish()
        #expect(old.isGood && old.last == 1000 && old.head == extent.anchor.hash)
        var kept: [EvidenceRecord] = []
        try state.evidence { kept.append($0) }
        let report = verified(kept)
        #expect(report.isGood && report.first == 1001)
    }
}
