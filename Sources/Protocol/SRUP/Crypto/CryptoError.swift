/// Why a key or a cryptographic step was refused. Carries no secret and, for envelopes, no hint at which step failed.
public enum CryptoError: Error, Hashable, Sendable, CustomStringConvertible {
    case notAKey(String)
    /// The key is encrypted, for another passphrase.
    case wrongPassphrase
    case notRSA
    case weakKey(bits: Int)
    /// The public exponent is not 65 537.
    case unusualExponent
    /// The modulus is no product of two large primes: it is even, has a tiny factor, or is a prime or a power of one.
    case unsoundModulus
    case cannotSign
    case cannotSeal
    /// The envelope cannot be opened with this key: one answer for every cause, so that it is no padding oracle.
    case cannotOpen
    case noMemory

    /// What is wrong, in words for the operator.
    public var description: String {
        switch self {
        case .notAKey(let expected): "this is no \(expected)"
        case .wrongPassphrase: "the key is encrypted for another passphrase"
        case .notRSA: "the key is not an RSA key"
        case .weakKey(let bits): "the RSA key has \(bits) bits; at least \(KeyRules.minimumBits) are needed"
        case .unusualExponent: "the RSA key's public exponent is not 65537"
        case .unsoundModulus: "the RSA key's modulus is no product of two large primes"
        case .cannotSign: "OpenSSL could not sign with this key"
        case .cannotSeal: "OpenSSL could not seal for this key"
        case .cannotOpen: "the envelope cannot be opened with this key"
        case .noMemory: "OpenSSL is out of memory"
        }
    }
}

/// What keys are accepted (docs/protocol.md, "Keys").
public enum KeyRules {
    /// The shortest modulus that is accepted, in bits.
    public static let minimumBits = 2048
    /// The longest modulus that is accepted, in bits.
    public static let maximumBits = 8192
    /// The only public exponent that is accepted.
    public static let exponent: UInt = 65537
    /// The product of two large primes has no factor below (SP 800-56B, 6.4.2.2: 752).
    static let smallPrimes = (2..<752).filter { number in (2..<28).allSatisfy { number <= $0 || number % $0 != 0 } }
}
