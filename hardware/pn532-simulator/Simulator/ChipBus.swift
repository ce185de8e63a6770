import NFCProtocols

/// Between chip and host.
protocol ChipBus: AnyObject {
    /// Sends TFI and data to the host.
    func send(_ body: [UInt8])
    func sendError()
    /// Sends bytes as they are.
    func sendBytes(_ bytes: [UInt8])
    /// In bits a second.
    func setSpeed(_ speed: Int)
    /// Power down: woken by the host's next bytes.
    func sleep()
}

/// What goes wrong between host and chip, until it is used up.
struct BusFaults {
    /// How many commands get no ACK and are not executed.
    var withoutAck = 0
    /// How many answers have a wrong checksum.
    var badSums = 0
    /// How many answers end in the middle.
    var halves = 0
    /// How many commands are acknowledged and never answered.
    var silent = 0
    /// How many answers are preceded by garbage.
    var garbage = 0
    /// How many status bytes are ORed with `statusBits`.
    var status = 0
    var statusBits: UInt8 = 0
    /// After how many answers the above begin.
    var skip = 0

    /// Commands whose answer begins with a status byte.
    static let withStatus: Set<UInt8> = [0x40, 0x42, 0x46, 0x56, 0x86, 0x88, 0x8E, 0x90]

    /// The answer as it goes over the bus.
    mutating func spoiled(_ body: [UInt8]) -> [UInt8]? {
        var body = body
        if skip > 0 {
            skip -= 1
            return HostFrame.bytes(body)
        }
        if status > 0, body.count >= 3, Self.withStatus.contains(body[1] &- 1) {
            status -= 1
            // More information without any: the worst that libnfc can get.
            body = statusBits == 0x40 ? [body[0], body[1], 0x40] : body
            body[2] |= statusBits
        }
        var bytes = HostFrame.bytes(body)
        if silent > 0 {
            silent -= 1
            return nil
        }
        if badSums > 0 {
            badSums -= 1
            bytes[bytes.count - 2] ^= 0x55
        }
        if halves > 0 {
            halves -= 1
            bytes.removeLast(bytes.count / 2)
        }
        if garbage > 0 {
            garbage -= 1
            bytes = [0x13, 0x00, 0x00, 0x37, 0xFF, 0xFF, 0x00] + bytes
        }
        return bytes
    }
}
