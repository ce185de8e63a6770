import Acceptance
import ArgumentParser
import Glibc
import Keeper
import Linux
import Program

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
    @Option(help: ArgumentHelp("How long heat is measured, 0 to 600.", valueName: "minutes"))
    var heat = 60.0
    @Option(help: ArgumentHelp("How long each reading and each tap is waited for, 1 to 600.", valueName: "seconds"))
    var wait = 20.0
    @Option(help: ArgumentHelp("How long a verdict is waited for, 0 to 3600.", valueName: "seconds"))
    var verdict = 180.0
    @Option(help: ArgumentHelp("Where the machine's /proc and /sys are.", valueName: "folder", visibility: .hidden))
    var root = "/"

    func validate() throws {
        guard (0...600).contains(heat), (1...600).contains(wait), (0...3600).contains(verdict) else {
            throw ValidationError("--heat takes 0 to 600 minutes, --wait 1 to 600 and --verdict 0 to 3600 seconds")
        }
    }

    func run() throws {
        let settings = try configuration.load()
        let place = folder ?? settings.stateFolder + "/acceptance"
        mkdir(place, 0o755)
        let path = place + "/record.json"
        let given = try answers.map { try load($0) }
        var record = anew ? AcceptanceRecord() : (try? AcceptanceRecord(contentsOf: path)) ?? AcceptanceRecord()
        let check = AcceptanceCheck(
            settings: settings, path: configuration.path, root: root, folder: place,
            limits: .init(heat: .seconds(heat * 60), wait: wait, verdict: .seconds(verdict)), isAsking: given == nil)
        check.describe(&record)
        do throws(OutputFile.Failure) {
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
            let data = try Data(contentsOf: URL(filePath: path))
            guard data.count <= 1 << 16 else { throw ValidationError("\(path) is too large") }
            return try AcceptanceAnswers(String(decoding: data, as: UTF8.self))
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }

    private func steps(
        _ record: inout AcceptanceRecord, _ check: AcceptanceCheck, _ given: AcceptanceAnswers?, _ path: String
    ) throws(OutputFile.Failure) {
        for step in record.open {
            guard let answer = given.map({ $0[step] }) ?? check.ask(step) else { continue }
            switch answer {
            case .quit: return
            case .skip(let reason): record[step] = AcceptanceResult(.skipped, reason, at: check.now)
            case .seen(let what): record[step] = AcceptanceResult(.passed, "seen: \(what)", at: check.now)
            case .check:
                record[step] = check.result(of: step, &record)
                if let result = record[step] { print("\(step.title): \(result.state.rawValue), \(result.says)") }
            }
            // A power cut may come at any time, and one will.
            try OutputFile.write(record.encoded, to: path + ".new", mode: 0o644)
            if rename(path + ".new", path) != 0 { try OutputFile.write(record.encoded, to: path, mode: 0o644) }
            sync()
        }
    }
}

extension String {
    fileprivate func padding(toLength width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
