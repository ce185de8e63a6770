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
            let row = UnsafeBufferPointer(start: plane.base + y * plane.stride, count: plane.width)
            // As zbar goes: to and fro. What looks like a pattern from one end may not from the other.
            count += y % 2 == 0 ? lines(row) : lines(row.reversed())
            guard count <= most else { return false }
        }
        return true
    }

    private func lines(_ row: some Sequence<UInt8>) -> Int {
        var count = 0
        zbar_scanner_new_scan(scanner)
        for level in row where zbar_scan_y(scanner, Int32(level)) == ZBAR_QRCODE { count += 1 }
        for _ in 0..<2 where zbar_scanner_flush(scanner) == ZBAR_QRCODE { count += 1 }
        return count
    }
}
