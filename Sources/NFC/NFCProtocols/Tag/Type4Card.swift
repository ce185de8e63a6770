/// Emulates a Type 4 tag that shows one NDEF message, read-only: for readers that do not speak peer-to-peer.
///
/// Pure: answers command APDUs (ISO/IEC 7816-4) one after the other.
public struct Type4Card: Sendable {
    private let capability: [UInt8]
    private let file: [UInt8]
    private enum Selected: Sendable { case nothing, application, capability, message }
    private var selected = Selected.nothing
    private var furthest = 0

    /// - Parameter message: at most 32 765 bytes.
    public init(_ message: NDEFMessage) {
        let bytes = message.bytes
        file = [UInt8(truncatingIfNeeded: bytes.count >> 8), UInt8(truncatingIfNeeded: bytes.count)] + bytes
        // Mapping version 2.0; at most 240 bytes a read, no writing.
        capability =
            [0x00, 0x0F, 0x20, 0x00, 0xF0, 0x00, 0x34, 0x04, 0x06] + Type4.messageFile
            + [UInt8(truncatingIfNeeded: file.count >> 8), UInt8(truncatingIfNeeded: file.count), 0x00, 0xFF]
    }

    /// Whether a reader has read the message to its end.
    public var wasRead: Bool { furthest == file.count }

    /// The response APDU.
    public mutating func answer(_ command: [UInt8]) -> [UInt8] {
        guard command.count >= 4 else { return [0x67, 0x00] }
        guard command[0] == 0x00 else { return [0x6E, 0x00] }
        switch command[1] {
        case 0xA4: return select(command)
        case 0xB0: return read(command)
        default: return [0x6D, 0x00]
        }
    }

    private mutating func select(_ command: [UInt8]) -> [UInt8] {
        guard command.count >= 5, command.count >= 5 + Int(command[4]) else { return [0x67, 0x00] }
        let name = Array(command[5..<5 + Int(command[4])])
        if command[2] == 0x04 {
            selected = name == Type4.application ? .application : .nothing
            return selected == .application ? [0x90, 0x00] : [0x6A, 0x82]
        }
        guard command[2] == 0x00, selected != .nothing else { return [0x6A, 0x82] }
        switch name {
        case Type4.capabilityFile: selected = .capability
        case Type4.messageFile: selected = .message
        default: return [0x6A, 0x82]
        }
        return [0x90, 0x00]
    }

    private mutating func read(_ command: [UInt8]) -> [UInt8] {
        let bytes: [UInt8]
        switch selected {
        case .capability: bytes = capability
        case .message: bytes = file
        default: return [0x69, 0x86]
        }
        guard command.count == 5, command[2] & 0x80 == 0 else { return [0x6A, 0x86] }
        let offset = Int(command[2]) << 8 | Int(command[3])
        guard offset < bytes.count else { return [0x6B, 0x00] }
        let count = command[4] == 0 ? 240 : Int(command[4])
        let part = bytes[offset..<min(bytes.count, offset + count)]
        if selected == .message { furthest = max(furthest, offset + part.count) }
        return Array(part) + [0x90, 0x00]
    }
}
