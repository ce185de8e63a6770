import ObservedValue
import Program
import ServiceLifecycle
import Signals
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What the acceptance check wants of the keeper while it is driven by cards: eyes that look for them, or that let go of
/// their devices while a step looks itself; and what lamp and display say. Asked again and again; without it, in
/// ``AcceptanceLink/patience`` all is as before.
package struct AcceptanceRequest: Codable, Sendable, Hashable {
    /// The eyes look. Otherwise they let go of their devices, unless a server asks meanwhile.
    package var looks: Bool
    /// What the lamp shows; `nil`: whether anything is read, as it does while somebody aims.
    package var word: String?
    /// Shown once; counted, so that a request that is sent twice shows it once.
    package var event: String?
    package var eventNumber: Int
    /// For a small display and a console.
    package var lines: [String]
    /// What was seen up to this number is known.
    package var after: Int

    package init(looks: Bool, word: SignalWord? = nil, lines: [String] = [], after: Int = 0) {
        (self.looks, self.word, self.lines, self.after, eventNumber) = (looks, word?.rawValue, lines, after, 0)
    }
}

/// What the keeper answers.
package struct AcceptanceReply: Codable, Sendable, Hashable {
    /// A word that an eye has seen.
    package struct Sight: Codable, Sendable, Hashable {
        package var number: Int
        package var command: SheetCommand
        package var isTapped: Bool
        /// By the keeper's clock.
        package var milliseconds: Int
    }
    package var sights: [Sight] = []
    /// The keeper's clock now.
    package var milliseconds = 0
    /// Observations that are open: the eyes are theirs.
    package var openWatches = 0

    package init() {}
}

/// The socket at which the acceptance check asks, there only while `[appliance] acceptance` is on, and what the eyes have seen
/// of its cards. It decides nothing about any device: words go from the eyes to the check, and never to a watch.
package final class AcceptanceLink: Service, Sendable {
    /// So long after the last request all is as before.
    package static let patience = Duration.seconds(10)
    static let maximumSights = 256
    private let socket: CommandSocket
    private let ledger: Ledger

    /// What has been seen, by number.
    package final class Ledger: Sendable {
        private struct State {
            var sights: [AcceptanceReply.Sight] = []
            var count = 0
            var shownEvent = 0
        }
        private let state = Mutex(State())

        package init() {}

        package func saw(_ command: SheetCommand, isTapped: Bool, at now: Duration) {
            state.withLock { state in
                state.count += 1
                state.sights.append(
                    .init(
                        number: state.count, command: command, isTapped: isTapped,
                        milliseconds: Int(now / .milliseconds(1))))
                if state.sights.count > AcceptanceLink.maximumSights { state.sights.removeFirst() }
            }
        }

        package func sights(after number: Int) -> [AcceptanceReply.Sight] {
            // A check that knows more than there was has asked the keeper before this one.
            state.withLock { state in state.sights.filter { number > state.count || $0.number > number } }
        }

        /// Whether an event is to be shown: once.
        fileprivate func isNew(_ event: Int) -> Bool {
            state.withLock { state in
                defer { state.shownEvent = event }
                return event > 0 && event != state.shownEvent
            }
        }
    }

    package static func path(_ stateFolder: String) -> String { stateFolder + "/acceptance.sock" }

    /// - Parameters:
    ///   - desks: of all logical observers, whose eyes and lamp it is about.
    /// - Throws: ``ControlSocket/Failure``.
    package init(
        _ stateFolder: String, _ ledger: Ledger, signals: SignalBoard, desks: [ObservationService]
    ) throws(ControlSocket.Failure) {
        self.ledger = ledger
        socket = try CommandSocket(path: Self.path(stateFolder)) { line in
            guard let request = try? JSONDecoder().decode(AcceptanceRequest.self, from: Data(line.utf8)) else {
                return "{}"
            }
            let word = request.word.flatMap { SignalWord(rawValue: $0) }.flatMap { $0.isEvent ? nil : $0 }
            var reply = AcceptanceReply()
            for desk in desks {
                await desk.accept(looks: request.looks, word: word)
                reply.milliseconds = Int(await desk.time / .milliseconds(1))
                reply.openWatches += await desk.openWatches
            }
            signals.text(request.lines)
            if ledger.isNew(request.eventNumber), let event = request.event.flatMap({ SignalWord(rawValue: $0) }) {
                signals.step(event)
            }
            reply.sights = ledger.sights(after: request.after)
            guard let data = try? JSONEncoder().encode(reply) else { return "{}" }
            return String(decoding: data, as: UTF8.self)
        }
    }

    package func run() async throws { try await socket.run() }

    /// Asks the keeper with this state folder; `nil` when none runs, or its configuration says nothing of acceptance.
    package static func ask(_ stateFolder: String, _ request: AcceptanceRequest) -> AcceptanceReply? {
        guard let data = try? JSONEncoder().encode(request),
            let answer = CommandSocket.ask(path(stateFolder), String(decoding: data, as: UTF8.self))
        else { return nil }
        return try? JSONDecoder().decode(AcceptanceReply.self, from: Data(answer.utf8))
    }
}
