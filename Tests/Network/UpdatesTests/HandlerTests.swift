import Foundation
import Linux
import Releases
import SRUP
import Settings
import Testing

@testable import Updates

@Suite("What is updated")
struct HandlerTests {
    private static func shell(_ script: String) -> CommandRun.Command {
        CommandRun.Command(program: "/bin/sh", arguments: ["-c", script], timeout: .seconds(60))
    }

    private func play(_ bench: UpdateBench, _ payload: [UInt8], version: String = "2.0.0") async throws -> Status? {
        let token = try await bench.offer(payload, version: version)
        try #require(bench.answers(token) == [.updateSuccess], "\(bench.problem)")
        try await bench.say(.activate, token)
        try await bench.wait(.seconds(10))
        return bench.answers(token).last
    }

    @Test("A command installs, keeps and goes back")
    func command() async throws {
        let bench = try await UpdateBench { settings in
            let (path, log) = (settings.path, settings.folder + "/../log")
            settings.kind = .command
            settings.folder = ""
            settings.install = Self.shell(
                "cp \(path) \(path).old; cp $SRUP_UPDATE_FILE \(path); echo install $SRUP_UPDATE_VERSION >>\(log)")
            settings.revert = Self.shell("mv \(path).old \(path); echo revert >>\(log)")
            settings.keep = Self.shell("rm \(path).old; echo keep >>\(log)")
            settings.check = Self.shell("grep -q new \(path)")
            settings.reportWithin = .seconds(5)
        }
        #expect(try await play(bench, Array("bad".utf8)) == .activateFail)
        #expect(bench.inUse == "old")
        #expect(try await play(bench, Array("new".utf8)) == .activateSuccess)
        #expect(bench.inUse == "new")
        #expect(bench.leftOvers == [])
        #expect(
            try String(contentsOfFile: bench.place + "/../log", encoding: .utf8)
                == "install 2.0.0\nrevert\ninstall 2.0.0\nkeep\n")
    }

    @Test("An archive is unpacked into a folder of its own; the version before stays, those before it go")
    func archive() async throws {
        let bench = try await UpdateBench { settings in
            settings.kind = .versions
            settings.path = settings.folder + "/../current"
        }
        for version in ["2.0", "2.1", "2.2"] {
            let source = bench.network.folder + "/source"
            try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
            try Data(version.utf8).write(to: URL(fileURLWithPath: source + "/program"))
            let archive = bench.network.folder + "/archive"
            let tar = try ChildProcess.start("/usr/bin/tar", ["-c", "-f", archive, "-C", source, "program"])
            try #require(ChildProcess.wait(tar, until: .now + .seconds(60)) == .exited(0))
            let payload = Array(try #require(FileManager.default.contents(atPath: archive)))
            #expect(try await play(bench, payload, version: version) == .activateSuccess, "\(bench.problem)")
            #expect(try String(contentsOfFile: bench.place + "/../current/program", encoding: .utf8) == version)
        }
        #expect(bench.leftOvers.map { $0.prefix(4) } == ["2.1-", "2.2-"])
        #expect(try await play(bench, Array("no archive".utf8), version: "2.3") == .activateFail)
        #expect(try String(contentsOfFile: bench.place + "/../current/program", encoding: .utf8) == "2.2")
        #expect(bench.leftOvers.map { $0.prefix(4) } == ["2.1-", "2.2-"])
    }

    @Test("A file keeps its rights, is made where there was none, and is never a link or a folder")
    func file() async throws {
        let bench = try await UpdateBench()
        chmod(bench.path, 0o640)
        #expect(try await play(bench, Array("new".utf8)) == .activateSuccess)
        var status = stat()
        #expect(stat(bench.path, &status) == 0 && status.st_mode & 0o777 == 0o640)
        unlink(bench.path)
        #expect(try await play(bench, Array("newer".utf8), version: "3") == .activateSuccess)
        #expect(stat(bench.path, &status) == 0 && status.st_mode & 0o777 == 0o755)
        unlink(bench.path)
        symlink("/etc/hostname", bench.path)
        #expect(try await play(bench, Array("newest".utf8), version: "4") == .activateFail)
        #expect(bench.problem.contains("no regular file"))
        #expect(bench.leftOvers == [])
    }

    @Test("One that was not there is gone again when the new one is not well")
    func fileThatWasNotThere() async throws {
        let bench = try await UpdateBench { $0.after = Self.shell("test ! -e \($0.path)") }
        unlink(bench.path)
        #expect(try await play(bench, Array("new".utf8)) == .activateFail)
        #expect(bench.inUse == "nothing")
        #expect(bench.leftOvers == [])
    }

    // MARK: Configuration

    private func read(_ text: String, isRoot: Bool = false, observer: Bool = false) throws -> UpdateSettings? {
        var file = try SettingsFile(text: text, name: "device.toml")
        let settings = try UpdateSettings.read(&file, isRoot: isRoot, isProgramItself: observer)
        try file.finish()
        return settings
    }

    private static let key = String(repeating: "0a", count: 32)

    @Test("Is said by the configuration")
    func configuration() throws {
        #expect(try read("") == nil)
        let settings = try #require(
            try read(
                """
                [update]
                type = "lamp"
                release_keys = ["\(Self.key)"]
                installed = "1.2"
                path = "/opt/lamp"
                after = ["/bin/true", "x"]
                report_within = "5 min"
                maximum_size = 1
                authority = "system"
                """))
        #expect(settings.kind == .file && settings.type == "lamp" && settings.installed == ReleaseVersion("1.2"))
        #expect(settings.after?.arguments == ["x"] && settings.reportWithin == .seconds(300))
        #expect(settings.maximumSize == 1 << 20 && settings.authority == .system && settings.requiresReleaseKey)
        #expect(try read("[update]\nrelease_keys = [\"\(Self.key)\"]", observer: true)?.kind == .package)
    }

    @Test(
        "And by nothing that cannot be meant",
        arguments: [
            ("path = \"/x\"", "release_keys"), ("release_keys = [\"0A\"]\npath = \"/x\"", "release_keys"),
            ("release_keys = [\"KEY\"]", "path"), ("release_keys = [\"KEY\"]\npath = \"x\"", "path"),
            ("release_keys = [\"KEY\"]\npath = \"/x/\"", "path"),
            ("release_keys = [\"KEY\"]\nkind = \"versions\"\npath = \"/x\"", "folder"),
            ("release_keys = [\"KEY\"]\nkind = \"versions\"\npath = \"/x\"\nfolder = \"/y\"\nname = \"../z\"", "name"),
            ("release_keys = [\"KEY\"]\nkind = \"command\"", "install"),
            ("release_keys = [\"KEY\"]\nkind = \"package\"", "kind"),
            ("release_keys = [\"KEY\"]\nkind = \"other\"", "kind"),
            ("release_keys = [\"KEY\"]\npath = \"/x\"\nafter = [\"/nowhere\"]", "after"),
            ("release_keys = [\"KEY\"]\npath = \"/x\"\ninstalled = \"one\"", "installed"),
            ("release_keys = [\"KEY\"]\npath = \"/x\"\nauthority = \"mine\"", "authority"),
            ("release_keys = [\"KEY\"]\npath = \"/x\"\npatience = 1", "patience"),
            ("release_keys = [\"KEY\"]\npath = \"/x\"\nuser = \"root\"", "user"),
            ("release_keys = [\"KEY\"]\npath = \"/x\"\nunknown = 1", "unknown"),
        ])
    func wrong(_ text: String, _ key: String) {
        let text = "[update]\n" + text.replacingOccurrences(of: "KEY", with: Self.key)
        let error = #expect(throws: SettingsError.self) { _ = try read(text) }
        #expect(error?.key == "update.\(key)", "\(error.map { "\($0)" } ?? "")")
    }

    @Test("As root, with commands only as a user who is named")
    func root() throws {
        let text = "[update]\nrelease_keys = [\"\(Self.key)\"]\npath = \"/x\"\ncheck = [\"/bin/true\"]\n"
        #expect(throws: SettingsError.self) { _ = try read(text, isRoot: true) }
        #expect(try read(text + "user = \"root\"", isRoot: true)?.user?.id == 0)
    }
}
