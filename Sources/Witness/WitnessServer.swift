import Glibc
import Synchronization

/// What a witness process looks with.
public protocol Eye: Sendable {
    /// "camera" or "nfc".
    var kind: String { get }
    /// Starts looking; returns at once. Called only after ``rest()`` or at first.
    func wake()
    /// Lets go of the device; returns within a second.
    func rest()
}

/// The witness's end of the socket: obeys the keeper, passes on what the eye sees, and ends with the keeper.
public final class WitnessServer: Sendable {
    private let socket: LineSocket
    /// When each value was last passed on; at most 64 are remembered.
    private let recent = Mutex<[(value: [UInt8], at: ContinuousClock.Instant)]>([])

    public init(descriptor: Int32) {
        socket = LineSocket(descriptor: descriptor)
    }

    /// Passes something on to the keeper; from any thread. A value that stays in view is passed on ten times a second.
    public func say(_ line: WitnessLine) {
        if case .seen(let value, _) = line {
            let isRepeated = recent.withLock { recent -> Bool in
                let now = ContinuousClock.now
                recent.removeAll { now - $0.at > .milliseconds(100) }
                guard !recent.contains(where: { $0.value == value }), recent.count < 64 else { return true }
                recent.append((value, now))
                return false
            }
            if isRepeated { return }
        }
        // A keeper that is gone is noticed by the reading side.
        try? socket.write(line.description)
    }

    /// Obeys until the keeper goes away. Blocks the calling thread.
    public func serve(_ eye: some Eye) {
        say(.hello(kind: eye.kind))
        var isAwake = false
        while true {
            let line: String?
            do {
                line = try socket.line(timeout: -1)
            } catch {
                break
            }
            switch line.flatMap(WitnessCommand.init(rawValue:)) {
            case .wake where !isAwake:
                isAwake = true
                eye.wake()
            case .rest where isAwake:
                isAwake = false
                eye.rest()
                recent.withLock { $0.removeAll() }
            default: break
            }
        }
        if isAwake { eye.rest() }
    }
}
