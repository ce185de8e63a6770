import Foundation
import ObservedValue
import Testing

@testable import SRUP

/// The messages that the reference implementation made (Tests/Protocol/SRUPTests/vectors), as far as the tests use them.
struct Vectors: Decodable {
    struct Key: Decodable {
        let private_pem: String
        let public_pem: String
    }
    struct Encryption: Decodable {
        let envelope_hex: String
        let recipient: String
        let reference_decrypt_result: String
        let aes256_key_hex: String
    }
    struct Vector: Decodable, CustomStringConvertible, Sendable {
        let id: String
        let type: UInt8
        let version: UInt8
        let signer: String
        let serialized_hex: String
        let presign_hex: String
        let signature_hex: String
        let tail_hex: String
        let encryption: Encryption?
        var description: String { id }
        var bytes: [UInt8] { Hex.decode(serialized_hex) ?? [] }
    }
    struct Negative: Decodable {
        let id: String
        let verify_with: String
        let serialized_hex: String
        let why: String
    }
    let keys: [String: Key]
    let vectors: [Vector]
    let negative: [Negative]

    static func load() throws -> Vectors { try read("messages") }

    static func read<Value: Decodable>(_ name: String) throws -> Value {
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "vectors"))
        return try JSONDecoder().decode(Value.self, from: Data(contentsOf: url))
    }

    func publicKey(_ name: String) throws -> PublicKey { try PublicKey(pem: #require(keys[name]).public_pem) }
    func privateKey(_ name: String) throws -> PrivateKey { try PrivateKey(pem: #require(keys[name]).private_pem) }
    func message(_ id: String) throws -> [UInt8] { try #require(vectors.first { $0.id == id }).bytes }
}

/// MQTT traffic recorded between reference peers.
struct Conversations: Decodable {
    struct Party: Decodable {
        let name: String
        let private_pem: String
        let public_pem: String
    }
    struct Record: Decodable {
        let topic: String
        let type: String
        let seq: UInt64
        let sender: String
        let token: String
        let hex: String
        let verifies: Bool?
        let nonce: String?
    }
    struct Scenario: Decodable {
        let scenario: String
        let messages: [Record]
    }
    let parties: [String: Party]
    let scenarios: [Scenario]

    static func load() throws -> Conversations { try Vectors.read("conversations") }
}
