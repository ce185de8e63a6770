import CTurboJPEG
import Glibc
import Luma

/// Decodes the luma of JPEG pictures, also of those that are not to the letter: the frames of many webcams have stray
/// bytes before a restart marker, no end, or two beginnings. What libjpeg only warns of is a picture; whether a code in it
/// is right its own error correction judges.
final class JPEGDecoder {
    /// Why there is no picture.
    struct Damage: Error {
        /// libjpeg's words, or ours.
        let why: String
    }

    private var handle: tjhandle
    /// Of a picture in four inks, before it is made grey.
    private var inks: [UInt8] = []

    /// Bytes before the picture's beginning that are passed over.
    private static let maximumBefore = 4096
    /// Beginnings that are tried.
    private static let maximumBeginnings = 4
    /// Passes over the picture that a progressive JPEG may take; libjpeg's own have ten.
    private static let maximumScans = 64
    /// Pixels of all passes together.
    private static let maximumWork = 1_000_000_000
    /// The grey level of what never came, as libjpeg leaves it; of four inks that are all so, half of a half.
    private static let missing: UInt8 = 128
    private static let missingInks: UInt8 = 64

    /// `nil` without memory.
    init?() {
        guard let handle = tjInitDecompress() else { return nil }
        self.handle = handle
    }

    deinit {
        tjDestroy(handle)
    }

    /// Decodes the luma into `pixels`, which is made as large as the JPEG says.
    ///
    /// - Returns: the JPEG's own size.
    /// - Throws: ``Damage`` when nothing of it can be read, or when it has more than `maximumPixels`.
    func decode(_ data: UnsafeBufferPointer<UInt8>, into pixels: inout [UInt8], maximumPixels: Int) throws(Damage)
        -> (width: Int, height: Int)
    {
        var damage = Damage(why: "it has no beginning (FF D8)")
        var offset = 0
        for _ in 0..<Self.maximumBeginnings {
            guard let begin = Self.beginning(in: data, from: offset) else { break }
            offset = begin + 2
            do throws(Damage) {
                let rest = UnsafeBufferPointer(rebasing: data[begin...])
                return try decodeWhole(rest, into: &pixels, maximumPixels: maximumPixels)
            } catch {
                damage = error
                renew()
            }
        }
        throw damage
    }

    /// A handle that has met a bad header takes every header after it for a bad one, too.
    private func renew() {
        guard let fresh = tjInitDecompress() else { return }
        tjDestroy(handle)
        handle = fresh
    }

    /// Where the next FF D8 is.
    private static func beginning(in data: UnsafeBufferPointer<UInt8>, from offset: Int) -> Int? {
        let last = min(data.count - 2, offset + maximumBefore)
        guard offset <= last else { return nil }
        return (offset...last).first { data[$0] == 0xFF && data[$0 + 1] == 0xD8 }
    }

    private func decodeWhole(
        _ data: UnsafeBufferPointer<UInt8>, into pixels: inout [UInt8], maximumPixels: Int
    ) throws(Damage) -> (width: Int, height: Int) {
        let (width, height, space) = try header(of: data)
        guard width * height <= maximumPixels else { throw Damage(why: "it has \(width)x\(height) pixels") }
        let scans = Self.scans(in: data)
        guard scans <= Self.maximumScans, scans * width * height <= Self.maximumWork else {
            throw Damage(why: "it has \(scans) scans")
        }
        if pixels.count != width * height { pixels = [UInt8](repeating: 0, count: width * height) }
        let isInks = space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue)
        let isWhole: Bool
        if isInks {
            if inks.count != width * height * 4 { inks = [UInt8](repeating: 0, count: width * height * 4) }
            isWhole = try decompress(data, into: &inks, width, height, TJPF_CMYK)
            Self.grey(inks, into: &pixels)
        } else {
            isWhole = try decompress(data, into: &pixels, width, height, TJPF_GRAY)
        }
        let missing = isInks ? Self.missingInks : Self.missing
        guard isWhole || !Self.isEmpty(pixels, width, height, missing) else {
            throw Damage(why: "next to nothing of it came")
        }
        return (width, height)
    }

    private func header(of data: UnsafeBufferPointer<UInt8>) throws(Damage) -> (width: Int, height: Int, space: Int32) {
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var space: Int32 = -1
        let code = tjDecompressHeader3(
            handle, data.baseAddress, UInt(data.count), &width, &height, &subsampling, &space)
        // An error with a size is a warning, or a sampling of the colours that only matters to who wants colours.
        guard code == 0 || width > 0 && height > 0 else { throw Damage(why: message) }
        let sides = 1...Int32(LumaPlane.maximumSide)
        guard sides.contains(width), sides.contains(height) else {
            throw Damage(why: "it has \(width)x\(height) pixels")
        }
        return (Int(width), Int(height), space)
    }

    /// `false` after a warning.
    private func decompress(
        _ data: UnsafeBufferPointer<UInt8>, into pixels: inout [UInt8], _ width: Int, _ height: Int, _ format: TJPF
    ) throws(Damage) -> Bool {
        let code = pixels.withUnsafeMutableBufferPointer {
            tjDecompress2(
                handle, data.baseAddress, UInt(data.count), $0.baseAddress, Int32(width), 0, Int32(height),
                format.rawValueInt32, TJFLAG_FASTDCT | TJFLAG_LIMITSCANS)
        }
        if code == 0 { return true }
        guard tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue) else { throw Damage(why: message) }
        return false
    }

    /// libjpeg's words for the last error: its own texts, with numbers from the picture at most.
    private var message: String { String(cString: tjGetErrorStr2(handle)) }

    /// Scans begin with FF DA, which is nothing else in a JPEG's data; in a header it may be, so this is the most there are.
    private static func scans(in data: UnsafeBufferPointer<UInt8>) -> Int {
        guard let base = data.baseAddress else { return 0 }
        var count = 0
        var index = 0
        while index + 1 < data.count, let found = memchr(base + index, 0xFF, data.count - 1 - index) {
            index = UnsafeRawPointer(base).distance(to: found) + 1
            if data[index] == 0xDA { count += 1 }
        }
        return count
    }

    /// Whether less than an eighth of a picture that is not whole was there.
    private static func isEmpty(_ pixels: [UInt8], _ width: Int, _ height: Int, _ missing: UInt8) -> Bool {
        pixels.withUnsafeBufferPointer { all in
            let last = all.lastIndex { $0 != missing } ?? 0
            return last < width * height / 8
        }
    }

    /// Adobe's way: the inks are written inverted.
    private static func grey(_ inks: [UInt8], into pixels: inout [UInt8]) {
        for index in pixels.indices {
            let ink = 4 * index
            let colour = 77 * Int(inks[ink]) + 150 * Int(inks[ink + 1]) + 29 * Int(inks[ink + 2])
            pixels[index] = UInt8((colour >> 8) * Int(inks[ink + 3]) / 255)
        }
    }
}

extension TJPF {
    var rawValueInt32: Int32 { Int32(rawValue) }
}
