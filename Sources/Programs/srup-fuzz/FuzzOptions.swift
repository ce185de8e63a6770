import ArgumentParser
import FuzzTargets
import Glibc

/// The options that every fuzzer has, and the loop that they are about.
struct FuzzOptions: ParsableArguments {
    @Option(help: "How many inputs, of each kind where there are several.")
    var runs = 1_000_000
    @Option(help: ArgumentHelp("End each kind after so many seconds, even before.", valueName: "n"))
    var seconds = 600.0
    @Option(help: "The same seed makes the same inputs.")
    var seed: UInt64 = 1

    func validate() throws {
        guard runs >= 0 else { throw ValidationError("--runs is a number of inputs") }
        guard seconds >= 0, seconds <= 1e9 else { throw ValidationError("--seconds is 0 or more") }
    }

    /// Feeds inputs of one kind until there were enough or the time is over; says how far it is every half minute.
    /// - Parameter feed: makes and feeds the input of that number; whether something useful came out of it.
    /// - Throws: `ExitCode(1)` when what must hold did not; that is printed before.
    func run(_ kind: String, _ feed: (_ number: Int) throws -> Bool) throws {
        let start = ContinuousClock.now
        var now = start
        var said = start
        var (number, useful) = (0, 0)
        var slowest = Duration.zero
        while number < runs, now - start < .seconds(seconds) {
            do {
                if try feed(number) { useful += 1 }
            } catch {
                print("\(kind): input \(number) of seed \(seed): \(error)")
                throw ExitCode(1)
            }
            number += 1
            let end = ContinuousClock.now
            slowest = max(slowest, end - now)
            now = end
            if now - said > .seconds(30) {
                said = now
                say(kind, number, useful, slowest, now - start)
            }
        }
        say(kind, number, useful, slowest, now - start)
    }

    private func say(_ kind: String, _ number: Int, _ useful: Int, _ slowest: Duration, _ elapsed: Duration) {
        var usage = rusage()
        getrusage(0, &usage)  // RUSAGE_SELF, whose type differs between C libraries
        let milliseconds = Int((slowest / .milliseconds(1)).rounded(.up))
        print(
            "\(kind): \(number) inputs in \(Int(elapsed / .seconds(1))) s, \(useful) went through, "
                + "the slowest took \(milliseconds) ms; at most \(usage.ru_maxrss >> 10) MiB")
        fflush(nil)
    }
}
