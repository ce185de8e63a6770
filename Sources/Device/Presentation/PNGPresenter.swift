import CPNG
import CodeWriter
import Glibc
import Linux
import ValueForms

/// Keeps a PNG file up to date: written beside it and renamed, so that a reader never sees half a picture. There is no
/// file while nothing is shown. Only a regular file of one's own is replaced or removed.
public struct PNGPresenter: NoncePresenter {
    /// Of the PNG file.
    public let path: String
    private let scale: Int
    private let mode: mode_t

    /// - Parameters:
    ///   - scale: pixels to a module.
    ///   - mode: of the file; others should not read the nonce from it, unless they are the ones that display it.
    public init(path: String, scale: Int = 8, mode: mode_t = 0o600) {
        self.path = path
        self.scale = scale
        self.mode = mode
    }

    /// Replaces the file by one with this code.
    ///
    /// - Parameter hex: 32 hexadecimal characters, borrowed.
    /// - Throws: ``PresentationError`` when the file cannot be written, or what is there must not be replaced.
    public func show(_ hex: UnsafeRawBufferPointer) throws {
        var png = try QRMatrix(hex: hex).png(scale: scale)
        defer { explicit_bzero(&png, png.count) }
        try replace(with: png)
    }

    /// The file's picture; nothing is written.
    public func pictures(_ hex: UnsafeRawBufferPointer) throws -> [ShownPicture] {
        [ShownPicture(path, png: try QRMatrix(hex: hex).png(scale: scale))]
    }

    /// Replaces the file by one with these bytes.
    func replace(with bytes: [UInt8]) throws {
        try check()
        let temporary = "\(path).\(getpid()).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure() }
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        // A disk that is full takes a part and sets no error.
        if written >= 0 && written < bytes.count { errno = ENOSPC }
        var error = written == bytes.count ? nil : failure()
        if close(descriptor) != 0 { error = error ?? failure() }
        if error == nil && rename(temporary, path) != 0 { error = failure() }
        if let error {
            unlink(temporary)
            throw error
        }
    }

    /// Removes the file, when there is one.
    ///
    /// - Throws: ``PresentationError`` when it cannot be removed, or must not be.
    public func clear() throws {
        guard try check() else { return }
        guard unlink(path) == 0 || errno == ENOENT else { throw failure() }
    }

    /// - Returns: whether there is a file.
    /// - Throws: ``PresentationError/badFile(_:)`` when there is something else.
    @discardableResult
    func check() throws(PresentationError) -> Bool {
        do throws(OutputFile.Failure) {
            return try OutputFile.checkReplaceable(path)
        } catch {
            throw .badFile(error.description)
        }
    }

    private func failure() -> PresentationError { .cannotWrite(path, why: String(cString: strerror(errno))) }

    /// A picture in colours.
    static func png(_ raster: Raster) throws(PresentationError) -> [UInt8] {
        var rgb = raster.rgb
        defer { explicit_bzero(&rgb, rgb.count) }
        var png = [UInt8](repeating: 0, count: rgb.count + 4096)
        var size = png.count
        guard srup_png_write_rgb(rgb, UInt32(raster.width), UInt32(raster.height), &png, &size) != 0 else {
            throw .cannotEncode
        }
        png.removeLast(png.count - size)
        return png
    }
}
