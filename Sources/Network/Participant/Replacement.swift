import SRUP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The word of an identity that another has taken its place, as when a box is registered anew: signed with the old key, so
/// that nobody else can say so. The server then drops the old one, which would otherwise be asked to observe for ever.
public struct Replacement: Sendable, Hashable, CustomStringConvertible {
    /// The identity whose place is taken.
    public let old: DeviceID
    private let signature: [UInt8]

    /// `nil` when OpenSSL refuses.
    init?(of old: DeviceID, by new: DeviceID, key: PrivateKey) {
        guard let signature = try? key.signPSS(Self.statement(old, new)) else { return nil }
        self.old = old
        self.signature = signature
    }

    /// Reads what ``description`` writes.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, parts[1].utf8.count <= 1024, let old = DeviceID(participant: parts[0]),
            let signature = Data(base64Encoded: String(parts[1]))
        else { return nil }
        self.old = old
        self.signature = Array(signature)
    }

    /// The old identity in hexadecimal, a colon, and the signature in base64.
    public var description: String { "\(old.hex):\(Data(signature).base64EncodedString())" }

    /// Whether the holder of the old identity's key has said that `new` takes its place.
    public func isGenuine(by new: DeviceID, oldKey: PublicKey) -> Bool {
        oldKey.isPSSSignature(signature, over: Self.statement(old, new))
    }

    private static func statement(_ old: DeviceID, _ new: DeviceID) -> [UInt8] {
        Array("SRUP identity \(old.hex) is replaced by \(new.hex)".utf8)
    }
}
