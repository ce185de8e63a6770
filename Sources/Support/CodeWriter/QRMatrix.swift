import CQREncode
import Glibc
import Linux

/// A text is too long for a QR code.
public struct QRError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, for people.
    public var description: String { "the text could not be made into a QR code" }
}

/// A QR code as dark and light modules, without its quiet zone.
///
/// Encoding is libqrencode's (ISO/IEC 18004).
public struct QRMatrix: Sendable, Hashable {
    /// Error correction: how much of the code may be lost.
    public enum Level: Sendable { case low, medium, quartile, high }

    /// Modules on a side.
    public let size: Int
    private let modules: [UInt8]

    /// The quiet zone that the standard asks for on every side, in modules.
    public static let quietZone = 4

    /// Encodes 8-bit text, or alphanumeric text (digits, capitals and some signs) in the smaller form.
    ///
    /// - Throws: ``QRError``.
    public init(_ text: UnsafeRawBufferPointer, level: Level = .medium) throws(QRError) {
        let correction: QRecLevel =
            switch level {
            case .low: QR_ECLEVEL_L
            case .medium: QR_ECLEVEL_M
            case .quartile: QR_ECLEVEL_Q
            case .high: QR_ECLEVEL_H
            }
        guard let input = QRinput_new2(0, correction) else { throw QRError() }
        defer { QRinput_free(input) }
        let bytes = text.assumingMemoryBound(to: UInt8.self)
        let isAlphanumeric = bytes.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }
        guard
            QRinput_append(
                input, isAlphanumeric ? QR_MODE_AN : QR_MODE_8, Int32(bytes.count), bytes.baseAddress) == 0,
            let code = QRcode_encodeInput(input)
        else { throw QRError() }
        defer {
            explicit_bzero(code.pointee.data, Int(code.pointee.width * code.pointee.width))
            QRcode_free(code)
        }
        size = Int(code.pointee.width)
        modules = (0..<size * size).map { code.pointee.data[$0] & 1 }
    }

    /// Encodes 32 hexadecimal characters. They become capitals, which need a smaller code (version 2 and not 3); readers
    /// take either case.
    ///
    /// - Throws: ``QRError``.
    public init(hex: UnsafeRawBufferPointer, level: Level = .medium) throws(QRError) {
        let capitals = UnsafeMutableRawBufferPointer.allocate(byteCount: max(hex.count, 1), alignment: 1)
        defer {
            capitals.wipe()
            capitals.deallocate()
        }
        for (index, byte) in hex.enumerated() { capitals[index] = (0x61...0x66).contains(byte) ? byte - 0x20 : byte }
        try self.init(UnsafeRawBufferPointer(rebasing: capitals[..<hex.count]), level: level)
    }

    /// Encodes a text.
    ///
    /// - Throws: ``QRError``.
    public init(text: String, level: Level = .medium) throws(QRError) {
        let bytes = Array(text.utf8)
        self = try bytes.withUnsafeBytes { bytes in
            Result { () throws(QRError) in try QRMatrix(bytes, level: level) }
        }.get()
    }

    /// Whether a module is dark; everything outside is light.
    public func isDark(_ x: Int, _ y: Int) -> Bool {
        (0..<size).contains(x) && (0..<size).contains(y) && modules[y * size + x] == 1
    }

    /// Grey pixels (0 and 255) with the quiet zone, `scale` pixels to a module.
    public func pixels(scale: Int) -> (side: Int, pixels: [UInt8]) {
        let side = (size + 2 * Self.quietZone) * scale
        var pixels = [UInt8](repeating: 255, count: side * side)
        for y in 0..<side {
            for x in 0..<side where isDark(x / scale - Self.quietZone, y / scale - Self.quietZone) {
                pixels[y * side + x] = 0
            }
        }
        return (side, pixels)
    }
}
