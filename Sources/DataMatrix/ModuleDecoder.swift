import CDmtx

/// Error correction and text of ECC 200, by libdmtx: it sees modules only, no picture, so its work is bounded.
enum ModuleDecoder {
    /// Longer texts do not exist: the largest symbol holds 1558 codewords.
    static let maximumLength = 4096

    /// - Parameter isDark: of the data's modules, by row and column of the mapping matrix.
    /// - Returns: the text's bytes, or `nil` when there are more errors than can be corrected.
    static func decode(_ size: SymbolSize, isDark: (Int, Int) -> Bool) -> [UInt8]? {
        guard let message = dmtxMessageCreate(size.index, Int32(DmtxFormatMatrix)) else { return nil }
        var handle: UnsafeMutablePointer<DmtxMessage>? = message
        defer { if handle != nil { dmtxMessageDestroy(&handle) } }
        guard let array = message.pointee.array, message.pointee.arraySize >= size.mappingRows * size.mappingColumns
        else { return nil }
        for row in 0..<size.mappingRows {
            for column in 0..<size.mappingColumns {
                let isOn = isDark(row, column) ? UInt8(DmtxModuleOnRGB) : 0
                array[row * size.mappingColumns + column] = isOn | UInt8(DmtxModuleAssigned)
            }
        }
        // On failure libdmtx has destroyed the message itself.
        handle = dmtxDecodePopulatedArray(size.index, message, size.mostCorrections)
        guard let decoded = handle, let output = decoded.pointee.output, let code = decoded.pointee.code,
            Int(decoded.pointee.codeSize) >= size.codewords,
            ReedSolomonCheck.isWord(
                UnsafeBufferPointer(start: code, count: size.codewords), blocks: size.blocks, checks: size.checks)
        else { return nil }
        let count = Int(decoded.pointee.outputIdx)
        guard count > 0, count <= min(Int(decoded.pointee.outputSize), maximumLength) else { return nil }
        return Array(UnsafeBufferPointer(start: output, count: count))
    }
}
