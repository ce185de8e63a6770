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

            With --sheet, where [appliance] acceptance is true, no keyboard is needed: the cards of "srup-observer test-sheet \
            --steps" are held before the camera, or tapped as text, lamp and display say where it is, and a step that is \
            left out is "skipped by the sheet". The service srup-accept does this.

            With --answers a file answers, a line a step: "lamp: skip no lamps here". Steps that it does not name stay open.

            Exit codes: 0 every step has passed, or there is nothing to check; 1 a step has failed; 2 steps are open or were \
            skipped; 69 the report cannot be written; 78 configuration or answers are wrong. With --sheet 0 whatever came of it.
            """)

    @OptionGroup var configuration: ConfigurationOptions
    @Option(
        help: ArgumentHelp("Where record and report are kept (the state folder's \"acceptance\").", valueName: "folder")
    )
    var folder: String?
    @Option(help: ArgumentHelp("Answers from this file, without asking.", valueName: "file"))
    var answers: String?
    @Flag(
        help:
            "Cards that are held before the eyes drive it; ends at once where the configuration does not say acceptance."
    )
    var sheet = false
    @Option(
        help: ArgumentHelp(
            "With --sheet: end when no card was held up for so long, 0.1 to 600; the configuration's aim_minutes, if longer.",
            valueName: "minutes"))
    var window = 30.0
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
        guard !sheet || answers == nil else { throw ValidationError("either --sheet or --answers") }
        guard (0.1...600).contains(window) else { throw ValidationError("--window takes 0.1 to 600 minutes") }
        guard (0.1...600).contains(heat), (1...600).contains(wait), (0...3600).contains(verdict),
            (1...3600).contains(cut)
        else {
            throw ValidationError(
                "--heat takes 0.1 to 600 minutes, --wait 1 to 600, --verdict 0 to 3600 and --cut 1 to 3600 seconds")
        }
    }

    func run() throws {
        let settings = try configuration.load()
        if sheet, settings.appliance?.acceptance != true {
            print("no card drives an acceptance check here ([appliance] acceptance in \(configuration.path))")
            return
        }
        let given = try answers.map { try load($0) }
        let kept = AcceptanceFolder(folder ?? AcceptanceFolder.path(settings))
        kept.make(inside: folder == nil ? settings.stateFolder : nil)
        let check = AcceptanceCheck(
            settings: settings, path: configuration.path, root: root, folder: kept.path,
            limits: .init(
                heat: .seconds(heat * 60), cut: .seconds(cut), wait: wait, look: sheet ? min(wait, 10) : wait,
                verdict: .seconds(verdict)),
            isAsking: given == nil && !sheet)
        var record = anew ? AcceptanceRecord() : kept.record
        for step in again { record.forget(step) }
        check.forgetEndedWait(&record)
        check.describe(&record)
        do throws(OutputFile.Failure) {
            // Before an hour's work: it would be in vain.
            try kept.keep(record)
            if sheet {
                var driver = SheetAcceptance(check, kept, settings, window: .seconds(window * 60))
                try driver.run(&record)
            } else {
                try steps(&record, check, given, kept)
            }
            try kept.report(record)
        } catch {
            throw Program.failure(error, code: .unavailable)
        }
        if sheet { return }
        print(AcceptanceReport(record).text)
        print("written: \(kept.path)/report.txt, \(kept.path)/report.html")
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
        _ record: inout AcceptanceRecord, _ check: AcceptanceCheck, _ given: AcceptanceAnswers?,
        _ kept: AcceptanceFolder
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
                record[step] = try check.result(of: step, &record, keep: kept.keep)
                if let result = record[step] { print("\(step.title): \(result.state.rawValue), \(result.says)") }
            }
            try kept.keep(record)
        }
    }
}

extension String {
    fileprivate func padding(toLength width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
