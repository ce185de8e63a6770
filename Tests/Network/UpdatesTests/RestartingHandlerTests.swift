import Foundation
import Releases
import SRUP
import Testing

@testable import Updates

/// What runs only after a restart: the program's own package, which root installs, and a bundle for RAUC.
@Suite("What is updated by a restart")
struct RestartingHandlerTests {
    // MARK: The observer's package; root is the test (PackageInstallTests has the real one)

    private func ready() async throws -> (bench: UpdateBench, token: Token, folder: String) {
        let bench = try await UpdateBench { settings in
            settings.kind = .package
            settings.folder = ""
            settings.reportWithin = .seconds(600)
        }
        let token = try await bench.offer(Array("a package".utf8))
        #expect(bench.answers(token) == [.updateSuccess], "\(bench.problem)")
        try await bench.say(.activate, token)
        return (bench, token, bench.network.folder + "/update")
    }

    private func names(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    private func read(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    @Test(
        "A package is ordered with its manifest; the new version reports, and stays when root has taken the order away")
    func package() async throws {
        let (bench, token, folder) = try await ready()
        #expect(names(folder) == ["manifest", "order", "package.deb"])
        #expect(read(folder + "/package.deb") == "a package")
        #expect(try ReleaseManifest(parsing: Array(read(folder + "/manifest").utf8)).version.description == "2.0.0")
        // Nobody knows yet; also not after a restart of the machine, since root goes on, too.
        try await bench.wait(.seconds(100), step: .seconds(10))
        try await bench.restart()
        try await bench.wait(.seconds(100), step: .seconds(10))
        #expect(bench.answers(token) == [.updateSuccess])
        try await bench.restart(program: "2.0.0")
        try await bench.wait(.seconds(10))
        #expect(read(folder + "/running") == "2.0.0\n")
        #expect(bench.answers(token) == [.updateSuccess])
        unlink(folder + "/order")
        try await bench.wait(.seconds(20))
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess], "\(bench.problem)")
        #expect(names(folder) == [])
    }

    @Test("A package that root refuses, or takes back, is ACTIVATE_FAIL with root's reason", arguments: [false, true])
    func refused(_ wasTried: Bool) async throws {
        let (bench, token, folder) = try await ready()
        if wasTried {
            try await bench.restart(program: "2.0.0")
            try await bench.wait(.seconds(5))
            try await bench.restart(program: "1.0.0")
        }
        try Data("it is too red\n".utf8).write(to: URL(fileURLWithPath: folder + "/refusal"))
        unlink(folder + "/order")
        try await bench.wait(.seconds(10))
        #expect(bench.answers(token) == [.updateSuccess, .activateFail])
        #expect(bench.problem == "it is too red")
        #expect(names(folder) == [])
    }

    @Test("Where root does nothing, the order is taken away after a time")
    func nobody() async throws {
        let (bench, token, folder) = try await ready()
        try await bench.wait(.seconds(610), step: .seconds(10))
        #expect(bench.answers(token) == [.updateSuccess, .activateFail])
        #expect(bench.problem.contains("not reported in") && names(folder) == [])
    }

    // MARK: RAUC; rauc(1) and systemctl(1) are stand-ins that write down how they are called

    private struct Machine {
        let folder = NSTemporaryDirectory() + "srup-rauc-\(UUID().uuidString)"
        var handler: RAUCHandler
        let payload = Payload(version: "2.0.0", digest: [], manifest: nil)

        init() throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            handler = RAUCHandler(part: folder + "/payload.part", user: nil)
            handler.rauc = folder + "/rauc"
            handler.systemctl = folder + "/systemctl"
            handler.commandLine = folder + "/cmdline"
            for name in ["rauc", "systemctl"] {
                let script = "#!/bin/sh\necho \(name) \"$@\" >>\(folder)/log\n[ ! -e \(folder)/fails ]\n"
                try Data(script.utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
                chmod(folder + "/" + name, 0o755)
            }
            try start("A")
            try Data("bundle".utf8).write(to: URL(fileURLWithPath: handler.part))
        }

        func start(_ slot: String?) throws {
            let line = "root=/dev/x quiet" + (slot.map { " rauc.slot=\($0)" } ?? "") + "\n"
            try Data(line.utf8).write(to: URL(fileURLWithPath: handler.commandLine))
        }

        var said: [Substring] {
            ((try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? "").split(separator: "\n")
        }
    }

    @Test("A bundle is installed into the other system, which is marked good once it runs")
    func bundle() throws {
        let machine = try Machine()
        defer { try? FileManager.default.removeItem(atPath: machine.folder) }
        let (handler, payload) = (machine.handler, machine.payload)
        let undo = try handler.prepare(payload)
        #expect(undo == "A")
        try handler.make(payload, undo: undo)
        #expect(machine.said == ["rauc install \(handler.part)", "systemctl reboot"])
        #expect(handler.isRunning(payload, undo: undo, sameBoot: true) == nil)
        try machine.start("B")
        // Done again after the restart: there is nothing left to do.
        try handler.make(payload, undo: undo)
        #expect(handler.isRunning(payload, undo: undo, sameBoot: false) == true)
        try handler.keep(payload, undo: undo)
        #expect(machine.said.dropFirst(2) == ["rauc status mark-good"])
        #expect(!FileManager.default.fileExists(atPath: handler.part))
    }

    @Test("A bundle goes back: the system that does not do is marked bad, and the machine restarted")
    func bundleBack() throws {
        let machine = try Machine()
        defer { try? FileManager.default.removeItem(atPath: machine.folder) }
        let (handler, payload) = (machine.handler, machine.payload)
        try machine.start("B")
        try handler.revert(payload, undo: "A")
        #expect(machine.said == ["rauc status mark-bad", "systemctl reboot"])
        try machine.start("A")
        // The boot loader has gone back by itself, or we have.
        #expect(handler.isRunning(payload, undo: "A", sameBoot: false) == false)
        try handler.revert(payload, undo: "A")
        #expect(machine.said.count == 2)
    }

    @Test("No bundle is taken where RAUC is not, or has not started the machine, or refuses it")
    func noBundle() throws {
        let machine = try Machine()
        defer { try? FileManager.default.removeItem(atPath: machine.folder) }
        try machine.start(nil)
        #expect(throws: UpdateProblem.self) { _ = try machine.handler.prepare(machine.payload) }
        try machine.start("A")
        try Data().write(to: URL(fileURLWithPath: machine.folder + "/fails"))
        #expect(throws: UpdateProblem.self) { try machine.handler.make(machine.payload, undo: "A") }
        #expect(!machine.said.contains("systemctl reboot"))
        unlink(machine.handler.rauc)
        #expect(throws: UpdateProblem.self) { _ = try machine.handler.prepare(machine.payload) }
    }
}
