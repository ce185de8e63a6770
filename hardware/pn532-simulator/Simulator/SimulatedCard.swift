/// A card's files and how it answers command APDUs (ISO/IEC 7816-4): for cards that differ from ours in one thing or another.
struct SimulatedCard {
    /// The names by which its application is selected.
    var applications: [[UInt8]] = [[0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01]]
    var files: [UInt16: [UInt8]] = [:]
    /// How many bytes one answer holds at most.
    var maximumAnswer = 256
    /// What it does when more is asked for than an answer holds.
    enum Excess: String { case refuse, less, correct }
    var excess = Excess.refuse
    private var isApplicationSelected = false
    private var selected: UInt16?

    /// The response APDU.
    mutating func answer(_ command: [UInt8]) -> [UInt8] {
        guard command.count >= 4 else { return [0x67, 0x00] }
        guard command[0] == 0x00 else { return [0x6E, 0x00] }
        switch command[1] {
        case 0xA4: return select(command)
        case 0xB0: return read(command, at: Int(command[2]) << 8 | Int(command[3]), count: command.dropFirst(4))
        case 0xB1: return readObject(command)
        default: return [0x6D, 0x00]
        }
    }

    private mutating func select(_ command: [UInt8]) -> [UInt8] {
        guard command.count >= 5, command.count >= 5 + Int(command[4]) else { return [0x67, 0x00] }
        let name = Array(command[5..<5 + Int(command[4])])
        if command[2] == 0x04 {
            isApplicationSelected = applications.contains(name)
            selected = nil
            return isApplicationSelected ? [0x90, 0x00] : [0x6A, 0x82]
        }
        guard isApplicationSelected, name.count == 2 else { return [0x6A, 0x82] }
        let identifier = UInt16(name[0]) << 8 | UInt16(name[1])
        guard files[identifier] != nil else { return [0x6A, 0x82] }
        selected = identifier
        return [0x90, 0x00]
    }

    private func read(_ command: [UInt8], at offset: Int, count: ArraySlice<UInt8>) -> [UInt8] {
        guard let file = selected.flatMap({ files[$0] }) else { return [0x69, 0x86] }
        guard let first = count.first else { return [0x67, 0x00] }
        guard offset < file.count else { return [0x6B, 0x00] }
        var wanted = first == 0 ? 256 : Int(first)
        if wanted > maximumAnswer {
            switch excess {
            case .refuse: return [0x67, 0x00]
            case .less: wanted = maximumAnswer
            case .correct: return [0x6C, UInt8(truncatingIfNeeded: maximumAnswer)]
            }
        }
        return file[offset..<min(file.count, offset + wanted)] + [0x90, 0x00]
    }

    /// READ BINARY with an offset object, `54 03 xx xx xx`, which an answer object `53` holds (Type 4 Tag 3.0).
    private func readObject(_ command: [UInt8]) -> [UInt8] {
        guard let file = selected.flatMap({ files[$0] }) else { return [0x69, 0x86] }
        guard command.count == 11, command[4] == 5, command[5] == 0x54, command[6] == 3 else { return [0x67, 0x00] }
        let offset = command[7...9].reduce(0) { $0 << 8 | Int($1) }
        let wanted = command[10] == 0 ? 256 : Int(command[10])
        guard offset < file.count else { return [0x6B, 0x00] }
        guard wanted <= maximumAnswer else { return [0x67, 0x00] }
        // The object's own head counts among the bytes that were asked for.
        let room = wanted - (wanted > 129 ? 3 : 2)
        guard room > 0 else { return [0x67, 0x00] }
        let part = Array(file[offset..<min(file.count, offset + room)])
        let length: [UInt8] = part.count < 128 ? [UInt8(part.count)] : [0x81, UInt8(part.count)]
        return [0x53] + length + part + [0x90, 0x00]
    }
}

extension SimulatedCard {
    static let capabilityFile: UInt16 = 0xE103
    static let messageFile: UInt16 = 0xE104

    /// A card with an NDEF file that holds a message.
    ///
    /// - Parameter maximumAnswer: MLe.
    init(message: [UInt8], maximumAnswer: Int = 0xF0) {
        self.maximumAnswer = maximumAnswer
        let length = UInt16(message.count)
        files = [
            Self.capabilityFile: [
                0x00, 0x0F, 0x20, UInt8(maximumAnswer >> 8), UInt8(maximumAnswer & 0xFF), 0x00, 0x34, 0x04, 0x06, 0xE1,
                0x04, 0x04, 0x00, 0x00, 0x00,
            ],
            Self.messageFile: [UInt8(length >> 8), UInt8(length & 0xFF)] + message
                + [UInt8](repeating: 0, count: max(0, 1022 - message.count)),
        ]
    }
}

/// A Type 2 tag's memory of one sector, which answers READ.
struct SimulatedMemory {
    var bytes: [UInt8]

    /// - Parameter bytes: from page 0 on; at least 64 are made of it.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes + [UInt8](repeating: 0, count: max(0, 64 - bytes.count))
    }

    /// An NTAG216-sized tag with a message.
    init(message: [UInt8]) {
        let length = UInt8(truncatingIfNeeded: message.count)
        let head: [UInt8] =
            message.count < 255
            ? [0x03, length] : [0x03, 0xFF, UInt8(message.count >> 8), UInt8(message.count & 0xFF)]
        let all =
            [0x04, 0x12, 0x34, 0xAA, 0x56, 0x78, 0x9A, 0xBC, 0x08, 0x48, 0x00, 0x00, 0xE1, 0x10, 0x6D, 0x00] + head
            + message + [0xFE]
        self.init(all + [UInt8](repeating: 0, count: max(0, 924 - all.count)))
    }

    /// The answer to a command; `nil`: it says nothing.
    func answer(_ command: [UInt8]) -> [UInt8]? {
        guard command.count >= 2, command[0] == 0x30 else { return nil }
        let start = Int(command[1]) * 4
        guard start < bytes.count else { return [0x00] }
        // READ rolls over at the end of the memory.
        return (start..<start + 16).map { bytes[$0 % bytes.count] }
    }
}
