import NFCProtocols
import Recording

/// A chip out of a recording: it answers what the recorded one has answered, in the same order.
///
/// A host does not do everything as often as it did then: it polls as long as it is asked to. So a command is looked for from
/// where the recording stands, never past the next contact's beginning, and then before it; what nobody ever asked is
/// answered as what the chip does not understand. Blanked bytes are zeros.
final class RecordedChip: HostedChip {
    let loop: EventLoop
    weak var bus: (any ChipBus)?

    private struct Step {
        let command: [UInt8]
        var isAcknowledged = false
        /// Milliseconds after the command, and what came: `nil` is noise.
        var answers: [(after: Double, bytes: [UInt8])] = []
        /// Whether somebody has been found, or has come.
        var beginsContact = false
    }

    private let steps: [Step]
    private let isTimed: Bool
    private var next = 0
    private var current: Step?
    private var serial = 0
    /// Commands that the recording has not.
    private(set) var unknown = 0
    /// How far it has come, in commands.
    var progress: (done: Int, all: Int) { (next, steps.count) }

    /// - Parameter isTimed: whether answers take the time that they took.
    init(_ line: [RecordedExchange], loop: EventLoop, isTimed: Bool) {
        self.loop = loop
        self.isTimed = isTimed
        steps = Self.steps(line)
    }

    private static func steps(_ line: [RecordedExchange]) -> [Step] {
        var steps: [Step] = []
        var asked = 0.0
        for exchange in line {
            switch (exchange.isFromHost, exchange.content) {
            case (true, .frame(let bytes)):
                steps.append(Step(command: bytes.dropFirst().map { $0 ?? 0 }))
                asked = exchange.ms
            case (false, .acknowledgement): if !steps.isEmpty { steps[steps.count - 1].isAcknowledged = true }
            case (false, .frame(let bytes)):
                guard !steps.isEmpty else { continue }
                let body = bytes.map { $0 ?? 0 }
                steps[steps.count - 1].answers.append((exchange.ms - asked, HostFrame.bytes(body)))
                if beginsContact(body) { steps[steps.count - 1].beginsContact = true }
            case (false, .noise(let count)):
                guard !steps.isEmpty else { continue }
                let noise = [UInt8](repeating: 0x55, count: min(count, 300))
                steps[steps.count - 1].answers.append((exchange.ms - asked, noise))
            default: break
            }
        }
        return steps
    }

    /// InListPassiveTarget with a target, InJumpForDEP with success, TgInitAsTarget with an initiator.
    private static func beginsContact(_ body: [UInt8]) -> Bool {
        guard body.count > 2, body[0] == 0xD5 else { return false }
        return switch body[1] {
        case 0x4B: body[2] > 0
        case 0x47, 0x51, 0x57: body[2] & 0x3F == 0
        case 0x8D: true
        default: false
        }
    }

    // MARK: Commands

    func acknowledges(_ command: [UInt8]) -> Bool {
        current = step(command)
        if current == nil { unknown += 1 }
        return current?.isAcknowledged ?? true
    }

    private func step(_ command: [UInt8]) -> Step? {
        func isSame(_ step: Step) -> Bool { step.command == command }
        func isLike(_ step: Step) -> Bool { step.command.first == command.first }
        for matches in [isSame, isLike] {
            if let index = ahead(matches) {
                next = index + 1
                return steps[index]
            }
            // What was asked before is answered again, a search by "nobody" if that was ever so.
            let before = steps[..<next].reversed()
            if let step = before.first(where: { matches($0) && !$0.beginsContact }) { return step }
        }
        return steps[..<next].reversed().first(where: isLike)
    }

    /// The next such command, not behind the beginning of a contact that the host has not come to.
    private func ahead(_ matches: (Step) -> Bool) -> Int? {
        for index in next..<steps.count {
            if matches(steps[index]) { return index }
            if steps[index].beginsContact { return nil }
        }
        return nil
    }

    func execute(_ command: [UInt8]) {
        serial += 1
        let mine = serial
        guard let current else {
            bus?.sendError()
            return
        }
        for answer in current.answers {
            let delay = isTimed ? EventLoop.Nanoseconds(max(0, answer.after) * 1_000_000) : 0
            loop.after(delay) { [self] in
                if mine == serial { bus?.sendBytes(answer.bytes) }
            }
        }
    }

    func abort() { serial += 1 }

    func reset() { serial += 1 }
}
