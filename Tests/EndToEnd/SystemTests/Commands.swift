import Foundation
import TestProcesses
import Testing

/// A server's folder, and commands that are run on it as a person or a script runs them.
final class CommandBench {
    let runner: ProgramRunner
    let folder: String
    private var count = 0

    /// - Parameter isMade: with a folder of "srup-c2 init".
    init(isMade: Bool = true) throws {
        runner = try ProgramRunner()
        folder = runner.path("c2")
        guard isMade else { return }
        try runner.must(
            "srup-c2",
            [
                "init", "--folder", folder, "--host", "localhost", "--bind", "127.0.0.1", "--broker-port",
                "\(try ProgramRunner.freePort())", "--key-service-port", "\(try ProgramRunner.freePort())",
                "--pages-port", "\(try ProgramRunner.freePort())",
            ], as: "init")
    }

    deinit { runner.close() }

    /// Runs a command with `--folder`; its exit code and all that it has said, on both outputs.
    func c2(_ arguments: [String], in folder: String? = nil) throws -> (code: Int32, said: String) {
        count += 1
        let role = "command-\(count)"
        // Options end at "--".
        let end = arguments.firstIndex(of: "--") ?? arguments.count
        let code = try runner.run(
            "srup-c2", arguments[..<end] + ["--folder", folder ?? self.folder] + arguments[end...], as: role)
        return (code, try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8))
    }

    /// The same with something on standard input, and standard output apart from standard error.
    func shell(_ command: String) throws -> (code: Int32, said: String) {
        count += 1
        let role = "command-\(count)"
        let program = "'\(runner.binaries)/srup-c2'"
        let code = try runner.run(
            "/bin/sh", ["-c", command.replacingOccurrences(of: "SRUP", with: program)], as: role)
        return (code, try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8))
    }

    /// The JSON objects among the lines of an answer.
    func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
        }
    }

    func mode(_ name: String) -> Int? {
        (try? FileManager.default.attributesOfItem(atPath: runner.path(name)))?[.posixPermissions] as? Int
    }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: runner.path(name)) }
}
