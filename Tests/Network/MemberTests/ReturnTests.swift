import Participant
import SRUP
import TestNetwork
import Testing

/// When a member comes back that has lost its connection, as its server says.
@Suite struct ReturnTests {
    private func bench(takes: Bool = true) async throws -> Bench {
        try await Bench { $0.identification.returns = takes ? 0 : nil }
    }

    private func tell(_ bench: Bench, _ text: String) async throws {
        try await bench.say(.data(id: Array(DataName.returnWithin.utf8), value: Array(text.utf8)))
    }

    private func time(_ bench: Bench) -> Duration { bench.network.returnTime(of: Bench.id) }

    /// What it answers to an ID_REQUEST.
    private func identification(_ bench: Bench) async throws -> Identification {
        _ = bench.sent()
        try await bench.say(.idRequest)
        guard case .data(_, let value)? = bench.sent().last?.body else { throw CancellationError() }
        return Identification(String(decoding: value, as: UTF8.self))
    }

    @Test func itGoesByItsServersWordAndKeepsIt() async throws {
        let bench = try await bench()
        try await bench.letIn()
        #expect(time(bench) == .zero)
        #expect(try await identification(bench).returns == 0)
        try await tell(bench, "32")
        #expect(time(bench) == .seconds(32))
        #expect(try await identification(bench).returns == 32)
        try await bench.restart()
        #expect(time(bench) == .seconds(32))
        #expect(try await identification(bench).returns == 32)
        try await tell(bench, "0")
        #expect(time(bench) == .zero)
    }

    @Test func whoWaitsForAnAnswerComesBackAtOnce() async throws {
        let bench = try await bench()
        try await bench.letIn()
        try await tell(bench, "32")
        let token = try await bench.join(.simple)
        #expect(time(bench) == .zero)
        try await bench.say(.response(.joinSuccess), token)
        #expect(time(bench) == .seconds(32))
        // Asked to show itself again.
        try await bench.say(.observedJoinResponse(try bench.envelope(7)), token)
        #expect(time(bench) == .zero)
        try await bench.say(.response(.joinSuccess), token)
        #expect(time(bench) == .seconds(32))
    }

    @Test(arguments: ["", "-1", "301", "1000", "3.5", "ten", "99999999999999999999", "\u{0}4"])
    func whatIsNoTimeChangesNothing(_ text: String) async throws {
        let bench = try await bench()
        try await bench.letIn()
        try await tell(bench, "32")
        try await tell(bench, text)
        #expect(time(bench) == .seconds(32))
        #expect(bench.rejected == ["unexpected-type": 1])
    }

    @Test func whoDoesNotBelongOrTakesNoSuchWordIsNotTold() async throws {
        let outside = try await bench()
        try await tell(outside, "32")
        #expect(time(outside) == .zero)
        let impatient = try await bench(takes: false)
        try await impatient.letIn()
        try await tell(impatient, "32")
        #expect(time(impatient) == .zero)
        #expect(try await identification(impatient).returns == nil)
    }
}
