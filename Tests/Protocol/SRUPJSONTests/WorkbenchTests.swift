import Foundation
import ObservedValue
import SRUP
import Testing

@testable import SRUPJSON

struct VectorFile: Decodable {
    struct Key: Decodable { let private_pem, public_pem: String }
    struct Vector: Decodable {
        let id, signer, serialized_hex: String
        let encryption: Encryption?
    }
    struct Encryption: Decodable { let recipient, reference_decrypt_result: String }
    let keys: [String: Key]
    let vectors: [Vector]

    static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../SRUPTests/vectors/messages.json").standardizedFileURL

    static func load() throws -> VectorFile { try JSONDecoder().decode(VectorFile.self, from: Data(contentsOf: path)) }
}

@Suite struct MessageJSONTests {
    let file: VectorFile

    init() throws {
        file = try VectorFile.load()
    }

    @Test func everyVectorComesBackByteForByte() throws {
        for vector in file.vectors {
            let bytes = try #require(Hex.decode(vector.serialized_hex))
            let decoded = MessageJSON(decoding: bytes, keys: DecodingKeys())
            #expect(decoded.error == nil && decoded.signature == "unchecked")
            let again = try MessageJSON(json: Array(decoded.line.utf8)).encoded(EncodingKeys())
            #expect(again.bytes == bytes, "\(vector.id)")
            // And signed anew, since the signature is deterministic.
            var keys = EncodingKeys()
            keys.signer = try PrivateKey(pem: try #require(file.keys[vector.signer]).private_pem)
            #expect(try MessageJSON(json: Array(decoded.line.utf8)).encoded(keys).bytes == bytes, "\(vector.id)")
        }
    }

    @Test func signatureAndNonceAreJudgedWithTheKeysGiven() throws {
        for vector in file.vectors {
            let bytes = try #require(Hex.decode(vector.serialized_hex))
            var keys = DecodingKeys()
            keys.any = [try PublicKey(pem: try #require(file.keys[vector.signer]).public_pem)]
            if let sealed = vector.encryption {
                keys.recipient = try PrivateKey(pem: try #require(file.keys[sealed.recipient]).private_pem)
            }
            let decoded = MessageJSON(decoding: bytes, keys: keys)
            #expect(decoded.signature == "valid", "\(vector.id)")
            if decoded.envelope != nil, let sealed = vector.encryption {
                // A text that is no nonce is shown in hexadecimal; the reference cuts it to 32 characters.
                let text =
                    decoded.nonce
                    ?? decoded.opened_hex.flatMap { Hex.decode($0) }.map { String(decoding: $0, as: UTF8.self) }
                #expect(text?.hasPrefix(sealed.reference_decrypt_result) == true, "\(vector.id)")
            }
            let other = try #require(file.keys.keys.first { $0 != vector.signer })
            keys.any = [try PublicKey(pem: try #require(file.keys[other]).public_pem)]
            #expect(MessageJSON(decoding: bytes, keys: keys).signature == "invalid", "\(vector.id)")
        }
    }

    @Test(arguments: [
        (#"{"type":"ACTION","sequence":1,"sender":"a1","action":1,"wings":2}"#, "wings"),
        (#"{"type":"FLY","sequence":1,"sender":"a1"}"#, "type"),
        (#"{"type":"ACTION","sequence":1,"sender":"A1","action":1}"#, "sender"),
        (#"{"type":"ACTION","sequence":1,"sender":"a1"}"#, "action"),
        (#"{"type":"ACTION","sequence":1,"sender":"a1","action":256}"#, "action"),
        (#"{"type":"ACTION","sequence":-1,"sender":"a1","action":1}"#, "sequence"),
        (#"{"type":"ACTION","sequence":1,"sender":"a1","action":1,"token":""}"#, "token"),
        (#"{"type":"ACTION","sequence":1,"sender":"a1","action":1,"version":6}"#, "version"),
        (#"{"type":"ACTION","sequence":1,"sender":"a1","action":1,"signature_hex":"0"}"#, "signature_hex"),
        (#"{"type":"RESPONSE","sequence":1,"sender":"a1","status":"MAYBE"}"#, "status"),
        (#"{"type":"OBSERVATION_REQUEST","sequence":1,"sender":"a1","device":"b2"}"#, "envelope"),
        ("[]", ""), ("{", ""), ("", ""),
    ])
    func aWrongObjectNamesItsKey(_ json: String, _ key: String) {
        do {
            _ = try MessageJSON(json: Array(json.utf8)).encoded(EncodingKeys())
            Issue.record("accepted \(json)")
        } catch let error as MessageJSONError {
            #expect(error.key == key, "\(error)")
        } catch {
            Issue.record("\(error)")
        }
    }

    /// A vector of this type, its bytes changed behind the signature and signed again.
    private func changed(_ type: String, _ change: (inout MessageOutline) -> Void) throws -> (
        bytes: [UInt8], DecodingKeys
    ) {
        let vector = try #require(
            file.vectors.first {
                MessageJSON(decoding: Hex.decode($0.serialized_hex) ?? [], keys: DecodingKeys()).type == type
            })
        let pem = try #require(file.keys[vector.signer])
        var outline = MessageOutline(reading: try #require(Hex.decode(vector.serialized_hex)))
        change(&outline)
        try outline.sign(with: PrivateKey(pem: pem.private_pem))
        var keys = DecodingKeys()
        keys.any = [try PublicKey(pem: pem.public_pem)]
        return (try outline.bytes(), keys)
    }

    @Test func aStatusThatNobodyKnowsLeavesTheRestReadable() throws {
        let (bytes, keys) = try changed("RESPONSE") { $0.tail = [0x42] }
        let decoded = MessageJSON(decoding: bytes, keys: keys)
        #expect(decoded.type == "RESPONSE" && decoded.status == nil && decoded.status_code == "0x42")
        #expect(
            decoded.signature == "valid" && decoded.sender != nil && decoded.sequence != nil && decoded.token != nil)
        #expect(decoded.reason == "unknown-status" && decoded.text.contains("0x42 is no status"))
        #expect(decoded.text.contains("status     0x42\n") && decoded.text.contains("signature  valid"))
        #expect(try MessageJSON(json: Array(decoded.line.utf8)).encodedBytes(EncodingKeys()) == bytes)
        // A participant takes it for no message, as ever.
        #expect(throws: WireError(.status, at: bytes.count - 1, .unknownStatus(0x42))) {
            try SignedMessage(parsing: bytes)
        }
    }

    @Test func whatIsUnknownOrCutOrTooLongIsShownAsFarAsItGoes() throws {
        // A type that nobody knows: the tail as it is.
        var (bytes, keys) = try changed("ACTION") { ($0.type, $0.tail) = (0x30, [1, 2, 3]) }
        var decoded = MessageJSON(decoding: bytes, keys: keys)
        #expect(decoded.type == "0x30" && decoded.tail == "010203" && decoded.signature == "valid")
        #expect(decoded.reason == "unknown-type" && decoded.text.contains("(0x30, version"))
        #expect(try MessageJSON(json: Array(decoded.line.utf8)).encodedBytes(EncodingKeys()) == bytes)
        // Bytes behind the end: the message and them.
        (bytes, keys) = try changed("ACTION") { $0.tail = [7, 0xFF, 0xEE] }
        decoded = MessageJSON(decoding: bytes, keys: keys)
        #expect(decoded.action == 7 && decoded.trailing == "ffee" && decoded.reason == "trailing-bytes")
        #expect(try MessageJSON(json: Array(decoded.line.utf8)).encodedBytes(EncodingKeys()) == bytes)
        (bytes, keys) = try changed("RESPONSE") { $0.tail = [0x42, 0xFF] }
        decoded = MessageJSON(decoding: bytes, keys: keys)
        #expect(decoded.status_code == "0x42" && decoded.trailing == "ff")
        #expect(try MessageJSON(json: Array(decoded.line.utf8)).encodedBytes(EncodingKeys()) == bytes)
        // A tail that is cut.
        (bytes, keys) = try changed("OBSERVATION_REQUEST") { $0.tail = Array($0.tail?.prefix(100) ?? []) }
        decoded = MessageJSON(decoding: bytes, keys: keys)
        #expect(decoded.type == "OBSERVATION_REQUEST" && decoded.tail?.utf8.count == 200)
        #expect(decoded.signature == "valid" && decoded.reason == "truncated")
        #expect(try MessageJSON(json: Array(decoded.line.utf8)).encodedBytes(EncodingKeys()) == bytes)
        // Cut in the header, or of another version: what comes before.
        decoded = MessageJSON(decoding: Array(bytes.prefix(18)), keys: keys)
        #expect(decoded.sender != nil && decoded.token == nil && decoded.signature == nil && decoded.field == "token")
        decoded = MessageJSON(decoding: [9] + bytes.dropFirst(), keys: keys)
        #expect(decoded.version == 9 && decoded.type == nil && decoded.reason == "unsupported-version")
    }

    @Test func textFromAPeerDoesATerminalNoHarmInEitherForm() throws {
        let hostile = "\u{9B}2J\u{202E}\u{200B}\u{FEFF}\u{E0041}\u{7F}"
        let object = try JSONEncoder().encode([
            "type": "DATA", "sender": "a1", "data_id": hostile, "data": hostile, "signature_hex": "00",
        ])
        let line = String(decoding: object, as: UTF8.self).replacingOccurrences(
            of: #""type""#, with: #""sequence":1,"type""#)
        let bytes = try MessageJSON(json: Array(line.utf8)).encoded(EncodingKeys()).bytes
        var decoded = MessageJSON(decoding: bytes, keys: DecodingKeys())
        decoded.topic = "SRUP/" + hostile
        for text in [decoded.line, decoded.text.replacingOccurrences(of: "\n", with: "")] {
            #expect(text.unicodeScalars.allSatisfy { (0x20...0x7E).contains($0.value) }, "\(text)")
        }
        #expect(try MessageJSON(json: Array(decoded.line.utf8)).encoded(EncodingKeys()).bytes == bytes)
    }

    @Test func whatIsNoMessageNamesFieldAndOffset() {
        let decoded = MessageJSON(decoding: [5, 2, 1], keys: DecodingKeys())
        #expect(decoded.field == "sequence id" && decoded.offset == 2 && decoded.reason == "truncated")
    }

    @Test func aFixedRunOfTheFuzzerFindsNothing() throws {
        var fuzzer = Fuzzer(corpus: file.vectors.compactMap { Hex.decode($0.serialized_hex) }, seed: 42)
        var keys = DecodingKeys()
        let device = try PrivateKey(pem: try #require(file.keys["device"]).private_pem)
        var rejected = 0
        var opened = 0
        var again = 0
        for number in 0..<20_000 {
            let input = fuzzer.next()
            let decoded = MessageJSON(decoding: input, keys: DecodingKeys())
            if let reason = decoded.reason {
                rejected += 1
                // What could be read to the signature's end can be written again.
                if ["unknown-status", "unknown-type", "trailing-bytes"].contains(reason), decoded.signature_hex != nil,
                    decoded.signature_hex != "", decoded.token_hex != ""
                {
                    again += 1
                    #expect(try MessageJSON(json: Array(decoded.line.utf8)).encodedBytes(EncodingKeys()) == input)
                }
                continue
            }
            #expect(try MessageJSON(json: Array(decoded.line.utf8)).encodedBytes(EncodingKeys()) == input)
            // Opening costs a private-key operation, so that only some are tried.
            if number % 8 == 0, decoded.envelope != nil {
                keys.recipient = device
                let tried = MessageJSON(decoding: input, keys: keys)
                if tried.opened_hex != nil || tried.nonce != nil { opened += 1 }
            }
        }
        // Changes outside the envelope leave it whole; it opens then, and only then.
        #expect(opened > 0)
        #expect(rejected > 1000)
        #expect(again > 100)
    }
}

/// The real program.
@Suite struct SRUPToolTests {
    static let binary: URL = {
        let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: path).deletingLastPathComponent().appendingPathComponent("srup")
    }()

    func run(_ arguments: [String], _ input: String) throws -> (code: Int32, output: String, errors: String) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("srup-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let inputFile = folder.appendingPathComponent("in")
        try Data(input.utf8).write(to: inputFile)
        let process = Process()
        process.executableURL = Self.binary
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: inputFile)
        for name in ["out", "err"] {
            _ = FileManager.default.createFile(atPath: folder.appendingPathComponent(name).path, contents: nil)
        }
        process.standardOutput = try FileHandle(forWritingTo: folder.appendingPathComponent("out"))
        process.standardError = try FileHandle(forWritingTo: folder.appendingPathComponent("err"))
        try process.run()
        while process.isRunning { usleep(2000) }
        func text(_ name: String) throws -> String {
            try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        }
        return (process.terminationStatus, try text("out"), try text("err"))
    }

    @Test func decodeAndEncodeAreInverseOnAllVectors() throws {
        let lines = try VectorFile.load().vectors.map(\.serialized_hex).joined(separator: "\n") + "\n"
        let decoded = try run(["decode", "--json"], lines)
        #expect(decoded.code == 0)
        #expect(decoded.output.split(separator: "\n").count == 96)
        let encoded = try run(["encode"], decoded.output)
        #expect(encoded.code == 0 && encoded.output == lines)
        #expect(try run(["decode"], lines).output.contains("OBSERVATION_REQUEST, version 5"))
    }

    @Test func badLinesAreToldAndTheRestIsRead() throws {
        let good = try #require(try VectorFile.load().vectors.first).serialized_hex
        let long = String(repeating: "0", count: 400_000)
        let result = try run(["decode", "--json"], "xyz\n\n0502\n\(long)\nSRUP/a1 \(good)\n\(good)")
        #expect(result.code == 1)
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 5)
        #expect(
            lines.first?.contains("not-hex") == true && lines[1].contains("truncated") && lines[2].contains("too-long"))
        #expect(lines[3].contains(#""topic":"SRUP/a1""#) && lines[4].contains("INITIATE"))
    }

    @Test func aBinaryMessageIsReadFromAPipeAsFromAFile() throws {
        let vector = try #require(try VectorFile.load().vectors.first)
        let bytes = try #require(Hex.decode(vector.serialized_hex))
        let process = Process()
        process.executableURL = Self.binary
        process.arguments = ["decode", "--json"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(bytes))
        try input.fileHandleForWriting.close()
        let text = try output.fileHandleForReading.readToEnd().map { String(decoding: $0, as: UTF8.self) }
        #expect(text?.contains(#""type":"INITIATE""#) == true)
        while process.isRunning { usleep(2000) }
        #expect(process.terminationStatus == 0)
    }

    @Test func encodeNamesLineAndKey() throws {
        let result = try run(["encode"], "\n{\"type\":\"ACTION\"}\n")
        #expect(result.code == 1 && result.errors.contains("standard input, line 2: \"sequence\": must be a number"))
    }
}
