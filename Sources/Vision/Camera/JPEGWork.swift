import Glibc

/// What a JPEG's headers say of the work it takes. A scan may have few bytes and still goes over the whole picture:
/// thousands of them fit into 100 kB. https://www.w3.org/Graphics/JPEG/itu-t81.pdf, B.2
struct JPEGWork: Equatable {
    /// Of the picture.
    private(set) var pixels = 0
    private(set) var scans = 0
    /// Memory for the coefficients of the whole picture, in bytes; 0 when a strip at a time is enough.
    private(set) var coefficients = 0

    private var samples = 0
    private var isProgressive = false

    /// Reads the markers; what is no JPEG counts nothing, and the decoder names it.
    init(_ data: UnsafeBufferPointer<UInt8>) {
        var place = 2
        while let marker = Self.marker(data, from: &place) {
            // Those without a length: restarts, the start, and a stuffed byte.
            if marker == 0 || marker == 0x01 || (0xD0...0xD8).contains(marker) { continue }
            if marker == 0xD9 { break }
            guard place + 2 <= data.count else { break }
            let length = Int(data[place]) << 8 | Int(data[place + 1])
            guard length >= 2, place + length <= data.count else { break }
            let segment = UnsafeBufferPointer(rebasing: data[place + 2..<place + length])
            switch marker {
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF: frame(segment, marker)
            case 0xDA: scans += 1
            default: break
            }
            place += length
        }
        if !isProgressive && scans <= 1 { coefficients = 0 }
    }

    /// The next marker, behind whatever is none.
    private static func marker(_ data: UnsafeBufferPointer<UInt8>, from place: inout Int) -> UInt8? {
        while place + 1 < data.count, let base = data.baseAddress,
            let found = memchr(base + place, 0xFF, data.count - 1 - place)
        {
            let index = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            place = index + 1
            guard data[place] != 0xFF, data[place] != 0 else { continue }
            place += 1
            return data[place - 1]
        }
        return nil
    }

    private mutating func frame(_ segment: UnsafeBufferPointer<UInt8>, _ marker: UInt8) {
        guard segment.count >= 6 else { return }
        let (height, width) = (Int(segment[1]) << 8 | Int(segment[2]), Int(segment[3]) << 8 | Int(segment[4]))
        pixels = max(pixels, width * height)
        isProgressive = isProgressive || [0xC2, 0xC6, 0xCA, 0xCE].contains(marker)
        let factors = (0..<Int(segment[5])).map { component -> Int in
            let place = 7 + 3 * component
            guard place < segment.count else { return 1 }
            return max(1, Int(segment[place] >> 4)) * max(1, Int(segment[place] & 15))
        }
        let largest = max(1, factors.max() ?? 1)
        samples = max(samples, factors.reduce(0) { $0 + pixels * $1 / largest })
        // Two bytes each.
        coefficients = samples * 2
    }

    /// Samples that all scans go over together.
    var visited: Int { samples == 0 ? 0 : scans.multipliedReportingOverflow(by: samples).partialValue }

    /// Whether a picture of so many bytes may take this work.
    func isAccepted(bytes: Int) -> Bool {
        let surplus = StillPicture.surplus(bytes)
        return pixels <= StillPicture.maximumPixels(bytes: bytes) && visited <= 160_000_000 + 64 * surplus
            && coefficients + pixels <= (44 << 20) + 24 * surplus
    }
}
