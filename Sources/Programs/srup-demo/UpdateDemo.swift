import Foundation
import TestProcesses

/// Updates: one device takes a release, a bad one goes away by itself, and a rollout to twenty devices stops at its third
/// failure. Each device's "program" is a script that says its version; its check runs it.
struct UpdateDemo {
    let loopback: LoopbackNetwork
    let story: Narrator

    private static let type = "thermometer"
    private static let count = 20

    private var names: [String] { (1...Self.count).map { String(format: "d%02d", $0) } }
    private var runner: ProgramRunner { loopback.runner }

    func play() throws {
        story.chapter("Setting the stage")
        try loopback.prepare()
        let key = try makeKey()
        story.say("a release key is made; on a real network it lies where releases are made, and on no server")
        try loopback.startKeyService()
        try loopback.startBroker()
        try loopback.startC2(["--policy", "\(Self.type)=simple"])
        for name in names {
            let begin = EventFollower.clock()
            try start(name, key)
            try loopback.events.wait(for: name, ["joined"], since: begin, within: 120)
        }
        story.say("\(Self.count) devices have joined, each with version 1.0.0 of its program")

        try act("Act 1: a device is updated") { try good() }
        try act("Act 2: a bad release falls back by itself") { try bad() }
        try act("Act 3: a rollout to \(Self.count) devices stops at its third failure") { try third() }
        story.chapter("All as it should be: docs/rollouts.md, docs/update.md")
    }

    private func act(_ title: String, _ body: () throws -> Void) throws {
        story.chapter(title)
        try body()
    }

    // MARK: The acts

    private func good() throws {
        try release(1, "2.0.0", script("2.0.0", fails: []))
        try roll(1, 1, ["--device", identity("d01")], endsWith: 0)
        try expect(program("d01") == "2.0.0", "d01 runs 2.0.0")
        try expect(program("d02") == "1.0.0", "d02, which was not asked, runs 1.0.0")
    }

    private func bad() throws {
        try release(2, "2.1.0", script("2.1.0", fails: names))
        try roll(2, 2, ["--device", identity("d01")], endsWith: 1)
        try expect(
            program("d01") == "2.0.0", "2.1.0 did not pass its check; d01 runs 2.0.0 again, without anybody's hand")
    }

    private func third() throws {
        // Every second one fails: the third failure comes long before all have been asked.
        let failing = names.enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
        try release(3, "3.0.0", script("3.0.0", fails: failing))
        try roll(
            3, 3,
            [
                "--type", Self.type, "--canary", "\(Self.count)", "--shares", "100", "--success-share", "1",
                "--failure-share", "100", "--failures", "3", "--under-way", "1",
            ], endsWith: 1)
        let rows = try devices(3)
        let (failed, updated) = (rows.filter { $0.phase == "failed" }, rows.filter { $0.phase == "updated" })
        let rest = rows.filter { $0.phase == "left" }
        try expect(failed.count == 3, "three devices have failed, and the rollout has stopped by itself")
        try expect(rest.count == Self.count - 3 - updated.count, "\(rest.count) were not asked any more")
        for name in names {
            let phase = rows.first { $0.device == identity(name) }?.phase
            let version = try program(name)
            guard (version == "3.0.0") == (phase == "updated") else {
                throw ProgramRunner.Failure(
                    description: "\(name) runs \(version), and the server says \(phase ?? "nothing")")
            }
        }
        story.say("what the server says of each device is what the device runs: \(updated.count) have 3.0.0")
    }

    private func expect(_ isTrue: Bool, _ words: String) throws {
        guard isTrue else { throw ProgramRunner.Failure(description: "not true: \(words)") }
        story.say(words)
    }

    // MARK: Devices

    private func identity(_ name: String) -> String { loopback.identities[name] ?? "?" }

    private func start(_ name: String, _ key: String) throws {
        try loopback.registerDevice(name, type: Self.type)
        try runner.write(script("1.0.0", fails: []), to: "\(name)-program")
        let path = runner.path("\(name)-program")
        try runner.write(
            """
            [update]
            kind = "file"
            type = "\(Self.type)"
            release_keys = ["\(key)"]
            installed = "1.0.0"
            path = "\(path)"
            check = ["/bin/sh", "\(path)", "\(name)"]
            report_within = "3 s"
            settle = "0 s"
            \(getuid() == 0 ? "user = \"root\"" : "")

            """, to: "\(name).toml")
        try loopback.startDevice(name, ["--config", runner.path("\(name).toml")])
    }

    /// A program that says its version, and fails on some devices.
    private func script(_ version: String, fails: [String]) -> String {
        """
        # version \(version)
        case "$1" in \(fails.isEmpty ? "none" : fails.joined(separator: "|"))) exit 1 ;; esac
        exit 0

        """
    }

    /// Which version of its program a device has.
    private func program(_ name: String) throws -> String {
        let text = try String(contentsOfFile: runner.path("\(name)-program"), encoding: .utf8)
        return String(text.split(separator: "\n").first?.dropFirst("# version ".count) ?? "?")
    }

    // MARK: Releases and rollouts

    private func makeKey() throws -> String {
        try runner.must("srup-release", ["key", runner.path("release.key")], as: "release-key")
        let text = try String(contentsOfFile: runner.path("log/release-key.log"), encoding: .utf8)
        let key = text.split(separator: "\n").last.map(String.init) ?? ""
        let file = runner.path("c2/c2.toml")
        let settings = try String(contentsOfFile: file, encoding: .utf8)
        try settings.replacingOccurrences(of: "[updates]\n", with: "[updates]\nrelease_keys = [\"\(key)\"]\n")
            .write(toFile: file, atomically: true, encoding: .utf8)
        return key
    }

    private func release(_ number: Int, _ version: String, _ program: String) throws {
        let (payload, manifest) = ("\(Self.type)-\(version)", "\(Self.type)-\(version).manifest")
        try runner.write(program, to: payload)
        try runner.must(
            "srup-release",
            [
                "sign", runner.path(payload), "--key", runner.path("release.key"), "--type", Self.type,
                "--release-version",
                version, "--url", "https://localhost:\(loopback.keyServicePort)/releases/\(payload)", "--output",
                runner.path(manifest),
            ], as: "sign-\(number)")
        try runner.must(
            "srup-c2",
            ["release", "add", "--folder", runner.path("c2"), runner.path(manifest), runner.path(payload)],
            as: "release-\(number)")
        story.say("release \(number) is signed and added: \(version), served by the key service")
    }

    private func roll(_ number: Int, _ release: Int, _ arguments: [String], endsWith wanted: Int32) throws {
        try runner.must(
            "srup-c2",
            [
                "rollout", "start", "--folder", runner.path("c2"), "\(release)", "--tries", "1", "--activation-time",
                "120",
            ] + arguments, as: "rollout-\(number)")
        let code = try runner.run(
            "srup-c2", ["rollout", "show", "--folder", runner.path("c2"), "\(number)", "--wait", "240"],
            as: "show-\(number)", within: 300)
        let text = try String(contentsOfFile: runner.path("log/show-\(number).log"), encoding: .utf8)
        for line in text.split(separator: "\n") { story.tell("  \(line)") }
        guard code == wanted else {
            throw ProgramRunner.Failure(
                description:
                    "rollout \(number) ended otherwise (\(code)); the server's log ends:\n\(runner.tail(of: "c2"))\nand that of d01:\n\(runner.tail(of: "d01"))"
            )
        }
    }

    private struct Row: Decodable {
        let device: String
        let phase: String
    }

    private func devices(_ number: Int) throws -> [Row] {
        try runner.must(
            "srup-c2", ["rollout", "devices", "--folder", runner.path("c2"), "\(number)", "--json"],
            as: "devices-\(number)")
        let text = try String(contentsOfFile: runner.path("log/devices-\(number).log"), encoding: .utf8)
        return text.split(separator: "\n").compactMap { try? JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
    }
}
