import CPNG
import Glibc
import Luma
import Linux

/// Reads still pictures (PNG, JPEG, PGM) as luma; every size is checked before memory is asked for.
public enum StillPicture {
    /// The largest file, in bytes.
    public static let maximumFile = 64 << 20
    /// The largest picture, in pixels.
    public static let maximumPixels = 64_000_000

    /// A packed picture of one colour packs to nothing, and reading the codes in it takes 40 ns and 5 bytes a pixel. So a
    /// file of up to 1 MiB is given work for 16 mebipixels, and one that has more in it gets more, by its bytes above that.
    static func surplus(_ bytes: Int) -> Int { max(0, bytes - (1 << 20)) }

    static func maximumPixels(bytes: Int) -> Int { (16 << 20) + 16 * surplus(bytes) }

    /// - Throws: ``CameraError/absent(_:)``, ``CameraError/badPicture(_:why:)``.
    public static func read(_ path: String) throws(CameraError) -> LumaPicture {
        let bytes = try contents(of: path)
        return try decode(bytes, name: path)
    }

    static func contents(of path: String) throws(CameraError) -> [UInt8] {
        // Not blocking: a FIFO in a folder of pictures must not hold everything up.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? .absent(path) : .badPicture(path, why: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .badPicture(path, why: "it is no file")
        }
        guard status.st_size <= maximumFile else {
            throw .badPicture(path, why: "it has more than \(maximumFile >> 20) MiB")
        }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = bytes.withUnsafeMutableBytes { readAll(into: $0, from: descriptor) }
        guard count >= 0 else { throw .badPicture(path, why: String(cString: strerror(errno))) }
        return Array(bytes.prefix(count))
    }

    /// Decodes a picture in memory; `name` is for the error.
    ///
    /// - Throws: ``CameraError/badPicture(_:why:)``.
    public static func decode(_ bytes: [UInt8], name: String) throws(CameraError) -> LumaPicture {
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return try png(bytes, name) }
        if bytes.starts(with: [0xFF, 0xD8]) { return try jpeg(bytes, name) }
        if bytes.starts(with: Array("P5".utf8)) || bytes.starts(with: Array("P2".utf8)) {
            return try PGM.decode(bytes, name: name)
        }
        throw .badPicture(name, why: "it is neither PNG nor JPEG nor PGM")
    }

    static func check(_ width: Int, _ height: Int, _ name: String) throws(CameraError) {
        let side = 1...65535
        guard side.contains(width), side.contains(height), width * height <= maximumPixels,
            width <= LumaPlane.maximumSide * 2, height <= LumaPlane.maximumSide * 2
        else { throw .badPicture(name, why: "its size, \(width)x\(height), is not accepted") }
        guard width <= LumaPlane.maximumSide, height <= LumaPlane.maximumSide else {
            throw .badPicture(name, why: "it is larger than \(LumaPlane.maximumSide) pixels on a side")
        }
    }

    private static func picture(_ width: Int, _ height: Int, _ pixels: [UInt8], _ name: String) throws(CameraError)
        -> LumaPicture
    {
        guard let picture = LumaPicture(width: width, height: height, pixels: pixels) else {
            throw .badPicture(name, why: "its size, \(width)x\(height), is not accepted")
        }
        return picture
    }

    private static func tooMuchWork(_ name: String) -> CameraError {
        .badPicture(name, why: "its headers ask for more work and memory than a file of its size is given")
    }

    private static func png(_ bytes: [UInt8], _ name: String) throws(CameraError) -> LumaPicture {
        // What its data may be unpacked to: enough for 16 mebipixels of any kind but 16 bits deep, and more as above.
        guard let unpacked = PNGChunks.unpacked(bytes) else { throw .badPicture(name, why: "not a whole PNG") }
        guard unpacked <= (96 << 20) + 64 * surplus(bytes.count) else { throw tooMuchWork(name) }
        let bytes = PNGChunks.withoutAncillary(bytes)
        var image = png_image()
        defer { png_image_free(&image) }
        // libpng keeps a pointer to the bytes between the two calls: they stay inside one closure.
        let outcome: Result<(Int, Int, [UInt8]), CameraError> = bytes.withUnsafeBytes { data in
            guard srup_png_begin(&image, data.baseAddress, data.count) != 0 else {
                return .failure(.badPicture(name, why: "not a whole PNG: \(message(image))"))
            }
            let (width, height) = (Int(image.width), Int(image.height))
            do throws(CameraError) {
                try check(width, height, name)
            } catch {
                return .failure(error)
            }
            guard width * height <= maximumPixels(bytes: data.count) else { return .failure(tooMuchWork(name)) }
            var pixels = [UInt8](repeating: 0, count: width * height)
            guard srup_png_grey(&image, &pixels) != 0 else {
                return .failure(.badPicture(name, why: "not a whole PNG: \(message(image))"))
            }
            return .success((width, height, pixels))
        }
        let (width, height, pixels) = try outcome.get()
        return try picture(width, height, pixels, name)
    }

    private static func message(_ image: png_image) -> String {
        withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func jpeg(_ bytes: [UInt8], _ name: String) throws(CameraError) -> LumaPicture {
        guard bytes.withUnsafeBufferPointer({ JPEGWork($0).isAccepted(bytes: bytes.count) }) else {
            throw tooMuchWork(name)
        }
        guard let decoder = JPEGDecoder() else { throw .badPicture(name, why: "no memory") }
        var pixels: [UInt8] = []
        let outcome: Result<(width: Int, height: Int), JPEGDecoder.Damage> = bytes.withUnsafeBufferPointer { data in
            do throws(JPEGDecoder.Damage) {
                return .success(try decoder.decode(data, into: &pixels, maximumPixels: maximumPixels))
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let size): return try picture(size.width, size.height, pixels, name)
        case .failure(let damage): throw .badPicture(name, why: "no JPEG that can be read: \(damage.why)")
        }
    }
}

/// Portable grey maps: `P5` (binary, 8 or 16 bits) and `P2` (text). https://netpbm.sourceforge.net/doc/pgm.html
enum PGM {
    static func decode(_ bytes: [UInt8], name: String) throws(CameraError) -> LumaPicture {
        var offset = 2
        func number() throws(CameraError) -> Int {
            while offset < bytes.count {
                if bytes[offset] == UInt8(ascii: "#") {
                    while offset < bytes.count && bytes[offset] != 10 { offset += 1 }
                } else if [9, 10, 11, 12, 13, 32].contains(bytes[offset]) {
                    offset += 1
                } else {
                    break
                }
            }
            var value = 0
            let start = offset
            while offset < bytes.count, case let digit = bytes[offset], (48...57).contains(digit), value < 1 << 20 {
                value = value * 10 + Int(digit - 48)
                offset += 1
            }
            guard offset > start else { throw .badPicture(name, why: "not a whole PGM: a number is missing") }
            return value
        }
        let width = try number()
        let height = try number()
        let maximum = try number()
        try StillPicture.check(width, height, name)
        guard (1...65535).contains(maximum) else {
            throw .badPicture(name, why: "its maximum, \(maximum), is no PGM's")
        }
        var pixels: [UInt8] = []
        if bytes[1] == UInt8(ascii: "2") {
            // A digit each at least, and something between them.
            guard bytes.count - offset >= 2 * width * height - 1 else {
                throw .badPicture(name, why: "not a whole PGM: pixels are missing")
            }
            pixels.reserveCapacity(width * height)
            for _ in 0..<width * height { pixels.append(UInt8(min(try number(), maximum) * 255 / maximum)) }
        } else {
            offset += 1
            let depth = maximum > 255 ? 2 : 1
            guard bytes.count - offset >= width * height * depth else {
                throw .badPicture(name, why: "not a whole PGM: pixels are missing")
            }
            if maximum == 255 {
                pixels = Array(bytes[offset..<offset + width * height])
            } else {
                pixels = (0..<width * height).map { index in
                    let value =
                        depth == 1
                        ? Int(bytes[offset + index])
                        : Int(bytes[offset + 2 * index]) << 8 | Int(bytes[offset + 2 * index + 1])
                    return UInt8(min(value, maximum) * 255 / maximum)
                }
            }
        }
        guard let picture = LumaPicture(width: width, height: height, pixels: pixels) else {
            throw .badPicture(name, why: "its size is not accepted")
        }
        return picture
    }
}
