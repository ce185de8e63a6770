import ObservedValue
import Testing

@testable import SRUP

@Suite struct VectorTests {
    let vectors: Vectors

    init() throws {
        vectors = try Vectors.load()
    }

    @Test func everyReferenceMessageParsesAndVerifies() throws {
        #expect(vectors.vectors.count == 96)
        for vector in vectors.vectors {
            let signed = try SignedMessage(parsing: vector.bytes)
            #expect(signed.message.version.rawValue == vector.version, "\(vector)")
            #expect(signed.message.body.type.rawValue == vector.type, "\(vector)")
            #expect(Hex.encode(signed.signature) == vector.signature_hex, "\(vector)")
            #expect(Hex.encode(signed.signedBytes) == vector.presign_hex, "\(vector)")
            #expect(try signed.isSigned(by: vectors.publicKey(vector.signer)), "\(vector)")
            for other in vectors.keys.keys where other != vector.signer {
                #expect(try !signed.isSigned(by: vectors.publicKey(other)), "\(vector)")
            }
        }
    }

    @Test func everyReferenceMessageIsWrittenAgainByteForByte() throws {
        for vector in vectors.vectors {
            let parsed = try SignedMessage(parsing: vector.bytes)
            let again = try parsed.message.signed(with: vectors.privateKey(vector.signer))
            #expect(again.bytes == vector.bytes, "\(vector)")
            #expect(again == parsed, "\(vector)")
        }
    }

    @Test func everyReferenceEnvelopeOpensWithItsRecipientsKeyOnly() throws {
        var opened = 0
        for vector in vectors.vectors {
            guard let sealed = vector.encryption else { continue }
            let envelope = Envelope(Hex.decode(sealed.envelope_hex)!)
            if let inMessage = try SignedMessage(parsing: vector.bytes).message.body.envelope {
                #expect(inMessage == envelope, "\(vector)")
            }
            for name in vectors.keys.keys {
                let text = try? envelope.open(with: vectors.privateKey(name)).withBytes {
                    String(decoding: $0, as: UTF8.self)
                }
                if name == sealed.recipient {
                    #expect(text?.hasPrefix(sealed.reference_decrypt_result) == true, "\(vector)")
                } else {
                    #expect(text == nil, "\(vector) opened by \(name)")
                }
            }
            opened += 1
        }
        #expect(opened > 4)
    }

    @Test func negativeVectorsAreRejected() throws {
        #expect(!vectors.negative.isEmpty)
        for negative in vectors.negative {
            let bytes = Hex.decode(negative.serialized_hex)!
            if negative.id == "response-trailing-garbage" {
                // The reference ignores trailing bytes; section 9.1 rejects them.
                #expect(throws: WireError.self, "\(negative.why)") { try SignedMessage(parsing: bytes) }
                continue
            }
            guard let signed = try? SignedMessage(parsing: bytes) else { continue }
            #expect(try !signed.isSigned(by: vectors.publicKey(negative.verify_with)), "\(negative.why)")
        }
    }

    @Test func everyRecordedConversationDecodesVerifiesAndOpens() throws {
        let all = try Conversations.load()
        let keys = try all.parties.mapValues {
            (public: try PublicKey(pem: $0.public_pem), private: try PrivateKey(pem: $0.private_pem))
        }
        var count = 0
        for scenario in all.scenarios {
            for record in scenario.messages {
                let signed = try SignedMessage(parsing: Hex.decode(record.hex)!)
                count += 1
                #expect(signed.message.sequence.value == record.seq)
                #expect(signed.message.sender.hex == record.sender)
                #expect(signed.message.token.text == record.token)
                if let verifies = record.verifies {
                    #expect(signed.isSigned(by: keys[record.sender]!.public) == verifies, "\(scenario.scenario)")
                }
                guard let nonce = record.nonce, let envelope = signed.message.body.envelope else { continue }
                let recipient = record.topic.split(separator: "/").last.map(String.init)!
                #expect(try envelope.openNonce(with: keys[recipient]!.private) == Nonce(hex: nonce))
            }
        }
        #expect(count == 18)
    }
}
