/// Why a manifest was not made, or is not obeyed.
public enum ReleaseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which part of it is not as it must be.
    case malformed(String)
    case badSignature
    /// Signed by a key that this device does not believe.
    case otherKey(ReleasePublicKey)
    /// It is for devices of another type than this one.
    case otherType(String, wanted: String)
    /// Since when, in seconds since 1970.
    case expired(UInt64)
    case notNewer(ReleaseVersion, than: ReleaseVersion)
    /// What should be a release key is none.
    case notAKey
    case cannotSign

    /// What is wrong, in words for the operator.
    public var description: String {
        switch self {
        case .malformed(let part): "this is no valid release manifest: \(part)"
        case .badSignature: "the manifest's signature is not its signer's"
        case .otherKey(let key): "the manifest is signed by the release key \(key), which is not believed here"
        case .otherType(let type, let wanted): "the manifest is for devices of type \"\(type)\", not \"\(wanted)\""
        case .expired(let moment): "the manifest has expired (at \(moment) seconds since 1970)"
        case .notNewer(let version, let highest): "version \(version) is not newer than \(highest)"
        case .notAKey: "this is no unencrypted Ed25519 private key in PEM (\"BEGIN PRIVATE KEY\")"
        case .cannotSign: "OpenSSL could not sign with this key"
        }
    }
}
