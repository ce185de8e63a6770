import Foundation
import ObservedValue
import Participant
import SRUP
import TestNetwork
import Testing

@testable import Updates

/// What the reference implementation itself has written (Tests/Protocol/SRUPTests/vectors), to our device, byte for byte. For
/// version 4, of which no bytes were recorded, the same message is signed with the recorded key and that version's number.
@Suite("The reference's recorded updates")
struct ReferenceUpdateTests {
    private struct Vectors: Decodable {
        struct Key: Decodable { let private_pem, public_pem: String }
        struct Vector: Decodable { let id, serialized_hex: String }
        let keys: [String: Key]
        let vectors: [Vector]
    }

    private let key: PrivateKey
    private let vectors: Vectors

    init() throws {
        let path = #filePath.components(separatedBy: "/Network/")[0] + "/Protocol/SRUPTests/vectors/messages.json"
        vectors = try JSONDecoder().decode(Vectors.self, from: try Data(contentsOf: URL(fileURLWithPath: path)))
        key = try PrivateKey(pem: try #require(vectors.keys["server"]).private_pem)
    }

    private func recorded(_ id: String, _ version: ProtocolVersion) throws -> SignedMessage {
        let vector = try #require(vectors.vectors.first { $0.id == id })
        let bytes = try #require(Hex.decode(vector.serialized_hex))
        let signed = try SignedMessage(parsing: bytes)
        #expect(try signed.message.version == .v5 && signed.isSigned(by: key.publicKey))
        // What is signed here is what the reference signs.
        #expect(try signed.message.signed(with: key).bytes == bytes)
        if version == .v5 { return signed }
        let message = signed.message
        return try Message(
            version: version, sequence: message.sequence, sender: message.sender, token: message.token,
            body: message.body
        ).signed(with: key)
    }

    /// A device of the recorded server; what it answers to a message that comes twice.
    private func answers(
        to signed: SignedMessage, _ id: DeviceID = DeviceID(0xD1)
    ) async throws -> (answers: [SignedMessage], rejected: [String: UInt64]) {
        let network = try TestNetwork()
        defer { network.close() }
        let participant = try network.participant(id)
        var settings = UpdateSettings()
        settings.path = network.folder + "/thermometer"
        settings.requiresReleaseKey = false
        let updater = try Updater(
            settings, folder: network.folder, participant: participant, events: try EventLog(path: nil), program: "1",
            time: network.time)
        var behaviour = Member.Behaviour(rejoin: nil, identification: Identification(program: "test 1"))
        behaviour.takesUpdates = true
        let member = Member(
            participant, server: signed.message.sender, serverKey: try key.publicKey, behaviour: behaviour,
            time: network.time
        ) { await updater.handle($0) }
        network.attach(id, ["SRUP/\(id.hex)"]) { await member.handle($0) }
        try await member.begin()
        try participant.state.setJoined(signed.message.sender, true)
        try await updater.use(member)
        for _ in 0..<2 {
            await member.handle(.message(topic: "SRUP/\(id.hex)", payload: signed.bytes))
            await updater.idle()
        }
        await network.settle()
        let sent = try network.published.filter { $0.sender == id && $0.topic == "SRUP/\(id.hex)" }.map {
            try SignedMessage(parsing: $0.payload)
        }
        return (sent, participant.rejections.counts)
    }

    private func expectOne(_ status: Status, to id: String, _ version: ProtocolVersion) async throws {
        let told = try recorded(id, version)
        let (answers, rejected) = try await answers(to: told)
        #expect(rejected == ["replayed": 1])
        let answer = try #require(answers.first)
        #expect(answers.count == 1)
        #expect(answer.message.body == .response(status))
        #expect(answer.message.token == told.message.token && answer.message.version == version)
        #expect(answer.message.sequence > told.message.sequence)
        #expect(answer.isSigned(by: try TestNetwork.key(DeviceID(0xD1)).publicKey))
        // As long as the reference's own (RESPONSE/0), which ends with the status.
        #expect(answer.bytes.count == 315 && answer.bytes.last == status.rawValue)
    }

    /// Its address is not https, as the reference's web server's; a reference server knows UPDATE_FAIL_FILE.
    @Test(
        "INITIATE with an address of http is answered UPDATE_FAIL_FILE, once",
        arguments: [.v4, .v5] as [ProtocolVersion])
    func initiate(_ version: ProtocolVersion) async throws {
        try await expectOne(.updateFailFile, to: "INITIATE/0", version)
    }

    @Test("ACTIVATE without an update is answered ACTIVATE_FAIL, once", arguments: [.v4, .v5] as [ProtocolVersion])
    func activate(_ version: ProtocolVersion) async throws {
        try await expectOne(.activateFail, to: "ACTIVATE/0", version)
    }
}
