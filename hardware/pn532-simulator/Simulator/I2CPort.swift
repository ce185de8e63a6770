import Linux
import Glibc
import NFCProtocols

/// The chip as an I2C slave behind a Unix socket: what the preloaded shim and the bridge's simulation connect to.
///
/// ```
/// client -> chip   'W' length(2) bytes        one write transaction
///                  'R' length(2)              one read transaction
/// chip -> client   status(1): 0 acknowledged, 1 not; after a read, the bytes: ready bit, then the frame
/// ```
final class I2CPort: ChipBus {
    private let loop: EventLoop
    private let chip: Chip
    private let listener: Int32
    /// Nine clocks, in nanoseconds; 0: nothing takes time.
    private let byteTime: EventLoop.Nanoseconds
    private var clients: [Int32: [UInt8]] = [:]
    private var frames: [[UInt8]] = []
    private var isAsleep = false
    /// No acknowledge: the chip is not there, or hangs.
    var isAbsent = false
    /// The bus hangs: transactions do not end.
    var isStuck = false
    var faults = BusFaults()
    private(set) var transactions = 0
    private(set) var bytesMoved = 0

    /// - Parameter kilohertz: transactions take the time that they take at this clock; `nil`: none.
    init(path: String, chip: Chip, kilohertz: Int?) {
        self.chip = chip
        byteTime = kilohertz.map { 9_000_000 / EventLoop.Nanoseconds(max($0, 1)) } ?? 0
        loop = chip.loop
        unlink(path)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        _ = UnixAddress.with(path) { bind(listener, $0, $1) }
        listen(listener, 4)
        chip.bus = self
        loop.watch(listener) { [weak self] in self?.accepted() }
    }

    private func accepted() {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        clients[client] = []
        loop.watch(client) { [weak self] in self?.readable(client) }
    }

    private func readable(_ client: Int32) {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = read(client, &bytes, bytes.count)
        guard count > 0 else {
            loop.forget(client)
            clients[client] = nil
            close(client)
            return
        }
        clients[client, default: []] += bytes.prefix(count)
        while let request = nextRequest(client) { transact(request, client) }
    }

    private func nextRequest(_ client: Int32) -> [UInt8]? {
        guard let bytes = clients[client], bytes.count >= 3 else { return nil }
        let length = Int(bytes[1]) << 8 | Int(bytes[2])
        let whole = bytes[0] == UInt8(ascii: "W") ? 3 + length : 3
        guard bytes.count >= whole else { return nil }
        clients[client]?.removeFirst(whole)
        return Array(bytes.prefix(whole))
    }

    private func transact(_ request: [UInt8], _ client: Int32) {
        if isStuck { return }
        let length = Int(request[1]) << 8 | Int(request[2])
        transactions += 1
        bytesMoved += length + 1
        let duration = byteTime * EventLoop.Nanoseconds(length + 1)
        if isAbsent { return answer([1], client, after: byteTime) }
        if request[0] == UInt8(ascii: "W") {
            answer([0], client, after: duration)
            let bytes = Array(request.dropFirst(3))
            loop.after(duration) { [self] in written(bytes) }
        } else {
            answer([0] + taken(length), client, after: duration)
        }
    }

    private func taken(_ length: Int) -> [UInt8] {
        guard length > 0 else { return [] }
        var bytes: [UInt8] = [frames.isEmpty ? 0 : 1]
        // The ready byte alone does not take the frame.
        if length > 1, !frames.isEmpty { bytes += frames.removeFirst() }
        return Array((bytes + [UInt8](repeating: 0, count: length)).prefix(length))
    }

    private func answer(_ bytes: [UInt8], _ client: Int32, after delay: EventLoop.Nanoseconds) {
        loop.after(delay) { [self] in
            guard clients[client] != nil else { return }
            _ = bytes.withUnsafeBytes { Glibc.send(client, $0.baseAddress, $0.count, SocketFlags.noSignal) }
        }
    }

    private func written(_ bytes: [UInt8]) {
        var reader = HostFrameReader()
        reader.append(bytes)
        while let frame = reader.next() {
            switch frame {
            case .ack:
                frames.removeAll()
                chip.abort()
            case .nack: break
            case .information(let body):
                frames.removeAll()
                if faults.withoutAck > 0 {
                    faults.withoutAck -= 1
                    return
                }
                frames.append(HostFrame.ackBytes)
                guard body.first == 0xD4, body.count > 1 else { return sendError() }
                chip.execute(Array(body.dropFirst()))
            }
        }
    }

    /// A loss of power: what was to be read is gone.
    func glitch() {
        frames.removeAll()
        chip.reset()
    }

    func send(_ body: [UInt8]) {
        if let bytes = faults.spoiled(body) { frames.append(bytes) }
    }

    func sendError() { frames.append(HostFrame.error) }

    func sendBytes(_ bytes: [UInt8]) { frames.append(bytes) }
    func setSpeed(_ speed: Int) {}
    func sleep() {}
}
