import Foundation
import Glibc
import Participant
import Program
import SRUP
import Storage
import TestNetwork
import Testing

@testable import Keeper

/// What people see of all the box's observers together.
@Suite struct SignalBoardTests {
    /// A board, and what it says now to who comes anew.
    final class Desk {
        let path = "/tmp/srup-board-\(UUID().uuidString.prefix(8))"
        let board: SignalBoard

        init(_ names: [String] = [""]) throws {
            board = try SignalBoard(path: path, valuePath: path + "-value", names: names)
        }
        deinit {
            unlink(path)
            unlink(path + "-value")
        }
    }

    /// Plays `body` before a listener and returns the words that it has heard; the first is the one before.
    private func words(_ desk: Desk, _ body: (SignalBoard) -> Void) async throws -> [String] {
        try await heard(desk, desk.board.socket, at: desk.path, body)
    }

    /// The same for what a display hears.
    private func values(_ desk: Desk, _ body: (SignalBoard) -> Void) async throws -> [String] {
        try await heard(desk, desk.board.values, at: desk.path + "-value", body)
    }

    private func heard(
        _ desk: Desk, _ socket: SignalSocket, at path: String, _ body: (SignalBoard) -> Void
    ) async throws -> [String] {
        let running = Task { try await socket.run() }
        let listener = SignalListener()
        listener.connect(toAny: [path])
        var heard: [String] = []
        // The pool may have one thread only, which the socket needs, too.
        func listen(to count: Int) async {
            let deadline = ContinuousClock.now + .seconds(20)
            while heard.count < count, listener.isConnected, ContinuousClock.now < deadline {
                heard += listener.words(within: 0)
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
        await listen(to: 1)
        body(desk.board)
        running.cancel()
        _ = await running.result
        // Until the other side has gone.
        await listen(to: .max)
        return heard
    }

    @Test func theValueOfTheFirstObserverThatWaitsIsShown() async throws {
        let (one, other) = (String(repeating: "0a", count: 16), String(repeating: "1b", count: 16))
        let heard = try await values(try Desk(["a", "b"])) { board in
            func say(_ name: String, _ hex: String?) {
                guard let hex else { return board.value(name, nil) }
                Array(hex.utf8).withUnsafeBytes { board.value(name, $0) }
            }
            say("b", other)
            say("a", one)
            say("a", one)
            board.connected("a", isJoined: true)
            say("a", nil)
            say("b", nil)
        }
        #expect(heard == ["none", other + " b", one + " a", other + " b", "none"])
    }

    @Test func onlyTheKeepersGroupHearsTheValue() throws {
        let desk = try Desk()
        var status = stat()
        #expect(stat(desk.path + "-value", &status) == 0 && status.st_mode & 0o777 == 0o660)
        #expect(stat(desk.path, &status) == 0 && status.st_mode & 0o777 == 0o666)
    }

    @Test func whatIsNoValueIsNotShown() {
        let hex = "00112233445566778899aabbccddeeff"
        #expect(ShownValue("none") == .nothing)
        #expect(ShownValue(hex) == .value(hex: hex, observer: ""))
        #expect(ShownValue(hex + " door-2") == .value(hex: hex, observer: "door-2"))
        for wrong in [
            "", " ", "none ", hex + "0", String(hex.dropLast()), hex.uppercased(), hex + " a b", hex + " \u{1B}",
            hex + " " + String(repeating: "x", count: 33), "g" + hex.dropFirst(),
        ] {
            #expect(ShownValue(wrong) == nil, "\(wrong)")
        }
        for value in [ShownValue.nothing, .value(hex: hex, observer: ""), .value(hex: hex, observer: "x")] {
            #expect(ShownValue(value.word) == value)
        }
        #expect(ShownValue(hex: "x", name: "") == nil && ShownValue(hex: nil, name: "") == nil)
    }

    @Test func aBoxThatIsNotJoinedIsAtFault() async throws {
        #expect(
            try await words(try Desk()) { board in
                board.connected("", isJoined: false)
                board.joined("", true)
                board.disconnected("")
                board.connected("", isJoined: true)
            } == ["fault", "waiting", "fault", "waiting"])
    }

    @Test func whoWaitsForItSeesThatItLooks() async throws {
        #expect(
            try await words(try Desk()) { board in
                board.connected("", isJoined: true)
                board.watches("", 1)
                board.watches("", 2)
                board.watches("", 0)
            } == ["fault", "waiting", "looking", "waiting"])
    }

    @Test func anEyeThatCannotSeeIsAFaultUntilItCan() async throws {
        #expect(
            try await words(try Desk()) { board in
                board.connected("", isJoined: true)
                board.watches("", 1)
                board.eye("", "camera", isBlind: true)
                board.eye("", "nfc", isBlind: true)
                board.eye("", "camera", isBlind: false)
                board.eye("", "nfc", isBlind: false)
            } == ["fault", "waiting", "looking", "fault", "looking"])
    }

    @Test func theWorstOfAllIsShown() async throws {
        #expect(
            try await words(try Desk(["a", "b"])) { board in
                board.connected("a", isJoined: true)
                board.connected("b", isJoined: true)
                board.watches("b", 1)
                board.disconnected("a")
                board.watches("b", 0)
                board.connected("a", isJoined: true)
            } == ["fault", "waiting", "looking", "fault", "waiting"])
    }

    @Test func verdictsPassAndNothingElseDoes() async throws {
        #expect(
            try await words(try Desk()) { board in
                board.connected("", isJoined: true)
                for word in ["VALID", "INVALID", "FAILED", "VALID", "valid", "fault", "waiting", "nonsense", ""] {
                    board.verdict(word)
                }
                board.watches("", 0)
            } == ["fault", "waiting", "VALID", "INVALID", "FAILED", "VALID"])
    }

    @Test func whatHappensToAMemberIsHeard() async throws {
        #expect(
            try await words(try Desk()) { board in
                board.heard(.connected, by: "", isJoined: true)
                board.heard(.disconnected("x"), by: "", isJoined: true)
                board.heard(.connected, by: "", isJoined: false)
                board.heard(.joined(again: false), by: "", isJoined: true)
                board.heard(.left("x"), by: "", isJoined: false)
                board.heard(.joined(again: false), by: "", isJoined: true)
                board.heard(.refused(.simple, observer: nil), by: "", isJoined: false)
                board.heard(.joined(again: true), by: "", isJoined: true)
                board.heard(.joinFailed(.simple), by: "", isJoined: false)
                board.heard(.action(1, .random()), by: "", isJoined: true)
            } == ["fault", "waiting", "fault", "waiting", "fault", "waiting", "fault", "waiting", "fault"])
    }
}

/// What a running observer says of itself.
@Suite struct ObserverReportTests {
    @Test func prometheusReadsWhatItCounts() {
        var report = ObserverReport()
        report.verdicts = ["VALID": 3, "FAILED": 1]
        report.rejected = ["bad-signature": 7]
        report.connected = true
        report.identity = "b1"
        let text = ObserverReport.metrics([report])
        for line in [
            "# TYPE srup_observer_verdicts_total counter", "srup_observer_verdicts_total{verdict=\"VALID\"} 3",
            "srup_observer_verdicts_total{verdict=\"INVALID\"} 0", "srup_observer_connected 1",
            "srup_observer_joined 0",
            "srup_observer_messages_rejected_total{reason=\"bad-signature\"} 7",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
        // Several in one box are told apart.
        var (first, second) = (report, report)
        (first.name, second.name) = ("left \"1\"", "right")
        second.connected = false
        let both = ObserverReport.metrics([first, second])
        #expect(both.contains("srup_observer_connected{observer=\"left \\\"1\\\"\"} 1\n"))
        #expect(both.contains("srup_observer_connected{observer=\"right\"} 0\n"))
        // Nor does what is shown to people stand in it.
        report.value = "000102030405060708090a0b0c0d0e0f"
        #expect(!ObserverReport.metrics([report]).contains("0001020304"))
    }

    @Test func oneIsAnObjectAndSeveralAreAList() throws {
        var report = ObserverReport()
        report.name = "door"
        #expect(ObserverReport.encoded([report]).hasPrefix("{"))
        #expect(ObserverReport.encoded([report, report]).hasPrefix("[{"))
        #expect(ObserverReport.encoded([]) == "[]")
    }

    @Test func whatIsSaidComesBack() throws {
        var report = ObserverReport()
        report.identity = "b1"
        report.eyes = ["camera": "lost: a \"quoted\" reason\n"]
        report.verdicts = ["VALID": 3]
        report.rejected = ["replayed": .max]
        let text = ObserverReport.encoded([report])
        let read = try JSONDecoder().decode(ObserverReport.self, from: Data(text.utf8))
        #expect(read.eyes == report.eyes && read.verdicts == report.verdicts && read.rejected == report.rejected)
        #expect(!text.contains("\n"))
    }

    @Test func onlyTheNewestFiveObservationsAreTold() throws {
        let network = try TestNetwork()
        defer { network.close() }
        let state = try ParticipantStore(path: network.folder + "/x.db")
        for number in 0..<9 {
            try state.audit("observation", "number \(number)", now: Double(number))
            try state.audit("joined", "server", now: Double(number))
        }
        let told = ObserverReport.observations(state)
        #expect(told.count == 5)
        #expect(told.first == "1970-01-01T00:00:08Z number 8" && told.last == "1970-01-01T00:00:04Z number 4")
    }

    @Test func theOperatorIsToldWhatToSay() {
        #expect(ObserverReport.waitingWords("b1").contains("\"srup-c2 trust b1\""))
    }
}
