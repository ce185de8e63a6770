import Foundation
import Linux
import SRUP
import Testing

@testable import Updates

/// The power is cut at every step there is: afterwards the old version or the new one is there, whole, and the next run brings
/// to its end what was begun, with one answer each.
@Suite("Updates in power cuts")
struct PowerCutTests {
    private static let success = Updater.Step.allCases.filter { ![.revertStored, .reverted].contains($0) }
    private static let failure = Updater.Step.allCases.filter { ![.keepStored, .kept, .afterwardsRun].contains($0) }

    /// Plays an update with a cut; returns its token.
    private func play(_ bench: UpdateBench, _ step: Updater.Step) async throws -> Token {
        bench.planCut(step)
        let token = Token.random()
        try await bench.offer(Array("new".utf8), token: token)
        if !bench.wasCut { try await bench.say(.activate, token) }
        if !bench.wasCut { try await bench.wait(.seconds(10)) }
        #expect(bench.wasCut, "\(step) was never reached")
        #expect(["old", "new"].contains(bench.inUse), "\(step): \(bench.inUse)")
        try await bench.restart()
        // The server has no answer to its ACTIVATE, or has never said it.
        try await bench.wait(.seconds(20))
        if !bench.answers(token).contains(where: { [.activateSuccess, .activateFail].contains($0) }) {
            try await bench.say(.activate, token)
            try await bench.wait(.seconds(20))
        }
        return token
    }

    @Test("end with the new version", arguments: success)
    func good(_ step: Updater.Step) async throws {
        let bench = try await UpdateBench()
        let token = try await play(bench, step)
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess], "\(bench.problem)")
        #expect(bench.inUse == "new")
        #expect(bench.leftOvers == [])
    }

    @Test("end with the old one when the new one does not start", arguments: failure)
    func bad(_ step: Updater.Step) async throws {
        let bench = try await UpdateBench { settings in
            settings.after = CommandRun.Command(
                program: "/usr/bin/grep", arguments: ["-q", "old", settings.path], timeout: .seconds(60))
        }
        let token = try await play(bench, step)
        #expect(bench.answers(token) == [.updateSuccess, .activateFail], "\(bench.problem)")
        #expect(bench.inUse == "old")
        #expect(bench.leftOvers == [])
    }

    @Test("end with the new version in a folder of versions", arguments: success)
    func versions(_ step: Updater.Step) async throws {
        let bench = try await UpdateBench { settings in
            settings.kind = .versions
            settings.path = settings.folder + "/../current"
            settings.name = "program"
        }
        let token = try await play(bench, step)
        #expect(bench.answers(token) == [.updateSuccess, .activateSuccess], "\(bench.problem)")
        #expect(try String(contentsOfFile: bench.place + "/../current/program", encoding: .utf8) == "new")
        #expect(bench.leftOvers.count == 1 && bench.leftOvers[0].hasPrefix("2.0.0-"), "\(bench.leftOvers)")
    }
}
