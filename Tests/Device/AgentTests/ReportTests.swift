import Foundation
import Glibc
import SRUP
import TestNetwork
import Testing

@testable import Agent
@testable import Participant
@testable import Updates

/// A new version that reports in at the agent's socket.
@Suite struct ReportTests {
    private func line(_ program: LocalProgram, _ text: String) async -> String? {
        nonisolated(unsafe) let program = program
        program.write(text + "\n")
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: program.line()) }
        }
    }

    /// An update in its trial, as a restart finds it.
    private func trial(_ bench: AgentBench) async throws -> Updater {
        var settings = UpdateSettings()
        settings.path = bench.folder + "/thermometer"
        settings.requiresReleaseKey = false
        settings.waitsForReport = true
        settings.settle = .seconds(10)
        try Data("new".utf8).write(to: URL(fileURLWithPath: settings.path))
        try Data("old".utf8).write(to: URL(fileURLWithPath: bench.folder + "/.thermometer.srup-update.old"))
        let participant = bench.member.participant
        let offer = ParticipantStore.Request(
            token: .random(), kind: .update, peer: TestServer.id,
            detail: "https://x/y\n" + String(repeating: "0", count: 64))
        var record = UpdateRecord(try #require(Member.Offer(offer)))
        record.phase = .trial
        record.undo = "old"
        try record.save(participant.state)
        let updater = try Updater(
            settings, folder: bench.folder, participant: participant, events: try EventLog(path: nil), program: "1",
            time: bench.network.time)
        await bench.agent.use(bench.member, updater: updater)
        try await updater.use(bench.member)
        await updater.idle()
        return updater
    }

    @Test func aNewVersionReportsInAndStaysWhenItLivesOn() async throws {
        let bench = try await AgentBench("socket = \"FOLDER/agent.sock\"")
        try await bench.wait("the socket") { FileManager.default.fileExists(atPath: $0.socket) }
        let program = try #require(LocalProgram(bench.socket))
        #expect(await line(program, #"{"report": true}"#)?.contains("no update waits") == true)
        let updater = try await trial(bench)
        #expect(await line(program, #"{"report": true, "process": \#(getpid())}"#) == #"{"done":true}"#)
        await bench.network.advance(by: .seconds(11))
        await updater.tick()
        await updater.idle()
        #expect(try UpdateRecord.load(bench.member.participant.state)?.phase == .done)
        #expect(try UpdateRecord.load(bench.member.participant.state)?.status == Status.activateSuccess.rawValue)
        #expect(!FileManager.default.fileExists(atPath: bench.folder + "/.thermometer.srup-update.old"))
        #expect(await line(program, #"{"report": true}"#)?.contains("no update waits") == true)
    }

    @Test func aNewVersionThatReportsInAndEndsGoesBack() async throws {
        let bench = try await AgentBench("socket = \"FOLDER/agent.sock\"")
        try await bench.wait("the socket") { FileManager.default.fileExists(atPath: $0.socket) }
        let program = try #require(LocalProgram(bench.socket))
        let updater = try await trial(bench)
        // Of a process that has ended.
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/bin/true")
        try child.run()
        child.waitUntilExit()
        let number = child.processIdentifier
        #expect(await line(program, #"{"report": true, "process": \#(number)}"#) == #"{"done":true}"#)
        for _ in 0..<3 {
            await bench.network.advance(by: .seconds(2))
            await updater.tick()
            await updater.idle()
        }
        #expect(try UpdateRecord.load(bench.member.participant.state)?.status == Status.activateFail.rawValue)
        #expect(try String(contentsOfFile: bench.folder + "/thermometer", encoding: .utf8) == "old")
    }
}
