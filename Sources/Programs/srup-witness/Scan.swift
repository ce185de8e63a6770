import ArgumentParser
import Camera
import CodeReader
import Eyes
import Geometry
import Glibc
import Linux
import ObservedValue
import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct Scan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read the codes in still pictures (PNG, JPEG, PGM).",
        discussion: """
            The pictures go through the same reader as the camera's frames; all codes in each are listed, up to 64. A \
            folder's pictures are read in the order of their names.

            Exit codes: 0 a code was found, 1 none was, 2 a picture could not be read.
            """)

    @Argument(help: ArgumentHelp("Pictures, or folders of them.", valueName: "file|dir"))
    var paths: [String]
    @Flag(help: "One JSON object per picture.")
    var json = false
    @Flag(help: "Folders in folders, too.")
    var recursive = false
    @OptionGroup var symbologies: SymbologyOptions

    /// What is printed about one picture.
    struct Report: Codable {
        struct Code: Codable {
            /// The text; absent when the bytes are no UTF-8.
            var value: String?
            var valueHex: String?
            var symbology: String
            /// Pairs of x and y, in pixels.
            var corners: [[Int]]
            /// Whether it holds a 128-bit value, so that an observer would take notice.
            var candidate: Bool
        }
        var file: String
        var width: Int?
        var height: Int?
        var codes: [Code] = []
        var milliseconds: Double?
        var error: String?
    }

    func run() throws {
        let reader = CodeReader(try symbologies.parsed(), readers: try symbologies.wantedReaders())
        var found = false
        var failed = false
        for path in paths {
            for file in files(path) {
                let report = read(file, reader)
                found = found || !report.codes.isEmpty
                failed = failed || report.error != nil
                show(report)
            }
        }
        if failed { throw ExitCode(2) }
        if !found { throw ExitCode(1) }
    }

    private func files(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [path] }
        defer { closedir(directory) }
        var found: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            let inner = path.hasSuffix("/") ? path + name : path + "/" + name
            if [".png", ".jpg", ".jpeg", ".pgm"].contains(where: { name.lowercased().hasSuffix($0) }) {
                found.append(inner)
            } else if recursive, entry.pointee.d_type == DT_DIR {
                found += files(inner)
            }
        }
        return found.sorted()
    }

    private func read(_ file: String, _ reader: CodeReader) -> Report {
        var report = Report(file: file)
        do throws(CameraError) {
            let picture = try StillPicture.read(file)
            report.width = picture.width
            report.height = picture.height
            let start = ContinuousClock.now
            let readings = picture.withPlane { reader.read($0) }
            report.milliseconds = ((ContinuousClock.now - start) / .milliseconds(1) * 1000).rounded() / 1000
            report.codes = readings.map { reading in
                let text = String(validating: reading.value, as: UTF8.self)
                return Report.Code(
                    value: text,
                    valueHex: text == nil
                        ? Hex.encode(reading.value) : nil,
                    symbology: reading.symbology.rawValue, corners: reading.corners.map { [$0.whole.x, $0.whole.y] },
                    candidate: reading.candidate != nil)
            }
        } catch {
            report.error = error.description
        }
        return report
    }

    private func show(_ report: Report) {
        if json {
            print(report.jsonLine)
            return
        }
        if let error = report.error {
            Program.complain(error)
            return
        }
        let file = report.file.withoutControls
        let size = "\(report.width ?? 0)x\(report.height ?? 0), \(report.milliseconds ?? 0) ms"
        if report.codes.isEmpty { print("\(file): no code (\(size))") }
        for code in report.codes {
            let value =
                code.value.map { String($0.debugDescription.dropFirst().dropLast()).withoutControls }
                ?? "hex \(code.valueHex ?? "")"
            print("\(file): \(code.symbology)\(code.candidate ? " (a 128-bit value)" : ""): \(value) (\(size))")
        }
    }
}
