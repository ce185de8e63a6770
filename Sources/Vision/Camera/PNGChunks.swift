import CPNG

/// What a PNG's header says of the work it takes, and the file without what is no part of the picture.
///
/// libpng unpacks compressed texts and colour profiles as it comes by them, up to 8 MB each: a thousand of them in a
/// picture of 10 x 10 take half a minute and a gigabyte. Here they do not reach it.
/// https://www.w3.org/TR/png-3/#5Chunk-layout
enum PNGChunks {
    /// The chunks that a grey picture is made of, and those of fixed size that say how bright it is meant.
    private static let kept: Set<String> = ["IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "sBIT"]
    private static let signature = 8

    /// - Parameter bytes: begin with PNG's signature.
    /// - Returns: the file without other chunks, to its end or to what is no whole chunk: libpng would ask for as much memory
    ///   as a chunk says it has, before it looks how much is there.
    static func withoutAncillary(_ bytes: [UInt8]) -> [UInt8] {
        var picture = Array(bytes.prefix(signature))
        var seen: Set<String> = []
        var next = signature
        while let chunk = chunk(bytes, at: next) {
            // Those beside the pixels are there once, if they are right.
            let isWanted = kept.contains(chunk.name) && (chunk.name == "IDAT" || seen.insert(chunk.name).inserted)
            if isWanted { picture += bytes[chunk.place] }
            next = chunk.place.upperBound
            if chunk.name == "IEND" { return picture }
        }
        return picture
    }

    private static func chunk(_ bytes: [UInt8], at place: Int) -> (name: String, place: Range<Int>)? {
        guard bytes.count - place >= 12 else { return nil }
        let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
        guard length <= bytes.count - place - 12 else { return nil }
        return (String(decoding: bytes[place + 4..<place + 8], as: UTF8.self), place..<place + 12 + length)
    }

    /// How many bytes come out of the compressed ones, about: what decoding costs goes with it.
    ///
    /// - Parameter bytes: a whole header (33 bytes), with a size that is accepted; `nil` without one.
    static func unpacked(_ bytes: [UInt8]) -> Int? {
        guard let header = chunk(bytes, at: signature), header.name == "IHDR", header.place.count == 25 else {
            return nil
        }
        let fields = bytes[(signature + 8)...]
        let number = { (offset: Int) in
            fields.dropFirst(offset).prefix(4).reduce(0) { $0 << 8 | Int($1) }
        }
        let field = { (offset: Int) in Int(fields[fields.startIndex + offset]) }
        let channels = [0: 1, 2: 3, 3: 1, 4: 2, 6: 4][field(9)] ?? 4
        // Less than a byte a pixel is a byte when it is made grey; interlaced pixels are put to their places one by one.
        let perPixel = max(1, channels * field(8) / 8) * (field(12) == 0 ? 1 : 2)
        let (pixels, isTooMany) = number(0).multipliedReportingOverflow(by: number(4))
        let (total, isTooMuch) = pixels.multipliedReportingOverflow(by: perPixel)
        return isTooMany || isTooMuch ? .max : total
    }
}
