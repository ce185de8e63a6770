import TestProcesses
import Testing

@Suite struct ExitCodeTests {
    /// A file that cannot be written is no mistake on the command line.
    @Test(arguments: [
        ["pictures", "--count", "1"], ["stream", "--frames", "1"], ["--seconds", "0.1", "--output"],
    ])
    func whatCannotBeWrittenIsAFailure(_ arguments: [String]) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        // Below a file there is no folder, whoever asks.
        try runner.write("", to: "file")
        let target = runner.path("file/below")
        #expect(try runner.run("srup-scene", arguments + [target], as: "scene") == 1)
        #expect(runner.tail(of: "scene").contains("\(target) cannot be written: Not a directory"))
        #expect(!runner.tail(of: "scene").contains("Usage"))
    }

    @Test func aFullDiskIsToo() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        #expect(try runner.run("srup-scene", ["--seconds", "0.1", "--output", "/dev/full"], as: "scene") == 1)
        #expect(runner.tail(of: "scene").contains("/dev/full cannot be written: No space left on device"))
    }

    @Test func aWrongCommandLineIsNot() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        #expect(try runner.run("srup-scene", ["--size", "0x0", "--output", runner.path("a")], as: "scene") == 64)
    }
}
