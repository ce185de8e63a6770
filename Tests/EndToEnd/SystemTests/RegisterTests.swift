import Foundation
import TestProcesses
import Testing

/// What registration looks at before it registers, what is said of files that may not be read, and where relative paths begin.
@Suite(.serialized) struct RegisterTests {
    private func text(_ runner: ProgramRunner, _ role: String) -> String {
        (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    private func identities(_ loopback: LoopbackNetwork) throws -> Int {
        try? FileManager.default.removeItem(atPath: loopback.runner.path("log/identities.log"))
        try loopback.runner.must(
            "srup-c2", ["identities", "--folder", loopback.runner.path("c2"), "--json"], as: "identities")
        return text(loopback.runner, "identities").split(separator: "\n").count
    }

    @Test func whatCannotBeKeptIsNotRegisteredAndPathsBeginBesideTheConfiguration() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        let before = try identities(loopback)
        try runner.write("", to: "file")
        let device = ["register", "--url", loopback.url, "--ca", runner.path("c2/ca.crt"), "--state"]
        #expect(try runner.run("srup-device", device + [runner.path("file/state")], as: "device") == 1)
        #expect(text(runner, "device").contains("cannot be made: Not a directory"))
        try runner.write(
            "state = \"file/state\"\n[registration]\nurl = \"\(loopback.url)\"\nca = \"c2/ca.crt\"\n", to: "wrong.toml")
        #expect(try runner.run("srup-observer", ["register", "-c", runner.path("wrong.toml")], as: "observer") != 0)
        #expect(try identities(loopback) == before)

        try runner.write(
            "state = \"some/state\"\n[registration]\nurl = \"\(loopback.url)\"\nca = \"c2/ca.crt\"\n", to: "right.toml")
        #expect(try runner.run("srup-observer", ["register", "-c", runner.path("right.toml")], as: "right") == 0)
        #expect(FileManager.default.fileExists(atPath: runner.path("some/state/identity.pem")))
        #expect(!FileManager.default.fileExists(atPath: runner.path("some/state/room")))
        #expect(try identities(loopback) == before + 1)

        // A new identity is no remedy for a mode.
        chmod(runner.path("some/state/identity.pem"), 0o644)
        _ = try runner.run("srup-observer", ["doctor", "--offline", "-c", runner.path("right.toml")], as: "doctor")
        #expect(text(runner, "doctor").contains("chmod 600") && !text(runner, "doctor").contains("--replace"))
        chmod(runner.path("some/state/identity.pem"), 0o600)

        // A full disk, in a mount namespace of its own.
        try FileManager.default.createDirectory(atPath: runner.path("full"), withIntermediateDirectories: false)
        let mount = "mount -t tmpfs -o size=100k none \(runner.path("full")) || exit 77; "
        let command = ([runner.binaries + "/srup-device"] + device + [runner.path("full/state")]).joined(separator: " ")
        let code = try runner.run("/usr/bin/unshare", ["-m", "/bin/sh", "-c", mount + "exec " + command], as: "full")
        guard geteuid() == 0, code != 77 else { return }
        #expect(code == 1)
        #expect(text(runner, "full").contains("No space left on device"), "\(text(runner, "full"))")
        #expect(try identities(loopback) == before + 1)
    }

    @Test func whoIsToComeAgainLaterIsToldSoByTheExitCode() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        // More requests than one address may make, and then as many as come free again while the others are made.
        let requests =
            "for i in $(seq 400); do printf 'next\\nurl = \(loopback.url)/KeyEx/register/register\\ndata = {}\\noutput = /dev/null\\n"
            + "cacert = \(runner.path("c2/ca.crt"))\\n'; done | curl -s -K - || true"
        try runner.must("/bin/sh", ["-c", requests], as: "many")
        try runner.start("/bin/sh", ["-c", "while :; do \(requests); done"], as: "more")
        try runner.write(
            "state = \"state\"\n[registration]\nurl = \"\(loopback.url)\"\nca = \"c2/ca.crt\"\n", to: "observer.toml")
        let device = [
            "register", "--url", loopback.url, "--ca", runner.path("c2/ca.crt"), "--state", runner.path("device"),
        ]
        #expect(try runner.run("srup-device", device, as: "device") == 69)
        #expect(
            try runner.run("srup-observer", ["register", "-c", runner.path("observer.toml")], as: "observer") == 69)
        #expect(text(runner, "observer").contains("429"), "\(text(runner, "observer"))")
    }

    @Test func whatMayNotBeReadIsNotCalledUnregistered() throws {
        // Only root can be somebody else.
        guard geteuid() == 0, FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv") else { return }
        let runner = try ProgramRunner()
        defer { runner.close() }
        let programs = runner.path("bin")
        try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: false)
        chmod(runner.folder, 0o755)
        chmod(programs, 0o755)
        for name in ["observer", "device", "c2"] {
            try FileManager.default.copyItem(
                atPath: ProgramRunner.ownFolder + "/srup-\(name)", toPath: programs + "/srup-\(name)")
            try FileManager.default.createDirectory(
                atPath: runner.path(name), withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            for file in ["identity.pem", "c2.toml", "mosquitto.conf", "key-service.db"] {
                try runner.write("", to: "\(name)/\(file)")
            }
        }
        try runner.write("state = \"observer\"\n", to: "observer.toml")
        chmod(runner.path("observer.toml"), 0o644)
        let config = ["--config", runner.path("observer.toml")]
        let folder = ["--folder", runner.path("c2")]
        let commands: [(String, [String])] = [
            ("srup-observer", ["status"] + config), ("srup-observer", ["run"] + config),
            ("srup-observer", ["register", "--url", "https://localhost:1"] + config),
            ("srup-device", ["run", "--once", "--state", runner.path("device")]),
            ("srup-device", ["register", "--url", "https://localhost:1", "--state", runner.path("device")]),
            ("srup-c2", ["broker"] + folder), ("srup-c2", ["identities"] + folder), ("srup-c2", ["trust"] + folder),
        ]
        for (index, (program, arguments)) in commands.enumerated() {
            let role = "other-\(index)"
            let code = try runner.run(
                "/usr/bin/setpriv", ["--reuid=65534", "--clear-groups", programs + "/" + program] + arguments, as: role)
            let said = text(runner, role)
            #expect(code == 78 || code == 1, "\(program) \(arguments): \(code)")
            #expect(said.contains("may not be read"), "\(program) \(arguments): \(said)")
        }
        _ = try runner.run(
            "/usr/bin/setpriv",
            ["--reuid=65534", "--clear-groups", programs + "/srup-observer", "doctor", "--offline"] + config,
            as: "doctor")
        #expect(!text(runner, "doctor").contains("not registered"), "\(text(runner, "doctor"))")
        #expect(!text(runner, "doctor").contains("root or as root"))
    }

    /// By a wrong clock, another name and another authority: key service and broker, the same words.
    @Test func aCertificateThatIsNotBelievedIsOneSentenceEverywhere() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        try loopback.startBroker()
        try loopback.registerDevice("device", type: "sensor")
        try runner.must("srup-c2", ["init", "--folder", runner.path("other"), "--host", "localhost"], as: "other")
        let clock = runner.path("clock")
        func set(years: Int64) throws {
            try withUnsafeBytes(of: years * 365 * 86400) { try Data($0).write(to: URL(fileURLWithPath: clock)) }
        }
        try set(years: 0)
        /// With the wall clock of a machine whose clock is wrong (Tests/ClockShim).
        func run(_ arguments: [String], as role: String) throws -> Int32 {
            try runner.run(
                "/usr/bin/env",
                [
                    "LD_PRELOAD=\(runner.binaries)/libClockShim.so", "SRUP_CLOCK=\(clock)",
                    "\(runner.binaries)/srup-device",
                ] + arguments, as: role)
        }
        func register(_ role: String, ca: String = "c2/ca.crt", host: String = "localhost") throws -> String {
            let arguments = [
                "register", "--state", runner.path(role), "--ca", runner.path(ca), "--url",
                "https://\(host):\(loopback.keyServicePort)",
            ]
            #expect(try run(arguments, as: role) == 1, "\(role)")
            return text(runner, role)
        }
        #expect(try register("authority", ca: "other/ca.crt").contains("is not signed by the authority in"))
        #expect(try register("host", host: "127.0.0.1").contains("is for another host name"))
        for (role, years, words) in [
            ("late", 3, "has expired"), ("early", -3, "is not valid yet"),
        ] as [(String, Int64, String)] {
            try set(years: years)
            let key = try register(role)
            #expect(key.contains("the certificate of the key service at") && key.contains(words), "\(key)")
            let device = ["run", "--once", "--patience", "6", "--state", runner.path("device")]
            #expect(try run(device, as: role + "-run") == 69)
            let link = text(runner, role + "-run")
            #expect(link.contains("the certificate of the broker at") && link.contains(words), "\(link)")
        }
    }
}
