import Participant
import Program
import Signals
import Synchronization

/// What all logical observers of the box are doing, as one word on the signal socket: a fault anywhere is shown first,
/// then looking, then waiting. While somebody points the eyes, that is shown in place of a fault and of waiting.
package final class SignalBoard: Sendable {
    private struct Part {
        var isJoined = false
        var isConnected = false
        var watches = 0
        var blindEyes: Set<String> = []
        /// While somebody points the eyes: ``SignalWord/aiming`` or ``SignalWord/readable``; while a mounted box is checked,
        /// where the check is.
        var aim: SignalWord?
        /// What the operator compares before this observer is let in, 32 hexadecimal digits.
        var value: String?

        var word: SignalWord {
            if !isConnected || !isJoined || !blindEyes.isEmpty { return .fault }
            return watches > 0 ? .looking : .waiting
        }
    }

    package let socket: SignalSocket
    /// Says which value people compare now: for a display, and nobody else.
    package let values: SignalSocket
    private let parts = Mutex<[String: Part]>([:])
    private let lines = Mutex<[String]>([])

    /// - Parameters:
    ///   - path: of the socket with the words.
    ///   - valuePath: of the one with the value; its owner's and its group's.
    ///   - names: of the logical observers.
    /// - Throws: ``ControlSocket/Failure``.
    package init(path: String, valuePath: String, names: [String]) throws(ControlSocket.Failure) {
        values = try SignalSocket(path: valuePath, word: ShownValue.nothing.word, mode: 0o660)
        parts.withLock { parts in
            for name in names { parts[name] = Part() }
        }
        socket = try SignalSocket(path: path, word: SignalWord.fault.rawValue)
    }

    private func change(_ name: String, _ body: (inout Part) -> Void) {
        // Said under the lock: words must not overtake each other.
        parts.withLock { parts in
            body(&parts[name, default: Part()])
            let words = Set(parts.values.map(\.word))
            var word: SignalWord = words.contains(.fault) ? .fault : words.contains(.looking) ? .looking : .waiting
            // Who points a camera has asked for it; the network may come later.
            let aims = parts.values.compactMap(\.aim)
            if !aims.isEmpty, word != .looking {
                let steps = aims.first { $0 != .aiming && $0 != .readable }
                word = steps ?? (aims.contains(.readable) ? .readable : .aiming)
            }
            socket.publish(word.rawValue)
        }
    }

    func connected(_ name: String, isJoined: Bool) {
        change(name) { part in
            part.isConnected = true
            part.isJoined = isJoined
        }
    }

    func disconnected(_ name: String) { change(name) { $0.isConnected = false } }
    func joined(_ name: String, _ isJoined: Bool) { change(name) { $0.isJoined = isJoined } }
    func watches(_ name: String, _ count: Int) { change(name) { $0.watches = count } }

    func aim(_ name: String, _ word: SignalWord?) { change(name) { $0.aim = word } }

    /// - Parameter isBlind: it was awake and could not see.
    func eye(_ name: String, _ eye: String, isBlind: Bool) {
        change(name) { part in
            if isBlind { part.blindEyes.insert(eye) } else { part.blindEyes.remove(eye) }
        }
    }

    /// What happens to a member.
    func heard(_ event: MemberEvent, by name: String, isJoined: Bool) {
        switch event {
        case .connected: connected(name, isJoined: isJoined)
        case .disconnected: disconnected(name)
        case .joined: joined(name, true)
        case .refused, .joinFailed, .left: joined(name, false)
        default: break
        }
    }

    /// What the operator compares before this observer is let in, borrowed; `nil` when it need not be any more. Of several
    /// observers that wait the first one's is shown, by their names.
    func value(_ name: String, _ hex: UnsafeRawBufferPointer?) {
        parts.withLock { parts in
            parts[name, default: Part()].value = hex.map { String(decoding: $0, as: UTF8.self) }
            publishValue(parts)
        }
    }

    /// What the acceptance check says to whoever has a display; a value that an operator has to compare goes before it.
    func text(_ lines: [String]) {
        parts.withLock { parts in
            self.lines.withLock { $0 = lines }
            publishValue(parts)
        }
    }

    private func publishValue(_ parts: [String: Part]) {
        let first = parts.sorted { $0.key < $1.key }.first { $0.value.value != nil }
        let text = lines.withLock { ShownValue(lines: $0) }
        values.publish((first.flatMap { ShownValue(hex: $0.value.value, name: $0.key) } ?? text).word)
    }

    /// A step of the acceptance check is over.
    func step(_ word: SignalWord) {
        guard word == .stepPassed || word == .stepFailed else { return }
        parts.withLock { _ in socket.publish(word.rawValue, passing: true) }
    }

    /// Somebody looks for this box.
    func locate() { parts.withLock { _ in socket.publish(SignalWord.locate.rawValue, passing: true) } }

    /// A verdict's name, as in the log.
    func verdict(_ verdict: String) {
        guard let word = SignalWord(rawValue: verdict), word.isVerdict else { return }
        parts.withLock { _ in socket.publish(word.rawValue, passing: true) }
    }
}
