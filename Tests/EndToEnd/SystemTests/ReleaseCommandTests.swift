import Foundation
import TestProcesses
import Testing

/// `srup-release`, as scripts use it: what it exits with, and what it says.
@Suite struct ReleaseCommandTests {
    private final class Bench {
        let runner: ProgramRunner

        init() throws {
            runner = try ProgramRunner()
            try runner.write("payload", to: "payload")
        }

        deinit { runner.close() }

        func run(_ arguments: [String]) throws -> (code: Int32, said: String) {
            let role = "release-" + UUID().uuidString
            let code = try runner.run(
                "srup-release", arguments.map { $0.replacing("F/", with: runner.path("")) }, as: role)
            let said = try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)
            return (code, said.trimmingCharacters(in: .whitespacesAndNewlines))
        }

        func release(_ arguments: String...) throws -> (code: Int32, said: String) { try run(arguments) }

        func verify(_ arguments: [String]) throws -> (code: Int32, said: String) {
            try run(["verify", "F/manifest"] + arguments)
        }

        func sign(_ version: String, expires: String, output: String) throws -> Int32 {
            try release(
                "sign", "F/payload", "--key", "F/release.key", "--type", "thermometer", "--release-version", version,
                "--expires", expires, "--url", "https://updates.example.net/x", "-o", output
            ).code
        }
    }

    @Test func verifySaysByItsExitCodeWhetherAllIsRight() throws {
        let bench = try Bench()
        let (made, key) = try bench.release("key", "F/release.key")
        #expect(made == 0 && key.utf8.count == 64)
        #expect(try bench.release("key", "F/release.key").code == 1)
        #expect(try bench.release("key", "--show", "F/release.key").said == key)
        let other = try bench.release("key", "F/other.key").said
        #expect(try bench.sign("1.4.2", expires: "90d", output: "F/manifest") == 0)
        let good = try bench.release(
            "verify", "F/manifest", "--key", other, "--key", key, "--type", "thermometer", "--newer-than", "1.4.1",
            "--payload", "F/payload")
        #expect(good.code == 0 && good.said.contains("version: 1.4.2"))
        try bench.runner.write("another", to: "another")
        for (arguments, why) in [
            (["--key", other], "not believed"), (["--key", key, "--type", "lamp"], "for devices of type"),
            (["--key", key, "--newer-than", "1.4.2"], "not newer"),
            (["--key", key, "--payload", "F/another"], "not the payload"),
            (["--key", key, "--payload", "F/nothing"], "cannot be read"),
        ] {
            let (code, said) = try bench.verify(arguments)
            #expect(code == 1 && said.contains(why), "\(said)")
        }
        #expect(try bench.sign("1.4.2", expires: "1000000000", output: "F/manifest") == 0)
        let old = try bench.verify(["--key", key])
        #expect(old.code == 1 && old.said.contains("expired"))
        for (text, why) in [("", "no manifest"), ("x", "no manifest"), (String(repeating: "x", count: 5000), "larger")]
        {
            try bench.runner.write(text, to: "manifest")
            let (code, said) = try bench.verify(["--key", key])
            #expect(code == 1 && said.contains(why), "\(said)")
        }
    }

    @Test func whatCannotBeMeantIsAUsageError() throws {
        let bench = try Bench()
        for arguments in [
            ["verify", "F/manifest"], ["verify", "F/manifest", "--key", "short"],
            ["verify", "F/manifest", "--key", String(repeating: "0", count: 64), "--newer-than", "new"],
        ] {
            #expect(try bench.run(arguments).code == 64)
        }
        let own = try bench.release("--version").said
        #expect(own.split(separator: ".").count == 3)
        // A release's version has a name of its own, also in the help.
        let help = try bench.release("sign", "--help").said
        #expect(help.contains("--release-version <version>"))
        #expect(help.components(separatedBy: "\n").count { $0.contains("  --version") } == 1)
    }
}
