/// The initiator's side of NFC-DEP as the chip's firmware does it (ISO/IEC 18092, section 12): packet numbers, chaining,
/// attention and retransmission, timeout extension.
final class DEPInitiator {
    private let chip: Chip
    private(set) var speed: RFFrame.Speed
    let isActiveMode: Bool
    private var number: UInt8 = 0
    /// The response waiting time that the target has asked for, in nanoseconds.
    private let waiting: EventLoop.Nanoseconds
    private var attempts = 0
    private var received: [UInt8] = []

    /// Information bytes of one packet.
    static let most = 250

    init(_ chip: Chip, speed: RFFrame.Speed, isActiveMode: Bool, waitingTime: UInt8) {
        self.chip = chip
        self.speed = speed
        self.isActiveMode = isActiveMode
        // 4096/fc * 2^WT: 302 µs * 2^WT.
        waiting = 302_000 << EventLoop.Nanoseconds(min(waitingTime & 15, 14))
    }

    static func frame(_ body: [UInt8], _ speed: RFFrame.Speed) -> RFFrame {
        let framed = [UInt8(truncatingIfNeeded: body.count + 1)] + body
        return RFFrame(bytes: speed == .k106 ? [0xF0] + framed : framed, speed: speed)
    }

    /// The packet inside a frame; `nil` when its length or start byte is wrong.
    static func body(_ frame: RFFrame) -> [UInt8]? {
        var bytes = frame.bytes[...]
        if frame.speed == .k106 {
            guard bytes.first == 0xF0 else { return nil }
            bytes = bytes.dropFirst()
        }
        guard let length = bytes.first, Int(length) == bytes.count, bytes.count >= 3 else { return nil }
        return Array(bytes.dropFirst())
    }

    func exchange(_ data: [UInt8], _ completion: @escaping (_ status: UInt8, _ data: [UInt8]) -> Void) {
        received = []
        send(data[...], completion)
    }

    private func send(_ data: ArraySlice<UInt8>, _ completion: @escaping (UInt8, [UInt8]) -> Void) {
        let part = data.prefix(Self.most)
        let rest = data.dropFirst(Self.most)
        packet([0xD4, 0x06, (rest.isEmpty ? 0 : 0x10) | number] + part, rest, completion)
    }

    private func packet(
        _ body: [UInt8], _ rest: ArraySlice<UInt8>, _ completion: @escaping (UInt8, [UInt8]) -> Void,
        extension factor: UInt64 = 1
    ) {
        attempts = 0
        attempt(body, rest, completion, wait: waiting * factor)
    }

    private func attempt(
        _ body: [UInt8], _ rest: ArraySlice<UInt8>, _ completion: @escaping (UInt8, [UInt8]) -> Void,
        wait: EventLoop.Nanoseconds
    ) {
        chip.field.transceive(Self.frame(body, speed), from: chip, isActiveMode: isActiveMode, timeout: wait) {
            [self] answer in
            switch answer {
            case .frame(let frame):
                guard let response = Self.body(frame), response.count >= 3, response[0] == 0xD5, response[1] == 0x07
                else { return completion(0x0B, []) }
                took(response, rest, completion, last: body)
            case .corrupt: retry([0xD4, 0x06, 0x50 | number], body, rest, completion, status: 0x02)
            case .timeout: retry([0xD4, 0x06, 0x80], body, rest, completion, status: 0x01)
            }
        }
    }

    /// Attention after a timeout, a negative acknowledgement after a broken frame; twice, as the standard asks.
    private func retry(
        _ recovery: [UInt8], _ body: [UInt8], _ rest: ArraySlice<UInt8>,
        _ completion: @escaping (UInt8, [UInt8]) -> Void, status: UInt8
    ) {
        attempts += 1
        guard attempts <= 2 else { return completion(status, []) }
        chip.field.transceive(Self.frame(recovery, speed), from: chip, isActiveMode: isActiveMode, timeout: waiting) {
            [self] answer in
            guard case .frame(let frame) = answer, let response = Self.body(frame), response.count >= 3,
                response[0] == 0xD5, response[1] == 0x07
            else { return retry(recovery, body, rest, completion, status: status) }
            if response[2] & 0xF0 == 0x80 {
                // The target is there and has not got the packet.
                attempt(body, rest, completion, wait: waiting)
            } else {
                took(response, rest, completion, last: body)
            }
        }
    }

    private func took(
        _ response: [UInt8], _ rest: ArraySlice<UInt8>, _ completion: @escaping (UInt8, [UInt8]) -> Void, last: [UInt8]
    ) {
        let control = response[2]
        if control & 0xF0 == 0x90, response.count >= 4 {
            // Timeout extension: granted by sending it back.
            let factor = max(1, UInt64(response[3] & 0x3F))
            packet([0xD4, 0x06, 0x90, response[3]], rest, completion, extension: factor)
            return
        }
        guard control & 3 == number else { return completion(0x0B, []) }
        number = (number + 1) & 3
        if control & 0xE0 == 0x40 {
            guard control & 0x10 == 0, !rest.isEmpty else { return completion(0x0B, []) }
            return send(rest, completion)
        }
        guard control & 0xE0 == 0x00 else { return completion(0x0B, []) }
        received += response[3...]
        if control & 0x10 != 0 {
            packet([0xD4, 0x06, 0x40 | number], [], completion)
        } else {
            completion(0x00, received)
        }
    }

    /// - Parameter isForGood: RLS_REQ, else DSL_REQ.
    func release(_ isForGood: Bool, _ completion: @escaping () -> Void) {
        chip.field.transceive(
            Self.frame([0xD4, isForGood ? 0x0A : 0x08], speed), from: chip, isActiveMode: isActiveMode,
            timeout: 20_000_000
        ) { _ in completion() }
    }
}
