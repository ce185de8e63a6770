import ArgumentParser
import Model
import Synchronization

@main
struct SRUPModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "srup-model",
        abstract: "Play random interleavings of a whole network, in one process and in virtual time.",
        discussion: """
            Server, two observers, two devices, a reference observer, and who would like to be let in unseen, over a network \
            that loses, repeats and reorders. After each step the invariants are checked: nobody is let in unseen, no verdict \
            counts twice, no number is used twice, and in the end both sides agree about who belongs.

            Exit codes: 0 all hold, 1 one does not; then the seed and what happened are shown.
            """)

    @Option(help: "How many, ten steps each.")
    var interleavings = 50_000
    @Option(help: "The first seed. The same one plays the same steps, but for times that are random by design.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...100_000_000).contains(interleavings) else {
            throw ValidationError("--interleavings must be from 1 to 100,000,000")
        }
    }

    func run() async throws {
        let start = ContinuousClock.now
        let shown = Mutex(start)
        let tally: [String: Int]
        do {
            tally = try await Model.play(interleavings, seed: seed) { played in
                let isDue = shown.withLock { last in
                    guard ContinuousClock.now - last > .seconds(10) else { return false }
                    last = .now
                    return true
                }
                if isDue { print("\(played) of \(interleavings)") }
            }
        } catch {
            print("\(error)")
            throw ExitCode(1)
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        print("\(interleavings) interleavings hold, in \(Int(seconds)) s")
        for (what, count) in tally.sorted(by: { $0.key < $1.key }) { print("  \(what): \(count)") }
    }
}
