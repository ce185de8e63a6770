import COpenSSL
import Foundation
import SRUP

/// What somebody wants for a password: 12 characters or more, at most 256 bytes, no control characters.
public struct Password: Sendable {
    /// At least so many characters.
    public static let minimumCharacters = 12
    /// At most so many bytes.
    public static let maximumBytes = 256
    let bytes: SecretBytes

    /// - Throws: ``OperatorError/invalid(_:)`` with what is wrong.
    public init(_ text: String) throws(OperatorError) {
        guard text.count >= Self.minimumCharacters else {
            throw .invalid("a password has at least \(Self.minimumCharacters) characters")
        }
        guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw .invalid("a password has no control characters")
        }
        guard Set(text).count > 2 else { throw .invalid("a password is not the same characters again and again") }
        guard let bytes = Self.bytes(text) else {
            throw .invalid("a password has at most \(Self.maximumBytes) bytes")
        }
        self.bytes = bytes
    }

    /// A new one of 100 random bits, in groups that can be read out.
    public static func random() -> (password: Password, text: String)? {
        // Without 0 and O, 1 and l.
        let letters = Array("abcdefghijkmnpqrstuvwxyz23456789")
        let drawn = Secret.random(20).map { letters[Int($0 & 31)] }
        let text = stride(from: 0, to: 20, by: 4).map { String(drawn[$0..<$0 + 4]) }.joined(separator: "-")
        return (try? Password(text)).map { ($0, text) }
    }

    /// The same bytes for the same characters, however a keyboard has put them together; `nil`: too many.
    static func bytes(_ text: String) -> SecretBytes? {
        guard text.utf8.count <= 4 * maximumBytes else { return nil }
        var composed = text.utf8.allSatisfy { $0 < 0x80 } ? text : text.precomposedStringWithCanonicalMapping
        guard composed.utf8.count <= maximumBytes else { return nil }
        return composed.withUTF8 { SecretBytes(copying: UnsafeRawBufferPointer($0)) }
    }
}

/// What scrypt costs (RFC 7914): memory is 128 · n · r bytes.
struct PasswordCost: Sendable, Hashable {
    var n: UInt64 = 1 << 17
    var r: UInt64 = 8
    var p: UInt64 = 1

    static let usual = PasswordCost()

    /// Whether it can be computed here: a damaged row must not ask for all memory there is.
    var isBearable: Bool {
        n >= 2 && n <= 1 << 20 && n & (n - 1) == 0 && (1...16).contains(r) && (1...4).contains(p)
            && 128 * n * r <= 256 << 20
    }
}

/// What is stored of a password.
struct PasswordHash: Sendable, Hashable {
    static let size = 32
    let cost: PasswordCost
    let salt: [UInt8]
    let hash: [UInt8]

    /// As it stands in a row; `nil` when it cannot be one.
    init?(cost: PasswordCost, salt: [UInt8], hash: [UInt8]) {
        guard cost.isBearable, (8...64).contains(salt.count), hash.count == Self.size else { return nil }
        self.cost = cost
        self.salt = salt
        self.hash = hash
    }

    /// Takes a third of a second and 128 MB with the usual cost: not on the cooperative pool.
    ///
    /// - Throws: ``OperatorError/failed(_:)`` when there is no memory.
    init(of password: SecretBytes, cost: PasswordCost = .usual) throws(OperatorError) {
        self.cost = cost
        salt = Secret.random(16)
        hash = try Self.compute(password, salt, cost)
    }

    /// Nobody's: whoever asks for a name that is not there waits as long.
    static func nobodys(cost: PasswordCost) -> PasswordHash? {
        PasswordHash(cost: cost, salt: Secret.random(16), hash: Secret.random(size))
    }

    /// Whether it is this password's; takes as long as making one, and the same whatever the bytes are.
    ///
    /// - Throws: ``OperatorError/failed(_:)`` when there is no memory.
    func matches(_ password: SecretBytes) throws(OperatorError) -> Bool {
        Secret.areEqual(try Self.compute(password, salt, cost), hash)
    }

    private static func compute(
        _ password: SecretBytes, _ salt: [UInt8], _ cost: PasswordCost
    ) throws(OperatorError) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: size)
        // OpenSSL's own limit is 32 MB.
        let memory = 128 * cost.r * (cost.n + cost.p + 2) + 1 << 20
        let done = password.withBytes { bytes in
            EVP_PBE_scrypt(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, salt, salt.count, cost.n, cost.r,
                cost.p, memory, &key, key.count)
        }
        guard done == 1 else {
            ERR_clear_error()
            throw .failed("the password could not be computed: is there no memory left?")
        }
        return key
    }
}
