import Foundation
import Program
import Testing

@testable import Doctor

/// What the doctor says of a board with a system and an eye is what README.md says.
@Suite struct SupportCheckTests {
    /// Models as the device trees have them.
    static let models = [
        "Zero 2 W": "Raspberry Pi Zero 2 W Rev 1.0", "3B+": "Raspberry Pi 3 Model B Plus Rev 1.3",
        "4": "Raspberry Pi 4 Model B Rev 1.5", "5": "Raspberry Pi 5 Model B Rev 1.0",
    ]
    static let marks = ["/etc/srup-observer-image", "/etc/rpi-issue", nil]

    /// The table of README.md: eyes' names, and for each system in order the boards that are named.
    static func table() throws -> [(eye: String, boards: [[String]])] {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../README.md").standardizedFileURL
        let text = try String(contentsOf: path, encoding: .utf8)
        let begin = try #require(text.range(of: "<!-- made by hardware/support"))
        return text[begin.upperBound...].split(separator: "\n").prefix { !$0.hasPrefix("<!-- end") }
            .filter { $0.hasPrefix("| ") && !$0.hasPrefix("| eye") }
            .map { line in
                let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
                return (cells[0], cells.dropFirst().map { $0.components(separatedBy: ", ") })
            }
    }

    func finding(_ model: String?, _ mark: String?, _ eye: SupportCheck.Eye) throws -> Finding {
        let machine = try Machine()
        if let model { try machine.write("/proc/device-tree/model", model + "\0") }
        if let mark { try machine.write(mark, "1\n") }
        return SupportCheck(machine.root).finding(eye)
    }

    @Test func eachCellIsWhatREADMESays() throws {
        let table = try Self.table()
        #expect(table.count == SupportCheck.Eye.allCases.count)
        for eye in SupportCheck.Eye.allCases {
            let name = try #require(SupportMatrix.eyes[eye.rawValue])
            let row = try #require(table.first { $0.eye == name }, "README.md has no row \(name)")
            for (mark, boards) in zip(Self.marks, row.boards) {
                for (board, model) in Self.models {
                    let finding = try finding(model, mark, eye)
                    #expect(
                        finding.state == (boards.contains(board) ? .ok : .warning), "\(board) \(name): \(finding.says)")
                }
            }
            // A machine without a device tree.
            #expect(try finding(nil, nil, eye).state == (row.boards[2].contains("PC (amd64)") ? .ok : .warning))
        }
    }

    @Test func withWhatAndWhyNotIsSaid() throws {
        let camera = try finding(Self.models["Zero 2 W"], "/etc/srup-observer-image", .usbCamera)
        #expect(camera.says == "USB camera on Zero 2 W, the card image: with an OTG adapter, micro-USB to A")
        let five = try finding(Self.models["5"], "/etc/srup-observer-image", .usbReader)
        #expect(five.says.contains("does not drive the RP1") && five.remedy != nil)
    }

    @Test(arguments: [
        "Raspberry Pi 3 Model B Rev 1.2", "Raspberry Pi Compute Module 4 Rev 1.0", "Raspberry Pi 500 Rev 1.0",
        "Something else",
    ])
    func ofOtherModelsNothingIsSaid(_ model: String) throws {
        #expect(try finding(model, nil, .usbCamera).state == .skipped)
    }
}
