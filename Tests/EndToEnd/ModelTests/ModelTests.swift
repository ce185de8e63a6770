import Foundation
import Model
import Testing

/// Random interleavings of everything that can happen to a network (see ``Model``); `srup-model` plays more of them.
@Suite struct ModelTests {
    @Test func whateverHappensNobodyIsLetInUnseenAndAllAgreeInTheEnd() async throws {
        try await Model.play(1000, seed: 1)
    }
}
