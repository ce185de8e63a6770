import Addresses
import Camera
import CodeReader
import DataMatrix
import Glibc

/// Codewords and files of pictures.
enum PictureTargets {
    static func qr(_ input: [UInt8]) throws -> Bool {
        guard let first = input.first else { return false }
        let data = Array(input.dropFirst().prefix(2956))
        guard !data.isEmpty, let text = QRText(data, version: 1 + Int(first) % 40, isStrict: first >= 0x80) else {
            return false
        }
        guard !text.value.isEmpty, text.value.count <= 4 * CodeReader.maximumLength else {
            throw Violation(description: "a text of \(text.value.count) bytes")
        }
        return true
    }

    static func dataMatrix(_ input: [UInt8]) throws -> Bool {
        let codewords = Array(input.prefix(1558))
        guard !codewords.isEmpty, let text = CodewordText(codewords) else { return false }
        guard !text.bytes.isEmpty, text.bytes.count <= 2 * codewords.count + 9 else {
            throw Violation(description: "\(text.bytes.count) bytes of \(codewords.count) codewords")
        }
        return true
    }

    static func still(_ input: [UInt8]) throws -> Bool {
        guard let picture = try? StillPicture.decode(mended(input), name: "x") else { return false }
        guard picture.pixels.count == picture.width * picture.height else {
            throw Violation(description: "\(picture.width)x\(picture.height) with \(picture.pixels.count) pixels")
        }
        return true
    }

    /// With the check sums of a PNG's chunks put right, at which a fuzzer would be stuck, and small enough to be quick.
    private static func mended(_ input: [UInt8]) -> [UInt8] {
        var bytes = input
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
            for place in [16, 17, 20, 21] where bytes.count > 24 { bytes[place] = 0 }
            var next = 8
            while bytes.count - next >= 12 {
                let length = bytes[next..<next + 4].reduce(0) { $0 << 8 | Int($1) }
                guard length <= bytes.count - next - 12 else { break }
                let end = next + 8 + length
                let check = crc32(bytes[(next + 4)..<end])
                for byte in 0..<4 { bytes[end + byte] = UInt8(check >> UInt32(24 - 8 * byte) & 0xFF) }
                next = end + 4
            }
        } else if bytes.starts(with: [0xFF, 0xD8]) {
            // Every frame header's height and width, to at most 1023.
            for place in bytes.indices.dropLast(8)
            where bytes[place] == 0xFF && (0xC0...0xCF).contains(bytes[place + 1])
                && ![0xC4, 0xC8, 0xCC].contains(bytes[place + 1])
            {
                bytes[place + 5] &= 3
                bytes[place + 7] &= 3
            }
        }
        return bytes
    }

    /// https://www.w3.org/TR/png-3/#D-CRCAppendix
    private static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        ~bytes.reduce(UInt32.max) { check, byte in
            (0..<8).reduce(check ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
    }

    /// In a file, since that is how recordings come; a few frames of it.
    static func y4m(_ input: [UInt8]) throws -> Bool {
        let path = (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/srup-fuzz-\(getpid()).y4m"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Violation(description: "\(path) cannot be written") }
        defer { unlink(path) }
        let count = write(file, input, input.count)
        close(file)
        guard count == input.count, let source = try? CameraAddress("y4m:\(path)").open(width: 640, height: 480) else {
            return false
        }
        var sizes: [Int] = []
        for _ in 0..<3 {
            guard (try? source.next(timeout: 0, interrupt: -1) { sizes.append($0.width * $0.height) }) == true else {
                break
            }
        }
        guard sizes.allSatisfy({ $0 <= input.count }) else {
            throw Violation(description: "frames of \(sizes) pixels from \(input.count) bytes")
        }
        return !sizes.isEmpty
    }
}
