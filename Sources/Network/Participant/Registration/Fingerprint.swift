import COpenSSL

/// The SHA-256 of a certificate (of its DER), as "openssl x509 -fingerprint -sha256" prints it: by it a certificate is known
/// before it is there.
public struct Fingerprint: Sendable, Hashable, CustomStringConvertible {
    /// 32 bytes.
    public let bytes: [UInt8]

    /// Reads 64 hexadecimal digits in either case; `nil` for anything else.
    public init?(hex: some StringProtocol) {
        guard hex.utf8.count == 64 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in hex.utf8 {
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x41...0x46: value = digit - 0x41 + 10
            case 0x61...0x66: value = digit - 0x61 + 10
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        self.bytes = bytes
    }

    /// Of the first certificate in a PEM text; `nil` when there is none.
    public init?(of pem: String) {
        guard let certificate = Certificate.parse(pem) else { return nil }
        defer { X509_free(certificate) }
        self.init(certificate)
    }

    init?(_ certificate: OpaquePointer) {
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &count) == 1, count == 32 else { return nil }
        bytes = digest
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String {
        let digits = Array("0123456789abcdef")
        return bytes.reduce(into: "") { text, byte in
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
    }

    /// In groups of four, for people.
    public var description: String {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 4).map { String(digits[$0..<$0 + 4]) }.joined(separator: " ")
    }
}

extension Certificate {
    /// The one certificate with this fingerprint in a PEM text from anywhere, written anew: nothing else that stands in the text
    /// is believed with it.
    static func pem(of fingerprint: Fingerprint, in text: String) -> String? {
        guard let certificate = parse(text) else { return nil }
        defer { X509_free(certificate) }
        guard Fingerprint(certificate) == fingerprint, let bio = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(bio) }
        guard PEM_write_bio_X509(bio, certificate) == 1 else { return nil }
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }
}
