extension Sheet {
    /// As PDF 1.7 (ISO 32000-1) with Helvetica, one of the fonts that every reader has. It asks not to be scaled when it is
    /// printed.
    ///
    ///     header, objects 1 to 6 (catalog, pages, page, content, two fonts), 7 (properties), cross-reference table, trailer
    public var pdf: [UInt8] {
        let (width, height) = (paper.size.width * Self.points, paper.size.height * Self.points)
        let content = content
        let objects: [[UInt8]] = [
            Array("<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>".utf8),
            Array("<< /Type /Pages /Kids [3 0 R] /Count 1 >>".utf8),
            Array(
                ("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 \(plain(width)) \(plain(height))] /Contents 4 0 R "
                    + "/Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>").utf8),
            Array("<< /Length \(content.count) >>\nstream\n".utf8) + content + Array("\nendstream".utf8),
            Self.font("Helvetica"), Self.font("Helvetica-Bold"),
            Array("<< /Title ".utf8) + Self.string(title) + Array(" /Producer (srup-observer) >>".utf8),
        ]
        var file = Array("%PDF-1.7\n%".utf8) + [0xE2, 0xE3, 0xCF, 0xD3, 0x0A]
        var table = "xref\n0 \(objects.count + 1)\n0000000000 65535 f \n"
        for (index, object) in objects.enumerated() {
            table += String(String(file.count + 10_000_000_000).dropFirst()) + " 00000 n \n"
            file += Array("\(index + 1) 0 obj\n".utf8) + object + Array("\nendobj\n".utf8)
        }
        let start = file.count
        file += Array(table.utf8)
        file += Array(
            "trailer\n<< /Size \(objects.count + 1) /Root 1 0 R /Info 7 0 R >>\nstartxref\n\(start)\n%%EOF\n".utf8)
        return file
    }

    /// A millimetre in points of 1/72 inch.
    private static let points = 72 / 25.4

    private static func font(_ name: String) -> [UInt8] {
        Array("<< /Type /Font /Subtype /Type1 /BaseFont /\(name) /Encoding /WinAnsiEncoding >>".utf8)
    }

    /// In millimetres, and turned round: PDF counts upwards. Words are turned back.
    private var content: [UInt8] {
        let scale = Self.points
        var content = Array(
            "\(sixDigits(scale)) 0 0 \(sixDigits(-scale)) 0 \(plain(paper.size.height * scale)) cm\n".utf8)
        for item in items {
            switch item {
            case .box(let x, let y, let width, let height):
                content += Array("\(plain(x)) \(plain(y)) \(plain(width)) \(plain(height)) re\n".utf8)
            case .text: break
            }
        }
        content += Array("f\n".utf8)
        for case .text(let x, let y, let size, let isBold, let text) in items {
            content += Array(
                "BT /F\(isBold ? 2 : 1) 1 Tf \(plain(size)) 0 0 \(plain(-size)) \(plain(x)) \(plain(y)) Tm ".utf8)
            content += Self.string(text) + Array(" Tj ET\n".utf8)
        }
        return content
    }

    private func sixDigits(_ number: Double) -> String {
        let millionths = Int((number * 1e6).rounded())
        return (millionths < 0 ? "-" : "") + "\(abs(millionths) / 1_000_000)."
            + String(abs(millionths) % 1_000_000 + 1_000_000).dropFirst()
    }

    /// In WinAnsiEncoding, which is Windows-1252.
    private static func string(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "(")]
        for scalar in text.unicodeScalars {
            let byte: UInt8 =
                switch scalar {
                case "–": 0x96
                case "—": 0x97
                case "“": 0x93
                case "”": 0x94
                case "’": 0x92
                case "…": 0x85
                case let scalar where (0x20..<0x7F).contains(scalar.value) || (0xA0...0xFF).contains(scalar.value):
                    UInt8(scalar.value)
                default: UInt8(ascii: "?")
                }
            if [UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "\\")].contains(byte) {
                bytes.append(UInt8(ascii: "\\"))
            }
            bytes.append(byte)
        }
        return bytes + [UInt8(ascii: ")")]
    }
}
