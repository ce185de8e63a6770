import Foundation
import Logging
import Participant
import SRUP
import Synchronization
import TestNetwork
import Testing

/// What the reference implementation really sent (recorded, with its keys), to a member and from one: ID_REQUEST and its answer.
@Suite struct ReferenceConversationTests {
    private struct Recording: Decodable {
        struct Party: Decodable { let name, private_pem, public_pem: String }
        struct Record: Decodable { let topic, type, sender, hex: String }
        struct Scenario: Decodable {
            let scenario: String
            let messages: [Record]
        }
        let parties: [String: Party]
        let scenarios: [Scenario]
    }

    private func recording() throws -> Recording {
        let path = #filePath.components(separatedBy: "/Network/")[0] + "/Protocol/SRUPTests/vectors/conversations.json"
        return try JSONDecoder().decode(Recording.self, from: try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8)
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
    }

    /// A member with the recorded observer's key, whose server is the recorded one; it has joined.
    @Test func theReferencesIDRequestIsAnsweredOnceAsTheReferenceReadsIt() async throws {
        let recording = try recording()
        let conversation = try #require(recording.scenarios.first { $0.scenario.contains("simple join") })
        let request = try #require(conversation.messages.first { $0.type == "id_request" })
        let name = try #require(request.topic.split(separator: "/").last)
        let (id, server) = (try #require(DeviceID(hex: name)), try #require(DeviceID(hex: request.sender)))
        let network = try TestNetwork()
        defer { network.close() }
        func key(_ id: DeviceID) throws -> PrivateKey {
            let pem = try #require(recording.parties[id.hex]?.private_pem)
            return try PrivateKey(pem: pem)
        }
        let participant = try network.participant(id, key: try key(id))
        var identification = Identification(program: "srup-device 1")
        identification.actions = [1: "on"]
        let member = Member(
            participant, server: server, serverKey: try key(server).publicKey,
            behaviour: Member.Behaviour(rejoin: nil, identification: identification), time: network.time
        ) { _ in }
        network.attach(id, ["SRUP/\(id.hex)"]) { await member.handle($0) }
        try await member.begin()
        try participant.state.setJoined(server, true)
        for _ in 0..<2 { await member.handle(.message(topic: request.topic, payload: bytes(request.hex))) }
        await network.settle()
        #expect(participant.rejections.counts == ["replayed": 1])
        let sent = network.published.filter { $0.sender == id }
        #expect(sent.map(\.topic) == [request.topic])
        let answer = try SignedMessage(parsing: try #require(sent.first).payload)
        #expect(answer.isSigned(by: try key(id).publicKey) && answer.message.version == .v5)
        // Above the request's number, since the reference has one counter for both ways.
        let asked = try SignedMessage(parsing: bytes(request.hex)).message
        #expect(answer.message.sequence > asked.sequence)
        guard case .data(let dataName, let value) = answer.message.body else {
            Issue.record("\(answer.message.body.type)")
            return
        }
        #expect(dataName == Array("IDENTIFICATION_RESPONSE".utf8))
        let text = try #require(String(validating: value, as: UTF8.self))
        #expect(text.hasPrefix("srup-device 1 session=") && text.hasSuffix(" actions=1:on groups="))
    }

    /// The recorded answers of the reference's own devices are texts that say nothing of what they can do.
    @Test func theReferencesIdentificationIsAText() throws {
        let recording = try recording()
        let answers = recording.scenarios.flatMap(\.messages).filter { $0.type == "data" }
        #expect(answers.count >= 2)
        for answer in answers {
            guard case .data(let name, let value) = try SignedMessage(parsing: bytes(answer.hex)).message.body else {
                Issue.record("no DATA")
                continue
            }
            #expect(name == Array(DataName.identification.utf8))
            let said = Identification(String(decoding: value, as: UTF8.self))
            #expect(said.groups == nil && said.actions.isEmpty && said.takes.isEmpty && !said.program.isEmpty)
        }
    }
}
