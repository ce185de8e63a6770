import ObservedValue
import SRUP
import Testing

@Suite struct ReleaseReceiptTests {
    static let keys = Result { (try PrivateKey.generate(), try PrivateKey.generate()) }

    @Test func whatWasWrittenIsRead() throws {
        let (key, other) = try Self.keys.get()
        let own = try ReleaseReceipt(
            of: DeviceID(0xD1), key: key.publicKey.digest, ended: 1_800_000_000, signedBy: key)
        #expect(own.isOwn && ReleaseReceipt(own.description) == own)
        let others = try ReleaseReceipt(of: DeviceID(.max), key: [], ended: .max, signedBy: other)
        #expect(!others.isOwn && ReleaseReceipt(others.description) == others)
        #expect(others.description.hasPrefix("SRUP release receipt 1\nidentity: ffffffffffffffff\nkey: \nended: 18446"))
        #expect(own.description.utf8.count < 1465, "a QR code of version 27 holds it")
    }

    @Test func whateverIsChangedInItItIsNone() throws {
        let (key, other) = try Self.keys.get()
        let text = try ReleaseReceipt(
            of: DeviceID(0xD1), key: key.publicKey.digest, ended: 1_800_000_000, signedBy: key
        ).description
        // Each line left out, doubled, or exchanged with the next.
        let lines = text.split(separator: "\n").map(String.init)
        for index in lines.indices {
            var (fewer, more, moved) = (lines, lines, lines)
            fewer.remove(at: index)
            more.insert(lines[index], at: index)
            if index > 0 { moved.swapAt(index - 1, index) }
            for changed in [fewer, more] + (index > 0 ? [moved] : []) {
                #expect(ReleaseReceipt(changed.joined(separator: "\n") + "\n") == nil)
            }
        }
        // Each character, but in the words of base64 that stand for the same key.
        for (offset, byte) in text.utf8.enumerated() where offset % 7 == 0 || offset < 200 {
            var bytes = Array(text.utf8)
            bytes[offset] = byte == UInt8(ascii: "1") ? UInt8(ascii: "2") : UInt8(ascii: "1")
            let changed = String(decoding: bytes, as: UTF8.self)
            guard changed != text else { continue }
            #expect(ReleaseReceipt(changed) == nil, "\(offset)")
        }
        for length in stride(from: 0, to: text.utf8.count - 1, by: 13) {
            #expect(ReleaseReceipt(String(text.prefix(length))) == nil)
        }
        // Another's signature over the same words.
        let forged = try ReleaseReceipt(
            of: DeviceID(0xD1), key: key.publicKey.digest, ended: 1_800_000_000, signedBy: other)
        #expect(ReleaseReceipt(forged.description)?.isOwn == false)
    }

    @Test(arguments: ["", "\n", "SRUP release receipt 1", "SRUP release receipt 2\n\n\n\n\n\n\n"])
    func nonsenseIsNone(_ text: String) {
        #expect(ReleaseReceipt(text) == nil)
        #expect(ReleaseReceipt(text + String(repeating: "x\n", count: 5000)) == nil)
    }

    @Test func aKeyIsReadFromNothingButACertificate() throws {
        let (key, _) = try Self.keys.get()
        for text in ["", "x", try key.publicKey.pem, String(repeating: "a", count: 100_000)] {
            #expect(throws: CryptoError.self) { try PublicKey(certificate: text) }
        }
    }

    @Test func aFingerprintIsOfTheKeyAlone() throws {
        let (key, other) = try Self.keys.get()
        #expect(try key.publicKey.digest == PublicKey(pem: key.publicKey.pem).digest)
        #expect(try key.publicKey.digest != other.publicKey.digest)
        #expect(try key.publicKey.digest.count == 32)
    }
}
