import Foundation
import TestProcesses
import Testing

/// Simulated readers, our programs on them, and nfcpy.
struct Readers {
    let runner: ProgramRunner
    let chips: SimulatedReaders

    /// The Python that has nfcpy 1.0.4 (deploy/setup --tests makes it); `nil` when there is none.
    static let python: String? = {
        // As a path, not standardised: that would follow the link out of the virtual environment.
        let own = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../../.build/nfcpy/bin/python"
        for path in [own, "/usr/bin/python3"] where FileManager.default.isExecutableFile(atPath: path) {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = ["-c", "import nfc, ndef; assert nfc.__version__ == '1.0.4'"]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { continue }
            process.waitUntilExit()
            if process.terminationStatus == 0 { return path }
        }
        return nil
    }()

    static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("nfcpy/peer.py").path

    /// Runs `body` with chips "a" (the observer's) and "b" on serial lines, and "i" on I2C.
    static func with(_ arguments: [String] = ["--immediate"], _ body: (Readers) throws -> Void) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let readers = Readers(
            runner: runner, chips: try SimulatedReaders(runner, serial: ["a", "b", "c"], i2c: ["i"], arguments))
        do {
            try body(readers)
        } catch let failure as ProgramRunner.Failure {
            Issue.record("\(failure.description)\n\(runner.tail(of: "read"))\n\(runner.tail(of: "write"))")
        }
    }

    // MARK: Our programs

    func startRead(_ arguments: [String] = [], on chip: String = "a") throws {
        try runner.start(
            "srup-witness", ["nfc", "read", "--json", "--device", chips.connstring(chip)] + arguments, as: "read")
        try wait("the reader to open") { try lines("read").contains { $0["event"] as? String == "ready" } }
    }

    /// Over the simulated I2C bus: the shim is preloaded.
    func startI2CRead() throws {
        let shim = ProgramRunner.ownFolder + "/libI2CShim.so"
        try runner.start(
            "env",
            [
                "LD_PRELOAD=\(shim)", "SRUP_I2C_SOCKET=\(chips.bus("i"))", ProgramRunner.ownFolder + "/srup-witness",
                "nfc",
                "read",
                "--json", "--device", "pn532_i2c:/dev/i2c-1",
            ], as: "read")
        try wait("the reader to open") { try lines("read").contains { $0["event"] as? String == "ready" } }
    }

    func startWrite(_ text: String, _ arguments: [String] = ["--keep", "--pause", "0"], on chip: String = "b") throws {
        try runner.start(
            "srup-witness", ["nfc", "write", "--json", "--device", chips.connstring(chip), text] + arguments,
            as: "write")
    }

    /// What a program of ours has said so far.
    func lines(_ role: String) throws -> [[String: Any]] {
        let text = (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    func taps() throws -> [[String: Any]] { try lines("read").filter { $0["event"] as? String == "tap" } }

    static func text(_ tap: [String: Any]) -> String? {
        (tap["records"] as? [[String: Any]])?.first?["text"] as? String
    }

    /// Waits for a condition; what it waited for is told when it does not come.
    func wait(_ what: String, within seconds: Double = 15, _ condition: () throws -> Bool) throws {
        let deadline = Date().timeIntervalSinceReferenceDate + seconds
        while Date().timeIntervalSinceReferenceDate < deadline {
            if try condition() { return }
            usleep(10_000)
        }
        throw ProgramRunner.Failure(description: "waited \(seconds) s for \(what)")
    }

    // MARK: nfcpy

    /// Runs nfcpy to its end; what it has said.
    func nfcpy(_ arguments: [String], within seconds: Int = 60) throws -> [[String: Any]] {
        let role = "nfcpy-\(UUID().uuidString.prefix(8))"
        let code = try runner.run(try #require(Self.python), [Self.script] + arguments, as: role, within: seconds)
        guard code == 0 else { throw ProgramRunner.Failure(description: "nfcpy failed:\n\(runner.tail(of: role))") }
        return try lines(role)
    }
}
