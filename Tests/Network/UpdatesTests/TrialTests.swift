import Foundation
import Linux
import Releases
import SRUP
import Testing

@testable import Updates

@Suite("Updates on trial")
struct TrialTests {
    private static func shell(_ script: String, _ timeout: Duration = .seconds(60)) -> CommandRun.Command {
        CommandRun.Command(program: "/bin/sh", arguments: ["-c", script], timeout: timeout)
    }

    private func activated(_ bench: UpdateBench, _ payload: String = "new", version: String = "2.0.0") async throws -> Token {
        let token = try await bench.offer(Array(payload.utf8), version: version)
        try #require(bench.answers(token) == [.updateSuccess], "\(bench.problem)")
        try await bench.say(.activate, token)
        return token
    }

    @Test("go back when the new version does not start")
    func doesNotStart() async throws {
        let bench = try await UpdateBench { settings in
            settings.after = Self.shell("grep -q old \(settings.path)")
        }
        let token = try await activated(bench)
        bench.expectOld(token, .activateFail, "exited with code 1")
        #expect(bench.answers(token) == [.updateSuccess, .activateFail])
    }

    @Test("go back when it starts and does not report in")
    func doesNotReport() async throws {
        let bench = try await UpdateBench { $0.waitsForReport = true }
        let token = try await activated(bench)
        #expect(bench.inUse == "new")
        #expect(bench.answers(token) == [.updateSuccess])
        try await bench.wait(.seconds(70))
        bench.expectOld(token, .activateFail, "has not reported in")
        #expect(await !bench.updater.report())
    }

    @Test("go back when its check never passes")
    func failsCheck() async throws {
        let bench = try await UpdateBench { settings in settings.check = Self.shell("grep -q old \(settings.path)") }
        let token = try await activated(bench)
        try await bench.wait(.seconds(70))
        bench.expectOld(token, .activateFail, "has not reported in")
    }

    @Test("go back when it reports in and dies")
    func dies() async throws {
        let bench = try await UpdateBench { $0.waitsForReport = true }
        let token = try await activated(bench)
        let process = try ChildProcess.start("/bin/sleep", ["600"])
        #expect(await bench.updater.report(process: process))
        try await bench.wait(.seconds(1))
        #expect(bench.inUse == "new")
        ChildProcess.end(process)
        try await bench.wait(.seconds(6))
        bench.expectOld(token, .activateFail, "and then ended")
    }

    @Test("go back when its check passes once and then no more")
    func checkFailsLater() async throws {
        let bench = try await UpdateBench { settings in
            settings.check = Self.shell("mkdir \(settings.folder)/../checked")
        }
        let token = try await activated(bench)
        try await bench.wait(.seconds(20))
        bench.expectOld(token, .activateFail, "then its check failed")
    }

    @Test("end well when it reports in and lives")
    func reports() async throws {
        let bench = try await UpdateBench { $0.waitsForReport = true }
        let token = try await activated(bench)
        #expect(await bench.updater.report(process: getpid()))
        try await bench.wait(.seconds(6))
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess])
        #expect(bench.inUse == "new")
        #expect(bench.leftOvers == [])
    }

    @Test("happen once for each token: ACTIVATE again repeats the answer and does nothing")
    func twice() async throws {
        let bench = try await UpdateBench { settings in settings.after = Self.shell("echo x >>\(settings.folder)/../ran") }
        let token = try await activated(bench)
        try await bench.say(.activate, token)
        try await bench.wait(.seconds(10))
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess])
        try await bench.say(.activate, token)
        try await bench.wait(.seconds(10))
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess, .activateSuccess])
        #expect(try String(contentsOfFile: bench.place + "/../ran", encoding: .utf8) == "x\n")
    }

    @Test("do not begin with another token, nor before all is here")
    func otherToken() async throws {
        let bench = try await UpdateBench()
        let stranger = Token.random()
        try await bench.say(.activate, stranger)
        #expect(bench.answers(stranger) == [.activateFail])
        try bench.web.fault("payload", ["cut": 1])
        let token = try await bench.offer(Array("new".utf8))
        try await bench.say(.activate, token)
        #expect(bench.answers(token) == [.activateFail])
        bench.web.healthy()
        try await bench.wait(.seconds(30))
        #expect(bench.answers(token) == [.activateFail, .updateSuccess])
        try await bench.say(.activate, stranger)
        #expect(bench.inUse == "old")
        try await bench.say(.activate, token)
        try await bench.wait(.seconds(10))
        #expect(bench.answers(token) == [.activateFail, .updateSuccess, .activateSuccess])
    }

    @Test("begin after a restart, too, and not when the manifest has expired meanwhile or the payload was changed")
    func afterRestart() async throws {
        let bench = try await UpdateBench()
        var token = try await bench.offer(Array("new".utf8)) { $0.expires = 1_800_003_600 }
        try await bench.restart()
        try await bench.wait(.seconds(4000), step: .seconds(500))
        try await bench.say(.activate, token)
        bench.expectOld(token, .activateFail, "expired")
        token = try await bench.offer(Array("new".utf8))
        let part = bench.place + "/.thermometer.srup-update.part"
        try Data("evil".utf8).write(to: URL(fileURLWithPath: part))
        try await bench.say(.activate, token)
        bench.expectOld(token, .activateFail, "not on the disk any more")
        token = try await bench.offer(Array("new".utf8))
        try await bench.restart()
        try await bench.say(.activate, token)
        try await bench.wait(.seconds(10))
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess])
        #expect(bench.inUse == "new")
    }

    @Test("refuse other offers meanwhile")
    func busy() async throws {
        let bench = try await UpdateBench { $0.waitsForReport = true }
        let token = try await activated(bench)
        let other = try await bench.offer(Array("other".utf8), version: "3")
        #expect(bench.answers(other) == [.updateFailFile])
        #expect(bench.problem.contains("being put to use"))
        #expect(await bench.updater.report())
        try await bench.wait(.seconds(6))
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess])
        #expect(bench.inUse == "new")
    }

    @Test("leave a mark: no lower version ever after, also for a new identity")
    func noWayBack() async throws {
        let bench = try await UpdateBench()
        _ = try await activated(bench, version: "2.0.0")
        try await bench.wait(.seconds(10))
        try bench.state().beginAnew()
        try Data("old".utf8).write(to: URL(fileURLWithPath: bench.path))
        try await bench.restart(joins: true)
        bench.expectOld(try await bench.offer(Array("new".utf8), version: "1.9"), .updateFailFile, "not newer than 2.0.0")
        bench.expectOld(try await bench.offer(Array("new".utf8), version: "2.0"), .updateFailFile, "not newer than 2.0.0")
        let token = try await bench.offer(Array("newer".utf8), version: "2.0.1")
        #expect(bench.answers(token) == [.updateSuccess])
        try await bench.restart { $0.allowsOlder = true }
        let lower = try await bench.offer(Array("lower".utf8), version: "1")
        #expect(bench.answers(lower) == [.updateSuccess], "where its owner wants that")
    }
}
