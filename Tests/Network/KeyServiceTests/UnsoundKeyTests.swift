import COpenSSL
import Foundation
import Participant
import SRUP
import Testing

@testable import KeyService

/// Keys that are none, and nobody's identity.
struct UnsoundKeyTests {
    /// A public key with any modulus, as base64 of its SubjectPublicKeyInfo.
    private static func body(_ modulus: OpaquePointer?) -> String {
        var number = [UInt8](repeating: 0, count: 1 + (Int(BN_num_bits(modulus)) + 7) / 8)
        _ = number[1...].withUnsafeMutableBufferPointer { BN_bn2bin(modulus, $0.baseAddress) }
        func wrapped(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
            [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 255)] + content
        }
        let key = wrapped(0x30, wrapped(0x02, number) + [2, 3, 1, 0, 1])
        // rsaEncryption, no parameters.
        let algorithm: [UInt8] = [0x30, 13, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0]
        return Data(wrapped(0x30, algorithm + wrapped(0x03, [0] + key))).base64EncodedString()
    }

    /// Moduli of 2048 bits.
    private static func moduli() -> [(what: String, body: String)] {
        let context = BN_CTX_new()
        defer { BN_CTX_free(context) }
        func random(odd: Bool) -> OpaquePointer? {
            let number = BN_new()
            BN_rand(number, 2040, BN_RAND_TOP_TWO, odd ? BN_RAND_BOTTOM_ODD : BN_RAND_BOTTOM_ANY)
            return number
        }
        let even = random(odd: true)
        BN_lshift(even, even, 8)
        let three = random(odd: true)
        BN_mul_word(three, 129)
        BN_set_bit(three, 2047)
        // Whatever the bit has made of it, a multiple of three again.
        BN_sub_word(three, BN_mod_word(three, 3))
        let (prime, root, square) = (BN_new(), BN_new(), BN_new())
        BN_generate_prime_ex(prime, 2048, 0, nil, nil, nil)
        BN_generate_prime_ex(root, 1024, 0, nil, nil, nil)
        BN_sqr(square, root, context)
        let all = [("even", even), ("a multiple of three", three), ("a prime", prime), ("a square", square)]
        defer { for (_, number) in all + [("", root)] { BN_free(number) } }
        return all.map { ($0.0, body($0.1)) }
    }

    @Test func aKeyWithoutTwoLargePrimesIsRefused() throws {
        for (what, body) in Self.moduli() {
            let error = #expect(throws: CryptoError.self) { try PublicKey(pemBody: body).checked() }
            #expect(error == .unsoundModulus, "\(what)")
        }
        for _ in 0..<3 { _ = try PrivateKey.generate().publicKey.checked() }
    }

    @Test func suchAKeyAndIdentityZeroDoNotRegister() async throws {
        try await Rig.with { rig in
            for (what, body) in Self.moduli() {
                let (status, answer) = try post(rig, "register", ["identity": "17", "key": body])
                #expect(status == 400 && answer.contains("two large primes"), "\(what): \(status) \(answer)")
            }
            let key = try PrivateKey.generate().publicKey.pemBody
            for (base, route) in [
                ("", "register"), ("/v4", "register"), ("", "c2"), ("", "validate"), ("", "access"),
            ] {
                let (status, answer) = try post(
                    rig, route, base: base, ["identity": "0", "key": key, "signature": "AA=="])
                #expect(status == 400 && answer.contains("nobody's"), "\(base)\(route): \(status) \(answer)")
            }
            let (status, _) = try post(rig, "register", ["identity": "17", "key": key])
            #expect(status == 201)
        }
    }

    private func post(
        _ rig: Rig, _ route: String, base: String = "", _ values: [String: String]
    ) throws -> (status: Int, body: String) {
        try rig.post(route, String(decoding: try JSONEncoder().encode(values), as: UTF8.self), base: base)
    }

    @Test func nobodysIdentityIsNoParticipants() {
        #expect(DeviceID(participant: "0") == nil)
        #expect(DeviceID(participant: "1")?.value == 1)
        #expect(DeviceID.random().isNobodys == false)
    }
}
