import Foundation
import Testing

/// Random interleavings of everything that can happen to a network (see ``Model``).
///
/// `SRUP_INTERLEAVINGS=50000` plays so many (1,000 without it), `SRUP_SEED=N` begins at another seed.
@Suite struct ModelTests {
    /// Steps of one interleaving; after each 25th one comes quiet, in which all must come to agree.
    private static let steps = 10
    private static let inOneWorld = 50

    private static func number(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

    @Test func whateverHappensNobodyIsLetInUnseenAndAllAgreeInTheEnd() async throws {
        let wanted = Self.number("SRUP_INTERLEAVINGS") ?? 1000
        let first = UInt64(Self.number("SRUP_SEED") ?? 1)
        let worlds = UInt64((wanted + Self.inOneWorld - 1) / Self.inOneWorld)
        let workers = UInt64(max(1, min(8, ProcessInfo.processInfo.activeProcessorCount)))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    for world in stride(from: worker, to: worlds, by: Int(workers)) {
                        try await Self.play(first + world)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func play(_ seed: UInt64) async throws {
        let model = try await Model(seed: seed)
        defer { model.close() }
        do {
            for episode in 1...inOneWorld {
                for _ in 0..<steps { try await model.step() }
                if episode % 25 == 0 { try await model.quiet() }
            }
        } catch let violation as Model.Violation {
            Issue.record("seed \(seed), step \(model.steps): \(violation)")
            throw violation
        }
    }
}
