import COpenSSL
import Testing

@testable import SRUP

/// Everything that can be wrong with bytes from the network.
@Suite struct HostileInputTests {
    let vectors: Vectors

    init() throws {
        vectors = try Vectors.load()
    }

    /// One vector of each message type.
    var samples: [Vectors.Vector] {
        var seen: Set<UInt8> = []
        return vectors.vectors.filter { seen.insert($0.type).inserted }
    }

    @Test func everyCutIsATypedErrorOrFailsVerification() throws {
        for vector in samples {
            let key = try vectors.publicKey(vector.signer)
            for length in 0..<vector.bytes.count {
                guard let signed = try? SignedMessage(parsing: Array(vector.bytes.prefix(length))) else { continue }
                // Only a syndication message, whose tail is not taken apart, can be cut and still parse.
                #expect(signed.message.body.type.isSyndication, "\(vector) cut at \(length)")
                #expect(!signed.isSigned(by: key), "\(vector) cut at \(length)")
            }
        }
    }

    @Test func everyFlippedBitIsRejected() throws {
        for vector in samples {
            let key = try vectors.publicKey(vector.signer)
            var bytes = vector.bytes
            for index in bytes.indices {
                for bit in 0..<8 {
                    bytes[index] ^= 1 << UInt8(bit)
                    defer { bytes[index] ^= 1 << UInt8(bit) }
                    guard let signed = try? SignedMessage(parsing: bytes) else { continue }
                    #expect(!signed.isSigned(by: key), "\(vector), byte \(index), bit \(bit)")
                }
            }
            #expect(try SignedMessage(parsing: bytes).isSigned(by: key))
        }
    }

    @Test func everyWrongLengthIsRejected() throws {
        for vector in samples {
            let key = try vectors.publicKey(vector.signer)
            let tail = 22 + 36 + 256
            var places = [18, 56]
            // The first length of the tail, and the second where there is one.
            switch vector.type {
            case 0x01, 0x05:
                places.append(tail)
                places.append(tail + 2 + Int(vector.bytes[tail]) << 8 + Int(vector.bytes[tail + 1]))
            case 0x07, 0x08, 0x0F: places.append(tail + 8)
            case 0x0C, 0x0E, 0x14: places.append(tail)
            default: break
            }
            for place in places where place + 1 < vector.bytes.count {
                let length = Int(vector.bytes[place]) << 8 | Int(vector.bytes[place + 1])
                for wrong in Set([0, length - 1, length + 1, length + 256, 0xFFFF, 0x8000])
                where wrong != length && wrong >= 0 {
                    var bytes = vector.bytes
                    bytes[place] = UInt8(wrong >> 8 & 0xFF)
                    bytes[place + 1] = UInt8(wrong & 0xFF)
                    guard let signed = try? SignedMessage(parsing: bytes) else { continue }
                    #expect(!signed.isSigned(by: key), "\(vector), length at \(place) = \(wrong)")
                }
            }
        }
    }

    @Test func bytesAfterTheEndAreRejected() throws {
        for vector in samples where vector.type < 0x21 {
            let error = #expect(throws: WireError.self) { try SignedMessage(parsing: vector.bytes + [0]) }
            #expect(error == WireError(.tail, at: vector.bytes.count, .trailingBytes(1)))
        }
    }

    @Test func errorsNameFieldAndOffset() {
        func error(_ bytes: [UInt8]) -> WireError? {
            do throws(WireError) {
                _ = try SignedMessage(parsing: bytes)
                return nil
            } catch {
                return error
            }
        }
        #expect(error([]) == WireError(.version, at: 0, .truncated(needed: 1, available: 0)))
        #expect(error([6, 2]) == WireError(.version, at: 0, .unsupportedVersion(6)))
        #expect(error([3, 2]) == WireError(.version, at: 0, .unsupportedVersion(3)))
        #expect(error([5, 0]) == WireError(.type, at: 1, .unknownType(0)))
        #expect(error([5, 0x15]) == WireError(.type, at: 1, .unknownType(0x15)))
        #expect(
            error([5, 2] + [UInt8](repeating: 0, count: 7))
                == WireError(.sequence, at: 2, .truncated(needed: 8, available: 7)))
        let head: [UInt8] = [5, 2] + [UInt8](repeating: 1, count: 16)
        #expect(error(head + [0, 0]) == WireError(.token, at: 18, .empty))
        #expect(error(head + [0, 9, 1]) == WireError(.token, at: 18, .truncated(needed: 9, available: 1)))
        #expect(error(head + [0, 1, 65, 0, 0]) == WireError(.signature, at: 21, .empty))
        #expect(error(head + [0, 1, 65, 0, 1, 7, 0x61]) == WireError(.status, at: 24, .unknownStatus(0x61)))
        #expect(error([UInt8](repeating: 5, count: 70000))?.problem == .tooLong(70000, limit: 65535))
    }

    @Test func whatIsTooLongIsNotWritten() throws {
        let key = try vectors.privateKey("server")
        func sign(_ body: Body) throws -> SignedMessage {
            try Message(sequence: SequenceNumber(1), sender: DeviceID(1), token: .random(), body: body).signed(
                with: key)
        }
        let long = [UInt8](repeating: 65, count: 65536)
        #expect(throws: WireError(.data, at: 3, .tooLong(65536, limit: 65535))) {
            try sign(.data(id: [65], value: long))
        }
        let error = #expect(throws: WireError.self) { try sign(.data(id: [65], value: Array(long.prefix(65500)))) }
        #expect(error?.field == .message)
        #expect(try sign(.data(id: [], value: [])).isSigned(by: key.publicKey))
    }

    // MARK: Envelopes

    @Test func envelopesWhoseLengthsLieDoNotOpen() throws {
        let key = try vectors.privateKey("device")
        let sealed = try Envelope.sealing(Nonce.random(), for: key.publicKey).bytes
        #expect(sealed.count == 332)
        func integer(_ value: Int32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        for place in [0, 276, 280] {
            let true_ = Int32(sealed[place]) | Int32(sealed[place + 1]) << 8
            for lie in [-1, 0, .min, .max, true_ - 1, true_ + 1, true_ + 16, true_ - 16, 4096, 65535] as [Int32]
            where lie != true_ {
                // A smaller P is legal by the layout; the text is then no nonce.
                var bytes = sealed
                bytes.replaceSubrange(place..<place + 4, with: integer(lie))
                #expect(throws: CryptoError.cannotOpen, "\(lie) at \(place)") {
                    try Envelope(bytes).openNonce(with: key)
                }
            }
        }
        for length in 0..<sealed.count {
            #expect(throws: CryptoError.cannotOpen) { try Envelope(Array(sealed.prefix(length))).open(with: key) }
        }
        #expect(throws: CryptoError.cannotOpen) { try Envelope(sealed + [0]).open(with: key) }
        _ = try Envelope(sealed).openNonce(with: key)
    }

    @Test func everyFailureToOpenIsTheSameError() throws {
        let key = try vectors.privateKey("device")
        let nonce = Nonce.random()
        let sealed = try Envelope.sealing(nonce, for: key.publicKey).bytes
        for index in sealed.indices {
            var bytes = sealed
            bytes[index] ^= 0x10
            do throws(CryptoError) {
                // The first block of the text is the vector's business: a flip there gives another text, mostly no
                // nonce; and the last block is padding alone, which one time in 256 is still padding after a flip.
                // Which is why the message around the envelope is signed.
                let opened = try Envelope(bytes).openNonce(with: key)
                #expect(opened != nonce || index >= sealed.count - 16, "byte \(index)")
            } catch {
                #expect(error == .cannotOpen, "byte \(index)")
            }
        }
        #expect(throws: CryptoError.cannotOpen) { try Envelope(sealed).open(with: try vectors.privateKey("server")) }
    }

    @Test func textsOfAllLengthsComeBack() throws {
        let key = try vectors.privateKey("observer")
        for length in [0, 1, 15, 16, 17, 31, 32, 33, 4095] {
            let text = [UInt8](repeating: 66, count: length)
            let sealed = try text.withUnsafeBytes { try Envelope.sealing($0, for: key.publicKey) }
            #expect(try sealed.open(with: key).withBytes { Array($0) } == text)
        }
        let long = [UInt8](repeating: 66, count: 4096)
        #expect(throws: CryptoError.cannotSeal) {
            try long.withUnsafeBytes { try Envelope.sealing($0, for: key.publicKey) }
        }
    }

    // MARK: Keys

    static func pem(_ type: String, bits: Int = 0, exponent: UInt = 65537) -> (private: String, public: String) {
        let context = EVP_PKEY_CTX_new_from_name(nil, type, nil)
        defer { EVP_PKEY_CTX_free(context) }
        EVP_PKEY_keygen_init(context)
        if type == "RSA" {
            EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(bits))
            let number = BN_new()
            BN_set_word(number, exponent)
            EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, number)
            BN_free(number)
        } else {
            EVP_PKEY_CTX_set_group_name(context, "prime256v1")
        }
        var key: OpaquePointer?
        EVP_PKEY_generate(context, &key)
        defer { EVP_PKEY_free(key) }
        func text(_ write: (OpaquePointer?) -> Void) -> String {
            let bio = BIO_new(BIO_s_mem())
            defer { BIO_free(bio) }
            write(bio)
            var start: UnsafePointer<UInt8>?
            let count = srup_BIO_get_mem_data(bio, &start)
            return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
        }
        return (
            text { PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) },
            text { PEM_write_bio_PUBKEY($0, key) }
        )
    }

    @Test func weakAndStrangeKeysAreRefused() throws {
        let weak = Self.pem("RSA", bits: 1024)
        #expect(throws: CryptoError.weakKey(bits: 1024)) { try PublicKey(pem: weak.public) }
        #expect(throws: CryptoError.weakKey(bits: 1024)) { try PrivateKey(pem: weak.private) }
        #expect(throws: CryptoError.unusualExponent) {
            try PublicKey(pem: Self.pem("RSA", bits: 2048, exponent: 3).public)
        }
        #expect(throws: CryptoError.notRSA) { try PublicKey(pem: Self.pem("EC").public) }
        for text in [
            "", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            String(repeating: "A", count: 100_000),
        ] {
            #expect(throws: CryptoError.self) { try PublicKey(pem: text) }
            #expect(throws: CryptoError.self) { try PublicKey(pemBody: text) }
            #expect(throws: CryptoError.self) { try PrivateKey(pem: text) }
        }
    }

    @Test func anEncryptedKeyIsRefusedWithoutAsking() throws {
        let key = try PrivateKey.generate()
        let bio = try #require(BIO_new(BIO_s_mem()))
        defer { BIO_free(bio) }
        let isWritten = key.withOpenSSL {
            PEM_write_bio_PKCS8PrivateKey(bio, $0, EVP_aes_128_cbc(), "secret", 6, nil, nil)
        }
        try #require(isWritten == 1)
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
        try #require(text.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
        #expect(throws: CryptoError.self) { try PrivateKey(pem: text) }
    }

    @Test func keysComeBackFromTheirText() throws {
        let key = try vectors.privateKey("server")
        let again = try PrivateKey(pem: key.pem)
        #expect(try again.publicKey == key.publicKey)
        #expect(try PublicKey(pemBody: key.publicKey.pemBody) == key.publicKey)
        #expect(try key.publicKey.isPSSSignature(key.signPSS([1, 2, 3]), over: [1, 2, 3]))
        #expect(try !key.publicKey.isPSSSignature(key.signPSS([1, 2, 3]), over: [1, 2, 4]))
    }

    // MARK: Values

    @Test func identitiesHaveOneSpelling() {
        #expect(DeviceID(hex: "b9d077e223834cf6")?.value == 0xB9D0_77E2_2383_4CF6)
        #expect(DeviceID(hex: "0")?.value == 0 && DeviceID(0).hex == "0")
        #expect(DeviceID(hex: "ffffffffffffffff")?.value == .max)
        for text in ["", "00", "0a", "B9", "0x1", "g", "10000000000000000", " 1", "1 ", "+1", "-1", "é"] {
            #expect(DeviceID(hex: text) == nil, "\(text)")
        }
        let random = DeviceID.random().hex
        #expect(random.count < 16 || Array(random)[12] == "4")
    }

    @Test func tokensAreNeverEmpty() {
        #expect(Token("") == nil && Token([]) == nil && Token([UInt8](repeating: 1, count: 65536)) == nil)
        let token = Token.random().text ?? ""
        #expect(token.count == 36 && Array(token)[14] == "4" && "89ab".contains(Array(token)[19]))
        #expect(Token([0, 255])?.description == "hex:00ff")
        #expect((Token([UInt8](repeating: 65, count: 60000))?.description.count ?? 999) <= 80)
    }

    @Test func noncesAreReadStrictly() throws {
        let text = "00112233445566778899aAbBcCdDeEfF"
        let nonce = try #require(Nonce(hex: text))
        #expect(
            nonce.matches([0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF])
        )
        #expect(!nonce.matches([0]) && !nonce.matches([UInt8](repeating: 0, count: 16)))
        #expect(nonce.withHex { String(decoding: $0, as: UTF8.self) } == text.lowercased())
        for wrong in [
            "", "0", String(text.dropLast()), text + "0", String(repeating: "g", count: 32),
            String(repeating: "é", count: 16),
        ] {
            #expect(Nonce(hex: wrong) == nil)
        }
        #expect(Nonce.random() != Nonce.random())
    }

    @Test func secretsDoNotPrint() throws {
        let nonce = try #require(Nonce(hex: "00112233445566778899aabbccddeeff"))
        let key = try vectors.privateKey("server")
        for secret in [nonce, key, key.pem] as [Any] {
            var text = "\(secret)" + String(reflecting: secret)
            dump(secret, to: &text)
            #expect(
                !text.contains("0011") && !text.contains("34, 51") && !text.contains("MII") && !text.contains("BEGIN"),
                "\(text)")
        }
    }

    @Test func dataValuesAreLittleEndian() {
        #expect(DataValue.int32(-2).wire == [0xFE, 0xFF, 0xFF, 0xFF])
        #expect(DataValue.integer([0xFE, 0xFF, 0xFF, 0xFF]) == -2)
        #expect(
            DataValue.integer([0xFE]) == -2 && DataValue.integer([1, 0]) == 1 && DataValue.integer([1, 2, 3]) == nil)
        #expect(DataValue.floatingPoint(DataValue.double(23.456).wire) == 23.456)
        #expect(DataValue.floatingPoint(DataValue.float(0.5).wire) == 0.5 && DataValue.floatingPoint([]) == nil)
        #expect(DataValue.text("é").wire == [0xC3, 0xA9])
    }
}
