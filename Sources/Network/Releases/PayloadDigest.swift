import COpenSSL
import Glibc
import ObservedValue

/// SHA-256 of a file, read piece by piece: memory does not go with the file's size.
public enum PayloadDigest {
    private static let piece = 64 << 10

    /// 32 bytes; `nil` when the file cannot be read, `errno` then says why. Blocks.
    public static func of(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else { return nil }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            guard EVP_DigestUpdate(context, buffer.baseAddress, count) == 1 else { return nil }
        }
        var digest = [UInt8](repeating: 0, count: 32)
        return EVP_DigestFinal_ex(context, &digest, nil) == 1 ? digest : nil
    }

    /// Whether a file has this SHA-256; takes the same time whatever the digests are.
    public static func matches(_ path: String, _ wanted: [UInt8]) -> Bool {
        guard let digest = of(path), digest.count == wanted.count else { return false }
        return CRYPTO_memcmp(digest, wanted, wanted.count) == 0
    }

    /// Reads a digest as INITIATE carries it: 64 hexadecimal digits in lower case; `nil` for anything else, as in the reference,
    /// where other digits never match.
    public static func parse(_ text: String) -> [UInt8]? {
        guard text.utf8.count == 64, let bytes = Hex.decode(text), Hex.encode(bytes) == text else { return nil }
        return bytes
    }
}
