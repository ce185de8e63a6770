import CDmtx
import Luma
import CodeWriter

/// A code to be drawn, in a square picture with its quiet zone.
public struct SceneSymbol: Sendable {
    /// The names are those of the observer's configuration.
    public enum Kind: String, Sendable, CaseIterable {
        case qr
        case dataMatrix = "datamatrix"
        case code128
    }

    /// The kind of code.
    public let kind: Kind
    /// What the code says.
    public let text: String
    /// Modules on a side of the picture, with the quiet zone.
    public let modules: Int
    /// The code in black on white, with its quiet zone; six pixels to a module.
    public let picture: LumaPicture

    /// Pixels to a module in ``picture``.
    static let scale = 6

    /// `nil` when the text does not fit: a QR code takes any, a Data Matrix and Code 128 printable ASCII.
    public init?(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
        let bytes = Array(text.utf8)
        let grid: ModuleGrid?
        switch kind {
        case .qr: grid = Self.qr(bytes)
        case .dataMatrix: grid = Self.dataMatrix(bytes)
        case .code128: grid = Code128(bytes).map { Self.bars($0.modules) }
        }
        guard let grid else { return nil }
        modules = grid.side
        guard let picture = grid.picture(scale: Self.scale) else { return nil }
        self.picture = picture
    }

    /// Square, light where nothing is said.
    private struct ModuleGrid {
        let side: Int
        var dark: [Bool]

        init(side: Int) {
            self.side = side
            dark = [Bool](repeating: false, count: side * side)
        }

        func picture(scale: Int) -> LumaPicture? {
            var pixels = [UInt8](repeating: 255, count: side * side * scale * scale)
            for y in 0..<side * scale {
                for x in 0..<side * scale where dark[y / scale * side + x / scale] { pixels[y * side * scale + x] = 0 }
            }
            return LumaPicture(width: side * scale, height: side * scale, pixels: pixels)
        }
    }

    private static func qr(_ bytes: [UInt8]) -> ModuleGrid? {
        guard let matrix = bytes.withUnsafeBytes({ try? QRMatrix($0) }) else { return nil }
        let zone = QRMatrix.quietZone
        var grid = ModuleGrid(side: matrix.size + 2 * zone)
        for y in 0..<matrix.size {
            for x in 0..<matrix.size { grid.dark[(y + zone) * grid.side + x + zone] = matrix.isDark(x, y) }
        }
        return grid
    }

    /// ECC 200 (ISO/IEC 16022), drawn by libdmtx; its quiet zone is one module, we leave two.
    private static func dataMatrix(_ bytes: [UInt8]) -> ModuleGrid? {
        guard !bytes.isEmpty, let encoder = dmtxEncodeCreate() else { return nil }
        var handle: UnsafeMutablePointer<DmtxEncode>? = encoder
        defer { dmtxEncodeDestroy(&handle) }
        dmtxEncodeSetProp(encoder, Int32(DmtxPropSizeRequest.rawValue), Int32(DmtxSymbolSquareAuto.rawValue))
        dmtxEncodeSetProp(encoder, Int32(DmtxPropModuleSize.rawValue), 1)
        dmtxEncodeSetProp(encoder, Int32(DmtxPropMarginSize.rawValue), 0)
        dmtxEncodeSetProp(encoder, Int32(DmtxPropPixelPacking.rawValue), Int32(DmtxPack8bppK.rawValue))
        var text = bytes
        guard dmtxEncodeDataMatrix(encoder, Int32(text.count), &text) == DmtxPass,
            let image = encoder.pointee.image, let pixels = image.pointee.pxl,
            image.pointee.width == image.pointee.height
        else { return nil }
        let side = Int(image.pointee.width)
        let zone = 2
        let rowSize = Int(dmtxImageGetProp(image, Int32(DmtxPropRowSizeBytes.rawValue)))
        var grid = ModuleGrid(side: side + 2 * zone)
        for y in 0..<side {
            for x in 0..<side { grid.dark[(y + zone) * grid.side + x + zone] = pixels[y * rowSize + x] < 128 }
        }
        return grid
    }

    /// Bars over a third of the square's height.
    private static func bars(_ modules: [Bool]) -> ModuleGrid {
        let zone = 10
        var grid = ModuleGrid(side: modules.count + 2 * zone)
        for y in grid.side / 3..<grid.side * 2 / 3 {
            for (x, isDark) in modules.enumerated() { grid.dark[y * grid.side + x + zone] = isDark }
        }
        return grid
    }
}
