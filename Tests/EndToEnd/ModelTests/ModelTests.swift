import Foundation
import Model
import Testing

/// Random interleavings of everything that can happen to a network (see ``Model``); `srup-model` plays more of them.
@Suite struct ModelTests {
    @Test func whateverHappensNobodyIsLetInUnseenAndAllAgreeInTheEnd() async throws {
        let tally = try await Model.play(1000, seed: 1)
        // Else nothing would be shown.
        for what in ["let in", "observations", "forged in time", "restarts", "done", "done in the group"] {
            #expect(tally[what, default: 0] > 10, "\(what)")
        }
    }
}
