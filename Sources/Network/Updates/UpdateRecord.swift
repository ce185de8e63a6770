import ObservedValue
import Participant
import Releases
import SRUP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The one update under way, as it is stored before each step: what a power cut leaves, the next run goes on with.
struct UpdateRecord: Codable, Sendable, Equatable {
    /// How far it is (docs/update.md, "How an update goes").
    enum Phase: String, Codable, Sendable {
        case fetching
        /// Verified; the server may have it put to use.
        case ready
        /// It is being put in the old one's place; done again until it has been done.
        case switching
        /// It is in use, and has yet to report in.
        case trial
        /// It stays; done again until what was kept for going back has gone.
        case keeping
        /// The old one is being put back; done again until it has been done.
        case reverting
        case done

        /// Whether payloads are being exchanged: that is brought to its end, whatever the server says.
        var isExchanging: Bool { [.switching, .trial, .keeping, .reverting].contains(self) }
    }

    var phase = Phase.fetching
    /// Of INITIATE, in hexadecimal.
    var token: String
    var url: String
    var digest: String
    /// Its text, once it was read.
    var manifest: String?
    /// The web server's mark of the payload.
    var mark: String?
    /// How long was tried in earlier runs and tries, in seconds.
    var spent = 0.0
    /// Whether the payload was fetched from its beginning because of a digest that did not fit.
    var wasFetchedAnew = false
    /// What the handler needs to put the old version back.
    var undo: String?
    /// The machine's start in which the switch was made.
    var boot: String?
    /// Once it is done: the answer, and why.
    var status: UInt8?
    var problem: String?

    init(_ offer: Member.Offer) {
        token = Hex.encode(offer.token.bytes)
        url = offer.url
        digest = offer.digest
    }

    func belongs(to other: Token) -> Bool { token == Hex.encode(other.bytes) }

    var realToken: Token? { Hex.decode(token).flatMap { Token($0) } }

    /// Of the manifest.
    var release: ReleaseManifest? {
        manifest.flatMap { try? ReleaseManifest(parsing: Array($0.utf8)) }
    }

    /// What the payload's digest must be.
    var payloadDigest: [UInt8]? { release?.digest ?? PayloadDigest.parse(digest) }

    /// What to call it where a name is needed.
    var version: String { release?.version.description ?? String(digest.prefix(16)) }

    // MARK: On disk

    private static let name = "update"
    private static let highestName = "update-highest"

    static func load(_ state: ParticipantStore) throws -> UpdateRecord? {
        guard let text = try state.value(name) else { return nil }
        return try? JSONDecoder().decode(UpdateRecord.self, from: Data(text.utf8))
    }

    func save(_ state: ParticipantStore) throws {
        let text = String(decoding: try JSONEncoder().encode(self), as: UTF8.self)
        try state.set(Self.name, to: text)
    }

    static func forget(_ state: ParticipantStore) throws { try state.set(name, to: nil) }

    /// The highest version that has ever been in use here: it outlives new identities and payloads.
    static func highest(_ state: ParticipantStore) throws -> ReleaseVersion? {
        try state.value(highestName).flatMap { ReleaseVersion($0) }
    }

    static func note(_ version: ReleaseVersion, _ state: ParticipantStore) throws {
        if let highest = try highest(state), highest >= version { return }
        try state.set(highestName, to: version.description)
    }
}
