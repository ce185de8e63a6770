import DataMatrix
import ReedSolomon

/// Writes Data Matrix symbols codeword by codeword, also such as no honest writer makes.
package enum DataMatrixWriter {
    /// The data codewords, and their error correction behind them.
    package static func codewords(_ size: SymbolSize, data: [UInt8]) -> [UInt8] {
        var codewords = data + [UInt8](repeating: 0, count: size.codewords - data.count)
        for block in 0..<size.blocks {
            let word = stride(from: block, to: data.count, by: size.blocks).map { data[$0] }
            let places = stride(from: block, to: codewords.count, by: size.blocks).dropFirst(word.count)
            for (place, byte) in zip(places, ReedSolomon.dataMatrix.parity(of: word, count: size.checks)) {
                codewords[place] = byte
            }
        }
        return codewords
    }

    /// The modules of the data regions that hold these codewords, row by row; dark ones are `true`.
    package static func modules(_ size: SymbolSize, codewords: [UInt8]) -> [Bool] {
        var modules = [Bool](repeating: false, count: size.mappingRows * size.mappingColumns)
        for (index, module) in CodewordPlacement(size).modules.enumerated() {
            let bit: UInt8 = 0x80 >> UInt8(index % 8)
            modules[Int(module)] = codewords[index / 8] & bit != 0
        }
        return modules
    }
}
