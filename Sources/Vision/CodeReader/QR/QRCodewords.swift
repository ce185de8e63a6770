import ReedSolomon

/// From modules to corrected data (ISO/IEC 18004, 7.5 to 7.7 and 12).
struct QRCodewords {
    private let layout: QRLayout
    /// Positions of the data modules in the order in which bits are placed, as `v * dimension + u`.
    private let order: [Int32]

    init(_ layout: QRLayout) {
        self.layout = layout
        let n = layout.dimension
        var order: [Int32] = []
        var right = n - 1
        var isUpward = true
        while right > 0 {
            if right == 6 { right -= 1 }
            for step in 0..<n {
                let v = isUpward ? n - 1 - step : step
                for u in [right, right - 1] where layout[u, v] == .data { order.append(Int32(v * n + u)) }
            }
            isUpward.toggle()
            right -= 2
        }
        self.order = order
    }

    var bytes: Int { order.count / 8 }

    /// Corrected data codewords, and whether codewords that looked doubtful had to be left out for it.
    struct Corrected {
        var data: [UInt8]
        var usedErasures: Bool
    }

    /// - Parameters:
    ///   - format: five bits of format information.
    ///   - value: of a module, from -1 (ink) to 1 (paper).
    func corrected(format: Int, _ value: (_ u: Int, _ v: Int) -> Float) -> Corrected? {
        let structure = QRBlocks(version: layout.version, format: format, bytes: bytes)
        let (word, trust) = read(mask: format & 7, value)
        var data: [UInt8] = []
        var usedErasures = false
        for block in 0..<structure.count {
            let places = structure.places(block)
            var bytes = places.map { word[$0] }
            guard let wereErased = Self.correct(&bytes, structure.parity, places.map { trust[$0] }) else { return nil }
            usedErasures = usedErasures || wereErased
            data += bytes.dropLast(structure.parity)
        }
        return Corrected(data: data, usedErasures: usedErasures)
    }

    /// The codewords, and for each how surely its least sure module is what it is taken for.
    private func read(mask: Int, _ value: (_ u: Int, _ v: Int) -> Float) -> (word: [UInt8], trust: [Float]) {
        let n = layout.dimension
        var word = [UInt8](repeating: 0, count: bytes)
        var trust = [Float](repeating: 0, count: bytes)
        for index in 0..<bytes {
            var byte: UInt8 = 0
            var least = Float.infinity
            for bit in 0..<8 {
                let place = Int(order[index * 8 + bit])
                let (u, v) = (place % n, place / n)
                let here = value(u, v)
                byte = byte << 1 | ((here < 0) != Self.isMasked(mask, u, v) ? 1 : 0)
                least = min(least, abs(here))
            }
            word[index] = byte
            trust[index] = least
        }
        return (word, trust)
    }

    private static func isMasked(_ mask: Int, _ u: Int, _ v: Int) -> Bool {
        switch mask {
        case 0: (u + v) % 2 == 0
        case 1: v % 2 == 0
        case 2: u % 3 == 0
        case 3: (u + v) % 3 == 0
        case 4: (v / 2 + u / 3) % 2 == 0
        case 5: u * v % 2 + u * v % 3 == 0
        case 6: (u * v % 2 + u * v % 3) % 2 == 0
        default: ((u + v) % 2 + u * v % 3) % 2 == 0
        }
    }

    /// Corrects a block: at first as it is, then without the bytes that look least sure. An erasure costs half of what an
    /// error does, but what is corrected with erasures proves less: two bytes of parity are then kept as a check, so that
    /// one word in 65 536 of noise passes at most.
    ///
    /// - Returns: whether erasures were needed; `nil` when it cannot be corrected.
    private static func correct(_ bytes: inout [UInt8], _ parity: Int, _ trust: [Float]) -> Bool? {
        // Versions 1 and 2 keep a few parity bytes for detection (table 9).
        let most = parity == 7 ? 2 : parity == 10 ? 4 : parity / 2
        if ReedSolomon.qr.correct(&bytes, parity: parity, erasures: [], maximumErrors: most) { return false }
        guard parity >= 10 else { return nil }
        let doubtful = trust.indices.sorted { trust[$0] < trust[$1] }
        for share in [2, 3, 4, 5, 6, 7] {
            let count = (parity - 2) * share / 7
            let rest = (parity - 2 - count) / 2
            if ReedSolomon.qr.correct(
                &bytes, parity: parity, erasures: Array(doubtful.prefix(count)), maximumErrors: rest)
            {
                return true
            }
        }
        return nil
    }
}
