import COpenSSL

extension Certificate {
    /// The SHA-256 of a certificate as phones and browsers show it: 32 pairs of hexadecimal digits with colons; `nil` when it
    /// is no certificate in PEM.
    public static func fingerprint(_ pem: String) -> String? {
        guard let certificate = parse(pem) else { return nil }
        defer { X509_free(certificate) }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &length) == 1 else { return nil }
        return digest.prefix(Int(length)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }.joined(separator: ":")
    }
}
