import CZbar
import Luma

/// Counts the lines through finder patterns that zbar would see in the rows of a picture.
///
/// zbar tries every three of the patterns that it makes of such lines: a field of rings costs it seconds. What it would cost
/// is known only by its own eye; hence its own scanner, row by row, before it gets the whole.
///
/// Not safe to use from several threads.
final class FinderLineCount {
    private let decoder: OpaquePointer
    private let scanner: OpaquePointer

    init() {
        decoder = zbar_decoder_create()
        scanner = zbar_scanner_create(decoder)
        zbar_decoder_set_config(decoder, ZBAR_NONE, ZBAR_CFG_ENABLE, 0)
        zbar_decoder_set_config(decoder, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1)
    }

    deinit {
        zbar_scanner_destroy(scanner)
        zbar_decoder_destroy(decoder)
    }

    /// Whether there are at most so many.
    func isAtMost(_ most: Int, _ plane: LumaPlane) -> Bool {
        var count = 0
        for y in 0..<plane.height {
            let row = plane.base + y * plane.stride
            zbar_scanner_new_scan(scanner)
            for x in 0..<plane.width where zbar_scan_y(scanner, Int32(row[x])) == ZBAR_QRCODE { count += 1 }
            for _ in 0..<2 where zbar_scanner_flush(scanner) == ZBAR_QRCODE { count += 1 }
            guard count <= most else { return false }
        }
        return true
    }
}
