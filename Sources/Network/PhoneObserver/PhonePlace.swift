import Limits
import Participant
import SRUP

/// Where an operator's phone takes part in the network: an identity, and the way to the broker.
package struct PhonePlace: Sendable {
    package let participant: Participant
    package let server: DeviceID
    package let serverKey: PublicKey
    /// Begins to take part.
    ///
    /// - Returns: what ends it, and waits for that.
    package let begin: @Sendable (Member) async throws -> @Sendable () async -> Void

    package init(
        participant: Participant, server: DeviceID, serverKey: PublicKey,
        begin: @escaping @Sendable (Member) async throws -> @Sendable () async -> Void
    ) {
        self.participant = participant
        self.server = server
        self.serverKey = serverKey
        self.begin = begin
    }
}

/// Who makes places for phones.
package protocol PhonePlaces: Sendable {
    /// The place of an operator's phone, made at the first time.
    ///
    /// - Throws: why there is none, in words for the operator.
    func place(of name: String) async throws -> PhonePlace
    /// The identities of all phones so far.
    func identities() -> [DeviceID]
}
