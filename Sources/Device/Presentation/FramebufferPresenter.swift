import CFramebuffer
import CodeWriter
import Glibc
import ValueForms

/// Shows the code on a Linux framebuffer, as large as fits, centred on white.
public struct FramebufferPresenter: NoncePresenter {
    /// Of the screen, in pixels; bytes from a row to the next.
    public struct Geometry: Sendable, Hashable {
        public let width, height, bitsPerPixel, stride: Int
        /// Where red, green and blue are in a pixel: their lowest bit, and how many bits they have.
        public let colours: [Colour]

        /// A colour's bits in a pixel.
        public struct Colour: Sendable, Hashable {
            /// The lowest bit, and how many there are.
            public let offset, length: Int

            /// From the lowest bit on, so many.
            public init(offset: Int, length: Int) {
                self.offset = offset
                self.length = length
            }
        }

        /// A screen's size in pixels, the bits of a pixel (16, 24 or 32), and the bytes from a row to the next.
        ///
        /// - Parameter colours: red, green and blue; `nil`: as most screens have them (5-6-5 or 8-8-8, blue lowest).
        public init(width: Int, height: Int, bitsPerPixel: Int, stride: Int, colours: [Colour]? = nil) {
            self.width = width
            self.height = height
            self.bitsPerPixel = bitsPerPixel
            self.stride = stride
            let usual =
                bitsPerPixel == 16
                ? [Colour(offset: 11, length: 5), Colour(offset: 5, length: 6), Colour(offset: 0, length: 5)]
                : [16, 8, 0].map { Colour(offset: $0, length: 8) }
            let isPossible =
                colours?.count == 3
                && colours?.allSatisfy {
                    (0...bitsPerPixel).contains($0.offset) && (1...16).contains($0.length)
                        && $0.offset + $0.length <= bitsPerPixel
                } == true
            self.colours = isPossible ? colours ?? usual : usual
        }

        /// How bright a pixel with these bytes is, from 0 to 255: as green, which the eye sees most of.
        func level(_ bytes: [UInt8]) -> UInt8 {
            let pixel = bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
            let most = (1 << colours[1].length) - 1
            return UInt8(clamping: ((pixel >> colours[1].offset) & most) * 255 / most)
        }

        /// A pixel's bytes; white is all ones and black all zeros.
        func bytes(_ colour: CellColour) -> [UInt8] {
            let depth = bitsPerPixel / 8
            if colour == .white { return [UInt8](repeating: 255, count: depth) }
            var pixel = 0
            for (bits, level) in zip(colours, [colour.red, colour.green, colour.blue]) {
                pixel |= ((Int(level) * ((1 << bits.length) - 1) + 127) / 255) << bits.offset
            }
            return (0..<depth).map { UInt8(truncatingIfNeeded: pixel >> (8 * $0)) }
        }
    }

    let path: String
    private let geometry: Geometry

    /// - Throws: ``PresentationError/noFramebuffer(_:why:)``.
    public init(path: String) throws(PresentationError) {
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw .noFramebuffer(path, why: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var found = srup_fb_geometry()
        guard srup_fb_query(descriptor, &found) == 0 else {
            throw .noFramebuffer(path, why: String(cString: strerror(errno)))
        }
        try self.init(
            path: path,
            geometry: Geometry(
                width: Int(found.width), height: Int(found.height), bitsPerPixel: Int(found.bits),
                stride: Int(found.stride),
                colours: [
                    .init(offset: Int(found.offsets.0), length: Int(found.lengths.0)),
                    .init(offset: Int(found.offsets.1), length: Int(found.lengths.1)),
                    .init(offset: Int(found.offsets.2), length: Int(found.lengths.2)),
                ]))
    }

    /// With a geometry that is known beforehand, also for a plain file.
    ///
    /// - Throws: ``PresentationError/noFramebuffer(_:why:)``.
    public init(path: String, geometry: Geometry) throws(PresentationError) {
        guard [16, 24, 32].contains(geometry.bitsPerPixel) else {
            throw .noFramebuffer(path, why: "its pixels have \(geometry.bitsPerPixel) bits (16, 24, 32 are understood)")
        }
        guard (1...16384).contains(geometry.width), (1...16384).contains(geometry.height),
            geometry.stride >= geometry.width * geometry.bitsPerPixel / 8
        else {
            throw .noFramebuffer(
                path,
                why:
                    "it says that it has \(geometry.width) x \(geometry.height) pixels in lines of \(geometry.stride) bytes"
            )
        }
        self.path = path
        self.geometry = geometry
    }

    /// Draws the code over the whole screen.
    ///
    /// - Parameter hex: 32 hexadecimal characters, borrowed.
    /// - Throws: ``PresentationError`` when the screen is too small for the code or cannot be written to.
    public func show(_ hex: UnsafeRawBufferPointer) throws { try fill(try colours(of: hex)) }

    /// The whole screen, as its bytes make it look.
    public func pictures(_ hex: UnsafeRawBufferPointer) throws -> [ShownPicture] {
        let colour = try colours(of: hex)
        var pixels: [UInt8] = []
        pixels.reserveCapacity(geometry.width * geometry.height)
        for y in 0..<geometry.height {
            for x in 0..<geometry.width { pixels.append(geometry.level(geometry.bytes(colour(x, y)))) }
        }
        return [ShownPicture(path, width: geometry.width, height: geometry.height, pixels: pixels)]
    }

    private func colours(of hex: UnsafeRawBufferPointer) throws -> (Int, Int) -> CellColour {
        let matrix = try QRMatrix(hex: hex)
        let modules = matrix.size + 2 * QRMatrix.quietZone
        let scale = min(geometry.width, geometry.height) / modules
        guard scale >= 1 else { throw PresentationError.tooSmall(path) }
        let left = (geometry.width - modules * scale) / 2
        let top = (geometry.height - modules * scale) / 2
        return { x, y in
            matrix.isDark(
                floor(x - left, scale) - QRMatrix.quietZone, floor(y - top, scale) - QRMatrix.quietZone)
                ? .black : .white
        }
    }

    /// Draws what people compare over the whole screen.
    ///
    /// - Throws: ``PresentationError`` when the screen is too small for it or cannot be written to.
    func show(_ drawing: ValueDrawing) throws {
        guard var page = page(of: drawing) else { throw PresentationError.tooSmall(path) }
        defer { page.wipe() }
        try fill { page.colour($0, $1) }
    }

    /// As large as fits, in one picture; `nil` when the screen is too small.
    func page(of drawing: ValueDrawing) -> Raster? {
        drawing.pages(
            width: geometry.width, height: geometry.height, margin: min(geometry.width, geometry.height) / 20,
            ground: .light, maximumPages: 1
        ).first
    }

    /// Makes the whole screen white.
    ///
    /// - Throws: ``PresentationError/cannotWrite(_:why:)``.
    public func clear() throws {
        try fill { _, _ in .white }
    }

    private func floor(_ value: Int, _ scale: Int) -> Int { value < 0 ? -1000 : value / scale }

    private func fill(_ colour: (Int, Int) -> CellColour) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PresentationError.cannotWrite(path, why: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        let depth = geometry.bitsPerPixel / 8
        var row = [UInt8](repeating: 0, count: geometry.width * depth)
        defer { explicit_bzero(&row, row.count) }
        var pixels: [CellColour: [UInt8]] = [:]
        for y in 0..<geometry.height {
            for x in 0..<geometry.width {
                let colour = colour(x, y)
                let bytes = pixels[colour] ?? geometry.bytes(colour)
                pixels[colour] = bytes
                for byte in 0..<depth { row[x * depth + byte] = bytes[byte] }
            }
            let count = pwrite(descriptor, row, row.count, y * geometry.stride)
            guard count == row.count else {
                throw PresentationError.cannotWrite(path, why: String(cString: strerror(errno)))
            }
        }
    }
}
