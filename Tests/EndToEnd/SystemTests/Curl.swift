import Foundation
import TestProcesses

extension ProgramRunner {
    /// What curl says of a request to a program on loopback: the status, and what was answered.
    func curl(_ arguments: [String]) throws -> (status: Int, body: String) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        process.arguments =
            ["-sS", "--cacert", path("c2/ca.crt"), "--max-time", "60", "-w", "\n%{http_code}"] + arguments
        process.standardOutput = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        let end = text.lastIndex(of: "\n") ?? text.startIndex
        return (Int(text[end...].dropFirst()) ?? 0, String(text[..<end]))
    }
}
