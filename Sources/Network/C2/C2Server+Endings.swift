import Participant
import SRUP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Closes connections at a broker that takes no commands as messages.
public protocol ConnectionCloser: Sendable {
    /// Closes all connections of somebody whom the broker lets in no more.
    ///
    /// - Throws: when they are not closed, as far as is known.
    func close(_ id: DeviceID) async throws
}

/// The end of identities: the device is told, its certificates are revoked, the broker closes its connection, and nothing of it
/// is kept but that it has ended.
///
/// What has been decided is in the key service's book (``KeyDirectory/openEndings()``), whoever has decided it; the server takes
/// it from there, also after a restart, and goes on until the broker has confirmed.
extension C2Server {
    /// An end under way.
    struct Ending {
        let identity: EndedIdentity
        /// Of the command to the device; its answer carries it.
        var command: Token?
        /// When the device was told.
        let told: Duration
        /// Whether the device has said that its keys are gone.
        var isConfirmed = false
        var isRevoked = false
        /// When the broker was asked last to close the connection.
        var asked: Duration?
    }

    /// How long a device may take to take note, before it cannot hear anything any more.
    private static let farewell = Duration.milliseconds(300)
    /// After which time the broker is asked again, and so many identities at once.
    private static let (askAgain, maximumAtOnce) = (Duration.seconds(2), 100)

    /// Where the broker takes commands, and where it answers.
    static let controlTopic = "$CONTROL/dynamic-security/v1"
    static let controlAnswers = controlTopic + "/response"

    // MARK: Each step

    /// Does what is due, ten times a second.
    func watchEndings(_ now: Duration) {
        do {
            for identity in try directory.openEndings() where endings[identity.id] == nil { try begin(identity, now) }
        } catch {
            causedLog.log(.error, about: "endings", "who has ended cannot be read, or not be put out: \(error)")
        }
        guard !endings.isEmpty else { return }
        revokeDue(now)
        closeDue(now)
    }

    private func begin(_ identity: EndedIdentity, _ now: Duration) throws {
        let id = identity.id
        // From here on it ends, whatever fails below.
        endings[id] = Ending(identity: identity, told: now)
        try state.noteEnded(identity)
        logger.notice("the identity \(id) ends (\(identity.why)), as \(identity.by ?? "it wishes itself")")
        participant.audit("ends", "\(id): \(identity.why)", about: id, by: identity.by)
        events.record("identity-ends", ["device": id.hex, "why": identity.why])
        occurred(.removed, id, why: identity.why, by: identity.by)
        try state.distrust(id)
        roster.forget(id)
        if let join = joins[id]?.join { carryOn(join) { try conclude(join, .joinFail, why: "the identity ends") } }
        if let entry = moderations[id] { try conclude(entry.moderation, .joinFail, why: "the identity ends") }
        leaveGroups(id)
        failJoins(by: id, because: "the observer \(id) has ended")
        // By its own wish it knows already.
        if identity.by != nil, try participant.state.peer(id)?.key != nil {
            let token = Token.random()
            endings[id]?.command = token
            // It may have been no member: its answer is heard all the same.
            participant.link.subscribe("SRUP/\(id.hex)")
            try participant.send(.deregisterCommand, to: id, on: .member(id), token: token)
        }
        try participant.state.setJoined(id, false)
        changed(.device, id)
    }

    private func revokeDue(_ now: Duration) {
        let due = endings.values.filter { ending in
            !ending.isRevoked
                && (ending.isConfirmed || now - ending.told >= Self.farewell || !participant.link.isConnected)
        }
        guard !due.isEmpty else { return }
        do {
            try directory.revoke()
            for ending in due { endings[ending.identity.id]?.isRevoked = true }
        } catch {
            causedLog.log(.error, about: "endings", "the broker's list of who has ended cannot be made: \(error)")
        }
    }

    private func closeDue(_ now: Duration) {
        guard participant.link.isConnected else { return }
        let due = endings.values.filter { ending in
            ending.isRevoked && (ending.asked.map { now - $0 >= Self.askAgain } ?? true)
        }.map(\.identity.id).sorted().prefix(Self.maximumAtOnce)
        guard !due.isEmpty else { return }
        for id in due {
            if endings[id]?.asked != nil {
                causedLog.log(
                    .warning, about: "endings",
                    "the broker does not confirm that the connection of \(id) is closed; asking again (srup-c2 doctor says whether its configuration is up to date)"
                )
            }
            endings[id]?.asked = now
        }
        if let closer {
            Task { [weak self, logger] in
                for id in due {
                    do {
                        try await closer.close(id)
                        await self?.connectionClosed(id)
                    } catch {
                        logger.warning("\(error)")
                    }
                }
            }
            return
        }
        controls += 1
        // Numbers of the store's messages are positive.
        participant.link.publish(Self.control(Array(due)), to: Self.controlTopic, id: -controls)
    }

    private func connectionClosed(_ id: DeviceID) {
        turn {
            guard let ending = endings[id], ending.asked != nil else { return }
            close(ending)
        }
    }

    /// Made known to the broker and dropped again: it closes their connections. An error at the first does not matter.
    private static func control(_ ids: [DeviceID]) -> [UInt8] {
        let commands = ids.flatMap { id in
            ["createClient", "deleteClient"].map {
                #"{"command":"\#($0)","username":"\#(id.hex)","correlationData":"\#(id.hex)"}"#
            }
        }
        return Array(#"{"commands":[\#(commands.joined(separator: ","))]}"#.utf8)
    }

    /// The broker's answer to such commands.
    func brokerAnswered(_ payload: [UInt8]) {
        struct Answer: Decodable {
            struct Response: Decodable {
                let command: String
                let correlationData: String?
                let error: String?
            }
            let responses: [Response]
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(payload)) else {
            return causedLog.log(.warning, about: "endings", "an answer of the broker was not understood")
        }
        for response in answer.responses where response.command == "deleteClient" && response.error == nil {
            guard let id = response.correlationData.flatMap({ DeviceID(hex: $0) }), let ending = endings[id],
                ending.asked != nil
            else { continue }
            close(ending)
        }
    }

    private func close(_ ending: Ending) {
        let id = ending.identity.id
        let now = participant.wallClock()
        let milliseconds = Int((max(0, now - ending.identity.since) * 1000).rounded())
        do {
            try directory.closed(id, confirmed: ending.isConfirmed, at: now)
            try participant.state.erase(id)
        } catch {
            return causedLog.log(.error, about: "endings", "that \(id) has ended could not be stored: \(error)")
        }
        endings[id] = nil
        participant.link.unsubscribe("SRUP/\(id.hex)")
        let word = ending.isConfirmed ? "; the device says that its keys are gone" : ""
        participant.audit(
            "ended", "\(id): certificates revoked, connection closed after \(milliseconds) ms\(word)", about: id,
            by: ending.identity.by)
        events.record("identity-ended", ["device": id.hex, "milliseconds": String(milliseconds)])
        logger.notice("\(id) has ended: its connection was closed \(milliseconds) ms after the decision\(word)")
        changed(.device, id)
    }

    /// A new connection to the broker: what was asked on the one before may be lost.
    func askAgainAboutEndings() {
        for id in endings.keys { endings[id]?.asked = nil }
    }

    // MARK: What devices say

    /// Whether somebody whose end is under way is still heard, with this one message.
    func isLastWord(_ message: Message) -> Bool {
        guard let ending = endings[message.sender], case .response = message.body else { return false }
        return ending.command == message.token
    }

    /// The answer to the command to end.
    func lastWord(_ status: Status, from id: DeviceID) throws {
        guard [.deregisterSuccess, .deregisterFail].contains(status) else { throw Rejection.unfittingStatus(status) }
        endings[id]?.command = nil
        endings[id]?.isConfirmed = status == .deregisterSuccess
        if status == .deregisterFail { logger.warning("\(id) could not remove its keys") }
    }

    /// A member wants its identity to end.
    func wishesToEnd(_ message: Message) throws {
        let id = message.sender
        do {
            try directory.end(id, why: "its own wish", by: nil, since: participant.wallClock())
        } catch {
            try respond(.deregisterFail, to: message)
            throw error
        }
        participant.audit("left", "\(id): DEREGISTER_REQUEST", about: id)
        occurred(.left, id, why: "DEREGISTER_REQUEST")
        // Who does not belong any more is told so before anything else happens to it.
        try participant.send(
            .response(.deregisterSuccess), to: id, on: .member(id), token: message.token,
            membership: .ends(message.token))
        end(id)
        watchEndings(time.now())
    }

    /// A member leaves and stays registered.
    func resigns(_ message: Message) throws {
        let id = message.sender
        do {
            try participant.send(
                .response(.resignSuccess), to: id, on: .member(id), token: message.token,
                membership: .ends(message.token))
        } catch {
            try respond(.resignFail, to: message)
            throw error
        }
        end(id)
        gone(id, why: "RESIGN_REQUEST")
        participant.audit("left", "\(id): RESIGN_REQUEST", about: id)
        occurred(.left, id, why: "RESIGN_REQUEST")
        causedLog.log(.info, about: id, "\(id) has left (RESIGN_REQUEST)")
    }

    private func respond(_ status: Status, to message: Message) throws {
        try participant.send(.response(status), to: message.sender, on: .member(message.sender), token: message.token)
    }

    // MARK: After an old backup was put back

    /// Whoever has ended stays so, whichever of the two books is an old one: what one of them knows, the other one learns.
    func endAgain() throws {
        let known = Set(try directory.ended().map(\.id))
        for identity in try state.ended() where !known.contains(identity.id) {
            logger.warning("\(identity.id) had ended, and a backup has brought it back: it ends again")
            participant.audit(
                "ended again", "\(identity.id): a backup of the key service had brought it back", about: identity.id)
            try directory.end(
                identity.id, why: identity.why, by: identity.by ?? "restore", since: participant.wallClock())
        }
        for identity in try directory.ended() {
            try state.noteEnded(identity)
            try state.distrust(identity.id)
            guard let peer = try participant.state.peer(identity.id) else { continue }
            if peer.isJoined {
                logger.warning("\(identity.id) has ended, and a backup has made it a member again: it is put out")
                participant.audit(
                    "ended again", "\(identity.id): a backup of the server had brought it back", about: identity.id)
            }
            end(identity.id)
            try participant.state.erase(identity.id)
        }
    }
}
