import Foundation
import Glibc

/// Looks for a nonce in the memory of a running program: all that it can write to.
struct MemorySearch {
    /// A form of the value and its bytes.
    private let needles: [(form: String, bytes: [UInt8])]

    /// - Parameter hex: 32 hexadecimal digits.
    init(_ hex: String) {
        let lower = hex.lowercased()
        let digits = Array(lower)
        let hyphened = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
        let raw = stride(from: 0, to: 32, by: 2).compactMap { UInt8(String(digits[$0..<$0 + 2]), radix: 16) }
        // In 16 or 32 bits to a character 12 digits are enough: such copies may be in pieces.
        func wide(_ text: String, _ size: Int) -> [UInt8] {
            text.utf8.flatMap { [$0] + [UInt8](repeating: 0, count: size - 1) }
        }
        needles = [
            ("raw", raw), ("hex", Array(lower.utf8)), ("HEX", Array(lower.uppercased().utf8)),
            ("h-e-x", Array(hyphened.utf8)), ("H-E-X", Array(hyphened.uppercased().utf8)),
            ("utf16", wide(lower, 2)), ("UTF16", wide(lower.uppercased(), 2)), ("utf32", wide(lower, 4)),
            // What is left of a copy when the allocator has written its links over the beginning.
            ("second half", Array(raw[8...])), ("tail of hex", Array(lower.utf8.suffix(16))),
            ("tail of HEX", Array(lower.uppercased().utf8.suffix(16))),
        ]
    }

    /// What was found, one line each: the form, the mapping, what is around it; `nil` when the memory may not be read.
    func finds(in process: Int32) -> [String]? {
        guard let maps = try? String(contentsOfFile: "/proc/\(process)/maps", encoding: .utf8) else { return nil }
        let memory = open("/proc/\(process)/mem", O_RDONLY | O_CLOEXEC)
        guard memory >= 0 else { return nil }
        defer { close(memory) }
        var found: [String] = []
        for line in maps.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            let ends = words[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
            guard words[1].hasPrefix("rw"), ends.count == 2 else { continue }
            found += finds(memory, ends[0], ends[1], words.count > 5 ? String(words[5]) : "")
        }
        return found
    }

    private func finds(_ memory: Int32, _ start: UInt, _ end: UInt, _ name: String) -> [String] {
        let (chunk, overlap) = (4 << 20, 256)
        var buffer = [UInt8](repeating: 0, count: chunk + overlap)
        var found: [String] = []
        var place = start
        while place < end {
            let count = pread(memory, &buffer, min(buffer.count, Int(end - place)), Int(place))
            // A page that was let go meanwhile.
            guard count > 0 else {
                place += 4096
                continue
            }
            for needle in needles {
                found += search(buffer, count, needle).map { at in
                    "\(needle.form) at \(String(place + UInt(at), radix: 16)) \(name) \(around(buffer, count, at))"
                }
            }
            place += UInt(min(chunk, count))
        }
        return Array(Set(found))
    }

    /// Where the needle begins.
    private func search(_ buffer: [UInt8], _ count: Int, _ needle: (form: String, bytes: [UInt8])) -> [Int] {
        buffer.withUnsafeBytes { bytes in
            needle.bytes.withUnsafeBytes { wanted in
                guard let base = bytes.baseAddress, let start = wanted.baseAddress else { return [] }
                let first = Int32(wanted[0])
                var found: [Int] = []
                var place = 0
                while place + wanted.count <= count, let hit = memchr(base + place, first, count - place) {
                    place = base.distance(to: UnsafeRawPointer(hit))
                    if place + wanted.count <= count, memcmp(hit, start, wanted.count) == 0 { found.append(place) }
                    place += 1
                }
                return found
            }
        }
    }

    /// What is before and behind it, for whoever looks for the culprit.
    private func around(_ buffer: [UInt8], _ count: Int, _ place: Int) -> String {
        String(
            decoding: buffer[max(0, place - 40)..<min(count, place + 72)].map { (32..<127).contains($0) ? $0 : 46 },
            as: UTF8.self)
    }
}
