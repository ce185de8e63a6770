import CFramebuffer
import Glibc

/// Shows the code on a Linux framebuffer, as large as fits, centred on white.
public struct FramebufferPresenter: NoncePresenter {
    /// Of the screen, in pixels; bytes from a row to the next.
    public struct Geometry: Sendable, Hashable {
        public let width, height, bitsPerPixel, stride: Int

        /// A screen's size in pixels, the bits of a pixel (16, 24 or 32), and the bytes from a row to the next.
        public init(width: Int, height: Int, bitsPerPixel: Int, stride: Int) {
            self.width = width
            self.height = height
            self.bitsPerPixel = bitsPerPixel
            self.stride = stride
        }
    }

    private let path: String
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
                stride: Int(found.stride)))
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
    public func show(_ hex: UnsafeRawBufferPointer) throws {
        let matrix = try QRMatrix(hex: hex)
        let modules = matrix.size + 2 * QRMatrix.quietZone
        let scale = min(geometry.width, geometry.height) / modules
        guard scale >= 1 else { throw PresentationError.tooSmall(path) }
        let left = (geometry.width - modules * scale) / 2
        let top = (geometry.height - modules * scale) / 2
        try fill { x, y in
            matrix.isDark(
                floor(x - left, scale) - QRMatrix.quietZone, floor(y - top, scale) - QRMatrix.quietZone)
        }
    }

    /// Makes the whole screen white.
    ///
    /// - Throws: ``PresentationError/cannotWrite(_:why:)``.
    public func clear() throws {
        try fill { _, _ in false }
    }

    private func floor(_ value: Int, _ scale: Int) -> Int { value < 0 ? -1000 : value / scale }

    private func fill(_ isDark: (Int, Int) -> Bool) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PresentationError.cannotWrite(path, why: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        let depth = geometry.bitsPerPixel / 8
        var row = [UInt8](repeating: 0, count: geometry.width * depth)
        defer { explicit_bzero(&row, row.count) }
        for y in 0..<geometry.height {
            // Black is all zeros and white all ones in every RGB layout.
            for x in 0..<geometry.width {
                let value: UInt8 = isDark(x, y) ? 0 : 255
                for byte in 0..<depth { row[x * depth + byte] = value }
            }
            let count = pwrite(descriptor, row, row.count, y * geometry.stride)
            guard count == row.count else {
                throw PresentationError.cannotWrite(path, why: String(cString: strerror(errno)))
            }
        }
    }
}
