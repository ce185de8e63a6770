import Acceptance
import ArgumentParser
import Glibc
import Keeper
import Linux
import Program
import Settings

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct AcceptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept",
        abstract: "Check a mounted observer step by step, and write the page that is signed.",
        discussion: """
            Asks for each step what has to be done, checks it, and writes report.txt and report.html (one page to print; with \
            a small picture of where the camera looks, in which codes and writing are made unreadable):

            \(AcceptanceStep.allCases.map { "  \($0.rawValue.padding(toLength: 12))\($0.title)" }.joined(separator: "\n"))

            Answers: Enter, the step is checked; "skip REASON"; "seen WORDS", you have seen it and say so; "quit". What was \
            done is kept after each step: started again it goes on, also after the power cut. The test sheet is that of \
            "srup-observer test-sheet". Best run as root, while the observer runs.

            The power cut is known by the kernel's number of the start, and by this program: it waits for the cut, and where it \
            is ended in order (a restart, Ctrl-C), that was none. What rests on somebody's word, or was shortened by --heat, the \
            report says in its first lines. --again repeats one step, which the report says, too.

            With --answers a file answers, a line a step: "lamp: skip no lamps here". Steps that it does not name stay open.

            Exit codes: 0 every step has passed, or there is nothing to check; 1 a step has failed; 2 steps are open or were \
            skipped; 69 the report cannot be written; 78 configuration or answers are wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(
        help: ArgumentHelp("Where record and report are kept (the state folder's \"acceptance\").", valueName: "folder")
    )
    var folder: String?
    @Option(help: ArgumentHelp("Answers from this file, without asking.", valueName: "file"))
    var answers: String?
    @Flag(help: "Begin anew: what was checked before counts no more.")
    var anew = false
    @Option(
        help: ArgumentHelp("Check this step once more, whatever came of it; may be repeated.", valueName: "step"),
        transform: Self.step)
    var again: [AcceptanceStep] = []
    @Option(
        help: ArgumentHelp(
            "How long heat is measured, 0.1 to 600; under 60 the report says \"shortened\".", valueName: "minutes"))
    var heat = 60.0
    @Option(help: ArgumentHelp("How long each reading and each tap is waited for, 1 to 600.", valueName: "seconds"))
    var wait = 20.0
    @Option(help: ArgumentHelp("How long a verdict is waited for, 0 to 3600.", valueName: "seconds"))
    var verdict = 180.0
    @Option(help: ArgumentHelp("How long the power cut is waited for, 1 to 3600.", valueName: "seconds"))
    var cut = 600.0
    @Option(help: ArgumentHelp("Where the machine's /proc and /sys are.", valueName: "folder", visibility: .hidden))
    var root = "/"

    private static let step: @Sendable (String) throws -> AcceptanceStep = { name in
        guard let step = AcceptanceStep(rawValue: name) else {
            let all = AcceptanceStep.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("there is no step \"\(name.prefix(40))\"; there are \(all)")
        }
        return step
    }

    func validate() throws {
        guard (0.1...600).contains(heat), (1...600).contains(wait), (0...3600).contains(verdict),
            (1...3600).contains(cut)
        else {
            throw ValidationError(
                "--heat takes 0.1 to 600 minutes, --wait 1 to 600, --verdict 0 to 3600 and --cut 1 to 3600 seconds")
        }
    }

    func run() throws {
        let settings = try configuration.load()
        let place = folder ?? settings.stateFolder + "/acceptance"
        mkdir(place, 0o755)
        let path = place + "/record.json"
        let given = try answers.map { try load($0) }
        var record = anew ? AcceptanceRecord() : Self.kept(path)
        for step in again { record.forget(step) }
        let check = AcceptanceCheck(
            settings: settings, path: configuration.path, root: root, folder: place,
            limits: .init(heat: .seconds(heat * 60), cut: .seconds(cut), wait: wait, verdict: .seconds(verdict)),
            isAsking: given == nil)
        check.describe(&record)
        do throws(OutputFile.Failure) {
            // Before an hour's work: it would be in vain.
            try Self.keep(record, path)
            try steps(&record, check, given, path)
            let report = AcceptanceReport(record)
            try OutputFile.write(Array(report.text.utf8), to: place + "/report.txt", mode: 0o644)
            try OutputFile.write(Array(report.html.utf8), to: place + "/report.html", mode: 0o644)
            print(report.text)
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
        print("written: \(place)/report.txt, \(place)/report.html")
        if record.exitCode != 0 { throw ExitCode(record.exitCode) }
    }

    private func load(_ path: String) throws -> AcceptanceAnswers {
        do {
            return try AcceptanceAnswers(String(decoding: try SettingsFile.contents(of: path), as: UTF8.self))
        } catch let failure as AcceptanceAnswers.Failure {
            Program.complain("\(path), \(failure)")
            throw ExitCode(Program.Code.configuration.rawValue)
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }

    private func steps(
        _ record: inout AcceptanceRecord, _ check: AcceptanceCheck, _ given: AcceptanceAnswers?, _ path: String
    ) throws(OutputFile.Failure) {
        for step in record.open {
            let isAnswered = step == .powerCut && check.hasStartedAnew(since: record)
            guard let answer = given.map({ $0[step] }) ?? (isAnswered ? .check : check.ask(step)) else { continue }
            switch answer {
            case .quit: return
            case .skip(let reason): record[step] = AcceptanceResult(.skipped, reason, at: check.now)
            case .seen(let what):
                record[step] = AcceptanceResult(.passed, "seen: \(what)", at: check.now, weakness: .seen)
            case .check:
                let keep: (AcceptanceRecord) throws(OutputFile.Failure) -> Void = { record throws(OutputFile.Failure) in
                    try Self.keep(record, path)
                }
                record[step] = try check.result(of: step, &record, keep: keep)
                if let result = record[step] { print("\(step.title): \(result.state.rawValue), \(result.says)") }
            }
            try Self.keep(record, path)
        }
    }

    /// What was kept; a file that cannot be read is put aside, and that is said.
    private static func kept(_ path: String) -> AcceptanceRecord {
        guard access(path, F_OK) == 0 else { return AcceptanceRecord() }
        do {
            return try AcceptanceRecord(contentsOf: path)
        } catch {
            let aside = path + ".unreadable"
            rename(path, aside)
            Program.complain("what was checked before cannot be read (now \(aside)): beginning anew")
            return AcceptanceRecord()
        }
    }

    /// A power cut may come at any time, and one will.
    private static func keep(_ record: AcceptanceRecord, _ path: String) throws(OutputFile.Failure) {
        try OutputFile.write(record.encoded, to: path + ".new", mode: 0o644)
        if rename(path + ".new", path) != 0 { try OutputFile.write(record.encoded, to: path, mode: 0o644) }
        sync()
    }
}

extension String {
    fileprivate func padding(toLength width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
