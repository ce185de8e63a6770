import ArgumentParser
import CodeWriter
import Eyes
import Glibc
import Linux
import ObservedValue
import Optics
import PrintedSheet
import Program

struct TestSheetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test-sheet",
        abstract: "Make a page to print: codes of 15 to 80 mm, each with the distances at which it is read.",
        discussion: """
            The codes hold test values, which "srup-observer aim" and "accept" know by their size; no verdict ever comes \
            of them, so that the page may hang where an observer looks. Print it at 100 %; its ruler must measure 100 mm. \
            The distances are those of "srup-observer optics". The file's name says what it is: .pdf or .svg.
              srup-observer test-sheet --camera v3 -o sheet.pdf

            With --steps the page has the cards that drive an acceptance check without a keyboard ([appliance] acceptance); \
            --camera and --size do not matter for it. Cut it into its cards.
              srup-observer test-sheet --steps -o steps.pdf

            Exit codes: 0 done; 64 wrong options; 69 the file cannot be written.
            """)

    @Option(help: ArgumentHelp("The camera, as for \"srup-observer optics\".", valueName: "name"))
    var camera: String?
    @Flag(help: "The cards of the acceptance check, in place of the codes.")
    var steps = false
    @Option(help: ArgumentHelp("The picture size that is asked for.", valueName: "WxH"))
    var size = "1280x720"
    @Option(help: ArgumentHelp("a4 or letter.", valueName: "paper"))
    var paper = "a4"
    @Option(name: .shortAndLong, help: ArgumentHelp("The file: .pdf or .svg.", valueName: "file"))
    var output: String

    func validate() throws { _ = try parsed() }

    private func paperFormat() throws -> Sheet.Paper {
        guard let paper = Sheet.Paper(rawValue: paper.lowercased()) else {
            throw ValidationError("--paper must be a4 or letter")
        }
        guard output.hasSuffix(".pdf") || output.hasSuffix(".svg") else {
            throw ValidationError("the file's name must end in .pdf or .svg")
        }
        return paper
    }

    private func parsed() throws -> (View?, Sheet.Paper) {
        if steps { return (nil, try paperFormat()) }
        guard let camera else { throw ValidationError("--camera NAME is needed, or --steps") }
        guard let model = CameraModel.named(camera) else {
            let names = CameraModel.all.map(\.id).joined(separator: ", ")
            throw ValidationError("no camera is called \"\(camera.prefix(40))\"; there are \(names)")
        }
        guard let size = EyeOptions.parsed(size), (64...8192).contains(size.width), (64...8192).contains(size.height)
        else {
            throw ValidationError("--size must be like 1280x720")
        }
        return (View(model, width: size.width, height: size.height), try paperFormat())
    }

    func run() throws {
        let (view, paper) = try parsed()
        do {
            let sheet = try view.map { try TestSheet($0, paper).sheet } ?? StepsSheet(paper).sheet
            let bytes = output.hasSuffix(".pdf") ? sheet.pdf : Array(sheet.svg.utf8)
            try OutputFile.write(bytes, to: output, mode: 0o644)
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
        let what = view.map { "\($0.camera.name), \($0.width) x \($0.height)" } ?? "the cards of the acceptance check"
        print("\(output): \(what), \(paper.rawValue); print it at 100 %")
    }
}

/// The page: seven codes in two rows, what is read of them, a ruler.
private struct TestSheet {
    private(set) var sheet: Sheet
    private let view: View
    private static let margin = 12.0
    /// Edges of the dark parts in millimetres, row by row.
    private static let rows: [[Int]] = [[80, 50], [40, 30, 25, 20, 15]]

    init(_ view: View, _ paper: Sheet.Paper) throws(QRError) {
        self.view = view
        sheet = Sheet(paper, title: "srup-observer test sheet: \(view.camera.name)")
        let left = Self.margin
        sheet.text(left, 18, size: 6, bold: true, "srup-observer test sheet")
        sheet.text(
            left, 25,
            "\(view.camera.name), \(view.width) × \(view.height): \(Measure.short(view.horizontalAngle))° across")
        var top = 34.0
        for row in Self.rows {
            try draw(row, top)
            top += Double(row[0]) * View.modulesWithQuietZone / View.modules + 11
        }
        sheet.ruler(left, top + 4, length: 100)
        let notes = [
            "Print at 100 %, not “fit to page”: the ruler must measure 100 mm. Matt paper, flat, lit evenly.",
            "Under each code: the edge of its dark part, and from where to where it is read (3 pixels a module, seen straight",
            "ahead). At 45° the farthest distance is 0.7 times as long. A dash: never sharp and large enough at once.",
            "The codes hold test values, which name their size: srup-observer aim shows them. No verdict comes of them.",
        ]
        for (index, note) in notes.enumerated() { sheet.text(left, top + 21 + Double(index) * 4.6, note) }
    }

    private mutating func draw(_ row: [Int], _ top: Double) throws(QRError) {
        let wholes = row.map { Double($0) * View.modulesWithQuietZone / View.modules }
        // Quiet zones may touch: white on white. What is left of the width is spread between the codes.
        let free = sheet.paper.size.width - 2 * Self.margin - wholes.reduce(0, +)
        var x = Self.margin
        for (edge, whole) in zip(row, wholes) {
            let code = try TestSheet.code(edge)
            let quiet = Double(edge) / View.modules * Double(QRMatrix.quietZone)
            let place = top + wholes[0] - whole
            sheet.modules(x + quiet, place + quiet, edge: Double(edge), size: code.size) { code.isDark($0, $1) }
            sheet.text(x + quiet, top + wholes[0] + 3.4, size: 3.2, bold: true, "\(edge) mm")
            let range = view.readable(edge: Double(edge))
            sheet.text(
                x + quiet, top + wholes[0] + 7.4, size: 3.2, Measure.centimetres(range) + (range == nil ? "" : " cm"))
            x += whole + free / Double(max(row.count - 1, 1))
        }
    }

    private static func code(_ edge: Int) throws(QRError) -> QRMatrix {
        try QRMatrix(text: Hex.encode(TestValue(edge: edge)?.bytes ?? []).uppercased())
    }
}
