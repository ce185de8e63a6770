import Addresses
import CI2C
import Glibc

/// Asks a chip what it is, before libnfc does.
///
/// libnfc opens whatever answers, and what is no PN53x ends it: by `abort()` at once, or by a table of abilities that is not
/// there when somebody asks for them. So the question is put in the chip's own host protocol first (NXP UM0701-02, sections
/// 6.2 and 7.2.2):
///
/// ```
///  00 00 FF LEN LCS  D4 02           DCS 00   GetFirmwareVersion
///  00 00 FF LEN LCS  D5 03 32 VV RR SS  DCS 00   its answer: IC 32 is the PN532, version, revision, what it supports
/// ```
enum FirmwareQuestion {
    enum Answer: Equatable {
        case pn532
        /// Something else answers, and so.
        case foreign([UInt8])
        case silence
    }

    private static let wakeUp: [UInt8] = [0x55, 0x55, 0x00, 0x00, 0x00]
    /// SAMConfiguration, normal mode: a chip that has just got its power wants it first.
    private static let configure = frame([0xD4, 0x14, 0x01])
    private static let question = frame([0xD4, 0x02])
    /// How long an answer is waited for; the chip needs a few milliseconds.
    private static let limit = Duration.milliseconds(250)

    private static func frame(_ body: [UInt8]) -> [UInt8] {
        let length = UInt8(body.count)
        let sum = body.reduce(UInt8(0)) { $0 &+ $1 }
        return [0x00, 0x00, 0xFF, length, 0 &- length] + body + [0 &- sum, 0x00]
    }

    // MARK: Buses

    /// - Parameter descriptor: of a serial port, not blocking; it is set to the chip's ways.
    static func ask(serial descriptor: Int32, speed: Int) -> Answer {
        guard SerialLine.set(descriptor, speed) else { return .silence }
        func converse(_ bytes: [UInt8]) -> [UInt8] {
            guard write(descriptor, bytes, bytes.count) == bytes.count else { return [] }
            return collect { received in
                var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&poller, 1, 20) > 0 else { return true }
                var part = [UInt8](repeating: 0, count: 300)
                let count = read(descriptor, &part, part.count)
                received += part.prefix(max(0, count))
                return count > 0 || errno == EAGAIN
            }
        }
        defer { tcflush(descriptor, TCIOFLUSH) }
        for _ in 0..<2 {
            _ = converse(wakeUp + configure)
            if let answer = judged(converse(question)) { return answer }
        }
        return .silence
    }

    /// - Parameter path: of an I2C bus.
    static func ask(i2c path: String) -> Answer {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return .silence }
        defer { close(descriptor) }
        guard ioctl(descriptor, UInt(I2C_SLAVE), ReaderAddress.chipAddress) == 0 else { return .silence }
        func converse(_ bytes: [UInt8]) -> [UInt8] {
            guard write(descriptor, bytes, bytes.count) == bytes.count else { return [] }
            return collect { received in
                // Between two transactions the bus is left free; the first byte says whether a frame follows.
                usleep(5_000)
                var part = [UInt8](repeating: 0, count: 32)
                guard read(descriptor, &part, part.count) == part.count else { return true }
                if part[0] & 1 != 0 { received += part.dropFirst() }
                return true
            }
        }
        for _ in 0..<2 {
            _ = converse(configure)
            if let answer = judged(converse(question)) { return answer }
        }
        return .silence
    }

    /// Gathers bytes until an answer is among them or the time is over.
    ///
    /// - Parameter step: adds what has come; whether more can come.
    private static func collect(_ step: (inout [UInt8]) -> Bool) -> [UInt8] {
        var received: [UInt8] = []
        let deadline = ContinuousClock.now + limit
        while body(in: received) == nil, received.count < 4096, ContinuousClock.now < deadline {
            guard step(&received) else { break }
        }
        return received
    }

    // MARK: Answers

    /// What the bytes that came after the question say; `nil` when nothing has answered.
    static func judged(_ received: [UInt8]) -> Answer? {
        guard let body = body(in: received) else { return nil }
        guard body.starts(with: [0xD5, 0x03]) else { return .foreign(body) }
        let version = Array(body.dropFirst(2))
        return version.count == 4 && version[0] == 0x32 ? .pn532 : .foreign(version)
    }

    /// The body of the first information frame (or error frame) among the bytes.
    private static func body(in bytes: [UInt8]) -> [UInt8]? {
        for start in bytes.indices where bytes[start...].starts(with: [0x00, 0xFF]) {
            let rest = Array(bytes[(start + 2)...])
            guard rest.count >= 2, rest[0] != 0, rest[0] &+ rest[1] == 0 else { continue }
            let end = 2 + Int(rest[0])
            guard rest.count > end, rest[2...end].reduce(UInt8(0), { $0 &+ $1 }) == 0 else { continue }
            return Array(rest[2..<end])
        }
        return nil
    }
}
