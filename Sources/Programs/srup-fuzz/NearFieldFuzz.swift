import ArgumentParser
import FuzzTargets
import ObservedValue
import SRUP
import SRUPJSON

/// Hostile bytes for everything that a tapped device can send.
struct NearFieldFuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nearfield",
        abstract: "Feed hostile bytes to LLCP, SNEP, NDEF and the two tag readers.",
        discussion: """
            Dialogues that work are cut, spliced and bent; each input goes through every layer that takes it, and what \
            must hold is checked: answers that parse and fit, bounded queues, messages that come back.

            Exit codes: 0 nothing was found, 1 something did not hold; a crash is a crash.
            """)

    @OptionGroup var options: FuzzOptions
    @Option(help: "ndef, snep, llcp, type2, type4; all without.")
    var target: [Target] = Target.allCases

    enum Target: String, CaseIterable, ExpressibleByArgument {
        case ndef, snep, llcp, type2, type4

        var fuzzed: FuzzTarget {
            switch self {
            case .ndef: .ndef
            case .snep: .snep
            case .llcp: .llcp
            case .type2: .type2
            case .type4: .type4
            }
        }
    }

    func run() throws {
        for target in target {
            var fuzzer = Fuzzer(corpus: Dialogues.corpus(target.fuzzed), seed: options.seed)
            try options.run(target.rawValue) { _ in
                let input = fuzzer.next()
                do {
                    return try target.fuzzed.feed(input)
                } catch {
                    throw Violation(description: "\(error): \(Hex.encode(input))")
                }
            }
        }
    }
}
