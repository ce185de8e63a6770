import Foundation
import TestProcesses
import Testing

/// What registration looks at before it registers, what is said of files that may not be read, and where relative paths begin.
@Suite(.serialized) struct RegisterTests {
    private func text(_ stage: Stage, _ role: String) -> String {
        (try? String(contentsOfFile: stage.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    private func identities(_ world: World) throws -> Int {
        try? FileManager.default.removeItem(atPath: world.stage.path("log/identities.log"))
        try world.stage.must(
            "srup-c2", ["identities", "--folder", world.stage.path("c2"), "--json"], as: "identities")
        return text(world.stage, "identities").split(separator: "\n").count
    }

    @Test func whatCannotBeKeptIsNotRegisteredAndPathsBeginBesideTheConfiguration() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()
        try world.startKeyService()
        let before = try identities(world)
        try stage.write("", to: "file")
        let device = ["register", "--url", world.url, "--ca", stage.path("c2/ca.crt"), "--state"]
        #expect(try stage.run("srup-device", device + [stage.path("file/state")], as: "device") == 1)
        #expect(text(stage, "device").contains("cannot be made: Not a directory"))
        try stage.write(
            "state = \"file/state\"\n[registration]\nurl = \"\(world.url)\"\nca = \"c2/ca.crt\"\n", to: "wrong.toml")
        #expect(try stage.run("srup-observer", ["register", "-c", stage.path("wrong.toml")], as: "observer") != 0)
        #expect(try identities(world) == before)

        try stage.write(
            "state = \"some/state\"\n[registration]\nurl = \"\(world.url)\"\nca = \"c2/ca.crt\"\n", to: "right.toml")
        #expect(try stage.run("srup-observer", ["register", "-c", stage.path("right.toml")], as: "right") == 0)
        #expect(FileManager.default.fileExists(atPath: stage.path("some/state/identity.pem")))
        #expect(!FileManager.default.fileExists(atPath: stage.path("some/state/room")))
        #expect(try identities(world) == before + 1)

        // A new identity is no remedy for a mode.
        chmod(stage.path("some/state/identity.pem"), 0o644)
        _ = try stage.run("srup-observer", ["doctor", "--offline", "-c", stage.path("right.toml")], as: "doctor")
        #expect(text(stage, "doctor").contains("chmod 600") && !text(stage, "doctor").contains("--replace"))
        chmod(stage.path("some/state/identity.pem"), 0o600)

        // A full disk, in a mount namespace of its own.
        try FileManager.default.createDirectory(atPath: stage.path("full"), withIntermediateDirectories: false)
        let mount = "mount -t tmpfs -o size=100k none \(stage.path("full")) || exit 77; "
        let command = ([stage.binaries + "/srup-device"] + device + [stage.path("full/state")]).joined(separator: " ")
        let code = try stage.run("/usr/bin/unshare", ["-m", "/bin/sh", "-c", mount + "exec " + command], as: "full")
        guard geteuid() == 0, code != 77 else { return }
        #expect(code == 1)
        #expect(text(stage, "full").contains("No space left on device"), "\(text(stage, "full"))")
        #expect(try identities(world) == before + 1)
    }

    @Test func whoIsToComeAgainLaterIsToldSoByTheExitCode() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()
        try world.startKeyService()
        // More requests than one address may make, and then as many as come free again while the others are made.
        let requests =
            "for i in $(seq 400); do printf 'next\\nurl = \(world.url)/KeyEx/register/register\\ndata = {}\\noutput = /dev/null\\n"
            + "cacert = \(stage.path("c2/ca.crt"))\\n'; done | curl -s -K - || true"
        try stage.must("/bin/sh", ["-c", requests], as: "many")
        try stage.start("/bin/sh", ["-c", "while :; do \(requests); done"], as: "more")
        try stage.write(
            "state = \"state\"\n[registration]\nurl = \"\(world.url)\"\nca = \"c2/ca.crt\"\n", to: "observer.toml")
        let device = ["register", "--url", world.url, "--ca", stage.path("c2/ca.crt"), "--state", stage.path("device")]
        #expect(try stage.run("srup-device", device, as: "device") == 69)
        #expect(try stage.run("srup-observer", ["register", "-c", stage.path("observer.toml")], as: "observer") == 69)
        #expect(text(stage, "observer").contains("429"), "\(text(stage, "observer"))")
    }

    @Test func whatMayNotBeReadIsNotCalledUnregistered() throws {
        // Only root can be somebody else.
        guard geteuid() == 0, FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv") else { return }
        let stage = try Stage()
        defer { stage.close() }
        let programs = stage.path("bin")
        try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: false)
        chmod(stage.folder, 0o755)
        chmod(programs, 0o755)
        for name in ["observer", "device", "c2"] {
            try FileManager.default.copyItem(
                atPath: Stage.ownFolder + "/srup-\(name)", toPath: programs + "/srup-\(name)")
            try FileManager.default.createDirectory(
                atPath: stage.path(name), withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            for file in ["identity.pem", "c2.toml", "mosquitto.conf", "key-service.db"] {
                try stage.write("", to: "\(name)/\(file)")
            }
        }
        try stage.write("state = \"observer\"\n", to: "observer.toml")
        chmod(stage.path("observer.toml"), 0o644)
        let config = ["--config", stage.path("observer.toml")]
        let folder = ["--folder", stage.path("c2")]
        let commands: [(String, [String])] = [
            ("srup-observer", ["status"] + config), ("srup-observer", ["run"] + config),
            ("srup-observer", ["register", "--url", "https://localhost:1"] + config),
            ("srup-device", ["run", "--once", "--state", stage.path("device")]),
            ("srup-device", ["register", "--url", "https://localhost:1", "--state", stage.path("device")]),
            ("srup-c2", ["broker"] + folder), ("srup-c2", ["identities"] + folder), ("srup-c2", ["trust"] + folder),
        ]
        for (index, (program, arguments)) in commands.enumerated() {
            let role = "other-\(index)"
            let code = try stage.run(
                "/usr/bin/setpriv", ["--reuid=65534", "--clear-groups", programs + "/" + program] + arguments, as: role)
            let said = text(stage, role)
            #expect(code == 78 || code == 1, "\(program) \(arguments): \(code)")
            #expect(said.contains("may not be read"), "\(program) \(arguments): \(said)")
        }
        _ = try stage.run(
            "/usr/bin/setpriv",
            ["--reuid=65534", "--clear-groups", programs + "/srup-observer", "doctor", "--offline"] + config,
            as: "doctor")
        #expect(!text(stage, "doctor").contains("not registered"), "\(text(stage, "doctor"))")
        #expect(!text(stage, "doctor").contains("root or as root"))
    }

    /// By a wrong clock, another name and another authority: key service and broker, the same words.
    @Test func aCertificateThatIsNotBelievedIsOneSentenceEverywhere() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()
        try world.startKeyService()
        try world.startBroker()
        try world.registerDevice("device", type: "sensor")
        try stage.must("srup-c2", ["init", "--folder", stage.path("other"), "--host", "localhost"], as: "other")
        let clock = stage.path("clock")
        func set(years: Int64) throws {
            try withUnsafeBytes(of: years * 365 * 86400) { try Data($0).write(to: URL(fileURLWithPath: clock)) }
        }
        try set(years: 0)
        /// With the wall clock of a machine whose clock is wrong (Tests/ClockShim).
        func run(_ arguments: [String], as role: String) throws -> Int32 {
            try stage.run(
                "/usr/bin/env",
                [
                    "LD_PRELOAD=\(stage.binaries)/libClockShim.so", "SRUP_CLOCK=\(clock)",
                    "\(stage.binaries)/srup-device",
                ] + arguments, as: role)
        }
        func register(_ role: String, ca: String = "c2/ca.crt", host: String = "localhost") throws -> String {
            let arguments = [
                "register", "--state", stage.path(role), "--ca", stage.path(ca), "--url",
                "https://\(host):\(world.keyServicePort)",
            ]
            #expect(try run(arguments, as: role) == 1, "\(role)")
            return text(stage, role)
        }
        #expect(try register("authority", ca: "other/ca.crt").contains("is not signed by the authority in"))
        #expect(try register("host", host: "127.0.0.1").contains("is for another host name"))
        for (role, years, words) in [
            ("late", 3, "has expired"), ("early", -3, "is not valid yet"),
        ] as [(String, Int64, String)] {
            try set(years: years)
            let key = try register(role)
            #expect(key.contains("the certificate of the key service at") && key.contains(words), "\(key)")
            let device = ["run", "--once", "--patience", "6", "--state", stage.path("device")]
            #expect(try run(device, as: role + "-run") == 69)
            let link = text(stage, role + "-run")
            #expect(link.contains("the certificate of the broker at") && link.contains(words), "\(link)")
        }
    }
}
