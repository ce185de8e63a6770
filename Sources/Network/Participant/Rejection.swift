import Linux
import SRUP

/// Why a message that came was not acted on. Nothing else changes when one is rejected.
public enum Rejection: Error, Sendable, Hashable, CustomStringConvertible {
    case malformed(WireError)
    /// The topic is none of the protocol's, or not the sender's.
    case wrongTopic(String)
    /// We have no key for the sender, or do not listen to it.
    case unknownSender(DeviceID)
    case badSignature(DeviceID)
    /// The sequence number is not above the last one from this sender.
    case replayed(DeviceID, got: SequenceNumber, last: SequenceNumber)
    /// The sequence number is so high that no room is left to answer.
    case noRoomToAnswer(DeviceID, got: SequenceNumber)
    /// More messages from this sender than its budget allows.
    case overBudget(DeviceID)
    /// We do not belong to the sender's network: only what has to do with joining counts.
    case notJoined(MessageType)
    /// A request to observe that came before the server had answered this connection's join: it may have waited for days.
    case tooOld(MessageType)
    case notSupported(MessageType)
    /// A message type that this kind of participant does not take from this sender.
    case unexpected(MessageType)
    /// No open request to this sender has this token (never had, answered already, or expired).
    case unknownToken(DeviceID)
    /// The status does not answer the request that the token belongs to.
    case unfittingStatus(Status)
    case cannotOpenEnvelope(DeviceID)
    /// What was said to a group came on another topic, or the other way round; or we are not in the group.
    case wrongGroup(DeviceID)
    case overloaded

    /// A short name without values, for counting.
    public var reason: String {
        switch self {
        case .malformed(let error): "malformed-\(error.reason)"
        case .wrongTopic: "wrong-topic"
        case .unknownSender: "unknown-sender"
        case .badSignature: "bad-signature"
        case .replayed: "replayed"
        case .noRoomToAnswer: "no-room-to-answer"
        case .overBudget: "over-budget"
        case .notJoined: "not-joined"
        case .tooOld: "too-old"
        case .notSupported: "not-supported"
        case .unexpected: "unexpected-type"
        case .unknownToken: "unknown-token"
        case .unfittingStatus: "unfitting-status"
        case .cannotOpenEnvelope: "cannot-open-envelope"
        case .wrongGroup: "wrong-group"
        case .overloaded: "overloaded"
        }
    }

    /// Why, in words for the log; bounded, whatever the peer has sent.
    public var description: String {
        switch self {
        case .malformed(let error): "not an SRUP message: \(error)"
        case .wrongTopic(let name): "on a topic where its sender has no business: \(name.withoutControls(atMost: 80))"
        case .unknownSender(let id): "from \(id), whom we do not know or do not listen to"
        case .badSignature(let id): "the signature is not \(id)'s"
        case .replayed(let id, let got, let last):
            "from \(id) with sequence number \(got), not above the last one (\(last))"
        case .noRoomToAnswer(let id, let got):
            "from \(id) with sequence number \(got), which leaves no room for an answer (at most "
                + "\(SequenceNumber.highestAccepted))"
        case .overBudget(let id): "from \(id), who sends more than it may"
        case .notJoined(let type): "\(type), while we do not belong to the server's network"
        case .tooOld(let type): "\(type), which came before the server had answered this connection's join"
        case .notSupported(let type): "\(type) is not supported (syndication)"
        case .unexpected(let type): "\(type) is not expected here"
        case .unknownToken(let id): "from \(id) with a token of no open request"
        case .unfittingStatus(let status): "\(status) does not answer the request it names"
        case .cannotOpenEnvelope(let id): "the envelope from \(id) cannot be opened"
        case .wrongGroup(let id): "from \(id) to a group that is not ours, or on a topic that is not the group's"
        case .overloaded: "too many unanswered requests at once"
        }
    }
}
