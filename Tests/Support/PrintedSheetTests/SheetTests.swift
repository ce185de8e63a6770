import Foundation
import PrintedSheet
import Testing

@Suite struct SheetTests {
    private func sheet(_ paper: Sheet.Paper = .a4) -> Sheet {
        var sheet = Sheet(paper, title: "a & b (c)")
        sheet.box(10, 20, 100, 0.2)
        sheet.modules(10, 30, edge: 30, size: 3) { column, row in row == 1 || column == 0 }
        sheet.text(10, 70, size: 4, bold: true, "<10 – 59 cm> (°)\\")
        return sheet
    }

    @Test func theDrawingIsInMillimetres() {
        let svg = sheet().svg
        #expect(svg.contains("width=\"210mm\" height=\"297mm\" viewBox=\"0 0 210 297\""))
        #expect(svg.contains("M10 20h100v0.200h-100z"))
        // Neighbours of a row are one rectangle.
        #expect(svg.contains("M10 30h10v10h-10zM10 40h30v10h-30zM10 50h10v10h-10z"))
        #expect(svg.contains("<title>a &amp; b (c)</title>") && svg.contains(">&lt;10 – 59 cm&gt; (°)\\</text>"))
        #expect(sheet(.letter).svg.contains("width=\"215.900mm\" height=\"279.400mm\""))
    }

    /// Points are 72 to the inch; each offset of the cross-reference table is an object's.
    @Test(arguments: Sheet.Paper.allCases) func theDocumentIsWhole(_ paper: Sheet.Paper) throws {
        let bytes = sheet(paper).pdf
        let text = String(decoding: bytes.map { $0 < 0x80 ? $0 : 0x7E }, as: UTF8.self)
        #expect(text.hasPrefix("%PDF-1.7\n") && text.hasSuffix("%%EOF\n"))
        #expect(text.contains(paper == .a4 ? "/MediaBox [0 0 595.276 841.890]" : "/MediaBox [0 0 612 792]"))
        #expect(text.contains("2.834646 0 0 -2.834646 0 \(paper == .a4 ? "841.890" : "792") cm"))
        #expect(text.contains("10 20 100 0.200 re\n10 30 10 10 re\n10 40 30 10 re\n"))
        #expect(text.contains("(<10 ~ 59 cm> \\(~\\)\\\\) Tj") && text.contains("/PrintScaling /None"))
        let start = try #require(text.components(separatedBy: "startxref\n").last?.split(separator: "\n").first)
        let table = Array(bytes[try #require(Int(start))...])
        let lines = String(decoding: table, as: UTF8.self).split(separator: "\n")
        #expect(lines.first == "xref")
        for number in 1...7 {
            let offset = try #require(Int(lines[number + 2].prefix(10)))
            #expect(bytes[offset...].starts(with: "\(number) 0 obj\n".utf8))
        }
        let length = try #require(text.components(separatedBy: "/Length ").last?.split(separator: " ").first)
        let content = try #require(text.components(separatedBy: "stream\n").dropFirst().first)
        #expect(content.utf8.count - "\nend".utf8.count == Int(length))
    }

    @Test func theRulersEndIsItsLength() {
        var sheet = Sheet(.a4, title: "")
        sheet.ruler(10, 10, length: 100)
        let marks = sheet.items.compactMap { item -> Double? in
            guard case .box(let x, _, let width, let height) = item, height > 1 else { return nil }
            return x == 10 ? x : x + width
        }
        #expect(marks.count == 101 && marks.first == 10 && marks.last == 110)
    }
}
