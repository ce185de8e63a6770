/// A frame in the air, without checksum.
struct RFFrame: Equatable {
    enum Speed: Int { case k106 = 0, k212, k424 }
    var bytes: [UInt8]
    var speed: Speed = .k106

    /// How long it is in the air, and what goes around it, in nanoseconds.
    var airtime: EventLoop.Nanoseconds {
        let perByte: EventLoop.Nanoseconds = [75_500, 37_800, 18_900][speed.rawValue]
        return 300_000 + perByte * EventLoop.Nanoseconds(bytes.count + 2)
    }
}

enum RFAnswer {
    case frame(RFFrame)
    case timeout
    /// A frame came with a wrong checksum.
    case corrupt
}

/// How a type A target (NFC Forum, Digital 1.0, section 6) presents itself.
struct TypeA {
    /// The high byte first, as InListPassiveTarget gives it.
    var atqa: [UInt8]
    var uid: [UInt8]
    var sak: UInt8
}

/// Something that answers in a field: a chip that acts as a target, or a tag.
protocol Listener: AnyObject {
    var name: String { get }
    /// Polled at 106 kbit/s; `nil` when it does not answer there.
    func typeA() -> TypeA?
    /// Polled at 212 or 424 kbit/s: NFCID2 and PAD.
    func typeF(_ speed: RFFrame.Speed) -> [UInt8]?
    /// Gets a frame; answers through the field, at once or later, or not at all.
    func heard(_ frame: RFFrame, from: Chip, isActiveMode: Bool, answer: @escaping (RFFrame) -> Void)
    func fieldLost()
}

/// What is near what, and what goes wrong in the air between.
final class Field {
    let loop: EventLoop
    private(set) var listeners: [String: any Listener] = [:]
    private var near: Set<Set<String>> = []
    private var faults: [Int: Fault] = [:]
    /// Frames in the air since the last fault was set.
    private(set) var frames = 0
    private(set) var total = 0
    /// Added to every answer, in nanoseconds.
    var slowness: EventLoop.Nanoseconds = 0
    /// Without times of their own, frames arrive at once.
    var isAirTimed = true
    /// Whether the chips take the time for commands that they take.
    var isFirmwareTimed = true

    enum Fault: Equatable {
        case drop
        case corrupt
        /// The two go apart before the frame arrives.
        case remove
        /// The two go apart, and another comes near to the one that stays.
        case swap(stays: String, comes: String)
    }

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    func add(_ listener: any Listener) {
        listeners[listener.name] = listener
    }

    func join(_ one: String, _ other: String) {
        near.insert([one, other])
    }

    func part(_ one: String, _ other: String) {
        guard near.remove([one, other]) != nil else { return }
        listeners[one]?.fieldLost()
        listeners[other]?.fieldLost()
    }

    func partAll() {
        let all = near
        near.removeAll()
        for name in Set(all.flatMap { $0 }) { listeners[name]?.fieldLost() }
    }

    func areNear(_ one: String, _ other: String) -> Bool { near.contains([one, other]) }

    /// Sets what happens to the n-th frame from now on, 1 being the next.
    func setFault(_ fault: Fault, at number: Int) {
        frames = 0
        faults = [number: fault]
    }

    /// How many faults have not come yet.
    var pendingFaults: Int { faults.count }

    func clearFaults() {
        frames = 0
        faults = [:]
    }

    func reachable(from chip: Chip) -> [any Listener] {
        listeners.values.filter { $0.name != chip.name && areNear(chip.name, $0.name) }
            .sorted { $0.name < $1.name }
    }

    private func delay(_ frame: RFFrame) -> EventLoop.Nanoseconds { isAirTimed ? frame.airtime : 20_000 }

    /// Whether the frame arrives whole, in part or not at all.
    private func fate(_ from: String, _ to: String) -> Fault? {
        frames += 1
        total += 1
        let fault = faults.removeValue(forKey: frames)
        switch fault {
        case .remove: part(from, to)
        case .swap(let stays, let comes):
            part(from, to)
            join(stays, comes)
        default: break
        }
        return fault
    }

    /// Sends a frame and calls back with the answer, once.
    func transceive(
        _ frame: RFFrame, from chip: Chip, isActiveMode: Bool, timeout: EventLoop.Nanoseconds,
        _ completion: @escaping (RFAnswer) -> Void
    ) {
        var isDone = false
        func finish(_ answer: RFAnswer) {
            if isDone { return }
            isDone = true
            completion(answer)
        }
        let targets = reachable(from: chip)
        let fate = fate(chip.name, targets.first?.name ?? "")
        loop.after(delay(frame)) { [self] in
            if fate == nil || fate == .corrupt {
                for target in targets where fate == nil && areNear(chip.name, target.name) {
                    target.heard(frame, from: chip, isActiveMode: isActiveMode) { [self] answer in
                        returned(answer, from: target, to: chip, finish)
                    }
                }
            }
        }
        loop.after(delay(frame) + timeout) { finish(.timeout) }
    }

    private func returned(
        _ answer: RFFrame, from target: any Listener, to chip: Chip, _ finish: @escaping (RFAnswer) -> Void
    ) {
        let fate = fate(target.name, chip.name)
        guard fate == nil || fate == .corrupt else { return }
        loop.after(delay(answer) + slowness) { [self] in
            guard areNear(chip.name, target.name) else { return }
            finish(fate == .corrupt ? .corrupt : .frame(answer))
        }
    }
}
