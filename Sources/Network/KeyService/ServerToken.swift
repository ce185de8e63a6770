import Foundation
import SRUP

/// What an operator gives to somebody who wants to register another C2 server: the key service's signature over that server's
/// public key (the "server token file"; docs/protocol.md, "Key service").
public enum ServerToken {
    /// Base64 of RSASSA-PSS with SHA-256 over the PEM text of the server's public key, on one line.
    ///
    /// - Parameter signer: the key service's own key.
    /// - Throws: ``CryptoError``.
    public static func make(for key: PublicKey, by signer: PrivateKey) throws -> String {
        Data(try signer.signPSS(Array(key.pem.utf8))).base64EncodedString()
    }

    static func isValid(_ token: [UInt8], for key: PublicKey, by signer: PublicKey) -> Bool {
        signer.isPSSSignature(token, over: Array(key.pem.utf8))
    }
}
