import Foundation
import TestProcesses
import Testing

/// Keys that are encrypted with what systemd lends to the service.
@Suite struct MachineKeyTests {
    static let tool = "/usr/bin/systemd-creds"
    /// The host's key is made at the first use, by root; some containers cannot keep one.
    static let isPossible = getuid() == 0 && FileManager.default.isExecutableFile(atPath: tool) && canSeal()

    private static func canSeal() -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: tool)
        process.arguments = ["encrypt", "--with-key=host", "--name=probe", "/dev/null", "-"]
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    /// The package's way, with systemd's own tool: sealed for this host, and opened for the service.
    private func lent(_ runner: ProgramRunner, _ folder: String, name: String = "srup-observer.machine-key") throws
        -> String
    {
        let (plain, sealed) = (runner.path("plain-" + folder), runner.path("sealed-" + folder))
        try (0..<32).map { _ in String(format: "%02x", UInt8.random(in: 0...255)) }.joined()
            .write(toFile: plain, atomically: true, encoding: .utf8)
        try runner.must(Self.tool, ["encrypt", "--with-key=host", "--name=\(name)", plain, sealed], as: "seal")
        try FileManager.default.createDirectory(atPath: runner.path(folder), withIntermediateDirectories: true)
        let path = runner.path(folder) + "/srup-observer.machine-key"
        try runner.must(Self.tool, ["decrypt", "--name=\(name)", sealed, path], as: "unseal")
        // As systemd does it: root's, with an access list for the service's user, whose mask shows as the group's.
        chmod(path, 0o440)
        return runner.path(folder)
    }

    @Test(.enabled(if: isPossible, "systemd-creds cannot seal here: missing, not root, or no place for the host's key"))
    func theObserverWorksWithBoundKeysAndOnlyThere() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let here = try lent(runner, "here")
        let elsewhere = try lent(runner, "elsewhere")
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer([])
        try loopback.registerObserver("box", camera: "folder:" + runner.path("none"), settings: "")
        try loopback.trust("box")
        func text(_ file: String) throws -> String { try String(contentsOfFile: runner.path(file), encoding: .utf8) }
        #expect(try text("box/identity.pem").hasPrefix("-----BEGIN PRIVATE KEY-----"))

        func arguments(_ credentials: String, _ rest: [String]) -> [String] {
            ["CREDENTIALS_DIRECTORY=\(credentials)", ProgramRunner.ownFolder + "/srup-observer"] + rest
        }
        let run = ["run", "--config", runner.path("box.toml"), "--events", EventFollower.file("box", on: runner)]
        try runner.start("/usr/bin/env", arguments(here, run), as: "observer")
        // It joins: libmosquitto has opened the encrypted key for TLS, SRUP signs with the other.
        try loopback.events.wait(for: "box", ["joined"], within: 30)
        runner.stop("observer")
        #expect(try text("box/identity.pem").hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
        #expect(try text("box/access.pem").hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----"))

        // Renewal signs with the bound key, for the bound key.
        let renewed = try runner.run(
            "/usr/bin/env", arguments(here, ["register", "--renew", "--config", runner.path("box.toml")]), as: "renew")
        #expect(renewed == 0, "\(runner.tail(of: "renew"))")

        // A copy of the folder, on another machine or without systemd.
        for (credentials, what) in [
            (elsewhere, "another machine"), (NSTemporaryDirectory() + "absent-\(UUID().uuidString)", "was not lent"),
        ] {
            let code = try runner.run("/usr/bin/env", arguments(credentials, run), as: "copy")
            #expect(code == 78)
            #expect(runner.tail(of: "copy").contains(what), "\(runner.tail(of: "copy"))")
        }
    }
}
